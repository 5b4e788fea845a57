"""Live feeds against local servers that speak as the venues do and misbehave on purpose."""

import asyncio
import base64
import contextlib
import dataclasses
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import Consumer, TopicPartition

from flows.captures.capture import read
from flows.kafka.partitioner import partition_of
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.live import arrivals, budget, snapshots
from flows.live.arrivals import BROKEN, UNKNOWN, Watch
from flows.live.buffer import Buffer
from flows.live.feed import streams
from flows.live.feeds_by_venue import FEEDS
from flows.live.line import REFUSED
from flows.live.outlet import MISSED, TICK, Captures, Missed, Route, Routed, Topics
from flows.live.proxy import Proxy
from flows.live.receiver import Receiver
from flows.live.receivers import run
from flows.monitoring import wall_clock
from flows.refusal import Unreachable
from flows.settings.secret import Secret
from flows.settings.tree import Live
from schemas.venues.registry import VENUES
from tests.live import dialects
from tests.live.campaign import Books
from tests.live.dialects import DIALECTS, LAST_ID
from tests.live.venue_server import VenueServer
from tests.services import topic_log

FAST = {"lifetime_s": 3600.0, "overlap_s": 2.0, "heartbeat_s": 0.5, "backoff_s": 0.02, "seed": 7, "connect_s": 2.0}


class Kept:
    """An outlet that remembers."""

    def __init__(self):
        self.kept, self.ticks, self.holes = [], 0, []

    def frames(self, received_ns, routed):
        self.kept += [
            (kind, symbol, base, data, named) for (kind, symbol, base, named), data in zip(*routed, strict=True)
        ]

    def tick(self, received_ns):
        self.ticks += 1

    def missed(self, missed):
        self.holes.append(missed)

    def close(self):
        pass

    def of(self, kind, symbol=None):
        return [data for k, s, _, data, named in self.kept if k == kind and (symbol is None or s == symbol) and named]

    def ids(self, symbol):
        return [int(LAST_ID.search(data)[1]) for data in self.of("depth", symbol)]

    def books(self):
        return [(symbol, data) for kind, symbol, _, data, named in self.kept if not named]


def addresses(feed, server):
    ways = {"public": "/public/stream", "market": "/market/stream"}
    sockets = {f"{feed.venue}/{n}" if n else feed.venue: server.http + ways.get(n, "/ws") for n in feed.sockets}
    return {"sockets": sockets, "rest": {feed.venue: server.http}}


@contextlib.asynccontextmanager
async def receiving(venue, server, kept, feed=None, symbols=None, **settings):
    feed = feed or FEEDS[venue]
    told = Live(**{**FAST, **addresses(feed, server), **settings})
    receiver = Receiver(feed, VENUES[venue], symbols or DIALECTS[venue].symbols, {}, told, kept)
    task = asyncio.create_task(receiver.run())
    try:
        yield receiver
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def bounded(run):
    """A test that hangs fails."""
    async with asyncio.timeout(60):
        await run


async def until(done, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.01)


def hangs_together(ids):
    """Every update there, in spite of repeats."""
    known = sorted(set(ids))
    steps = {b - a for a, b in zip(known, known[1:], strict=False)}
    return len(steps) == 1


@pytest.mark.parametrize("venue", FEEDS)
def test_every_channel_of_a_venue_arrives_verbatim_under_its_base_asset(venue):
    async def run():
        kept = Kept()
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept):
            kinds = {k for k in VENUES[venue].kinds if k != "liquidations"}
            await until(lambda: all(len(kept.of(k, s)) > 3 for k in kinds for s in DIALECTS[venue].symbols))
            if FEEDS[venue].snapshots:
                await until(lambda: {s for s, _ in kept.books()} == set(DIALECTS[venue].symbols))
            else:
                assert server.rest_asked == 0
        assert {base for _, _, base, _, _ in kept.kept} == {b"BTC", b"ETH"}
        for kind, symbol, _, data, named in kept.kept:
            assert VENUES[venue].kind_of(data) == kind
            assert VENUES[venue].symbol_of(data) == (symbol if named else None)
        assert kept.ticks > 0

    asyncio.run(bounded(run()))


@pytest.mark.parametrize("venue", FEEDS)
def test_a_planned_new_connection_overlaps_the_old_one_and_no_update_is_missing(venue):
    async def run():
        kept = Kept()
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept, lifetime_s=0.6):
            lines = len(FEEDS[venue].sockets)
            await until(lambda: server.opened >= 4 * lines)
        symbol = DIALECTS[venue].symbols[0]
        assert hangs_together(kept.ids(symbol))
        assert len(kept.ids(symbol)) > len(set(kept.ids(symbol))), "no overlap: no test"
        if FEEDS[venue].snapshots:
            assert server.rest_asked == len(DIALECTS[venue].symbols), "a planned change costs no snapshot"

    asyncio.run(bounded(run()))


