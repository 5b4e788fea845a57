"""Consolidated BBO: worked numbers, a naive oracle, and the books of two venues as they were recorded."""

import heapq
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.captures.capture import read
from operators.book.consolidated_bbo import CONSOLIDATED_BBO, DEPTHS
from operators.quality import STALE_NS
from schemas.venues.registry import VENUES
from tests.laws.side_by_side import Together
from tests.laws.test_market import EVERY, Line

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
SECOND = 10**9
NOW = 1_000 * SECOND


def row(*books):
    """One pane of books (venue, symbol, live, age in ns or None, bid, bid size, ask, ask size).

    Bid depth is 1,000 times bid size and ask depth as much of ask size, ten times that in the wider band.
    """
    venue, symbol, live, age, bid, bid_size, ask, ask_size = zip(*books, strict=True) if books else ((),) * 8
    given = {
        "pane_end_ns": np.array([NOW]),
        "book_venue": np.array([venue], "U20"),
        "book_symbol": np.array([symbol], "U20"),
        "book_live": np.array([live], np.int64),
        "book_last_event_ns": np.array([[0 if a is None else NOW - a for a in age]], np.int64),
    }
    sizes = {"best_bid": bid, "best_bid_qty_base": bid_size, "best_ask": ask, "best_ask_qty_base": ask_size}
    depths = {f"{side}_depth_10bps_usd": of for side, of in (("bid", bid_size), ("ask", ask_size))}
    given |= {f"book_{n}": np.array([values], np.float64) for n, values in sizes.items()}
    for n, values in depths.items():
        given |= {f"book_{n}": 1e3 * np.array([values], np.float64)}
        given |= {f"book_{n.replace('10', '50')}": 1e4 * np.array([values], np.float64)}
    return {name: values[0].item() for name, values in CONSOLIDATED_BBO.compute(given).items()}


def book(venue, bid, ask, *, live=1, age=SECOND, sizes=(1.0, 1.0)):
    return (venue, "BTCUSDT", live, age, bid, sizes[0], ask, sizes[1])


NAN = float("nan")


def test_the_best_of_each_side_may_be_of_two_venues_and_their_spread_below_zero():
    got = row(book("a", 99.0, 100.0, sizes=(1, 4)), book("b", 101.0, 102.0, sizes=(2, 5)))
    assert (got["best_bid"], got["best_bid_venue"], got["best_bid_qty_base"]) == (101.0, "b", 2.0)
    assert (got["best_ask"], got["best_ask_venue"], got["best_ask_qty_base"]) == (100.0, "a", 4.0)
    assert (got["mid"], got["spread_bps"], got["crossed"]) == (100.5, pytest.approx(-1e4 / 100.5), True)
    assert (got["books"], got["books_out"], got["stale_ms"]) == (2, 0, 1000.0)


@pytest.mark.parametrize(
    "out",
    [book("b", 101.0, 102.0, live=0), book("b", 101.0, 102.0, age=STALE_NS), book("b", 101.0, 101.0), book("b", 103, 102)],
    ids=["not trusted", "stale", "locked in itself", "crossed in itself"],
)  # fmt: skip
def test_a_book_that_is_not_trusted_stale_or_crossed_in_itself_is_left_out_and_counted(out):
    got = row(book("a", 99.0, 100.0), out)
    assert (got["best_bid"], got["best_bid_venue"], got["best_ask"]) == (99.0, "a", 100.0)
    assert (got["books"], got["books_out"], got["crossed"]) == (1, 1, False)


def test_a_book_is_stale_from_five_seconds_on_and_not_a_nanosecond_before():
    assert row(book("a", 99.0, 100.0, age=STALE_NS - 1))["books"] == 1
    assert row(book("a", 99.0, 100.0, age=STALE_NS))["books"] == 0


def test_without_a_book_that_counts_all_is_null():
    for got in (row(), row(book("a", 99.0, 100.0, age=None)), row(book("a", NAN, NAN, live=0))):
        assert np.isnan([got[n] for n in ("best_bid", "best_ask", "mid", "spread_bps", "stale_ms")]).all()
        assert (got["best_bid_venue"], got["best_ask_symbol"], got["books"], got["crossed"]) == ("", "", 0, False)
    assert row(book("a", 99.0, 100.0, age=None))["books_out"] == 0, "it has said nothing yet"


