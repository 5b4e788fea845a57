"""In process: frames cut into batches as the source cuts them, and the market run over them without a broker."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

from flows.captures.capture import Recorded
from flows.engine import allocator
from flows.job_graph import raw_topic
from flows.market import cut
from flows.refusal import Refused
from flows.settings.tree import Settings
from operators.published_rows import Published
from operators.venue_market import VenueMarket
from schemas.frames import Frames, frames
from schemas.venue import Venue

Step = dict[str, Frames]
"""Frames by kind, at most one batch of each."""


def batches(venue: Venue, recorded: Iterable[Recorded], size: int) -> Iterator[Step]:
    """At most `size` frames at a time, in order of receipt."""
    offsets: Counter[str] = Counter()
    left = iter(recorded)
    while piece := list(itertools.islice(left, size)):
        kinds: dict[str, list[Recorded]] = {}
        for r in piece:
            assert r.kind is not None
            kinds.setdefault(r.kind, []).append(r)
        step = {}
        for kind, part in kinds.items():
            nameless = {i: r.symbol for i, r in enumerate(part) if not r.named and r.symbol is not None}
            values, times = [r.data for r in part], [r.received_ns for r in part]
            step[kind] = frames(raw_topic(kind, venue.name), 0, values, times, offsets[kind], nameless)
            offsets[kind] += len(part)
        yield step


def opened(venue: Venue, settings: Settings) -> VenueMarket:
    """A market without instruments known beforehand, in such memory as a flow has; kinds without frames have ended."""
    allocator.keep()
    market = VenueMarket(venue, {}, cut(settings))
    for kind in market.lanes:
        market.mark(kind, ended=kind not in ("depth", "trades"))
    return market


def feed(market: VenueMarket, steps: Iterable[Step]) -> list[Published]:
    """What the market publishes; refuses frames that it rejects, which would make the figures too good."""
    out: list[Published] = []
    for step in steps:
        for kind, batch in step.items():
            rejects = market.read(kind, batch)
            if rejects:
                raise Refused(f"{rejects[0].topic}: frame {rejects[0].offset} was rejected: {rejects[0].reason}")
        out += market.advance()
    return out


def finish(market: VenueMarket) -> list[Published]:
    """What is published once every log is at its end."""
    for kind in market.lanes:
        market.mark(kind, ended=True)
    return market.advance()


def compile_once(venue: Venue, recorded: Iterable[Recorded], settings: Settings) -> None:
    """Run everything once, so that later processes find its machine code in the cache."""
    market = opened(venue, settings)
    feed(market, batches(venue, recorded, settings.source.batch_frames))
    finish(market)
    VenueMarket.thaw(venue, {}, cut(settings), market.freeze())