@pytest.mark.parametrize("venue", FEEDS)
def test_updates_that_the_venue_lost_begin_the_book_anew(venue):
    async def run():
        kept, symbol = Kept(), DIALECTS[venue].symbols[0]
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept):
            for _ in range(3):
                await until(lambda: len(set(kept.ids(symbol))) > 5)
                asked, subscribed = server.rest_asked, server.subscriptions
                before = max(kept.ids(symbol))
                server.lost[symbol] = 4
                if FEEDS[venue].snapshots:
                    await until(lambda asked=asked: server.rest_asked == asked + 1)
                    await until(lambda before=before: any(int(i) > before for i in restored(kept, symbol)))
                else:
                    await until(lambda subscribed=subscribed: server.subscriptions > subscribed)
                    whole = FEEDS[venue].chain.whole
                    await until(lambda before=before, whole=whole: whole_after(kept, symbol, whole, before))
            assert len(kept.of("depth", DIALECTS[venue].symbols[1])) > 5
        if FEEDS[venue].snapshots:
            assert server.rest_asked == len(DIALECTS[venue].symbols) + 3, "one snapshot a loss"

    asyncio.run(bounded(run()))


@pytest.mark.parametrize("venue", [v for v in FEEDS if FEEDS[v].snapshots])
def test_a_book_is_fetched_again_now_and_then_and_replaces_the_one_before_without_a_gap(venue):
    cheap = FEEDS[venue].snapshots._replace(weight=1)
    feed = dataclasses.replace(FEEDS[venue], snapshots=cheap)

    async def run():
        async with VenueServer(DIALECTS[venue]) as server:
            books = Books(server, venue)
            async with receiving(venue, server, books, feed, books_every_s=0.3):
                await until(lambda: books.compared and server.rest_asked > 5 * len(DIALECTS[venue].symbols), 50.0)
        assert books.compared > 0
        assert (books.gaps, books.wrong, books.rejects) == (0, 0, 0)

    asyncio.run(bounded(run()))


