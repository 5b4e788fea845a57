"""Kinds of fault that public reports and documents told of, on every venue that they can stand on; invented frames."""

import math

import msgspec
import numpy as np
import pytest

from schemas.batches import REFUSED, PrintFeed
from schemas.instrument import Instrument, InstrumentTable
from schemas.venues.registry import VENUES
from tests.venues import samples
from tests.venues.cases import book, parsed, replayed, written

T = 1_790_000_000_000
USDM, COINM, SPOT, BYBIT, OKX, DERIBIT = (
    "binance-usdm", "binance-coinm", "binance-spot", "bybit-linear", "okx-swap", "deribit",
)  # fmt: skip
SYMBOLS = {
    USDM: "BTCUSDT",
    COINM: "BTCUSD_PERP",
    SPOT: "BTCUSDT",
    BYBIT: "BTCUSDT",
    OKX: "BTC-USDT-SWAP",
    DERIBIT: "BTC-PERPETUAL",
}


def trade(venue, n, ms=0, size="2", price="100.5", aggregate=False, count=1):
    """A trade as the venue tells it; `n` is its number there."""
    symbol, at = SYMBOLS[venue], T + ms
    if venue in (USDM, COINM, SPOT):
        body = {"e": "trade", "E": at, "T": at, "s": symbol, "t": n, "p": price, "q": size, "X": "MARKET", "m": False}
        if aggregate:
            body = {
                "e": "aggTrade",
                "E": at,
                "a": n,
                "s": symbol,
                "p": price,
                "q": size,
                "f": n - count + 1,
                "l": n,
                "T": at,
                "m": False,
            }
        return body
    if venue == BYBIT:
        row = {
            "T": at,
            "s": symbol,
            "S": "Buy",
            "v": size,
            "p": price,
            "i": f"20f43950-d8dd-5b31-9112-{n:012d}",
            "BT": False,
        }
        return {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": at, "data": [row]}
    if venue == OKX:
        row = {"instId": symbol, "tradeId": str(n), "px": price, "sz": size, "side": "buy", "ts": str(at)}
        row |= {"count": str(count)} if aggregate else {}
        return {"arg": {"channel": "trades" if aggregate else "trades-all", "instId": symbol}, "data": [row]}
    row = {
        "trade_seq": n,
        "trade_id": str(n),
        "timestamp": at,
        "price": float(price),
        "instrument_name": symbol,
        "direction": "buy",
        "amount": float(size),
    }
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": f"trades.{symbol}.100ms", "data": [row]}}


def depth(venue, first, last, previous, ms=0, bids=(("100", "1"),), asks=(), snapshot=False, view=None):
    """A depth message as the venue tells it."""
    symbol, at = SYMBOLS[venue], T + ms
    b, a = [list(x) for x in bids], [list(x) for x in asks]
    if venue in (USDM, COINM, SPOT):
        if snapshot:
            return {"lastUpdateId": last, "E": at, "T": at, "symbol": symbol, "bids": b, "asks": a}
        return {
            "e": "depthUpdate",
            "E": at,
            "T": at,
            "s": symbol,
            "U": first,
            "u": last,
            "pu": previous,
            "b": b,
            "a": a,
        }
    if venue == BYBIT:
        kind = "snapshot" if snapshot else "delta"
        return {
            "topic": f"orderbook.{view or 50}.{symbol}",
            "type": kind,
            "ts": at,
            "data": {"s": symbol, "b": b, "a": a, "u": last, "seq": last},
            "cts": at,
        }
    if venue == OKX:
        row = {
            "asks": [[*x, "0", "1"] for x in a],
            "bids": [[*x, "0", "1"] for x in b],
            "ts": str(at),
            "prevSeqId": -1 if snapshot else previous,
            "seqId": last,
        }
        return {
            "arg": {"channel": view or "books", "instId": symbol},
            "action": "snapshot" if snapshot else "update",
            "data": [row],
        }
    levels = {
        n: [["new" if float(q) else "delete", float(p), float(q)] for p, q in rows]
        for n, rows in (("bids", b), ("asks", a))
    }
    inner = {
        "type": "snapshot" if snapshot else "change",
        "timestamp": at,
        "instrument_name": symbol,
        "change_id": last,
        **levels,
    }
    inner |= {} if snapshot else {"prev_change_id": previous}
    return {
        "jsonrpc": "2.0",
        "method": "subscription",
        "params": {"channel": f"book.{symbol}.{view or '100ms'}", "data": inner},
    }


def begun(venue):
    """A snapshot at 10, and diffs to 11, 12 and 13, each 100 ms later."""
    return [
        depth(venue, 10, 10, -1, 0, (("100", "1"), ("99", "1")), (("101", "1"),), snapshot=True),
        *(depth(venue, n, n, n - 1, 100 * (n - 10), (("100", str(n)),)) for n in (11, 12, 13)),
    ]


def total(got, column, venue):
    return got.total("features_tape", column, SYMBOLS[venue])


def capture(path, frames, step_ms=10):
    """A capture of frames, each received soon after what it tells."""
    return written(path, [((T + 60_000 + step_ms * k) * 10**6, f) for k, f in enumerate(frames)])


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_trades_of_two_recorders_count_once_in_any_interleaving(venue, tmp_path):
    once = [trade(venue, n, 100 * n) for n in range(20, 26)]
    twice = [once[0], once[1], once[0], once[1], once[2], once[3], once[4], once[2], once[5], once[4], once[5], once[3]]
    got = replayed([(venue, capture(tmp_path / "twice.log", twice))], batch=3)
    alone = replayed([(venue, capture(tmp_path / "once.log", once))])
    assert (total(got, "trades", venue), total(got, "repeated_rows", venue), got.reasons) == (6, 6, [])
    volumes = total(got, "volume_base", venue), total(alone, "volume_base", venue)
    assert volumes[0] == pytest.approx(volumes[1], nan_ok=venue == OKX)  # OKX: contracts of unknown size


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_trades_alike_but_for_their_ids_are_two(venue, tmp_path):
    got = replayed([(venue, capture(tmp_path / "alike.log", [trade(venue, 20), trade(venue, 21)]))])
    assert (total(got, "trades", venue), total(got, "repeated_rows", venue)) == (2, 0)


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, OKX])
@pytest.mark.parametrize("first", [False, True])
def test_the_feed_that_carries_on_counts_when_the_other_is_silent(venue, first, tmp_path):
    both = []
    for n in range(100, 110):
        pair = [trade(venue, n, 100 * (n - 100)), trade(venue, n, 100 * (n - 100), aggregate=True)]
        both += pair[::-1] if first else pair
    carries_on = [trade(venue, n, 100 * (n - 100), aggregate=not first) for n in range(110, 130)]
    got = replayed([(venue, capture(tmp_path / "feeds.log", [*both, *carries_on]))], batch=5)
    assert (total(got, "trades", venue), total(got, "feed_switches", venue), got.reasons) == (30, 1, [])


