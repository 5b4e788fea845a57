"""Frames that came in one piece are taken in one go, and nothing among them is passed over."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from flows.live.book_continuity import Continuity
from flows.live.feed import streams
from flows.live.feeds_by_venue import FEEDS
from flows.live.websocket import Websocket
from tests.live.dialects import DIALECTS


def test_frames_that_stand_ready_come_together_and_a_ping_among_them_is_answered():
    ponged = []

    async def serve(request):
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        for n in range(10):
            await ws.send_str(f"frame {n}")
            if n == 5:
                await ws.ping(b"alive?")
        async for message in ws:
            ponged.append((message.type, message.data))
            await ws.close()
        return ws

    async def run():
        app = web.Application()
        app.router.add_get("/", serve)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        pieces = []
        async with (
            aiohttp.ClientSession(ws_response_class=Websocket) as session,
            session.ws_connect(f"http://127.0.0.1:{port}/", decode_text=False) as ws,
        ):
            await asyncio.sleep(0.3)
            while piece := await ws.come():
                pieces.append(piece)
            assert ws.closed
        await runner.cleanup()
        return pieces

    pieces = asyncio.run(run())
    assert [frame for piece in pieces for frame in piece] == [b"frame %d" % n for n in range(10)]
    assert len(pieces) <= 3, "what stood ready was not taken together"
    assert ponged == [(aiohttp.WSMsgType.PONG, b"alive?")]


FRAMES = {
    "binance-usdm": '{"x":%(pad)d,"U":%(first)d,"u":%(last)d,"pu":%(before)d,"b":[]}',
    "binance-spot": '{"x":%(pad)d,"U":%(first)d,"u":%(last)d,"b":[]}',
    "bybit-linear": '{"x":%(pad)d,"u":%(last)d,"seq":1}',
    "okx-swap": '{"x":%(pad)d,"seqId":%(last)d,"prevSeqId":%(before)d}]}',
    "deribit": '{"x":%(pad)d,"prev_change_id":%(before)d,"b":[],"change_id":%(last)d}',
}


def begun(venue, last):
    """The whole book of a stream."""
    dialect = DIALECTS[venue]
    symbol, stream = next((s.symbol, s.name) for s in streams(FEEDS[venue], dialect.symbols))
    return dialect.whole(stream, symbol, last)


DOCUMENTED = {"okx-swap": '{"x":%(pad)d, "prevSeqId": %(before)d, "seqId": %(last)d}]}'}
"""Where the documentation has them in another order than what is recorded."""


@pytest.mark.parametrize(("venue", "frame"), [*FRAMES.items(), *DOCUMENTED.items()])
def test_ids_are_found_wherever_they_stand_and_a_missing_update_is_noticed(venue, frame):
    """Digits more or less move them; where they stood in the last update is only where they are looked for first."""
    of = Continuity(FEEDS[venue].chain)
    step = 1 if venue == "bybit-linear" else 3
    last, said = 95, [False]
    for n in range(12):
        if FEEDS[venue].chain.whole and not said[-1]:
            assert of.follows("A", begun(venue, last))
        skipped = n in (4, 9)
        before = last + step * skipped
        last = before + step
        ids = {"pad": 10 ** (n % 5), "first": before + 1, "last": last, "before": before}
        said.append(of.follows("A", (frame % ids).encode()))
    assert said[1:] == [n not in (4, 9) for n in range(12)]


def test_a_sequence_that_the_venue_sets_back_is_followed_from_there():
    """OKX after its maintenance: `seqId` below `prevSeqId`, which is the last one."""
    of = Continuity(FEEDS["okx-swap"].chain)
    assert of.follows("A", begun("okx-swap", 5))
    ids = [(10, 5), (11, 10), (11, 11), (3, 11), (4, 3), (7, 6)]
    said = [of.follows("A", b'"seqId":%d,"prevSeqId":%d' % pair) for pair in ids]
    assert said == [True, True, True, True, True, False]


@pytest.mark.parametrize("venue", ["bybit-linear", "binance-usdm", "deribit"])
def test_ids_that_a_venue_sets_back_without_a_word_are_noticed(venue):
    """Each update was taken for one that a second connection had brought before, until its ids had caught up."""
    of = Continuity(FEEDS[venue].chain)
    assert not FEEDS[venue].chain.whole or of.follows("A", begun(venue, 5_000))

    def say(last):
        frame = FRAMES[venue] % {"pad": 1, "first": last, "last": last, "before": last - 1}
        return of.follows("A", frame.encode())

    assert all(say(last) for last in range(5_001, 5_200))
    assert all(say(last) for last in (*range(5_150, 5_220), *range(5_190, 5_230))), "what lags is no new sequence"
    assert sum(not say(last) for last in range(2, 300)) == 1


@pytest.mark.parametrize("venue", ["bybit-linear", "okx-swap", "deribit"])
def test_updates_go_on_from_a_whole_book_in_the_stream(venue):
    """Deribit's has no id before it: each was taken for a hole, asked for again, and so on for ever."""
    of, dialect = Continuity(FEEDS[venue].chain), DIALECTS[venue]
    symbol, stream = next((s.symbol, s.name) for s in streams(FEEDS[venue], dialect.symbols))
    said = []
    for begun in (10, 20, 15):
        said.append(of.follows(symbol, dialect.whole(stream, symbol, begun)))
        said += [of.follows(symbol, dialect.depth(stream, symbol, n, n, n - 1)) for n in (begun + 1, begun + 2)]
    assert all(said)
    assert not of.follows(symbol, dialect.depth(stream, symbol, 40, 40, 39))


@pytest.mark.parametrize("venue", ["binance-usdm", "binance-coinm", "binance-spot"])
def test_a_book_by_rest_that_ends_before_the_stream_began_is_asked_for_again(venue):
    """In whichever order the two come; nothing else would ever tell, since the stream itself has no hole."""
    dialect = DIALECTS[venue]
    symbol, stream = next((s.symbol, s.name) for s in streams(FEEDS[venue], dialect.symbols))

    def update(last):
        return dialect.depth(stream, symbol, last - 2, last, last - 3)

    of = Continuity(FEEDS[venue].chain)
    assert of.follows(symbol, update(100))
    assert [of.joins(symbol, at) for at in (96, 97, 99, 120)] == [False, True, True, True]
    assert not of.follows(symbol, update(109))
    assert [of.joins(symbol, at) for at in (100, 105, 106, 120)] == [False, False, True, True]
    for at, fits in ((96, False), (97, True), (130, True)):
        of.forget(symbol)
        assert of.joins(symbol, at)
        assert of.follows(symbol, update(100)) == fits
        assert of.follows(symbol, update(103))
