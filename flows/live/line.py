"""Line: one subscription set over websockets that come and go; a new one is opened before a planned end of the old.

A socket that fails is opened again after a wait drawn at random up to a bound that doubles (full jitter), so that a
thousand clients of a venue that comes back do not all come at once.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import aiohttp

from flows.live.budget import Budget
from flows.live.feed import Feed, Stream
from flows.live.patience import asked_s, backoff_s
from flows.live.proxy import Proxy
from flows.live.websocket import Websocket
from flows.monitoring import telemetry

OPENED = telemetry.LIVE_OPENED.counter()
ENDED = telemetry.LIVE_ENDED.counter()
REFUSED = telemetry.LIVE_REFUSED.counter()
LOG = logging.getLogger("alphaplus.live")
_SHORT = 300
_NUMBER = re.compile(rb'"(?:req_)?id":\s*"?(\d+)"?')
"""Which message an answer is about; OKX answers by the stream, and leaves the others of a message in force."""
Take = Callable[[list[bytes], list[bytes | None]], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """When lines give up, begin anew and wait; seconds."""

    lifetime_s: float = 23 * 3600.0
    """Venues cut after 24 hours; a new socket is opened before."""
    overlap_s: float = 10.0
    """How long both are listened to at most."""
    connect_s: float = 10.0
    heartbeat_s: float = 15.0
    """How often the other end is asked for a sign of life; without one in half the time it is gone."""
    backoff_s: float = 0.5
    backoff_most_s: float = 60.0


@dataclass(slots=True)
class _Socket:
    """One websocket and the streams that it has brought."""

    ws: Websocket
    brought: set[bytes] = field(default_factory=set)
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    said: int = 0
    """Messages that it was sent."""
    asked: dict[int, list[Stream]] = field(default_factory=dict)
    """The streams of each message that asked for several."""
    alone: set["asyncio.Task[None]"] = field(default_factory=set)
    """What asks for streams one by one."""


class Line:
    """Streams that share a socket. `take` gets all frames that came, and their streams' names; it must not wait."""

    def __init__(
        self,
        feed: Feed,
        url: str,
        streams: Sequence[Stream],
        session: aiohttp.ClientSession,
        connections: Budget,
        take: Take,
        pace: Pace,
        proxy: Proxy,
        seed: int,
    ) -> None:
        self.feed = feed
        self.streams = list(streams)
        self.opened = 0
        """How many sockets there were."""
        self._url = url
        self._session = session
        self._connections = connections
        self._take = take
        self._pace = pace
        self._proxy = proxy
        self._chance = random.Random(seed)
        REFUSED.labels(feed.venue)
        self._numbers = itertools.count(1)
        self._messages = Budget(feed.rates.messages_per_s, 1.0)
        self._current: _Socket | None = None
        self._renew = asyncio.Event()
        self.on_open: Callable[[Line, bool], None] = lambda line, overlapped: None
        """Called when a socket is subscribed; False: frames may have been missed before it."""

    async def run(self) -> None:
        """Keep the line up, for ever."""
        failures = 0
        why, previous = "start", None
        try:
            while True:
                socket = None
                try:
                    await self._connections.take()
                    socket = await self._open()
                    await self._subscribe(socket)
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    failures += 1
                    ENDED.labels(self.feed.venue, "not opened").inc()
                    why_not = str(error) or type(error).__name__
                    if isinstance(error, aiohttp.WSServerHandshakeError):
                        told = error.headers and error.headers.get("Retry-After")
                        why_not += self._hold(asked_s(error.status, told or "", ""))
                    LOG.warning("%s: %s not opened: %s", self.feed.venue, self._url, why_not)
                    if socket is not None:
                        await self._leave(socket)
                    if previous is not None and previous[1].done():
                        previous = None
                    await self._wait(failures)
                    continue
                OPENED.labels(self.feed.venue, why).inc()
                LOG.info("%s: %s open with %d streams (%s)", self.feed.venue, self._url, len(self.streams), why)
                reading = asyncio.create_task(self._read(socket))
                overlapped = previous is not None and not previous[1].done()
                self._current, self.opened = socket, self.opened + 1
                self._renew.clear()
                self.on_open(self, overlapped)
                if previous is not None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._pace.overlap_s):
                            await socket.complete.wait()
                    await self._leave(previous[0])
                    await previous[1]
                    previous = None
                why = await self._end(reading)
                if why == "planned":
                    previous = socket, reading
                    continue
                ENDED.labels(self.feed.venue, why).inc()
                held = self._hold(asked_s(None, "", socket.ws.reason))
                LOG.warning("%s: %s ended: %s%s", self.feed.venue, self._url, why, held)
                failures = 1 if socket.brought else failures + 1
                await self._wait(failures)
        finally:
            # One that was told to stop while it subscribed is neither yet.
            for left in (self._current, previous[0] if previous else None, socket):
                if left is not None:
                    await self._leave(left)

    async def _end(self, reading: "asyncio.Task[str]") -> str:
        """Why a socket is given up; `planned` while it still works."""
        renew = asyncio.create_task(self._renew.wait())
        try:
            spread_s = self._pace.lifetime_s * self._chance.uniform(0.9, 1.0)
            done, _ = await asyncio.wait({reading, renew}, timeout=spread_s, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading in done else "planned"
        finally:
            renew.cancel()

    def renew(self, why: str) -> None:
        """Open a new socket, and leave the old one when the new one works."""
        LOG.warning("%s: a new connection to %s: %s", self.feed.venue, self._url, why)
        self._renew.set()

    async def again(self, streams: Sequence[Stream]) -> None:
        """Subscribe anew to some of the streams; by a new socket where this one was sent as much as it may be."""
        socket, rates = self._current, self.feed.rates
        if socket is None or self._renew.is_set():
            return
        if socket.said + 2 * -(-len(streams) // rates.streams_a_message) > rates.messages_a_socket:
            self.renew("this one was asked as often as it may be")
            return
        with contextlib.suppress(aiohttp.ClientError, OSError):
            for on in (False, True):
                await self._say(socket, streams, on)

    async def _wait(self, failures: int) -> None:
        pace = self._pace
        await asyncio.sleep(backoff_s(failures, pace.backoff_s, pace.backoff_most_s, self._chance))

    def _hold(self, wait_s: float) -> str:
        """Open no line before; what to say of it. A venue counts addresses, and bans one that asks on for longer."""
        self._connections.close(wait_s)
        return f"; it is left alone for {wait_s:.0f} s" if wait_s else ""

    async def _open(self) -> _Socket:
        async with asyncio.timeout(self._pace.connect_s):
            ws = await self._session.ws_connect(
                self._url,
                decode_text=False,
                heartbeat=self._pace.heartbeat_s,
                max_msg_size=0,
                proxy=self._proxy.url,
                proxy_headers=self._proxy.headers,
            )
        return _Socket(cast(Websocket, ws))

    async def _subscribe(self, socket: _Socket) -> None:
        if self.feed.greeting is not None:
            await socket.ws.send_str(self.feed.greeting)
        await self._say(socket, self.streams, True)

    async def _say(self, socket: _Socket, streams: Sequence[Stream], on: bool) -> None:
        size = self.feed.rates.streams_a_message
        for at in range(0, len(streams), size):
            some = streams[at : at + size]
            await self._messages.take()
            socket.said += 1
            number = next(self._numbers)
            if on and len(some) > 1:
                socket.asked[number] = list(some)
            await socket.ws.send_str(self.feed.say([s.name for s in some], number, on))

    async def _say_alone(self, socket: _Socket, streams: Sequence[Stream]) -> None:
        """Ask for each by itself: one that the venue does not have keeps the others of its message out."""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            for stream in streams:
                await self._say(socket, [stream], True)

    async def _leave(self, socket: _Socket) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(2.0):
                await socket.ws.close()

    async def _read(self, socket: _Socket) -> str:
        """Hand on what comes until it ends; why it ended."""
        pinging = asyncio.create_task(self._ping(socket)) if self.feed.ping is not None else None
        take, head, farewell = self._take, self.feed.head.match, self.feed.farewell
        try:
            while frames := await socket.ws.come():
                streams = [found and found[1] for found in map(head, frames)]
                if farewell is not None:
                    streams = [
                        None if len(frame) < _SHORT and farewell in frame else stream
                        for frame, stream in zip(frames, streams, strict=True)
                    ]
                take(frames, streams)
                if not socket.complete.is_set():
                    self._note_brought(socket, streams)
                if None in streams:
                    for frame, stream in zip(frames, streams, strict=True):
                        if stream is None:
                            await self._talk(socket, frame)
            error = socket.ws.exception()
            if error is not None:
                return type(error).__name__
            said = f"{socket.ws.close_code} {socket.ws.reason}".rstrip()
            return f"closed by the venue ({said})"
        except (aiohttp.ClientError, OSError) as error:
            return type(error).__name__
        finally:
            if pinging is not None:
                pinging.cancel()
            for task in socket.alone:
                task.cancel()

    def _note_brought(self, socket: _Socket, streams: list[bytes | None]) -> None:
        socket.brought.update(stream for stream in streams if stream is not None)
        if len(socket.brought) >= len(self.streams):
            socket.complete.set()

    async def _talk(self, socket: _Socket, data: bytes) -> None:
        """What is no frame of a stream: acknowledgements, refusals, questions."""
        for asked, answer in self.feed.answers:
            if asked in data:
                await socket.ws.send_str(answer)
        if refused := self.feed.refusal.search(data[:2_000]):
            REFUSED.labels(self.feed.venue).inc()
            why = refused[1].decode(errors="replace")
            LOG.error("%s refuses a subscription: %s%s", self.feed.venue, why, self._hold(asked_s(None, "", why)))
            number = _NUMBER.search(data[:2_000])
            if number is not None and (streams := socket.asked.pop(int(number[1]), None)):
                task = asyncio.create_task(self._say_alone(socket, streams))
                socket.alone.add(task)
                task.add_done_callback(socket.alone.discard)
        if self.feed.farewell is not None and self.feed.farewell in data:
            self.renew(f"the venue ends this one: {data[:200].decode(errors='replace')}")

    async def _ping(self, socket: _Socket) -> None:
        assert self.feed.ping is not None
        with contextlib.suppress(aiohttp.ClientError, OSError):
            while True:
                await asyncio.sleep(self.feed.ping_s)
                await socket.ws.send_str(self.feed.ping)