@pytest.mark.parametrize("venue", [USDM, OKX])
def test_two_live_feeds_count_as_the_one_that_came_first_and_never_switch(venue, tmp_path):
    frames = []
    for n in range(100, 160, 2):  # the aggregate of both fills stands before, between or behind them
        at = {"ms": 100 * n, "price": f"{n}.5"}
        one, two = trade(venue, n, **at), trade(venue, n + 1, **at)
        both = trade(venue, n + 1, size="4", aggregate=True, count=2, **at)
        frames += [[one, two, both], [one, both, two], [both, one, two]][n // 2 % 3] if n > 100 else [one, two, both]
    got = replayed([(venue, capture(tmp_path / "live.log", frames))], batch=4)
    assert (total(got, "trades", venue), total(got, "feed_switches", venue), got.reasons) == (60, 0, [])


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_depth_of_two_recorders_does_not_cost_the_book(venue):
    a = begun(venue)
    for order in ([*a[:3], a[1], a[2], a[3], a[3]], [a[0], a[1], a[0], a[1], a[2], a[3], a[2]], [*a, *a]):
        sides, said, rejects = book(venue, order, SYMBOLS[venue])
        assert ("gap" in said, rejects, sides) == (False, [], ({100.0: 13.0, 99.0: 1.0}, {101.0: 1.0}))


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_ids_that_restart_are_a_gap_and_not_a_frozen_book(venue):
    binance = venue in (USDM, COINM, SPOT)  # by its documents an old id is dropped; long after, it is none
    for ms in (900, 60_000):
        said = book(venue, [*begun(venue), depth(venue, 5, 5, 4, ms)], SYMBOLS[venue])[1]
        assert said[-1] == ("dropped" if binance and ms == 900 else "gap")


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
@pytest.mark.parametrize("diff_first", [False, True])
def test_updates_lost_before_a_snapshot_are_a_gap_as_long_as_the_silence(venue, diff_first, tmp_path):
    later = depth(venue, 500, 500, -1, 40_300, (("90", "1"),), (("91", "1"),), snapshot=True)
    next_one = depth(venue, 501, 501, 500, 40_400, (("90", "2"),))
    early = [depth(venue, 490, 490, 489, 40_300)] if diff_first else []
    got = replayed([(venue, capture(tmp_path / "lost.log", [*begun(venue), *early, later, next_one]))], batch=2)
    quality = got.rows("quality")
    assert sum(q["depth_gaps"] for q in quality) == 1
    assert sum(q["untrusted_ms"] for q in quality) == pytest.approx(40_000, abs=101)
    assert quality[-1]["book_live"]
    told = [r["missed_updates"] for r in got.rows("features_book", window_ms=1000)]
    if venue in (BYBIT, SPOT):
        # From 13 to the snapshot 500 on Bybit, to the diff 501 on Binance; less what came in between.
        assert sum(told) == (486 if venue == BYBIT else 487) - len(early)
    else:
        assert np.isnan(told).any()


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT])
def test_a_rest_snapshot_inside_a_chain_without_gaps_opens_none(venue):
    a = begun(venue)
    newer = depth(venue, 13, 13, -1, 300, (("100", "13"), ("99", "1")), (("101", "1"),), snapshot=True)
    for order in ([*a[:3], newer, a[3], depth(venue, 14, 14, 13, 400)], [*a, newer, depth(venue, 14, 14, 13, 400)]):
        assert "gap" not in book(venue, order, SYMBOLS[venue])[1]


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_a_link_of_the_chain_that_is_refused_ends_the_trust_in_the_book_at_once(venue):
    bad = msgspec.json.encode(depth(venue, 12, 12, 11, 200)).replace(
        b"100.0" if venue == DERIBIT else b'"100"', b"-1" if venue == DERIBIT else b'"-1"', 1
    )
    frames = [*map(msgspec.json.encode, begun(venue)[:2]), bad]
    found, rejects, _ = parsed(venue, "depth", frames)
    assert (len(rejects), found.last_id.tolist()) == (1, [10, 11, REFUSED])
    sides, said, _ = book(venue, frames, SYMBOLS[venue])
    assert (said[-1], sides) == ("gap", ({}, {}))


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_a_finer_tick_and_lot_of_a_known_instrument_are_taken_in_mid_stream(venue, tmp_path):
    symbol = SYMBOLS[venue]
    row = Instrument(venue, symbol, "BTC", "USDT", "linear", "0.5", "1")
    finer = depth(venue, 14, 14, 13, 400, (("100.25", "0.5"),))
    table = InstrumentTable({symbol: row})
    found, rejects, _ = parsed(venue, "depth", [*begun(venue), finer], table)
    assert (rejects, table.rows[0].tick, table.rows[0].lot, table.rows[0].inferred) == ([], "0.01", "0.1", False)
    assert (found.ticks[-1], found.lots[-1]) == (10025, 5)


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_instruments_corrected_in_the_settings_hold_after_a_restart(venue):
    symbol = SYMBOLS[venue]
    wrong = Instrument(venue, symbol, "BTC", "USDT", "linear", "1", "1", 1.0)
    right = Instrument(venue, symbol, "BTC", "USD", "inverse", "0.1", "0.1", 100.0)
    for known in ({symbol: wrong}, {}):
        table = InstrumentTable(known)
        parsed(venue, "depth", begun(venue), table)
        again = InstrumentTable.thaw({symbol: right}, table.freeze())
        row = again.rows[0]
        assert (row.kind, row.quote, row.contract, row.inferred) == ("inverse", "USD", 100.0, False)
        assert again.contract.tolist() == [100.0]
        found, rejects, _ = parsed(venue, "depth", [depth(venue, 14, 14, 13, 400, (("100.3", "1"),))], again)
        assert (rejects, found.ticks.tolist(), again.rows[0].tick) == ([], [1003], "0.1")


