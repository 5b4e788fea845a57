"""Freeze: the state of 1,000 instruments as bytes and back, what every epoch pays and every restart."""

import itertools
import time

from flows.bench.in_process import batches, feed, opened
from flows.bench.instruments import START_NS
from flows.bench.material import Material
from flows.bench.multiplied import multiplied, whole_book
from flows.bench.result import Result
from flows.bench.size import RATE, Size
from flows.market import cut
from flows.settings.tree import Settings
from operators.venue_market import VenueMarket

FRAMES_EACH = 50


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """Snapshots of the material (1,000 levels a side where it is real or simulated) and some frames after them."""
    count = size.many
    frames = multiplied(material, count, RATE, START_NS)
    market = opened(material.venue, settings)
    upto = whole_book(material, count) + FRAMES_EACH * count
    feed(market, batches(material.venue, itertools.islice(frames, upto), settings.source.batch_frames))
    frozen, freezing, thawing = market.freeze(), [], []
    for _ in range(size.repeats):
        began = time.perf_counter()
        frozen = market.freeze()
        between = time.perf_counter()
        VenueMarket.thaw(material.venue, {}, cut(settings), frozen)
        freezing.append(1e3 * (between - began))
        thawing.append(1e3 * (time.perf_counter() - between))
    row = f"freeze {count:,}"
    return [
        Result(row, "size", (len(frozen) / 1e6,), "MB", "<= 8"),
        Result(row, "freeze", tuple(freezing), "ms", "<= 40"),
        Result(row, "thaw", tuple(thawing), "ms"),
    ]
