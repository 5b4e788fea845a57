"""Memory: resident bytes an instrument, and their growth over a long run, in a process that does nothing else.

Books grow for as long as new price levels come, so growth is measured from lap to lap of the recorded frames, at the
end of each: what is larger then than a lap before was not given back.

`python -m flows.bench.memory --settings FILE --instruments N --frames M [VENUE=FILE ...]` prints them as JSON.
"""

import argparse
import gc
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flows.bench.in_process import batches, feed, opened
from flows.bench.instruments import START_NS
from flows.bench.material import Material, materials
from flows.bench.multiplied import lap, multiplied, whole_book
from flows.bench.result import Result
from flows.bench.size import Size
from flows.captures.capture import Recorded
from flows.engine import compiled
from flows.refusal import Refused
from flows.settings.sources import environment, load, written
from flows.settings.tree import Settings

RATE = 2_000.0
"""Frames a second of event time, of all instruments, while what one takes is measured."""
LAPS = 10
FIRST = 4
"""Laps before growth is measured: the longest window is full, and the allocator has what it will need."""


def resident() -> int:
    """Bytes of this process in memory."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        raise Refused("memory is measured through /proc, which this system does not have") from None
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(material: Material, settings: Settings, size: Size, folder: Path) -> list[Result]:
    """In a process of its own, once: repetitions would tell the same."""
    file = folder / "memory.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_encoded(settings))
    given = ["--settings", str(file), "--instruments", str(size.many), "--frames", str(size.frames), *material.spec]
    ran = subprocess.run([sys.executable, "-m", "flows.bench.memory", *given], capture_output=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"memory: {ran.stderr.decode(errors='replace').strip().splitlines()[-1]}")
    told = json.loads(ran.stdout)
    row = f"memory {size.many:,}"
    return [
        Result(row, "resident", (told["instrument_mb"],), "MB/instrument", "<= 0.5"),
        Result(row, f"growth in {LAPS - FIRST} laps, {told['span_s']:,.0f} s", (told["growth_mb"],), "MB/hour", "flat"),
    ]


def _encoded(settings: Settings) -> str:
    return written(settings).decode()


def _run(material: Material, settings: Settings, instruments: int, frames: int) -> dict[str, float]:
    size = settings.source.batch_frames
    warm: Iterator[Recorded] = multiplied(material, 1, RATE, START_NS)
    feed(opened(material.venue, settings), batches(material.venue, itertools.islice(warm, 20_000), size))
    gc.collect()
    before = resident()
    market = opened(material.venue, settings)
    source = multiplied(material, instruments, RATE, START_NS)
    feed(market, batches(material.venue, itertools.islice(source, whole_book(material, instruments)), size))
    feed(market, batches(material.venue, itertools.islice(source, max(1, frames // 40)), size))
    gc.collect()
    held = resident() - before
    del market, source
    few = max(1, frames // (LAPS * lap(material)))
    return {"instrument_mb": held / instruments / 1e6, **_growth(material, settings, few)}


def _growth(material: Material, settings: Settings, instruments: int) -> dict[str, float]:
    """Over the laps after the first ones, by the slope of what is resident at their ends."""
    market = opened(material.venue, settings)
    frames = instruments * lap(material)
    lap_s = (material.frames[-1].received_ns - material.frames[0].received_ns) / 1e9
    source = multiplied(material, instruments, frames / lap_s, START_NS)
    ends = []
    for _ in range(LAPS):
        feed(market, batches(material.venue, itertools.islice(source, frames), settings.source.batch_frames))
        gc.collect()
        ends.append(resident() / 1e6)
    slope = float(np.polyfit(np.arange(LAPS - FIRST) * lap_s, ends[FIRST:], 1)[0])
    return {"growth_mb": round(slope * 3_600, 3) + 0.0, "span_s": (LAPS - FIRST) * lap_s}


def main() -> None:
    """As a process."""
    parser = argparse.ArgumentParser(prog="python -m flows.bench.memory", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--instruments", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("spec", nargs="*")
    given = parser.parse_args()
    compiled.cache()
    (material,) = materials(given.spec)
    print(json.dumps(_run(material, load(given.settings, environment()), given.instruments, given.frames)))


if __name__ == "__main__":
    main()