def test_a_proxy_is_told_who_asks_and_what_it_refuses_shows_no_password(caplog):
    heads = []

    async def refuse(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def run():
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            told = Live(**FAST, proxy=proxy, proxy_user="me", proxy_password=Secret("s:e/s@me%#é"))
            receiver = Receiver(FEEDS["binance-usdm"], VENUES["binance-usdm"], ["BTCUSDT"], {}, told, Kept())
            task = asyncio.create_task(receiver.run())
            await until(lambda: len(heads) > 4)
            receiver._books.ask("BTCUSDT")
            await until(lambda: "no snapshot of BTCUSDT yet: 407" in caplog.text)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(bounded(run()))
    login = base64.b64encode("me:s:e/s@me%#é".encode())
    assert all(b"Proxy-Authorization: Basic " + login in head for head in heads)
    assert "407, message='Proxy Authentication Required', url='http://127.0.0.1:" in caplog.text
    assert not re.search(r"s%3Ae|s:e/s|me@|me:s|Basic", caplog.text)


def test_books_are_fetched_again_within_half_of_the_venues_budget():
    of = FEEDS["binance-usdm"].snapshots
    for books in (1, 1_000):
        every_s = snapshots.Books(FEEDS["binance-usdm"], "", None, Proxy(None, None), books, 60.0).every_s
        assert every_s >= 60
        assert books * of.weight * 60 / every_s <= of.per_minute / 2


@pytest.mark.parametrize(("amount", "per_s", "much"), [(2_160, 60.0, 20), (4, 1.0, 1), (300, 300.0, 1)])
def test_no_window_of_a_venue_holds_more_than_it_allows(amount, per_s, much, monkeypatch):
    """A bucket that fills while it is emptied gave 4,300 of weight in a minute of which 2,400 are allowed."""
    now_s, taken = 0.0, []

    async def sleep(wait_s):
        nonlocal now_s
        now_s += max(wait_s, 1e-6)

    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(budget, "asyncio", SimpleNamespace(sleep=sleep, Lock=asyncio.Lock))

    async def run():
        of = budget.Budget(amount, per_s)
        for _ in range(3 * amount // much):
            await of.take(much)
            taken.append(now_s)

    asyncio.run(run())
    assert max(sum(much for at in taken if begin <= at < begin + per_s) for begin in taken) == amount
    assert now_s == pytest.approx(2 * per_s), "what is allowed is used"


def test_a_book_that_its_stream_had_gone_beyond_is_asked_for_again_soon_and_then_less_often():
    async def run():
        asked = snapshots.Books(FEEDS["binance-usdm"], "", None, Proxy(None, None), 1, 60.0)
        waits = []
        asked._set = lambda wait_s, then, *given: (waits.append(wait_s), then(*given) if then != asked.ask else None)
        asked.came("A", newer=False)  # the first one: held updates join it
        for newer in (False, False, True):
            asked.came("A", newer=newer)
        assert waits == [60, 2, 4, 60]

    asyncio.run(run())


def restored(kept, symbol):
    return [data.split(b":")[1].split(b",")[0] for s, data in kept.books() if s == symbol]


def whole_after(kept, symbol, whole, before):
    return any(whole.search(data) and int(LAST_ID.search(data)[1]) > before for data in kept.of("depth", symbol))


@pytest.mark.parametrize("venue", ["binance-usdm", "okx-swap", "deribit"])
@pytest.mark.parametrize("trouble", ["cut", "half_open"])
def test_a_connection_that_dies_is_opened_again_and_books_begin_anew(venue, trouble):
    async def run():
        kept, symbol = Kept(), DIALECTS[venue].symbols[0]
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept):
            for _ in range(2):
                await until(lambda: len(kept.of("depth", symbol)) > 3 and server.peers)
                opened, asked, before = server.opened, server.rest_asked, max(kept.ids(symbol))
                getattr(server, trouble)()
                await until(lambda opened=opened: server.opened > opened)
                await until(lambda before=before: max(kept.ids(symbol)) > before + 10)
                if FEEDS[venue].snapshots:
                    await until(lambda asked=asked: server.rest_asked >= asked + len(DIALECTS[venue].symbols))

    asyncio.run(bounded(run()))


def test_a_venue_in_maintenance_is_tried_again_with_growing_waits_and_found_when_it_is_back():
    async def run():
        kept = Kept()
        async with VenueServer(DIALECTS["deribit"]) as server, receiving("deribit", server, kept):
            await until(lambda: kept.of("trades"))
            server.in_maintenance = True
            server.cut()
            await asyncio.sleep(1.0)
            assert server.opened == 1
            seen = len(kept.kept)
            server.in_maintenance = False
            await until(lambda: len(kept.kept) > seen)

    asyncio.run(bounded(run()))


def test_a_venue_that_turns_sockets_away_is_left_alone_by_all_lines_for_as_long_as_it_asks():
    """Seventeen more were tried within four seconds of a ban of five."""

    async def run():
        kept = Kept()
        async with VenueServer(DIALECTS["binance-usdm"]) as server:
            server.turned_away, server.come_back = 1_000, {"Retry-After": "2"}
            async with receiving("binance-usdm", server, kept):
                await until(lambda: server.turned_away < 1_000)
                await asyncio.sleep(1.5)
                assert 1_000 - server.turned_away <= len(FEEDS["binance-usdm"].sockets)
                server.turned_away = 0
                await until(lambda: kept.of("depth"))

    asyncio.run(bounded(run()))


def test_a_venue_that_says_too_often_is_left_alone_for_as_long_as_it_asks():
    async def run():
        kept = Kept()
        async with VenueServer(DIALECTS["binance-usdm"]) as server:
            server.too_often = 2
            began = time.monotonic()
            async with receiving("binance-usdm", server, kept):
                await until(lambda: len(kept.books()) == 2)
            assert time.monotonic() - began >= 1.0
            assert server.rest_asked == 4

    asyncio.run(bounded(run()))


def banned_until(seconds):
    return f'{{"code":-1003,"msg":"Way too much request weight used; IP banned until {int(1000 * (time.time() + seconds))}."}}'


@pytest.mark.parametrize(
    ("status", "header", "words"),
    [
        (418, lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=4), usegmt=True), lambda: ""),
        (418, None, lambda: banned_until(3)),
        (200, None, lambda: banned_until(3)),
        (429, None, lambda: "slow down"),
        (429, lambda: "soon", lambda: ""),
        (418, lambda: "²", lambda: ""),
        (418, lambda: "9" * 400, lambda: ""),
    ],
)
def test_a_ban_holds_however_the_venue_says_how_long_and_is_said_in_one_line(status, header, words, caplog):
    """The date was read as ten seconds, the words as none, and a digit that is no number ended the receiver."""

    async def run():
        venue = "binance-usdm"
        async with VenueServer(DIALECTS[venue]) as server:
            server.too_often = 1_000
            server.ban = status, {"Retry-After": header()} if header else {}, words()
            async with receiving(venue, server, Kept()) as receiver:
                await until(lambda: server.rest_asked)
                await asyncio.sleep(1.5)
                assert server.rest_asked == 1
                left_s = receiver._books._budget._closed_until_s - time.monotonic()
                assert 0.5 < left_s < 3 * 86_400

    asyncio.run(bounded(run()))
    told = [r for r in caplog.records if "left alone for" in r.getMessage()]
    assert len(told) == 1
    assert not [r for r in caplog.records if r.levelname == "WARNING" and r not in told]


