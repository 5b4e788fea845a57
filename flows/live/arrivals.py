"""Arrivals: which way each frame goes, which books broke, which streams say nothing; where frames are received.

There a frame is looked at while it is still at hand; the thread that publishes only hands over.
"""

import logging
from collections import Counter
from collections.abc import Sequence

from flows.live.book_continuity import Continuity
from flows.live.feed import Channel, Feed, Stream
from flows.live.outlet import Route, Routed
from flows.live.silence import LONGEST, Silence
from flows.monitoring import telemetry
from schemas.instrument import Instrument
from schemas.venue import Venue

FRAMES = telemetry.LIVE_FRAMES.counter()
BROKEN = telemetry.LIVE_BROKEN.counter()
UNKNOWN = telemetry.LIVE_UNKNOWN.counter()
SILENT = telemetry.LIVE_SILENT.gauge()
WHOLE_BOOK_S = 10.0
"""So long a stream that was asked for anew may bring updates without the whole book that it begins with."""
LOG = logging.getLogger("alphaplus.live")


class Watch:
    """The streams of one venue."""

    def __init__(
        self, feed: Feed, venue: Venue, streams: Sequence[Stream], known: dict[str, Instrument], now_s: float
    ) -> None:
        self._feed = feed
        self._venue = venue
        self._known = known
        self._streams = {s.name.encode(): s for s in streams}
        self._routes: dict[bytes | None, Route] = {}
        self._heard: Counter[bytes | None] = Counter()
        self._counts = {s.channel.name: FRAMES.labels(feed.venue, s.channel.name) for s in streams}
        self._unknown: set[bytes | None] = set()
        # a counter that begins at what it has counted has not risen, for whoever asks by how much it did
        BROKEN.labels(feed.venue)
        UNKNOWN.labels(feed.venue)
        self._silence = Silence(streams, now_s)
        self._asked: dict[str, tuple[int, float]] = {}
        """By instrument whose whole book is awaited: the patience with it, and when it is over."""
        self._continuity = Continuity(feed.chain) if feed.chain else None

    def routed(self, frames: list[bytes], streams: list[bytes | None], symbol: str | None = None) -> Routed:
        """Frames and their ways; a stream's way is found once, from its first frame."""
        self._heard.update(streams)
        ways = [*map(self._routes.get, streams)]
        if all(ways):
            return Routed(ways, frames)  # type: ignore[arg-type]
        found: list[tuple[Route, bytes]] = []
        for way, name, frame in zip(ways, streams, frames, strict=True):
            if way is None:
                found += self._find(frame, name, symbol)
            else:
                found.append((way, frame))
        return Routed([way for way, _ in found], [frame for _, frame in found])

    def broken(self, routed: Routed) -> list[str]:
        """The instruments whose books lack an update."""
        if self._continuity is None:
            return []
        broken = self._continuity.broken(routed)
        if broken:
            BROKEN.labels(self._feed.venue).inc(len(broken))
        return broken

    def begin(self, symbol: str) -> None:
        """Updates of a book may be missing before the next one, and a whole one is asked for."""
        if self._continuity is not None:
            self._continuity.forget(symbol)

    def joins(self, symbol: str, whole: int) -> bool:
        """Whether the stream goes on from a whole book with this id, as far as it has come."""
        return self._continuity is None or self._continuity.joins(symbol, whole)

    def newer(self, symbol: str, whole: int) -> bool:
        """Whether a whole book with this id is newer than its stream, as far as that has come."""
        return self._continuity is None or self._continuity.newer(symbol, whole)

    def look(self, now_s: float) -> list[Stream]:
        """Count what came since the last look; the streams to ask for again: silent while others move."""
        for name, frames in self._heard.items():
            if frames > 0 and name is not None and (stream := self._streams.get(name)):
                self._silence.hear(stream.name, now_s)
                self._counts[stream.channel.name].inc(frames)
        self._heard.clear()
        channels, streams = self._silence.look(now_s)
        self._tell(channels, streams)
        for channel, count in self._silence.silent(now_s).items():
            SILENT.labels(self._feed.venue, channel).set(count)
        return streams

    def headless(self, now_s: float) -> list[str]:
        """Instruments whose whole book was asked for and has not come with their stream; ever more seldom."""
        if self._continuity is None:
            return []
        waiting = self._continuity.headless
        self._asked = {symbol: asked for symbol, asked in self._asked.items() if symbol in waiting}
        due = []
        for symbol in waiting:
            patience, until_s = self._asked.get(symbol, (0, now_s))
            if now_s >= until_s:
                due += [symbol] * (patience > 0)
                patience = min(2 * patience or 1, LONGEST)
                self._asked[symbol] = patience, now_s + patience * WHOLE_BOOK_S
        return due

    def deaf(self, streams: Sequence[Stream], now_s: float) -> bool:
        """Whether a connection of these streams brings nothing at all, and another one may."""
        return self._silence.deaf(streams, now_s)

    def _tell(self, channels: list[Channel], streams: list[Stream]) -> None:
        for channel in channels:
            LOG.error("%s: nothing of channel %s comes, while others move", self._feed.venue, channel.name)
        for stream in streams:
            if stream.channel not in channels:
                LOG.warning("%s: %s of %s is silent", self._feed.venue, stream.channel.name, stream.symbol)

    def _find(self, frame: bytes, name: bytes | None, symbol: str | None) -> list[tuple[Route, bytes]]:
        """A frame whose way is not known: split by instrument where it is of several; none if it is not published."""
        stream = self._stream(name) if name is not None else None
        kind = self._venue.kind_of(frame)
        if kind is None or kind not in self._venue.kinds:
            if stream is not None:
                self._wonder(stream, name, frame)
            return []
        if stream is not None and stream.symbol is not None:
            named = self._venue.symbol_of(frame) or stream.symbol
            route = self._routes[name] = Route(kind, named, self._base(named), True)
            return [(route, frame)]
        found: list[tuple[Route, bytes]] = []
        for of, part in self._venue.split(frame):
            at = symbol or of or self._venue.symbol_of(part)
            if at is None:
                LOG.warning("%s: a frame of %s names no instrument: %r", self._feed.venue, kind, part[:100])
                continue
            found.append((Route(kind, at, self._base(at), symbol is None), part))
        return found

    def _stream(self, name: bytes) -> Stream | None:
        """A stream by its name; blanks in it (of OKX it is JSON) may stand elsewhere than in what was asked for."""
        stream = self._streams.get(name) or self._streams.get(b"".join(name.split()))
        if stream is not None:
            self._streams[name] = stream
        return stream

    def _wonder(self, stream: Stream, name: bytes | None, frame: bytes) -> None:
        """A stream says what is none of the venue's kinds: lost, so not heard either."""
        UNKNOWN.labels(self._feed.venue).inc()
        self._heard[name] -= 1
        if name not in self._unknown:
            self._unknown.add(name)
            LOG.error("%s: a frame of %s is of no known kind: %r", self._feed.venue, stream.name, frame[:200])

    def _base(self, symbol: str) -> bytes:
        listed = self._known.get(symbol)
        return (listed.base if listed else self._venue.base(symbol)).encode()
