"""A venue that speaks by its documentation and misbehaves when told: drops, cuts, half-open sockets, silence, refusals."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.live.dialects import Binance, Dialect, Sides
from tests.live.true_book import TrueBook


@dataclass(eq=False)
class Peer:
    """A client's socket."""

    ws: web.WebSocketResponse
    request: web.Request
    streams: dict[str, bool] = field(default_factory=dict)
    """Stream, and whether its whole book is still owed."""
    deaf: bool = False


class VenueServer:
    """Every `every_s` each stream says something; `books` are the true books, `sent` counts frames."""

    def __init__(self, dialect: Dialect, every_s: float = 0.01) -> None:
        self.dialect = dialect
        self.every_s = every_s
        self.peers: list[Peer] = []
        self.trades = 0
        self.muted: set[str] = set()
        self.unknown: set[str] = set()
        """Streams that the venue does not have: a message that asks for one of them is refused whole."""
        self.lost: dict[str, int] = {}
        """How many of the next updates of a symbol nobody gets."""
        self.twice = False
        self.in_maintenance = False
        self.too_often = 0
        """How many REST requests are told to come back."""
        self.ban: tuple[int, dict[str, str], str] = (429, {"Retry-After": "1"}, "too many requests")
        """The status, headers and text with which they are told."""
        self.instead: tuple[int, int, str] = (0, 200, "")
        """So many of the next REST requests get this status and text."""
        self.behind = 0
        """How many of the next books by REST end before the streams of their instruments began."""
        self.turned_away = 0
        """How many of the next sockets are told that there are too many."""
        self.come_back: dict[str, str] = {"Retry-After": "1"}
        """The headers with which they are told."""
        self.books = {symbol: TrueBook(1_000, n) for n, symbol in enumerate(dialect.symbols)}
        self.opened = self.subscriptions = self.rest_asked = self.sent = 0
        self.answered: list[str] = []

    async def __aenter__(self) -> "VenueServer":
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self._task = asyncio.create_task(self._move())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for peer in self.peers:
            await peer.ws.close()
        await self._runner.cleanup()

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection, without a word."""
        for peer in list(self.peers):
            assert peer.request.transport is not None
            peer.request.transport.abort()

    def reset(self) -> None:
        """Break off in the middle of a frame."""
        for peer in list(self.peers):
            assert peer.request.transport is not None
            peer.request.transport.write(b'\x81\x7e\x06\x40{"half a frame')
            peer.request.transport.abort()

    async def end(self) -> None:
        """Close every connection in good order, as after 24 hours."""
        for peer in list(self.peers):
            await peer.ws.close(code=1001)

    def half_open(self) -> None:
        """The sockets stay open, and nothing comes out of them any more, not even pongs."""
        for peer in self.peers:
            peer.deaf = True
            assert peer.request.transport is not None
            peer.request.transport.pause_reading()  # type: ignore[attr-defined]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return self._rest(request)
        if self.in_maintenance:
            return web.Response(status=503, text="maintenance")
        if self.turned_away:
            self.turned_away -= 1
            return web.Response(status=429, headers=self.come_back, text="too many connections")
        ws = web.WebSocketResponse(autoping=True)
        await ws.prepare(request)
        peer = Peer(ws, request)
        self.peers.append(peer)
        self.opened += 1
        try:
            async for message in ws:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._hear(peer, message.data)
        finally:
            self.peers.remove(peer)
        return ws

    def _rest(self, request: web.Request) -> web.Response:
        self.rest_asked += 1
        if self.too_often:
            self.too_often -= 1
            status, headers, text = self.ban
            return web.Response(status=status, headers=headers, text=text)
        left, status, text = self.instead
        if left:
            self.instead = left - 1, status, text
            return web.Response(status=status, text=text)
        assert isinstance(self.dialect, Binance)
        symbol = request.query["symbol"]
        book = self.books[symbol]
        if self.behind:
            self.behind -= 1
            return web.Response(body=self.dialect.rest(symbol, 900, book.sides()), content_type="application/json")
        return web.Response(body=self.dialect.rest(symbol, book.id, book.sides()), content_type="application/json")

    async def _hear(self, peer: Peer, text: str) -> None:
        asked = self.dialect.asked(text)
        if asked is None:
            self.answered.append(text)
            answers = self.dialect.answer(text)
        else:
            names, on, answers = asked
            self.subscriptions += on
            if unknown := self.unknown.intersection(names):
                names, answers = [], [self.dialect.refusal(text, unknown.pop())]
            for name in names:
                if not on:
                    peer.streams.pop(name, None)
                elif not isinstance(self.dialect, Binance) or self.dialect.serves(peer.request.path, name):
                    peer.streams[name] = self.dialect.in_band and self.dialect.channel(name)[0] == "depth"
        for answer in answers:
            with contextlib.suppress(ConnectionError):
                await peer.ws.send_str(answer)

    async def _move(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            self.trades += 1
            for symbol in self.dialect.symbols:
                before = self.books[symbol].id
                changes = self.books[symbol].step(1 if self.dialect.in_band else 3)
                lost = self.lost.get(symbol, 0)
                if lost:
                    self.lost[symbol] = lost - 1
                for peer in list(self.peers):
                    for stream, owed in list(peer.streams.items()):
                        kind, of = self.dialect.channel(stream)
                        if of != symbol or stream in self.muted or peer.deaf or (kind == "depth" and lost):
                            continue
                        frame = self._frame(kind, stream, symbol, before, changes, owed)
                        peer.streams[stream] = False
                        for _ in range(2 if self.twice else 1):
                            with contextlib.suppress(ConnectionError, RuntimeError):
                                await peer.ws.send_str(frame.decode())
                                self.sent += 1

    def _frame(self, kind: str, stream: str, symbol: str, before: int, changes: Sides, owed: bool) -> bytes:
        if kind == "depth":
            book = self.books[symbol]
            if owed:
                return self.dialect.whole(stream, symbol, book.id, book.sides())
            return self.dialect.depth(stream, symbol, before + 1, book.id, before, changes)
        if kind == "trades":
            return self.dialect.trade(stream, symbol, self.trades)
        return self.dialect.mark(stream, symbol)