VIEWS = {BYBIT: ("1", "50", "200"), OKX: ("books50-l2-tbt", "books"), DERIBIT: ("raw", "100ms")}


@pytest.mark.parametrize("venue", VIEWS)
def test_of_two_views_of_a_book_the_deeper_is_kept_whichever_comes_first(venue):
    shallow, deep = VIEWS[venue][0], VIEWS[venue][-1]
    small = depth(venue, 900, 900, -1, 5, (("100", "7"),), (("101", "7"),), snapshot=True, view=shallow)
    large = depth(venue, 10, 10, -1, 0, (("100", "1"), ("99", "1")), (("101", "1"),), snapshot=True, view=deep)
    more = depth(venue, 11, 11, 10, 10, (("99", "3"),), view=deep)
    noise = depth(venue, 901, 901, 900, 12, (("100", "9"),), view=shallow)
    sides, said, _ = book(venue, [large, small, more, noise], SYMBOLS[venue])
    assert (said, sides) == (["fresh", "dropped", "applied", "dropped"], ({100.0: 1.0, 99.0: 3.0}, {101.0: 1.0}))
    sides, said, _ = book(venue, [small, large, noise, more], SYMBOLS[venue])
    if venue != DERIBIT:  # both of its views are whole: the first is kept
        assert (said, sides) == (["fresh", "fresh", "dropped", "applied"], ({100.0: 1.0, 99.0: 3.0}, {101.0: 1.0}))
    assert "gap" not in said