def test_of_equal_prices_the_larger_size_holds_it_then_the_first_name():
    books = [book("a", 99.0, 100.0, sizes=(1, 2)), book("b", 99.0, 100.0, sizes=(3, 2)), book("c", 98.0, 101.0)]
    got = row(*books)
    assert (got["best_bid_venue"], got["best_bid_qty_base"], got["best_ask_venue"]) == ("b", 3.0, "a")
    unknown = row(book("a", 99.0, 100.0, sizes=(NAN, NAN)), book("b", 99.0, 100.0, sizes=(1, NAN)))
    assert (unknown["best_bid_venue"], unknown["best_ask_venue"]) == ("b", "a")


def test_a_book_of_one_side_counts_with_that_side():
    got = row(book("a", 99.0, 100.0), book("b", 99.5, NAN))
    assert (got["best_bid_venue"], got["best_ask_venue"], got["books"]) == ("b", "a", 2)


def test_depth_is_the_sum_over_the_books_that_count_and_null_where_one_of_them_does_not_say():
    fresh = [book("a", 99.0, 100.0, sizes=(1, 4)), book("b", 99.0, 101.0, sizes=(2, 5))]
    stale = book("c", 99.0, 100.0, sizes=(100, 100), age=STALE_NS)
    got = row(*fresh, stale)
    assert (got["bid_depth_10bps_usd"], got["ask_depth_10bps_usd"]) == (3e3, 9e3)
    assert (got["bid_depth_50bps_usd"], got["ask_depth_50bps_usd"]) == (3e4, 9e4)
    got = row(*fresh, book("d", 98.0, 102.0, sizes=(NAN, 1)))
    assert np.isnan(got["bid_depth_10bps_usd"])
    assert got["ask_depth_10bps_usd"] == 10e3
    assert np.isnan(row(stale)["bid_depth_10bps_usd"])
    assert row(*fresh, book("d", 98.0, 102.0, sizes=(NAN, NAN), age=STALE_NS))["bid_depth_10bps_usd"] == 3e3


def naive(books):
    """Book by book."""
    counted = [
        b for b in books
        if b[3] is not None and b[2] and not b[4] >= b[6] and b[3] < STALE_NS
    ]  # fmt: skip
    best = {}
    for side, price, size, sign in (("bid", 4, 5, 1), ("ask", 6, 7, -1)):
        there = [b for b in counted if not np.isnan(b[price])]
        best[side] = max(there, key=lambda b: (sign * b[price], -1 if np.isnan(b[size]) else b[size]), default=None)
    bid, ask = best["bid"], best["ask"]
    return {
        "best_bid": bid[4] if bid else NAN,
        "best_bid_qty_base": bid[5] if bid else NAN,
        "best_bid_venue": bid[0] if bid else "",
        "best_ask": ask[6] if ask else NAN,
        "best_ask_qty_base": ask[7] if ask else NAN,
        "best_ask_venue": ask[0] if ask else "",
        "crossed": bool(bid and ask and bid[4] > ask[6]),
        "books": len(counted),
        "books_out": sum(b[3] is not None for b in books) - len(counted),
        "stale_ms": max((b[3] for b in (bid, ask) if b), default=NAN) / 1e6,
    }


PRICES = st.sampled_from([99.0, 99.5, 100.0, 100.5, NAN])
SIZES = st.sampled_from([0.5, 2.0, NAN])
AGES = st.sampled_from([None, 0, 1, SECOND, STALE_NS - 1, STALE_NS, 2 * STALE_NS])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), AGES, PRICES, SIZES, PRICES, SIZES), max_size=4))
def test_it_is_what_a_naive_search_book_by_book_finds(drawn):
    books = [(f"v{i}", f"S{i}", *values) for i, values in enumerate(drawn)]
    got = row(*books)
    for name, value in naive(books).items():
        assert got[name] == pytest.approx(value, nan_ok=True, abs=0) if isinstance(value, float) else got[name] == value
    if got["best_bid_venue"] and got["best_ask_venue"]:
        assert got["crossed"] == (got["spread_bps"] < 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), AGES, PRICES, SIZES, PRICES, SIZES), max_size=4))
