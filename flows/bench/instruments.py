"""Instruments: the cost of a frame among 1, 10, 100 and 1,000 instruments at one total rate of frames."""

import itertools

from flows.bench.compute import cpu_s
from flows.bench.in_process import batches, feed, opened
from flows.bench.material import Material
from flows.bench.multiplied import multiplied, whole_book
from flows.bench.result import Result, ratios
from flows.bench.size import RATE, Size
from flows.settings.tree import Settings

START_NS = 1_767_225_600_000_000_000
MOST = 200_000


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """CPU time a frame once every instrument has its book, from bytes to closed windows."""
    costs: dict[int, list[float]] = {n: [] for n in size.counts}
    frames = min(MOST, size.frames)
    cpu_s(lambda: _cost(material, settings, 1, min(frames, 2_000)))
    for _ in range(size.repeats):
        for n, taken in costs.items():
            taken.append(_cost(material, settings, n, frames))
    one = costs[1]
    out = [Result("instruments", f"{n:,}", tuple(1e6 * c for c in cost), "us/frame") for n, cost in costs.items()]
    return out + [
        Result("instruments", f"{n:,} / 1", ratios(cost, one), "x", "<= 1.3") for n, cost in costs.items() if n > 1
    ]


def _cost(material: Material, settings: Settings, instruments: int, frames: int) -> float:
    source = multiplied(material, instruments, RATE, START_NS)
    before = itertools.islice(source, whole_book(material, instruments))
    market = opened(material.venue, settings)
    size = settings.source.batch_frames
    feed(market, batches(material.venue, before, size))
    steps = list(batches(material.venue, itertools.islice(source, frames), size))
    return cpu_s(lambda: feed(market, steps)) / frames