@pytest.mark.parametrize("venue", VIEWS)
def test_when_the_kept_view_is_silent_another_takes_over(venue):
    first, other = VIEWS[venue][-1], VIEWS[venue][-2]
    large = depth(venue, 10, 10, -1, 0, view=first, asks=(("101", "1"),), snapshot=True)
    small = depth(venue, 900, 900, -1, 15_000, (("90", "7"),), (("91", "7"),), snapshot=True, view=other)
    sides, said, _ = book(
        venue, [large, small, depth(venue, 901, 901, 900, 15_100, (("90", "8"),), view=other)], SYMBOLS[venue]
    )
    assert (said[-1], sides) == ("applied", ({90.0: 8.0}, {91.0: 7.0}))


@pytest.mark.parametrize("venue", VIEWS)
def test_where_nothing_changed_for_long_the_kept_view_stays_whichever_speaks_first(venue):
    kept, other = VIEWS[venue][-1], VIEWS[venue][0]
    frames = [
        depth(venue, 10, 10, -1, 0, (("100", "1"), ("99", "2")), (("101", "1"),), snapshot=True, view=kept),
        depth(venue, 900, 900, -1, 1, (("100", "1"),), (("101", "1"),), snapshot=True, view=other),
        depth(venue, 901, 901, 900, 20_000, (("100", "5"),), view=other),
        depth(venue, 11, 11, 10, 20_050, (("100", "5"),), view=kept),
    ]
    sides, said, _ = book(venue, frames, SYMBOLS[venue])
    assert (said, sides) == (["fresh", "dropped", "dropped", "applied"], ({100.0: 5.0, 99.0: 2.0}, {101.0: 1.0}))


@pytest.mark.parametrize("venue", VIEWS)
def test_a_view_that_has_never_shown_a_whole_book_keeps_no_other_out(venue):
    """A recording begins in the middle of a chain, or the venue sends none (`orderbook.full`, OKX since August 2026)."""
    deep, other = VIEWS[venue][-1], VIEWS[venue][0]
    whole = depth(venue, 900, 900, -1, 5, (("100", "1"),), (("101", "1"),), snapshot=True, view=other)
    frames = [depth(venue, n, n, n - 1, n, (("100", "9"),), view=deep) for n in (10, 11)]
    frames[1:1] = [whole, depth(venue, 901, 901, 900, 7, (("99", "2"),), view=other)]
    sides, said, _ = book(venue, frames, SYMBOLS[venue])
    assert (said, sides) == (["held", "fresh", "applied", "dropped"], ({100.0: 1.0, 99.0: 2.0}, {101.0: 1.0}))


def test_a_view_whose_book_came_by_rest_is_kept_against_a_shallower_one():
    answer = {"s": "BTCUSDT", "b": [["100", "1"]], "a": [["101", "1"]], "ts": T, "u": 10, "seq": 9, "cts": T}
    frames = [
        depth(BYBIT, 10, 10, 9, 0, (("100", "9"),), view="full"),
        {"retCode": 0, "result": answer, "time": T},
        depth(BYBIT, 900, 900, -1, 5, (("90", "1"),), (("91", "1"),), snapshot=True, view="50"),
        depth(BYBIT, 11, 11, 10, 7, (("99", "2"),), view="full"),
    ]
    sides, said, _ = book(BYBIT, frames, SYMBOLS[BYBIT])
    assert (said, sides) == (["held", "fresh", "dropped", "applied"], ({100.0: 1.0, 99.0: 2.0}, {101.0: 1.0}))