def test_depth_is_what_a_naive_sum_book_by_book_comes_to(drawn):
    got, counted = row(*((f"v{i}", f"S{i}", *values) for i, values in enumerate(drawn))), []
    for live, age, bid, bid_size, ask, ask_size in drawn:
        if age is not None and age < STALE_NS and live and not bid >= ask:
            counted.append((bid_size, ask_size))
    bids, asks = (sum(sizes) if counted else NAN for sizes in (list(zip(*counted, strict=True)) or ((), ())))
    assert got["bid_depth_10bps_usd"] == pytest.approx(1e3 * bids, nan_ok=True)
    assert got["ask_depth_50bps_usd"] == pytest.approx(1e4 * asks, nan_ok=True)


def in_force(rows, key):
    """The last row of each key up to a time, as time goes on: (time, rows in force)."""
    held, at = {}, None
    for r in rows:
        if at is not None and r["at"] > at:
            yield at, dict(held)
        at = r["at"]
        held[key(r)] = r
    if at is not None:
        yield at, held


@pytest.fixture(scope="module")
def recorded():
    """A minute of the BTCUSDT perpetual and spot market of Binance, as received on 2024-08-08."""
    files = {"binance-usdm": "binance_usdm_btcusdt_20240808.log.gz", "binance-spot": "binance_spot_btcusdt_20240808.log.gz"}  # fmt: skip
    if absent := [f for f in files.values() if not (CAPTURES / f).is_file()]:
        pytest.skip(f"no {', '.join(absent)}: put the recorded frames into {CAPTURES}")
    lines = {venue: [] for venue in files}
    named = [[(f, venue) for f in read(CAPTURES / file, VENUES[venue])] for venue, file in files.items()]
    start = min(of[0][0].received_ns for of in named)
    for frame, venue in heapq.merge(*named, key=lambda item: item[0].received_ns):
        if frame.kind == "depth" and frame.received_ns < start + 60 * SECOND:
            lines[venue].append(Line("depth", frame.received_ns, frame.data, frame.symbol))
    return lines


def test_recorded_books_of_two_venues_give_at_every_second_what_their_own_rows_say(recorded):
    run = Together(recorded, cut=replace(EVERY, ahead_ns=60 * SECOND)).end()
    books = sorted(({**r, "at": r["window_start"] + 1000} for r in run.books(1000)), key=lambda r: r["at"])
    wanted, got = {}, {r["event_time"]: r for r in run.decoded("consolidated_bbo")}
    for at, held in in_force(books, lambda r: (r["venue"], r["symbol"])):
        sides = [
            (venue, symbol, int(r["best_bid"] is not None), round(r["stale_ms"] * 1e6) + (at - r["at"]) * 10**6,
             *(NAN if r[n] is None else r[n] for n in ("best_bid", "best_bid_qty_base", "best_ask", "best_ask_qty_base")))
            for (venue, symbol), r in sorted(held.items()) if r["stale_ms"] is not None
        ]  # fmt: skip
        wanted[at] = naive(sides)
        there = [r for r in held.values() if r["best_bid"] is not None and at - r["at"] + r["stale_ms"] < 5_000]
        for name in DEPTHS:
            depths = [NAN if r[name] is None else r[name] for r in there]
            wanted[at][name] = sum(depths) if depths else NAN
    assert len(wanted) >= 55
    assert set(got) == set(wanted)
    for at, values in wanted.items():
        for name, value in values.items():
            if name not in ("books_out", "stale_ms"):
                assert got[at][name] == (None if value != value else value), (at, name)
    both = [r for r in got.values() if r["books"] == 2]
    assert len(both) >= 50
    assert {r["best_bid_venue"] for r in both} | {r["best_ask_venue"] for r in both} == set(recorded)
    assert any(r["bid_depth_10bps_usd"] for r in both)
    assert all(abs(r["spread_bps"]) < 20 for r in both), "the basis between perpetual and spot is a few bps"
