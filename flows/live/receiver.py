"""Receiver: a venue's lines, snapshots and watch, put together; runs on an event loop until it is cancelled."""

import asyncio
import logging
import os
from collections.abc import Sequence

import aiohttp

from flows.live.budget import Budget
from flows.live.buffer import Buffer
from flows.live.feed import Feed, Stream, streams
from flows.live.line import Line, Pace
from flows.live.outlet import Outlet
from flows.live.pump import Pump
from flows.live.snapshots import Books
from flows.live.websocket import Websocket
from flows.settings import Live
from schemas.instrument import Instrument
from schemas.venue import Venue

LOG = logging.getLogger("alphaplus.live")
TICK_S = 0.1


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
        self._loop: asyncio.AbstractEventLoop | None = None
        self.pump = Pump(
            feed, venue, self.streams, known, self.buffer, outlet, self._broke_elsewhere, self._silent_elsewhere
        )

    async def run(self) -> None:
        """Receive until cancelled, or until the outlet fails; what was received is handed over before this returns."""
        self._loop = asyncio.get_running_loop()
        self.pump.start()
        try:
            async with aiohttp.ClientSession(ws_response_class=Websocket) as session, asyncio.TaskGroup() as tasks:
                self._make_lines(session)
                for line in self.lines:
                    tasks.create_task(line.run())
                if self.feed.snapshots is not None:
                    rest = self.settings.rest.get(self.feed.venue, self.feed.rest)
                    self._books = Books(self.feed, rest, session, self.settings.proxy or None)
                    tasks.create_task(self._books.run(self._snapshot))
                tasks.create_task(self._tick())
        finally:
            await asyncio.to_thread(self.pump.stop)
        if self.pump.failed is not None:
            raise self.pump.failed

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
                    self.buffer.put,
                    pace,
                    settings.proxy or None,
                    seed + len(self.lines),
                )
                line.on_open = self._opened
                self.lines.append(line)

    async def _tick(self) -> None:
        """Say how far receiving has come, and notice when nobody takes any more."""
        while self.pump.failed is None:
            self.buffer.put([], [])
            await asyncio.sleep(TICK_S)
        raise self.pump.failed

    def _opened(self, line: Line, overlapped: bool) -> None:
        """After a hole each book of the line begins anew; books that come in the stream do so by themselves."""
        if overlapped or self._books is None:
            return
        for stream in line.streams:
            if stream.channel.name == "depth" and stream.symbol is not None:
                self._books.ask(stream.symbol)

    def _snapshot(self, symbol: str, body: bytes) -> None:
        self.buffer.put([body], [None], symbol)

    def _broke_elsewhere(self, stream: Stream) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._broke, stream)

    def _silent_elsewhere(self, silent: list[Stream]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._silent, silent)

    def _broke(self, stream: Stream) -> None:
        LOG.warning("%s: updates of %s are missing; its book begins anew", self.feed.venue, stream.symbol)
        if self._books is not None and stream.symbol is not None:
            self._books.ask(stream.symbol)
        else:
            self._silent([stream])

    def _silent(self, silent: list[Stream]) -> None:
        for line in self.lines:
            if some := [s for s in line.streams if s in silent]:
                asyncio.ensure_future(line.again(some)).add_done_callback(_note)


def _note(task: "asyncio.Future[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.error("asking again failed: %r", error)