def test_a_ban_told_when_a_socket_is_closed_keeps_all_lines_from_coming_back(caplog):
    async def run():
        venue = "binance-usdm"
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, Kept()):
            await until(lambda: len(server.peers) == 2)
            for peer in list(server.peers):
                await peer.ws.close(code=1008, message=f"IP banned until {int(1000 * (time.time() + 2.5))}".encode())
            await asyncio.sleep(1.5)
            assert server.opened == 2
            await until(lambda: server.opened == 4)

    asyncio.run(bounded(run()))
    assert "closed by the venue (1008 IP banned until" in caplog.text


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (200, '{"code":-1003,"msg":"way too many"}', "the answer is no book"),
        (403, "<html>go away</html>", "refuses a snapshot"),
    ],
)
def test_an_answer_that_is_no_book_is_asked_for_until_it_is_one(status, text, said, caplog, monkeypatch):
    monkeypatch.setattr(snapshots, "REFUSED_S", 0.2)

    async def run():
        kept = Kept()
        async with VenueServer(DIALECTS["binance-usdm"]) as server:
            server.instead = (2, status, text)
            async with receiving("binance-usdm", server, kept):
                await until(lambda: {s for s, _ in kept.books()} == set(DIALECTS["binance-usdm"].symbols))
        assert all(data.startswith(b'{"lastUpdateId"') for _, data in kept.books())
        if status != 200:
            assert said in caplog.text

    asyncio.run(bounded(run()))


def test_a_book_that_ends_before_its_stream_began_is_asked_for_again(caplog):
    async def run():
        kept, venue = Kept(), "binance-usdm"
        async with VenueServer(DIALECTS[venue]) as server:
            server.behind = 2
            async with receiving(venue, server, kept):
                await until(lambda: server.rest_asked == 4)
                await until(lambda: len(kept.books()) == 4)
                await asyncio.sleep(0.2)
        assert server.rest_asked == 4
        for symbol in DIALECTS[venue].symbols:
            began = int(re.search(rb'"pu":(\d+)', kept.of("depth", symbol)[0])[1])
            assert int(restored(kept, symbol)[0]) < began <= int(restored(kept, symbol)[-1])

    asyncio.run(bounded(run()))


def test_frames_of_a_stream_whose_kind_cannot_be_told_are_counted_and_said_and_are_no_sign_of_life(caplog):
    venue = "binance-usdm"
    told = streams(FEEDS[venue], ["BTCUSDT"])
    watch = Watch(FEEDS[venue], VENUES[venue], told, {}, 0.0)
    before = UNKNOWN.labels(venue)._value.get()
    for n in range(1, 200):
        trade = DIALECTS[venue].trade("btcusdt@aggTrade", "BTCUSDT", n)
        assert (
            len(
                watch.routed(
                    [trade, b'{"stream":"btcusdt@depth@100ms","data":{"e":"new"}}'],
                    [b"btcusdt@aggTrade", b"btcusdt@depth@100ms"],
                ).frames
            )
            == 1
        )
        watch.look(float(n))
    assert UNKNOWN.labels(venue)._value.get() == before + 199
    assert caplog.text.count("a frame of btcusdt@depth@100ms is of no known kind") == 1
    assert "nothing of channel depth comes" in caplog.text


def test_what_may_be_lost_is_counted_from_nought_so_that_its_first_loss_is_a_rise():
    """`increase()` of a series that begins at its first loss is nought, and the alert on it stays silent."""
    venue = "okx-swap"
    registry = dict.fromkeys((MISSED, REFUSED, UNKNOWN, BROKEN))
    for figure in registry:
        figure.clear()
    receiver = Receiver(FEEDS[venue], VENUES[venue], ["BTC-USDT-SWAP"], {}, Live(), Captures(Path(), venue))
    receiver._make_lines(None)
    for figure in registry:
        assert [s.value for m in figure.collect() for s in m.samples if s.labels == {"venue": venue}][:1] == [0.0]


