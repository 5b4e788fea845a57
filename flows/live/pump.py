"""Pump: the thread that hands received frames to an outlet and watches what comes and what does not.

Kafka may keep it waiting as long as it likes: frames wait in the buffer meanwhile, and the sockets go on.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from flows import telemetry
from flows.live.book_continuity import Continuity
from flows.live.buffer import Buffer, Missed, Received
from flows.live.feed import Feed, Stream
from flows.live.outlet import Outlet, Route, Routed
from flows.live.silence import Silence
from schemas.instrument import Instrument
from schemas.venue import Venue

FRAMES = telemetry.LIVE_FRAMES.counter()
BROKEN = telemetry.LIVE_BROKEN.counter()
SILENT = telemetry.LIVE_SILENT.gauge()
HELD = telemetry.LIVE_HELD.gauge()
LOG = logging.getLogger("alphaplus.live")
LOOK_S = 0.25
GATHER_S = 0.001
"""What comes within so long after a piece is handed over together: two threads that wake each other for every piece spend
their time on that."""


class Pump:
    """`begin_anew(stream)` and `ask_again(streams)` are called when a book broke and when streams are silent."""

    def __init__(
        self,
        feed: Feed,
        venue: Venue,
        streams: Sequence[Stream],
        known: dict[str, Instrument],
        buffer: Buffer,
        outlet: Outlet,
        begin_anew: Callable[[Stream], None],
        ask_again: Callable[[list[Stream]], None],
    ) -> None:
        self._feed = feed
        self._venue = venue
        self._known = known
        self._buffer = buffer
        self._outlet = outlet
        self._begin_anew = begin_anew
        self._ask_again = ask_again
        self._streams = {s.name.encode(): s for s in streams}
        self._routes: dict[bytes | None, Route] = {}
        self._silence = Silence(streams, time.monotonic())
        self._counts = {s.channel.name: FRAMES.labels(feed.venue, s.channel.name) for s in streams}
        self.continuity = Continuity(feed.chain) if feed.chain else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pump-{feed.venue}", daemon=True)
        self.failed: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Hand over what is left, and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            looked = time.monotonic()
            while True:
                stopping = self._stop.is_set()
                batch = self._buffer.take(0.05)
                self._hand(batch)
                if batch and not stopping:
                    time.sleep(GATHER_S)
                if (now := time.monotonic()) - looked > LOOK_S:
                    looked = now
                    HELD.labels(self._feed.venue).set(self._buffer.bytes)
                    self._look(now)
                if stopping and not batch:
                    break
            self._outlet.close()
        except BaseException as error:
            self.failed = error

    def _hand(self, batch: list[Received | Missed]) -> None:
        """Hand over what was taken; what is counted and watched is so once a batch, not once a frame."""
        heard: Counter[bytes | None] = Counter()
        for item in batch:
            if isinstance(item, Missed):
                self._outlet.missed(item)
            elif not item.frames:
                self._outlet.tick(item.at_ns)
            else:
                self._outlet.frames(item.at_ns, self._routed(item))
                heard.update(item.streams)
                self._buffer.release(sum(map(len, item.frames)))
        now_s = time.monotonic()
        for name, count in heard.items():
            if name is not None and (stream := self._streams.get(name)):
                self._silence.hear(stream.name, now_s)
                self._counts[stream.channel.name].inc(count)

    def _routed(self, received: Received) -> list[Routed]:
        """Frames and their ways; a stream's way is found once, from its first frame."""
        found: list[Routed] = []
        ways, add = self._routes.get, found.append
        follows = self.continuity.follows if self.continuity else None
        for name, data in zip(received.streams, received.frames, strict=True):
            route = ways(name)
            if route is None:
                found += self._find(data, name, received.symbol)
                continue
            add((route, data))
            if route.kind == "depth" and follows is not None and name is not None and not follows(name, data):
                BROKEN.labels(self._feed.venue).inc()
                self._begin_anew(self._streams[name])
        return found

    def _find(self, data: bytes, name: bytes | None, symbol: str | None) -> list[Routed]:
        """A frame whose way is not known: split by instrument where it is of several; none if it is not published."""
        stream = self._streams.get(name) if name is not None else None
        kind = self._venue.kind_of(data)
        if kind is None or kind not in self._venue.kinds:
            return []
        if stream is not None and stream.symbol is not None:
            named = self._venue.symbol_of(data) or stream.symbol
            route = self._routes[name] = Route(kind, named, self._base(named), True)
            return [(route, data)]
        found: list[Routed] = []
        for of, part in self._venue.split(data):
            at = symbol or of or self._venue.symbol_of(part)
            if at is None:
                LOG.warning("%s: a frame of %s names no instrument: %r", self._feed.venue, kind, part[:100])
                continue
            found.append((Route(kind, at, self._base(at), symbol is None), part))
        return found

    def _base(self, symbol: str) -> bytes:
        listed = self._known.get(symbol)
        return (listed.base if listed else self._venue.base(symbol)).encode()

    def _look(self, now_s: float) -> None:
        channels, streams = self._silence.look(now_s)
        for channel in channels:
            LOG.error("%s: nothing of channel %s comes, while others move", self._feed.venue, channel.name)
        whole = {c.name for c in channels}
        for stream in streams:
            if stream.channel.name not in whole:
                LOG.warning("%s: %s of %s is silent", self._feed.venue, stream.channel.name, stream.symbol)
        for name, count in self._silence.silent(now_s).items():
            SILENT.labels(self._feed.venue, name).set(count)
        if streams:
            self._ask_again(streams)
