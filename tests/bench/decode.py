"""Decoding rates on recorded frames beside simdjson and json: `python -m tests.bench.decode CAPTURE...`.

The frames go through a venue's own parsers, all columns made, no book. A capture's file name begins with its venue, `_`
for `-`. Rates are medians over interleaved repetitions of CPU time in one process; compare within a run only.
"""

import argparse
import gzip
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import simdjson

from schemas.frames import frames
from schemas.instrument import InstrumentTable
from schemas.venues.registry import VENUES

MEGABYTE = 1e6


def seconds(run: Callable[[], object]) -> float:
    """CPU time of one run."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def measure(path: Path, repetitions: int) -> None:
    """Print one line for each kind of frame in a capture."""
    venue = next(v for name, v in VENUES.items() if path.name.startswith(name.replace("-", "_")))
    by_kind: dict[str, list[bytes]] = {"depth": [], "trades": []}
    with gzip.open(path) as lines:
        for line in lines:
            value = line[line.index(b"{") :].rstrip()
            kind = venue.kind_of(value)
            if kind in by_kind and not value.startswith(venue.nameless):
                by_kind[kind].append(value)
    for kind, values in by_kind.items():
        if not values:
            continue
        batch = frames(f"raw.{kind}.{venue.name}", 0, values, [0] * len(values))
        table = InstrumentTable()
        parse: Callable[..., object] = getattr(venue, kind)
        parse(batch, table)
        reader = simdjson.Parser()

        def simd(values: list[bytes] = values, reader: simdjson.Parser = reader) -> None:
            for value in values:
                reader.parse(value)

        def plain(values: list[bytes] = values) -> None:
            for value in values:
                json.loads(value)

        runs = {"ours": lambda p=parse, b=batch, t=table: p(b, t), "simdjson": simd, "json": plain}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(repetitions):
            for name, run in runs.items():
                times[name].append(seconds(run))
        median = {name: statistics.median(taken) for name, taken in times.items()}
        rates = "  ".join(f"{name} {len(batch.data) / MEGABYTE / s:7.0f} MB/s" for name, s in median.items())
        print(
            f"{venue.name:14} {kind:7} {len(values):6d} frames  {len(values) / median['ours']:10.0f} frames/s  {rates}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    for capture in options.captures:
        measure(capture, options.repetitions)