def test_what_a_shallow_view_says_again_does_not_make_a_quiet_deep_one_silent():
    """Bybit's level 1: without a change for 3 seconds the snapshot is sent again, with the same `u`."""
    frames = [
        depth(BYBIT, 10, 10, -1, 0, (("100", "1"), ("99", "2")), (("101", "1"),), snapshot=True, view="50"),
        *(
            depth(BYBIT, 700, 700, -1, ms, (("100", "1"),), (("101", "1"),), snapshot=True, view="1")
            for ms in range(5, 15_000, 3000)
        ),
        depth(BYBIT, 11, 11, 10, 15_500, (("99", "3"),), view="50"),
    ]
    sides, said, _ = book(BYBIT, frames, SYMBOLS[BYBIT])
    assert (said, sides) == (["fresh", *["dropped"] * 5, "applied"], ({100.0: 1.0, 99.0: 3.0}, {101.0: 1.0}))
    dead = [
        depth(BYBIT, 701 + n, 701 + n, -1, 20_000 + 1000 * n, (("90", "1"),), (("91", "1"),), snapshot=True, view="1")
        for n in range(12)
    ]
    sides, said, _ = book(BYBIT, [*frames, *dead], SYMBOLS[BYBIT])
    assert (said[-2:], sides) == (["dropped", "fresh"], ({90.0: 1.0}, {91.0: 1.0}))


def forced(symbol="BTCUSDT", status="FILLED", last="1", filled="1", average="100", ms=0, total="5", limit="90", **more):
    order = {"s": symbol, "S": "SELL", "o": "LIMIT", "f": "IOC", "q": total, "p": limit, "ap": average, "X": status}
    return {"e": "forceOrder", "E": T + ms, "o": order | {"l": last, "z": filled, "T": T + ms, **more}}


def sizes(frames, venue=USDM):
    found, rejects, table = parsed(venue, "liquidations", frames)
    lot = float(table.rows[0].lot) if table.rows else 1.0
    return [round(q * lot, 9) for q in found.lots.tolist()], found.price.tolist(), rejects


PART = forced(status="PARTIALLY_FILLED", last="2", filled="2", average="100")
REST = forced(status="FILLED", last="3", filled="5", average="97", ms=900)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([PART, REST], [2, 3]),
        ([PART, PART, REST, REST], [2, 3]),
        ([REST, PART], [5]),
        ([REST], [5]),
        ([PART, forced(status="EXPIRED", last="0", filled="2", ms=900)], [2]),
        ([PART, forced(status="EXPIRED", last="1", filled="4", ms=900)], [2, 2]),
        ([forced(status="EXPIRED", last="0", filled="4")], [4]),
        ([forced(status="EXPIRED", last="0", filled="0")], []),
        ([forced(status="NEW", last="0", filled="0", average="0")], []),
        ([forced(status="NEW", last="0", filled="0", average="0"), PART, REST], [2, 3]),
        ([PART, REST, forced(last="5", filled="5", ms=2000)], [2, 3, 5]),
        ([PART, REST, forced(status="PARTIALLY_FILLED", last="2", filled="2", ms=2000)], [2, 3, 2]),
        ([PART, forced(last="5", filled="5", ms=5000)], [2, 5]),
        ([PART, forced(last="5", filled="5", limit="80", ms=100)], [2, 5]),
    ],
)
def test_forced_orders_in_parts_count_what_they_filled(frames, expected):
    got, prices, rejects = sizes(frames)
    assert (got, rejects) == (expected, [])
    if frames == [PART, REST]:
        assert sum(q * p for q, p in zip(got, prices, strict=True)) == pytest.approx(5 * 97)


def test_parts_of_an_inverse_order_add_up_to_its_coins():
    parts = [
        forced("BTCUSD_PERP", "PARTIALLY_FILLED", "2", "2", "100"),
        forced("BTCUSD_PERP", "FILLED", "3", "5", "97", 900),
    ]
    got, prices, rejects = sizes(parts, COINM)
    assert (got, rejects) == ([2, 3], [])
    assert sum(q / p for q, p in zip(got, prices, strict=True)) == pytest.approx(5 / 97)


def test_parts_are_remembered_through_a_restart():
    table = InstrumentTable()
    parsed(USDM, "liquidations", [PART], table)
    again = InstrumentTable.thaw({}, table.freeze())
    found, rejects, _ = parsed(USDM, "liquidations", [PART, REST], again)
    assert (rejects, found.lots.tolist()) == ([], [3])


