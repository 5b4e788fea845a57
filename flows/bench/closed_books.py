"""Closings: what it costs when the books of many instruments close a window within one second, from bytes to rows.

Each instrument sends one recorded depth frame a second, so every second closes all books, and windows of them, for the
log of trades has ended; taken once with all tables and once without those that can be left out.
"""

import itertools

import msgspec

from flows.bench.compute import cpu_s
from flows.bench.in_process import batches, feed, opened
from flows.bench.instruments import START_NS
from flows.bench.material import Material
from flows.bench.multiplied import multiplied, whole_book
from flows.bench.result import Result, ratios
from flows.bench.size import Size
from flows.settings.tree import Settings
from operators.optional import OPTIONAL

SECONDS = 20


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """CPU time a second of event time, once every instrument has its book."""
    count = size.many
    market = msgspec.structs.replace(settings.market, without=OPTIONAL)
    asked = {"all tables": settings, "without optional ones": msgspec.structs.replace(settings, market=market)}
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(size.repeats):
        for name, of in asked.items():
            taken[name].append(_cost(material, of, count))
    row, whole, fewer = f"closings {count:,}", *taken.values()
    out = [Result(row, name, tuple(1e3 * c for c in cost), "ms/s") for name, cost in taken.items()]
    return [*out, Result(row, "optional ones", ratios(whole, fewer), "x")]


def _cost(material: Material, settings: Settings, count: int) -> float:
    source = multiplied(material, count, count, START_NS)
    market = opened(material.venue, settings)
    before = itertools.islice(source, whole_book(material, count))
    feed(market, batches(material.venue, before, settings.source.batch_frames))
    market.mark("trades", ended=True)
    depth = (frame for frame in source if frame.kind == "depth")
    steps = list(batches(material.venue, itertools.islice(depth, SECONDS * count), count))
    return cpu_s(lambda: feed(market, steps)) / SECONDS
