"""Bench of the books on recorded Binance frames: CPU time per message and level, of a closing, freeze and thaw.

python tests/bench/bench_ladder.py CAPTURES
"""

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path
from time import process_time, process_time_ns

import numpy as np

from operators.book import ladder, packing
from operators.book.held import gather
from schemas.batches import Depth, Sequencing

BATCH = 500
REPEATS = 5


def load(path: Path, tick: float, lot: float) -> Depth:
    """The depth frames of a Binance futures capture: the snapshot, then the diffs that follow it."""
    rows = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if '"lastUpdateId"' in line:
                m = json.loads(line.split(" ", 1)[1])
                rows.append((True, m["T"], -1, m["lastUpdateId"], -1, m["bids"], m["asks"]))
            elif '"depthUpdate"' in line:
                m = json.loads(line.split(" ", 1)[1])["data"]
                rows.append((False, m["T"], m["U"], m["u"], m["pu"], m["b"], m["a"]))
    snapshot = next(row for row in rows if row[0])
    rows = [snapshot, *(row for row in rows if row[3] >= snapshot[3] and not row[0])]
    levels = [level for row in rows for level in row[5] + row[6]]
    scalars = np.array([row[1:5] for row in rows], np.int64)
    number = np.arange(len(rows), dtype=np.int32)
    return Depth(
        number,
        number * 0,
        scalars[:, 0] * 1_000_000,
        np.array([row[0] for row in rows], np.bool_),
        *(scalars[:, c].copy() for c in (1, 2, 3)),
        np.cumsum([0] + [len(row[5]) + len(row[6]) for row in rows], dtype=np.int64),
        np.array([len(row[5]) for row in rows], np.int32),
        np.array([round(float(p) / tick) for p, _ in levels], np.int64),
        np.array([round(float(q) / lot) for _, q in levels], np.int64),
    )


def run(depth: Depth, snapshots: Depth, pane_ns: int) -> tuple[float, int]:
    """Seconds for the diffs after the snapshots, in batches; how many closings."""
    books = ladder.init(Sequencing.BINANCE_FUTURES)
    (_,) = ladder.apply(books, snapshots, snapshots.event_ns // pane_ns, -1)
    panes = np.maximum.accumulate(depth.event_ns) // pane_ns
    cuts = [gather(depth, np.arange(a, min(a + BATCH, len(depth)))) for a in range(0, len(depth), BATCH)]
    closings = 0
    begun = process_time()
    for n, cut in enumerate(cuts):
        for applied in ladder.apply(books, cut, panes[n * BATCH : n * BATCH + BATCH], -1):
            assert applied.live.all()
            closings += len(applied.close_pane)
    return process_time() - begun, closings


def times(depth: Depth, instruments: int) -> tuple[Depth, Depth]:
    """The log of so many equal instruments: their snapshots, and about as many diffs in all as `depth` has."""
    snapshots, each = gather(depth, np.zeros(instruments, np.int64)), (len(depth) - 1) // instruments
    numbers = np.arange(instruments, dtype=np.int32)
    diffs = gather(depth, 1 + np.repeat(np.arange(each), instruments))
    return replace(snapshots, instrument=numbers), replace(diffs, instrument=np.tile(numbers, each))


def main(captures: Path) -> None:
    """Print the figures; times are the best of a few runs."""
    hour = 3_600_000_000_000
    for name, file, lot in (
        ("USD-M", "binance_usdm_btcusdt_20240808.log.gz", 0.001),
        ("COIN-M", "binance_coinm_btcusd_perp_20240808.log.gz", 1),
    ):
        depth = load(captures / file, 0.1, lot)
        for instruments in (1, 10, 100, 1000):
            snapshots, diffs = times(depth, instruments)
            begun = process_time_ns()
            if instruments == 1:
                run(diffs, snapshots, hour)
                print(f"{name}: first run, compiling or loading {(process_time_ns() - begun) / 1e9:.2f} s")
            best = min(run(diffs, snapshots, hour)[0] for _ in range(REPEATS))
            message_ns, level_ns = best / len(diffs) * 1e9, best / len(diffs.ticks) * 1e9
            print(f"{name}: {instruments:5d} instruments {message_ns:7.0f} ns/message {level_ns:5.1f} ns/level")
            if instruments == 1:
                timed = min(run(diffs, snapshots, 100_000_000) for _ in range(REPEATS))
                print(f"{name}: a closing {(timed[0] - best) / timed[1] * 1e6:.1f} us ({timed[1]} of 100 ms)")
        snapshots, _ = times(depth, 1000)
        books = ladder.init(Sequencing.BINANCE_FUTURES)
        begun = process_time_ns()
        (_,) = ladder.apply(books, snapshots, snapshots.event_ns // hour, -1)
        taken_ms = (process_time_ns() - begun) / 1e6
        print(f"{name}: 1,000 snapshots {taken_ms:.0f} ms, tables {books.slots * 72 / 1e6:.0f} MB")
        freezes, thaws, frozen = [], [], b""
        for _ in range(REPEATS):
            begun = process_time_ns()
            frozen = packing.freeze(books)
            freezes.append(process_time_ns() - begun)
            begun = process_time_ns()
            packing.thaw(frozen)
            thaws.append(process_time_ns() - begun)
        print(
            f"{name}: freeze of {len(snapshots.ticks)} levels {len(frozen) / 1e6:.2f} MB, {min(freezes) / 1e6:.1f} ms"
        )
        print(f"{name}: thaw {min(thaws) / 1e6:.1f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
