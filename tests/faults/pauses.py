"""Pauses: live flows are stopped again and again, starved, given empty partitions or many accounts; every second closes.

`python -m tests.faults.pauses` takes minutes. What must hold is told in event time: the newest second that a flow has
closed is never older than the pause plus `MOST_S`, no table stops growing, and nothing else ends or fails.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flows.commands.printer import Printer
from flows.commands.verify import compare
from flows.job_graph import FLOWS
from flows.session.supervisor import end_with_parent
from models.simulator import numbered
from tests.faults.kills import brokers
from tests.faults.live_run import SYMBOLS, LiveRun, brief, live, not_grown, settings, simulated, stopped

NAMES = tuple(flow.name for flow in FLOWS)
STOPPED_S, EVERY_S, LONG_S = 0.6, 3.0, 10.0
MOST_S = 5.0
START_S = 600.0


class Judge:
    """Notes every flow that was further behind than it may be, at its worst."""

    def __init__(self, run: LiveRun) -> None:
        self.run = run
        self.found: list[str] = []

    def watch(self, seconds: float, pause_s: float, during: str) -> None:
        """For so long no flow may be further behind than the pause plus `MOST_S`."""
        worst: dict[str, tuple[float, float]] = {}
        for ages in self.run.attend(seconds):
            market_s = self.run.ages.market_s()
            for flow, age in ages.items():
                worst[flow] = max(worst.get(flow, (0.0, 0.0)), (float("inf") if age is None else age, market_s))
        self.found += [
            f"{during}: the newest second of {flow} was {age:.1f} s old, {pause_s + MOST_S:.1f} s are allowed; "
            f"the newest that the market had written was {market_s:.1f} s old"
            for flow, (age, market_s) in worst.items()
            if age > pause_s + MOST_S
        ]

    def calm(self, after: str) -> None:
        """Soon all must be close behind again."""
        try:
            self.run.wait(MOST_S, 30.0)
        except TimeoutError as error:
            self.found.append(f"after {after}: {error}")

    @contextmanager
    def growing(self, during: str) -> Iterator[None]:
        """Meanwhile every table grows that has time to."""
        before, since_s = self.run.ages.rows(), time.monotonic()
        yield
        after, seconds = self.run.ages.rows(), time.monotonic() - since_s
        self.found += [f"{during}: {line}" for line in not_grown(before, after, seconds)]


def pause(judge: Judge, flow: str, seconds: float, long_s: float = LONG_S) -> None:
    """Stop a flow for 0.6 s of every 3 s, then for long at once."""
    during = f"{flow} stopped for {STOPPED_S} s of {EVERY_S:.0f}"
    with judge.growing(during):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with stopped(judge.run, flow):
                judge.watch(STOPPED_S, STOPPED_S, during)
            judge.watch(EVERY_S - STOPPED_S, STOPPED_S, during)
    if long_s:
        during = f"{flow} stopped for {long_s:.0f} s"
        with stopped(judge.run, flow):
            judge.watch(long_s, long_s, during)
        judge.watch(EVERY_S, long_s, during)
        judge.calm(during)


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that do nothing but take the processors."""
    with ExitStack() as stack:
        for _ in range(loops):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def drill(run: LiveRun, flows: tuple[str, ...], seconds: float, loops: int, loaded_s: float) -> list[str]:
    """Each flow in turn, then the processors taken; what must not be."""
    judge = Judge(run)
    print(f"up: {brief(run.wait(MOST_S, START_S))}", flush=True)
    for flow in flows:
        already = len(judge.found)
        pause(judge, flow, seconds)
        print(f"{flow}: {'held' if len(judge.found) == already else 'NOT HELD'}; {brief(run.ages.look())}", flush=True)
    if loops:
        during = f"{loops} busy loops"
        with judge.growing(during), busy(loops):
            judge.watch(loaded_s, 0.0, during)
        judge.calm(during)
        print(f"{during}: {brief(run.ages.look())}", flush=True)
    return judge.found


def main() -> int:
    """`python -m tests.faults.pauses --seconds 120`; 1 when something must not be, a line each."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.pauses", description=__doc__)
    parser.add_argument("--flows", default=",".join(NAMES), help="which are stopped, in this order; none: ''")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each flow is stopped now and then")
    parser.add_argument("--busy", type=int, default=0, help="processes that take the processors, after the pauses")
    parser.add_argument("--loaded", type=float, default=40.0, help="how long, in seconds")
    parser.add_argument("--partitions", type=int, default=16, help="more than instruments: most have nothing")
    parser.add_argument("--instruments", type=int, default=len(SYMBOLS))
    parser.add_argument("--accounts", type=int, default=6)
    parser.add_argument("--broker", choices=["embedded", "kafka"], default="embedded")
    parser.add_argument("--verify", action="store_true", help="replay the recorded topics at the end, and compare")
    given = parser.parse_args()
    end_with_parent()
    more = numbered(max(0, given.instruments - len(SYMBOLS)))
    market = simulated(symbols=(*SYMBOLS[: given.instruments], *more), accounts=given.accounts)
    flows = tuple(filter(None, given.flows.split(",")))
    with tempfile.TemporaryDirectory(prefix="alphaplus-pauses-") as name:
        folder = Path(name)
        with (
            brokers(given.broker, folder / "kafka", lasting=True) as address,
            live(settings(folder / "data", address, sets=[f"kafka.partitions={given.partitions}"]), market) as run,
        ):
            found = drill(run, flows, given.seconds, given.busy, given.loaded)
            if given.verify:
                run.quieten()
                found += compare(run.settings, Printer())
            # before brokers are ended: one that does not come to an end would take what was found with it
            for line in found:
                print(line, file=sys.stderr, flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