@pytest.mark.parametrize("shape", ["bare", "wrapped", "list"])
@pytest.mark.parametrize(
    ("venue", "symbol", "other"), [(USDM, "ETHUSDT", "ETHUSD_PERP"), (COINM, "ETHUSD_261225", "ETHUSDT_261225")]
)
def test_merged_streams_give_a_venue_its_own_contracts_only(venue, symbol, other, shape):
    mine, foreign = (1, 2) if venue == USDM else (2, 1)
    for said in (True, False):  # recordings of before the merging have no `st`
        frames = [forced(s, **({"st": st} if said else {})) for s, st in ((symbol, mine), (other, foreign))]
        frames = [frames] if shape == "list" else frames
        frames = [{"stream": "!forceOrder@arr", "data": f} for f in frames] if shape != "bare" else frames
        found, rejects, table = parsed(venue, "liquidations", frames)
        assert (len(found), rejects, [r.symbol for r in table.rows]) == (1, [], [symbol])


@pytest.mark.parametrize("venue", [USDM, COINM])
@pytest.mark.parametrize("kind", ["depth", "trades"])
def test_depth_and_trades_that_say_they_are_of_the_other_venue_are_left_out(venue, kind):
    frame = depth(venue, 1, 1, 0) if kind == "depth" else trade(venue, 5)
    frames = [{**frame, "st": 2 if venue == USDM else 1}, {**frame, "st": 1 if venue == USDM else 2}] * 2
    rows, *_, rejects, _ = parsed(venue, kind, frames)
    assert (rows.frame.tolist(), rejects) == ([1, 3], [])


