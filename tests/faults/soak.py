"""A soak: hours of a simulated market through all flows as fast as they take them; is memory flat, are commits on time?

`python -m tests.faults.soak --hours 8`. A short run of its own goes before, in which kernels that are not cached are
compiled: a flow that compiles commits nothing. Of every half hour of event time a line: how much memory each process
has, the longest that a flow went without a commit, and what the store's folder holds beside what its tables say. What
must hold: over the second half no process grows by more than `GROWS`, no flow is without a commit for longer than
`COMMITS_S`, and the folder has at most `DISK` times the bytes of the tables' parts, those counted that were merged in
the last eight minutes and are not removed yet.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from flows.clickhouse.client import connect
from flows.job_graph import FLOWS
from flows.monitoring import telemetry
from flows.monitoring.health import scrape
from flows.session.supervisor import end_with_parent
from tests.faults.kills import brokers
from tests.faults.live_run import SYMBOLS, LiveRun, live, settings, simulated

LINE_S, START_S, NEAR_S = 1800, 600.0, 10.0
COMPILED_MIN = 6
"""So many minutes of the market close windows of each length."""
GROWS, SMALL_MB, COMMITS_S, DISK = 1.1, 16.0, 15.0, 1.5
MB = 2**20
BUFFER_BYTES = 32 << 20
"""What a flow may read ahead. A flow that reads others' rows fetches those of the fastest until the slowest has come as
far: with the 128 MB of the settings that fills all eight hours long, and looks like a leak."""
HELD = "SELECT sumIf(bytes_on_disk, active), sum(bytes_on_disk), sumIf(rows, active) FROM system.parts"


class Look(NamedTuple):
    """At one moment: event time since the market began, memory by process, the longest without a commit, the store."""

    event_s: float
    mb: dict[str, float]
    commit_s: float
    folder_mb: float
    tables_mb: float
    parts_mb: float
    rows: int


def memory_mb(pid: int) -> float:
    """What a process holds of real memory, in 2^20 bytes; nothing when it has gone."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    return 0.0


def folder_mb(folder: Path) -> float:
    """What the files in a folder hold, of which some go while they are counted."""
    held = 0
    for at, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                held += (Path(at) / name).stat().st_size
    return held / MB


def without_commit_s(run: LiveRun) -> float:
    """How long the flow that committed longest ago has not."""
    at = (scrape(run.session.ports[f"{f.name}-0"]).highest.get(telemetry.COMMITTED.name, 0.0) for f in FLOWS)
    return max((time.time() - s for s in at if s), default=0.0)


def soak(run: LiveRun, hours: float, begun_s: float) -> list[Look]:
    """Look again and again until the flows have come to now, for as long as the market takes at the most."""
    looks: list[Look] = []
    store = connect(run.settings.clickhouse)
    due_s, look_s, commit_s = 0.0, 0.0, 0.0
    for ages in run.attend(3600 * hours):
        if time.monotonic() < look_s:
            continue
        look_s = time.monotonic() + 2.0
        commit_s = max(commit_s, without_commit_s(run))
        if any(age is None for age in ages.values()):
            continue
        behind_s = max(age for age in ages.values() if age is not None)
        event_s, done = time.time() - behind_s - begun_s, behind_s < NEAR_S
        if event_s >= due_s or done:
            held = {n: memory_mb(c.process.pid) for n, c in run.supervisor.children.items() if not c.finished}
            ((active, parts, rows),) = store.patient_rows(HELD)
            folder = folder_mb(Path(run.settings.data) / "store")
            sizes = folder, int(str(active)) / MB, int(str(parts)) / MB
            looks.append(Look(event_s, held, commit_s, *sizes, int(str(rows))))
            print(line(looks[-1]), flush=True)
            due_s, commit_s = event_s + LINE_S, 0.0
        if done:
            break
    store.close()
    return looks


def line(at: Look) -> str:
    """A look as text."""
    held = ", ".join(f"{name} {mb:.0f}" for name, mb in at.mb.items())
    merged = f"{at.parts_mb:.0f} with what was merged and is not removed yet"
    stored = f"store {at.folder_mb:.0f} MB on disk, tables {at.tables_mb:.0f}, {merged}; {at.rows:,} rows"
    return f"{at.event_s / 3600:.1f} h: MB {held}; without a commit at most {at.commit_s:.1f} s; {stored}"


def found(looks: list[Look], hours: float) -> list[str]:
    """What must not be, a line each."""
    lines = []
    if not looks or looks[-1].event_s < 3600 * hours - NEAR_S:
        lines.append(f"the flows did not come to the end of {hours:g} h")
    half = [at for at in looks if at.event_s > 1800 * hours]
    for name in half[0].mb if half else ():
        # a broker in memory holds what was written to it
        early, late = (
            median(at.mb.get(name, 0.0) for at in part) for part in (half[: max(1, len(half) // 2)], half[-3:])
        )
        if name not in ("broker", "simulate") and late > GROWS * early + SMALL_MB:
            lines.append(f"{name} grew from {early:.0f} to {late:.0f} MB in the second half")
    lines += [
        f"{at.event_s / 3600:.1f} h: {at.commit_s:.1f} s without a commit" for at in looks if at.commit_s > COMMITS_S
    ]
    if looks and looks[-1].folder_mb > DISK * looks[-1].parts_mb + SMALL_MB:
        lines.append(f"the store's folder has {looks[-1].folder_mb:.0f} MB, its parts {looks[-1].parts_mb:.0f} MB")
    return lines


def main() -> int:
    """The command; 1 when something must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="of the market")
    parser.add_argument("--instruments", type=int, default=len(SYMBOLS))
    parser.add_argument("--broker", choices=["embedded", "kafka"], default="kafka")
    given = parser.parse_args()
    end_with_parent()
    market = simulated(symbols=SYMBOLS[: given.instruments])
    with tempfile.TemporaryDirectory(prefix="alphaplus-soak-") as name:
        folder, sets = Path(name), (f"source.buffer_bytes={BUFFER_BYTES}",)
        with (
            brokers(given.broker, folder / "first", lasting=True) as address,
            live(settings(folder / "compiled", address), market, past_minutes=COMPILED_MIN) as run,
        ):
            run.wait(NEAR_S, START_S)
        begun_s = time.time() - 3600 * given.hours
        with (
            brokers(given.broker, folder / "kafka", lasting=True) as address,
            live(settings(folder / "data", address, "", sets), market, past_minutes=round(60 * given.hours)) as run,
        ):
            lines = found(soak(run, given.hours, begun_s), given.hours)
            # before brokers are ended: one that does not come to an end would take what was found with it
            for said in lines:
                print(said, file=sys.stderr, flush=True)
    print("held" if not lines else f"{len(lines)} did not hold")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
