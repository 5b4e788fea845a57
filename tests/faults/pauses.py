"""Pauses: a live demo in which each flow in turn is stopped again and again, and then for long; every second closes.

`python -m tests.faults.pauses` takes minutes. What must hold is told in event time: once a flow runs again, the newest
second that it has closed is never older than its pause plus `MOST_S`, and no table stops growing.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from flows.health import scrape
from flows.supervisor import end_with_parent

FLOWS = ("market", "risk", "forecast", "alerts", "archive")
LAG = "alphaplus_event_time_lag_seconds"
STOPPED_S, EVERY_S, LONG_S = 0.6, 3.0, 10.0
MOST_S = 5.0
START_S = 300.0


class Flow:
    """A process of a demo: how to stop it, and what it says of itself."""

    def __init__(self, name: str, pid: int, port: int) -> None:
        self.name, self.pid, self.port = name, pid, port

    def stop(self, seconds: float) -> None:
        """Stop it for so long."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def lag_s(self) -> float | None:
        """The age of the newest second that all its shards have closed."""
        return scrape(self.port).highest.get(LAG)


def flows_of(data: Path) -> dict[str, Flow]:
    """The flows that run on a data folder, by the arguments of their processes."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "run" in words and any(w.startswith(str(data)) for w in words):
            name = words[words.index("run") + 1]
            port = next(int(w.partition("=")[2]) for w in words if w.startswith("metrics_port="))
            found[name] = Flow(name, int(folder.name), port)
    return found


def worst_lag(flow: Flow, seconds: float) -> float:
    """The greatest age of its newest closed second within a time, looked at four times a second."""
    until, worst = time.monotonic() + seconds, 0.0
    while time.monotonic() < until:
        worst = max(worst, flow.lag_s() or 0.0)
        time.sleep(0.25)
    return worst


def pause(flow: Flow, seconds: float) -> list[str]:
    """Stop it for 0.6 s of every 3 s, then for 10 s; what it says that must not be."""
    out = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        flow.stop(STOPPED_S)
        lag = worst_lag(flow, EVERY_S - STOPPED_S)
        if lag > STOPPED_S + MOST_S:
            out.append(f"{flow.name}: stopped for {STOPPED_S} s, its newest second was {lag:.1f} s old")
    flow.stop(LONG_S)
    lag = worst_lag(flow, EVERY_S)
    if lag > LONG_S + MOST_S:
        out.append(f"{flow.name}: stopped for {LONG_S} s, its newest second was {lag:.1f} s old")
    after = worst_lag(flow, 2 * EVERY_S)
    print(f"{flow.name}: after {LONG_S:.0f} s {lag:.1f} s, then {after:.1f} s", flush=True)
    return out


def drill(data: Path, seconds: float, names: tuple[str, ...]) -> list[str]:
    """Each flow of a running demo in turn."""
    out = []
    for name in names:
        flow = flows_of(data)[name]
        if flow.lag_s() is not None:
            out += pause(flow, seconds)
    return out


def main() -> int:
    """`python -m tests.faults.pauses --seconds 120`."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.pauses", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each flow is stopped now and then")
    parser.add_argument("--partitions", type=int, default=16, help="more than instruments: most have nothing")
    parser.add_argument("--data", type=Path, default=None, help="the folder of a demo that runs already")
    given = parser.parse_args()
    end_with_parent()
    if given.data is not None:
        return report(drill(given.data, given.seconds, FLOWS))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        command = [sys.executable, "-m", "flows", "demo", "--data", folder, "--past", "2"]
        command += ["--set", f"kafka.partitions={given.partitions}"]
        with (data / "demo.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as demo:
            try:
                wait(data)
                found = drill(data, given.seconds, FLOWS)
            finally:
                demo.send_signal(signal.SIGTERM)
    return report(found)


def wait(data: Path) -> None:
    """Until all that closes windows is up and close behind."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        lags = [flow.lag_s() for name, flow in flows_of(data).items() if name in ("market", "risk")]
        if len(lags) == 2 and all(lag is not None and lag < MOST_S for lag in lags):
            return
        time.sleep(0.5)
    raise SystemExit(f"the demo was not up within {START_S:.0f} s: {msgspec.json.encode(lags).decode()}")


def report(found: list[str]) -> int:
    """Print what must not be; 1 when there is any."""
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