@pytest.mark.parametrize("price", ["0", "", "0.0"])
@pytest.mark.parametrize("venue", [USDM, BYBIT, OKX])
def test_a_liquidation_without_a_price_is_an_event_with_a_size(venue, price):
    if venue == USDM:
        frame = forced(average=price or "0", limit=price)
    elif venue == BYBIT:
        row = {"T": T, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": price}
        frame = {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": T, "data": [row]}
    else:
        detail = {"bkPx": price, "side": "sell", "posSide": "long", "sz": "1", "ts": str(T)}
        frame = {
            "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
            "data": [{"instId": "BTC-USDT-SWAP", "details": [detail]}],
        }
    found, rejects, _ = parsed(venue, "liquidations", [frame])
    assert (rejects, found.lots.tolist(), math.isnan(found.price[0])) == ([], [1], True)


@pytest.mark.parametrize(("liquidation", "expected"), [("T", [-1]), ("M", [1]), ("MT", [-1, 1])])
def test_a_deribit_trade_liquidates_its_taker_its_maker_or_both(liquidation, expected):
    frame = trade(DERIBIT, 5)
    frame["params"]["data"][0] |= {"liquidation": liquidation, "direction": "sell"}
    trades, found, rejects, _ = parsed(DERIBIT, "trades", [frame])
    assert (rejects, len(trades), found.order_side.tolist()) == ([], 1, expected)


@pytest.mark.parametrize(
    ("venue", "symbol", "dollars", "base_known"),
    [
        (DERIBIT, "BTC-27NOV26-90000-C", False, True),
        (DERIBIT, "ETH_BTC", False, True),
        (DERIBIT, "BTC-FS-27NOV26_PERP", True, False),
        (DERIBIT, "BTC-CS-27NOV26-90000_95000", False, True),
        (DERIBIT, "BTC_USDC-PERPETUAL", True, True),
        (DERIBIT, "BTC-27NOV26", True, True),
        (SPOT, "ETHBTC", False, True),
        (SPOT, "BTCEUR", False, True),
        (SPOT, "BTCFDUSD", True, True),
        (SPOT, "BTCU", True, True),
        (SPOT, "BTCODD", False, True),
        (OKX, "BTC-USD-261225-90000-C", False, False),
    ],
)
def test_a_column_in_dollars_is_null_where_the_quote_is_something_else(venue, symbol, dollars, base_known, tmp_path):
    before = SYMBOLS[venue]
    SYMBOLS[venue] = symbol
    try:
        frames = [trade(venue, n, 100 * n) for n in range(3)]
        got = replayed([(venue, capture(tmp_path / "quote.log", frames))])
    finally:
        SYMBOLS[venue] = before
    rows = [r for r in got.rows("features_tape") if r["trades"]]
    assert rows and got.reasons == []
    assert all(math.isfinite(r["volume_usd"]) == (dollars and base_known) for r in rows)
    assert all(math.isfinite(r["volume_base"]) == base_known for r in rows)


def test_a_coin_that_stands_for_no_known_quote_says_so():
    assert VENUES[SPOT].base("BTCODD") == "BTCODD"
    assert not Instrument(SPOT, "BTCODD", "BTC", "ODD", "spot", "0.1", "0.1").in_dollars


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_a_frame_of_one_kind_is_no_reject_in_the_topic_of_another(venue):
    values = [v for (of, _), some in samples.SAMPLES.items() if of == venue for v in some]
    for kind in VENUES[venue].kinds:
        *_, rejects, _ = parsed(venue, kind, values, names=dict.fromkeys(range(len(values)), SYMBOLS[venue]))
        assert rejects == [], kind


NO_USE = {
    USDM: [
        {"stream": "btcusdt@ticker", "data": {"e": "24hrTicker", "E": T, "s": "BTCUSDT", "p": "1", "o": "2", "l": "3", "a": "4", "T": "x"}},
        {"stream": "!miniTicker@arr", "data": [{"e": "24hrMiniTicker", "E": T, "s": "BTCUSDT", "o": "1"}]},
        [{"e": "24hrMiniTicker", "E": T, "s": "BTCUSDT", "o": "1"}],
        {"e": "bookTicker", "u": 4, "s": "BTCUSDT", "b": "1", "B": "2", "a": "3", "A": "4", "T": T, "E": T},
        {"stream": "btcusdt@somethingNew", "data": {"e": "somethingNew", "E": T, "o": "x"}},
        {"stream": "btcusdt@topLongShortAccountRatio", "generated": True, "data": [{"symbol": "BTCUSDT", "longAccount": "0.6"}]},
        {"stream": "contractInfo", "data": {"e": "contractInfo", "s": "BTCUSDT", "bks": []}},
    ],
    SPOT: [{"u": 4, "s": "BNBUSDT", "b": "25", "B": "31", "a": "26", "A": "40"}, {"e": "avgPrice", "s": "BTCUSDT", "i": "5m", "w": "1"}],
    BYBIT: [{"topic": "kline.1.BTCUSDT", "data": []}, {"topic": "priceLimit.BTCUSDT", "data": {}}, {"topic": "new.BTCUSDT", "data": {}}],
    OKX: [
        {"arg": {"channel": c, "instId": "BTC-USDT-SWAP"}, "data": [{"instId": "BTC-USDT-SWAP"}]}
        for c in ("books5", "bbo-tbt", "books-rpi", "books-elp", "candle1m", "sprd-books5", "tickers")
    ],
    DERIBIT: [
        {"method": "subscription", "params": {"channel": c, "data": {}}}
        for c in ("quote.BTC-PERPETUAL", "deribit_price_index.btc_usd", "book.BTC-PERPETUAL.none.20.100ms", "new.x")
    ],
}  # fmt: skip


@pytest.mark.parametrize("venue", NO_USE)
def test_frames_of_no_use_are_left_out_of_every_topic(venue):
    for kind in VENUES[venue].kinds:
        *rows, rejects, _ = parsed(venue, kind, NO_USE[venue])
        assert (rejects, sum(map(len, rows))) == ([], 0), kind
    assert {VENUES[venue].kind_of(msgspec.json.encode(f)) for f in NO_USE[venue]} == {None}


def test_frames_of_several_instruments_are_split_and_those_of_one_stay_as_they_are():
    orders = [forced(s) for s in ("BTCUSDT", "ETHUSDT", "BTCUSDT")]
    split = VENUES[USDM].split(msgspec.json.encode({"stream": "!forceOrder@arr", "data": orders}))
    assert [(s, len(msgspec.json.decode(f)["data"])) for s, f in split] == [("BTCUSDT", 2), ("ETHUSDT", 1)]
    rows = [
        {"instId": s, "details": [{"bkPx": "1", "side": "buy", "sz": "1", "ts": str(T)}]}
        for s in ("A-USD-SWAP", "B-USD-SWAP")
    ]
    split = VENUES[OKX].split(
        msgspec.json.encode({"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": rows})
    )
    assert [s for s, _ in split] == ["A-USD-SWAP", "B-USD-SWAP"]
    assert all(parsed(OKX, "liquidations", [f])[1] == [] for _, f in split)
    some = [
        {**trade(DERIBIT, n)["params"]["data"][0], "instrument_name": s}
        for n, s in enumerate(("BTC-PERPETUAL", "ETH-PERPETUAL"))
    ]
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "trades.future.any.100ms", "data": some}}
    split = VENUES[DERIBIT].split(msgspec.json.encode(frame))
    assert [s for s, _ in split] == ["BTC-PERPETUAL", "ETH-PERPETUAL"]
    for (venue, _), values in samples.SAMPLES.items():
        for value in values:
            assert [f for _, f in VENUES[venue].split(value)] == [value]


