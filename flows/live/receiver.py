"""Receiver: a venue's lines, snapshots and watch, put together; runs on an event loop until it is cancelled."""

import asyncio
import logging
import os
import time
from collections.abc import Sequence

import aiohttp

from flows.live.arrivals import Watch
from flows.live.budget import Budget
from flows.live.buffer import Buffer
from flows.live.feed import Feed, Stream, streams
from flows.live.line import Line, Pace
from flows.live.outlet import TICK, Outlet
from flows.live.proxy import proxy_of
from flows.live.pump import Pump
from flows.live.snapshots import AGAIN_S, Books
from flows.live.websocket import Websocket
from flows.monitoring import telemetry
from flows.settings.tree import Live
from schemas.instrument import Instrument
from schemas.venue import Venue

LOG = logging.getLogger("alphaplus.live")
TURNED = telemetry.LIVE_TURNED.gauge()
STOP_S = 5.0
"""After so long it is said what a receiver that was told to stop waits for."""
TICK_S = 0.1
LOOK_S = 0.25


class Receiver:
    """One venue's instruments, from their streams into an outlet."""

    def __init__(
        self,
        feed: Feed,
        venue: Venue,
        symbols: Sequence[str],
        known: dict[str, Instrument],
        settings: Live,
        outlet: Outlet,
    ) -> None:
        self.feed = feed
        self.settings = settings
        self.streams = streams(feed, symbols)
        self.lines: list[Line] = []
        self.buffer = Buffer(settings.buffer_bytes)
        self._books: Books | None = None
        self._watch = Watch(feed, venue, self.streams, known, time.monotonic())
        self.pump = Pump(feed.venue, self.buffer, outlet)

    async def run(self) -> None:
        """Receive until cancelled, or until the outlet fails; what was received is handed over before this returns."""
        self.pump.start()
        try:
            session = aiohttp.ClientSession(ws_response_class=Websocket)  # type: ignore[arg-type]
            async with session, asyncio.TaskGroup() as tasks:
                self._make_lines(session)
                for line in self.lines:
                    tasks.create_task(line.run())
                if self.feed.snapshots is not None:
                    rest = self.settings.rest.get(self.feed.venue, self.feed.rest)
                    books = len({s.symbol for s in self.streams if s.channel.name == "depth"})
                    proxy = proxy_of(self.settings)
                    self._books = Books(self.feed, rest, session, proxy, books, self.settings.books_every_s)
                    tasks.create_task(self._books.run(self._snapshot))
                tasks.create_task(self._tick())
        finally:
            await self._hand_over()
        if self.pump.failed is not None:
            raise self.pump.failed

    async def _hand_over(self) -> None:
        stopping = asyncio.create_task(asyncio.to_thread(self.pump.stop))
        while not (await asyncio.wait({stopping}, timeout=STOP_S))[0]:
            what = "%s: waits until all is taken that was received (%d bytes here); Ctrl-C once more gives it up"
            LOG.warning(what, self.feed.venue, self.buffer.bytes)
        await stopping

    def _make_lines(self, session: aiohttp.ClientSession) -> None:
        rates, settings = self.feed.rates, self.settings
        connections = Budget(rates.sockets, rates.per_s)
        seed = settings.seed or int.from_bytes(os.urandom(4))
        pace = Pace(
            settings.lifetime_s, settings.overlap_s, settings.connect_s, settings.heartbeat_s, settings.backoff_s
        )
        for name, url in self.feed.sockets.items():
            own = settings.sockets.get(f"{self.feed.venue}/{name}" if name else self.feed.venue, url)
            of = [s for s in self.streams if s.channel.socket == name]
            for at in range(0, len(of), rates.streams_a_socket):
                some = of[at : at + rates.streams_a_socket]
                line = Line(
                    self.feed,
                    own,
                    some,
                    session,
                    connections,
                    self._take,
                    pace,
                    proxy_of(settings),
                    seed + len(self.lines),
                )
                line.on_open = self._opened
                self.lines.append(line)

    async def _tick(self) -> None:
        """Say how far receiving has come, and notice when nobody takes any more."""
        looked_s = 0.0
        while self.pump.failed is None:
            self.buffer.put(TICK)
            if (now_s := time.monotonic()) - looked_s > LOOK_S:
                looked_s = now_s
                TURNED.set(time.time())
                self._ask_again(self._watch.look(now_s))
                for symbol in self._watch.headless(now_s):
                    self._begin_anew(symbol)
                for line in self.lines:
                    if self._watch.deaf(line.streams, now_s):
                        line.renew("nothing comes")
            await asyncio.sleep(TICK_S)
        raise self.pump.failed

    def _take(self, frames: list[bytes], streams: list[bytes | None]) -> None:
        routed = self._watch.routed(frames, streams)
        if not routed.frames:
            return
        kept = self.buffer.put(routed)
        # one that found no room is missing from its book
        for symbol in self._watch.broken(routed if kept == len(routed.frames) else routed.first(kept)):
            self._begin_anew(symbol)

    def _opened(self, line: Line, overlapped: bool) -> None:
        """After a hole each book of the line begins anew; books that come in the stream do so by themselves."""
        if overlapped or self._books is None:
            return
        for stream in line.streams:
            if stream.channel.name == "depth" and stream.symbol is not None:
                self._watch.begin(stream.symbol)
                self._books.ask(stream.symbol)

    def _snapshot(self, symbol: str, last: int, body: bytes) -> None:
        assert self._books is not None
        routed = self._watch.routed([body], [None], symbol)
        joins, newer = self._watch.joins(symbol, last), self._watch.newer(symbol, last)
        if not joins:
            LOG.warning(
                "%s: the snapshot of %s is older than its stream; another is asked for", self.feed.venue, symbol
            )
        if self.buffer.put(routed) < len(routed.frames) or not joins:
            # the stream goes on without a break, so nothing else would notice that its book never came
            self._books.ask_after(AGAIN_S, symbol)
        else:
            self._books.came(symbol, newer=newer)

    def _begin_anew(self, symbol: str) -> None:
        LOG.warning("%s: updates of %s are missing; its book begins anew", self.feed.venue, symbol)
        if self._books is not None:
            self._books.ask(symbol)
        else:
            self._ask_again([s for s in self.streams if s.channel.name == "depth" and s.symbol == symbol])

    def _ask_again(self, streams: Sequence[Stream]) -> None:
        for line in self.lines:
            if some := [s for s in line.streams if s in streams]:
                asyncio.ensure_future(line.again(some)).add_done_callback(_note)


def _note(task: "asyncio.Future[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.error("asking again failed: %r", error)