def test_a_second_ctrl_c_gives_up_what_nobody_takes(tmp_path):
    code = """
import asyncio, os, signal, threading, time
from flows.live.feeds_by_venue import FEEDS
from flows.live.receiver import Receiver
from flows.live.receivers import run
from flows.settings.tree import Live
from schemas.venues.registry import VENUES
class Stuck:
    def frames(self, *a): pass
    def tick(self, *a): pass
    def missed(self, *a): pass
    def close(self):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(60)
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
told = Live(sockets={"okx-swap": "http://127.0.0.1:9"})
run([Receiver(FEEDS["okx-swap"], VENUES["okx-swap"], ["BTC-USDT-SWAP"], {}, told, Stuck())], None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        130,
        "alphaplus: interrupted twice: what was received and not yet taken is lost",
    )


def test_a_wall_clock_that_is_set_back_ends_the_receivers_with_one_line_once_all_is_handed_over(monkeypatch):
    back_s = [0.0]
    wall = SimpleNamespace(time=lambda: time.time() - back_s[0], monotonic=time.monotonic)
    monkeypatch.setattr(wall_clock, "time", wall)

    class Slow(Kept):
        def tick(self, received_ns):
            back_s[0] = 60.0

        def close(self):
            time.sleep(0.5)
            self.closed = True

    venue, kept = "okx-swap", Slow()
    told = Live(sockets={venue: "http://127.0.0.1:9"}, rest={venue: "http://127.0.0.1:9"})
    receiver = Receiver(FEEDS[venue], VENUES[venue], ["BTC-USDT-SWAP"], {}, told, kept)
    with pytest.raises(Unreachable, match=r"^the wall clock was set back by 60\.0 s, .*: starting again, and asking"):
        run([receiver], 30.0, wall_clock.WallClock())
    assert kept.closed


def test_who_waits_for_nobody_goes_on_when_the_wall_clock_is_set_back_and_says_so_once(monkeypatch, caplog):
    back_s = [0.0]
    wall = SimpleNamespace(time=lambda: time.time() - back_s[0], monotonic=time.monotonic)
    monkeypatch.setattr(wall_clock, "time", wall)

    class Stepping(Kept):
        def tick(self, received_ns):
            back_s[0] = 60.0

    venue, kept = "okx-swap", Stepping()
    told = Live(sockets={venue: "http://127.0.0.1:9"}, rest={venue: "http://127.0.0.1:9"})
    receiver = Receiver(FEEDS[venue], VENUES[venue], ["BTC-USDT-SWAP"], {}, told, kept)
    run([receiver], 2.0, wall_clock.WallClock(), goes_on=True)
    said = [text for text in caplog.messages if "set back" in text]
    assert said == ["the wall clock was set back by 60.0 s: times of receipt go on by the steady clock"]


def quick(venue, quiet_s=0.4):
    feed = FEEDS[venue]
    channels = tuple(c._replace(quiet_s=c.quiet_s and quiet_s) for c in feed.channels)
    return dataclasses.replace(feed, channels=channels)


def test_a_channel_that_goes_silent_while_others_move_is_reported_and_asked_for_again(caplog):
    async def run():
        kept, venue = Kept(), "binance-usdm"
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept, quick(venue)):
            await until(lambda: kept.of("derivatives") and kept.of("trades"))
            asked = server.subscriptions
            server.muted = {"btcusdt@aggTrade", "ethusdt@aggTrade"}
            await until(lambda: "nothing of channel trades comes" in caplog.text)
            await until(lambda: server.subscriptions > asked)
            server.muted = set()
            seen = len(kept.of("trades"))
            await until(lambda: len(kept.of("trades")) > seen)

    asyncio.run(bounded(run()))


def test_market_channels_asked_for_at_the_undivided_address_are_silent_and_said_so(caplog):
    async def run():
        kept, venue = Kept(), "binance-usdm"
        async with VenueServer(DIALECTS[venue]) as server:
            old = dict.fromkeys(addresses(FEEDS[venue], server)["sockets"], f"{server.http}/public/stream")
            async with receiving(venue, server, kept, quick(venue), sockets=old):
                await until(lambda: "nothing of channel derivatives comes" in caplog.text)
                assert kept.of("depth")

    asyncio.run(bounded(run()))


def test_one_instrument_that_goes_silent_while_others_move_is_asked_for_again_less_and_less_often(caplog):
    async def run():
        kept, venue = Kept(), "bybit-linear"
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept, quick(venue)):
            await until(lambda: kept.of("depth", "ETHUSDT"))
            asked = server.subscriptions
            server.muted = {"orderbook.200.ETHUSDT"}
            await until(lambda: server.subscriptions >= asked + 2)
            assert "depth of ETHUSDT is silent" in caplog.text
            assert "of BTCUSDT is silent" not in caplog.text
            assert "nothing of channel" not in caplog.text
            asked = server.subscriptions
            await asyncio.sleep(1.0)
            assert server.subscriptions <= asked + 2

    asyncio.run(bounded(run()))


def test_a_socket_that_was_asked_as_often_as_its_venue_allows_gives_way_to_a_new_one_and_no_update_is_missing():
    async def run():
        kept, venue = Kept(), "okx-swap"
        symbol, other = DIALECTS[venue].symbols[:2]
        feed = dataclasses.replace(FEEDS[venue], rates=FEEDS[venue].rates._replace(messages_a_socket=6))
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept, feed):
            for _ in range(6):
                await until(lambda: len(set(kept.ids(symbol))) > 5)
                before, subscribed = max(kept.ids(symbol)), server.subscriptions
                server.lost[symbol] = 4
                await until(lambda subscribed=subscribed: server.subscriptions > subscribed)
                whole = feed.chain.whole
                await until(lambda before=before, whole=whole: whole_after(kept, symbol, whole, before))
            assert len(feed.sockets) < server.opened <= 6 * len(feed.sockets)
        assert hangs_together(kept.ids(other))

    asyncio.run(bounded(run()))


def test_what_finds_no_room_while_kafka_is_away_is_counted_and_marked_where_it_is_missing():
    class Stuck(Kept):
        open = False

        def frames(self, received_ns, routed):
            while not self.open:
                time.sleep(0.01)
            super().frames(received_ns, routed)

    async def run():
        kept, venue = Stuck(), "okx-swap"
        async with (
            VenueServer(DIALECTS[venue], every_s=0.002) as server,
            receiving(venue, server, kept, buffer_bytes=20_000) as receiver,
        ):
            await until(lambda: receiver.buffer.bytes > 19_000)
            await asyncio.sleep(0.5)
            assert receiver.buffer.bytes <= 20_000
            assert server.opened == 1, "receiving went on"
            kept.open = True
            await until(lambda: kept.holes)
            await until(lambda: len(kept.kept) > 300)
        assert all(hole.frames > 0 and hole.bytes > 0 and hole.last_ns >= hole.first_ns for hole in kept.holes)
        assert MISSED.labels(venue)._value.get() == 0, "the outlet reports, not the buffer"

    asyncio.run(bounded(run()))


def test_the_venue_is_told_signs_of_life_as_it_asks():
    async def run():
        for venue, said in (("okx-swap", "ping"), ("bybit-linear", '{"op":"ping"}')):
            feed = dataclasses.replace(FEEDS[venue], ping_s=0.1)
            async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, Kept(), feed):
                await until(lambda server=server, said=said: server.answered.count(said) > 2)
        async with VenueServer(DIALECTS["deribit"]) as server, receiving("deribit", server, Kept()):
            await until(lambda: server.peers and server.answered)
            asked = '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
            await server.peers[0].ws.send_str(asked)
            await until(lambda: any("public/test" in text for text in server.answered))

    asyncio.run(bounded(run()))


@pytest.mark.parametrize("venue", ["binance-spot", "bybit-linear", "okx-swap", "deribit"])
def test_a_venue_that_writes_blanks_into_its_json_is_heard_and_what_it_loses_is_noticed(venue, monkeypatch):
    """As `json.dumps` does unasked. Its streams were silent, and a book that lost an update was broken for the day."""
    monkeypatch.setattr(dialects, "_dump", lambda value: json.dumps(value).encode())

    async def run():
        kept, symbol = Kept(), DIALECTS[venue].symbols[0]
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept) as receiver:
            await until(lambda: len(kept.of("depth", symbol)) > 5)
            broken = BROKEN.labels(venue)._value.get()
            server.lost[symbol] = 4
            await until(lambda: BROKEN.labels(venue)._value.get() > broken)
            counted = receiver._watch._counts["depth"]._value.get()
            await until(lambda: receiver._watch._counts["depth"]._value.get() > counted)

    asyncio.run(bounded(run()))


@pytest.mark.parametrize("venue", ["bybit-linear", "okx-swap", "deribit"])
def test_a_stream_whose_whole_book_is_lost_is_asked_for_again_until_it_comes(venue, monkeypatch):
    """Its updates hang together, so nothing else would tell; its book never began."""
    monkeypatch.setattr(arrivals, "WHOLE_BOOK_S", 0.2)

    async def run():
        kept, symbol, dialect = Kept(), DIALECTS[venue].symbols[0], DIALECTS[venue]
        async with VenueServer(dialect) as server:
            losing = 3

            def whole(stream, of, last, sides):
                nonlocal losing
                losing -= of == symbol
                said = dialect.depth(stream, of, last, last, last - 1) if losing >= 0 and of == symbol else None
                return said or type(dialect).whole(dialect, stream, of, last, sides)

            monkeypatch.setattr(dialect, "whole", whole, raising=False)
            async with receiving(venue, server, kept):
                await until(lambda: whole_after(kept, symbol, FEEDS[venue].chain.whole, 0))
                asked = server.subscriptions
                await asyncio.sleep(0.6)
                assert server.subscriptions == asked, "it is there, and is asked for all the same"
        assert losing == -1

    asyncio.run(bounded(run()))


def test_a_subscription_that_is_refused_is_said(caplog):
    async def run():
        kept, venue = Kept(), "okx-swap"
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept):
            await until(lambda: kept.kept)
            await server.peers[0].ws.send_str(
                '{"event":"error","code":"60018","msg":"Wrong URL or channel","connId":"c"}'
            )
            await until(lambda: "okx-swap refuses a subscription: Wrong URL or channel" in caplog.text)

    asyncio.run(bounded(run()))


@pytest.mark.parametrize(
    ("venue", "frame", "why"),
    [
        ("okx-swap", r'{"event":"error","msg":"Invalid request: {\"op\": \"x\"}","code":"60012"}', r"{\"op\": \"x\"}"),
        ("bybit-linear", r'{"ret_msg":"no \"topic\" t","op":"subscribe","success":false}', r"no \"topic\" t"),
        (
            "deribit",
            '{"jsonrpc":"2.0","id":1,"error":{"code":1,"data":{"reason":"r"},"message":"m"}}',
            '"message":"m"}',
        ),
    ],
)
def test_the_reason_of_a_refusal_is_told_whole_wherever_it_stands(venue, frame, why):
    """Of OKX's reasons the part behind a quoted quote was left out; Bybit's was found in one order of its fields."""
    assert FEEDS[venue].refusal.search(frame.encode())[1].decode().endswith(why)


@pytest.mark.parametrize(("venue", "unknown"), [("bybit-linear", "tickers.{}"), ("binance-spot", "{}@trade")])
def test_a_stream_that_a_venue_does_not_have_keeps_no_other_of_its_message_out(venue, unknown):
    async def run():
        kept, symbols = Kept(), DIALECTS[venue].symbols
        name = symbols[0].lower() if venue == "binance-spot" else symbols[0]
        async with VenueServer(DIALECTS[venue]) as server:
            server.unknown.add(unknown.format(name))
            async with receiving(venue, server, kept):
                await until(lambda: kept.of("depth", symbols[0]) and kept.of("trades", symbols[1]))
        assert not kept.of("derivatives" if venue == "bybit-linear" else "trades", symbols[0])

    asyncio.run(bounded(run()))


def test_streams_are_spread_over_sockets_and_messages_as_the_venue_allows():
    async def run():
        kept, venue = Kept(), "bybit-linear"
        rates = FEEDS[venue].rates._replace(streams_a_socket=3, streams_a_message=2)
        feed = dataclasses.replace(FEEDS[venue], rates=rates)
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept, feed):
            await until(lambda: all(kept.of(k) for k in ("depth", "trades", "derivatives")))
            assert server.opened == 3
            assert server.subscriptions == 6 - 1
            assert all(len(p.streams) <= 3 for p in server.peers)

    asyncio.run(bounded(run()))


def test_what_is_recorded_is_a_capture_that_replay_reads_frame_by_frame(tmp_path):
    async def run():
        venue = "binance-usdm"
        with Captures(tmp_path, venue) as outlet:
            async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, outlet):
                await until(lambda: len(outlet.paths) == 2 and server.rest_asked == 2)
                await asyncio.sleep(0.5)
        for path in outlet.paths:
            frames = list(read(path, VENUES[venue]))
            assert {f.symbol for f in frames} == {path.name.split("-")[2]}
            assert {f.kind for f in frames} == {"depth", "trades", "derivatives"}
            assert sum(not f.named for f in frames) == 1
            times = [f.received_ns for f in frames]
            assert times == sorted(times)

    asyncio.run(bounded(run()))


def test_what_a_capture_has_not_stands_beside_it(tmp_path):
    with Captures(tmp_path, "deribit") as outlet:
        outlet.missed(Missed(1, 2_000_000_001, 7, 700))
    assert (tmp_path / "deribit.holes.jsonl").read_text() == '{"from_ns": 1, "to_ns": 2000000001, "frames": 7}\n'


def test_liquidations_of_several_instruments_in_one_frame_go_each_to_its_own_asset():
    rows = ",".join(
        f'{{"instType":"SWAP","instId":"{s}","instFamily":"F","details":[{{"side":"sell","posSide":"long","bkPx":"1",'
        f'"sz":"1","ts":"{time.time_ns() // 1_000_000}"}}]}}'
        for s in DIALECTS["okx-swap"].symbols
    )
    frame = f'{{"arg":{{"channel":"liquidation-orders","instType":"SWAP"}},"data":[{rows}]}}'

    async def run():
        kept, venue = Kept(), "okx-swap"
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, kept):
            await until(lambda: kept.kept)
            await server.peers[0].ws.send_str(frame)
            await until(lambda: len(kept.of("liquidations")) == 2)
        assert [f[1:3] for f in kept.kept if f[0] == "liquidations"] == [
            ("BTC-USDT-SWAP", b"BTC"),
            ("ETH-USDT-SWAP", b"ETH"),
        ]

    asyncio.run(bounded(run()))


@pytest.mark.services
def test_frames_marks_and_holes_stand_in_the_raw_topics_in_the_order_of_their_receipt(broker, topic_name):
    venue, prefix = "deribit", topic_name("live") + "."
    kinds = VENUES[venue].kinds
    topics = [f"{prefix}raw.{kind}.{venue}" for kind in kinds]
    create_topics(broker.bootstrap, topics, 2)
    outlet = Topics(Publisher(broker.bootstrap), venue, kinds, prefix, 2, 100)

    async def run():
        async with VenueServer(DIALECTS[venue]) as server, receiving(venue, server, outlet) as receiver:
            await asyncio.sleep(1.0)
            receiver.buffer._miss(time.time_ns(), 100)
            await asyncio.sleep(0.5)

    asyncio.run(bounded(run()))
    read = {topic: topic_log.read(broker.bootstrap, topic) for topic in topics}
    records = [r for some in read.values() for r in some]
    frames = [r for r in records if r.value is not None]
    assert {VENUES[venue].kind_of(r.value) for r in frames} == {"depth", "trades", "derivatives"}
    assert all(r.partition == partition_of(r.key, 2) for r in frames)
    assert {r.key for r in frames} == {b"BTC", b"ETH"}
    marks = [r for r in records if r.value is None]
    assert {r.key for r in marks} == {b"\x00mark"}
    for topic in topics:
        for partition in (0, 1):
            times = [r.timestamp_ms for r in read[topic] if r.partition == partition]
            assert times == sorted(times), "a mark may not come before what it says is there"
    assert len(holes(broker.bootstrap, topics)) == 2 * len(topics)


def holes(bootstrap, topics):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "holes", "enable.auto.commit": False})
    consumer.assign([TopicPartition(t, p, 0) for t in topics for p in (0, 1)])
    found, end = [], time.monotonic() + 20
    while time.monotonic() < end and len(found) < 2 * len(topics):
        for message in consumer.consume(1_000, 0.3):
            if message.error() is None and dict(message.headers() or ()).get("hole"):
                found.append(message)
    consumer.close()
    assert all(json.loads(dict(m.headers())["hole"])["frames"] == 1 for m in found)
    return found


def test_a_channel_without_a_symbol_is_subscribed_to_once():
    names = [s.name for s in streams(FEEDS["okx-swap"], ["A-USDT-SWAP", "B-USDT-SWAP"])]
    assert sum("liquidation-orders" in n for n in names) == 1
    assert len(names) == len(set(names))


def test_times_of_receipt_go_on_when_the_wall_clock_is_set_back():
    """They stood for as long as the step, two hours here."""
    second, back = 10**9, 7_200 * 10**9
    wall = iter([back, back + second, 2 * second, 3 * second, 4 * second, 3 * back])
    steady = iter(range(0, 6 * second, second))
    buffer = Buffer(10, lambda: next(wall), lambda: next(steady))
    for _ in range(6):
        buffer.put(TICK)
    times = [tick.at_ns for tick in buffer.take(0)]
    assert times == [back, back + second, back + 2 * second, back + 3 * second, back + 4 * second, 3 * back]


def test_a_buffer_holds_no_more_than_it_may_and_says_between_which_frames_some_are_missing():
    times = iter([10, 20, 15, 30, 40, 50])
    buffer = Buffer(10, lambda: next(times), lambda: 0)

    way = Route("depth", "A", b"A", True)

    def put(*frames):
        return buffer.put(Routed([way] * len(frames), [*frames]))

    assert put(b"aaaa", b"bbbb", b"cccc") == 2
    assert put(b"dddd") == 0
    (first,) = buffer.take(0)
    assert (first.at_ns, first.routed, first.bytes) == (10, Routed([way, way], [b"aaaa", b"bbbb"]), 8)
    buffer.release(8)
    assert put(b"eeee") == 1
    hole, after = buffer.take(0)
    assert (hole.first_ns, hole.last_ns, hole.frames, hole.bytes) == (10, 20, 2, 8)
    assert (after.at_ns, after.routed) == (20, Routed([way], [b"eeee"])), "a clock that steps back does not reorder"
    assert buffer.bytes == 4