def test_a_size_too_fine_for_a_book_costs_that_book_its_trust_and_no_other(tmp_path):
    """At 0.00000001 a level of 123,456,789,012 cannot be counted: every book of the log was gone, its gap of 0 ms."""

    def told(symbol, u, ms, bids, asks=()):
        data = {"s": symbol, "b": bids, "a": list(asks), "u": u, "seq": u}
        kind = "snapshot" if u == 1 else "delta"
        return {"topic": f"orderbook.200.{symbol}", "type": kind, "ts": T + ms, "cts": T + ms, "data": data}

    frames = [told("BTCUSDT", 1, 100, [["100", "1"]], [["101", "1"]])]
    frames.append(told("BTCPERP", 1, 100, [["0.0001", "5"], ["0.00005", "123456789012"]], [["0.0002", "9"]]))
    for second in range(1, 6):
        frames.append(told("BTCUSDT", 1 + second, 1000 * second, [["100", str(second + 1)]]))
        frames.append(told("BTCPERP", 1 + second, 1000 * second, [["0.0001", "0.00000001" if second == 3 else "7"]]))
    got = replayed([(BYBIT, capture(tmp_path / "fine.log", frames))], partitions=1)
    books = {
        s: [r for r in got.rows("features_book", symbol=s) if r["window_ms"] == 1000] for s in ("BTCUSDT", "BTCPERP")
    }
    assert got.reasons == []
    assert all(r["book_ok"] for r in books["BTCUSDT"][1:]) and books["BTCUSDT"][-1]["best_bid_qty_base"] == 6
    assert not books["BTCPERP"][-1]["book_ok"] and sum(r["gap_ms"] for r in books["BTCPERP"]) > 0


@pytest.mark.parametrize("venue", [USDM, OKX, DERIBIT])
def test_a_frame_of_which_nothing_belongs_to_the_shard_is_misplaced(venue):
    table = InstrumentTable(here=lambda base: base == "SOL")
    *_, rejects, _ = parsed(venue, "trades", [trade(venue, 5)], table)
    assert rejects == ["misplaced BTC"]


@pytest.mark.parametrize("venue", [BYBIT, "bybit-inverse"])
@pytest.mark.parametrize(
    ("symbol", "funded"), [("BTCUSDT", True), ("BTCUSDT-26DEC26", False), ("BTC-26DEC26", False), ("BTCUSDZ26", False)]
)
def test_bybit_futures_with_a_date_have_no_funding_rate(venue, symbol, funded):
    row = {"symbol": symbol, "markPrice": "1", "fundingRate": "0", "nextFundingTime": "0"}
    found, rejects, _ = parsed(venue, "derivatives", [{"topic": f"tickers.{symbol}", "ts": T, "data": row}])
    assert (rejects, bool(np.isfinite(found.funding_rate[0]))) == ([], funded)


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_event_times_in_microseconds_are_recognised_and_in_nanoseconds_named(venue):
    text = msgspec.json.encode(trade(venue, 5))
    micro = text.replace(str(T).encode(), str(T * 1000).encode())
    trades, _, rejects, _ = parsed(venue, "trades", [micro])
    assert (rejects, trades.event_ns.tolist()) == ([], [T * 10**6])


def test_trades_say_which_feed_they_are_of():
    feeds = [
        parsed(v, "trades", [trade(v, 5, aggregate=a)])[0].feed.tolist() for v in (USDM, OKX) for a in (False, True)
    ]
    assert feeds == [[PrintFeed.SINGLE], [PrintFeed.AGGREGATE]] * 2
    assert parsed(BYBIT, "trades", [trade(BYBIT, 5)])[0].feed.tolist() == [PrintFeed.ONLY]


@pytest.mark.parametrize("venue", [USDM, BYBIT, OKX, DERIBIT])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_depth_message_ahead_of_its_receipt_ends_the_trust_in_its_book_wherever_it_stands(venue, at, tmp_path):
    frames = begun(venue)
    frames.insert(at, depth(venue, 12, 12, 11, 10**9))
    got = replayed([(venue, capture(tmp_path / "ahead.log", frames))], batch=2)
    assert len(got.reasons) == 1
    assert got.rows("quality")[-1]["book_live"] == (at == 0)
