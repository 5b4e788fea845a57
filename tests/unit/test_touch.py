"""Best prices, mid, spread and weighted mid: analytics 1.7."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.touch import TOUCH


def touch(bids, asks, live=True, low=0, high=2**62, tick=(1.0, 1.0), lot=(1.0, 1.0), contract=1.0, inverse=False):
    columns = {
        "live": np.array([live]),
        "bid_starts": np.array([0, len(bids)]),
        "bid_ticks": np.array([p for p, _ in bids], np.int64),
        "bid_lots": np.array([q for _, q in bids], np.int64),
        "ask_starts": np.array([0, len(asks)]),
        "ask_ticks": np.array([p for p, _ in asks], np.int64),
        "ask_lots": np.array([q for _, q in asks], np.int64),
        "reach_low_ticks": np.array([low]),
        "reach_high_ticks": np.array([high]),
        "tick_mantissa": np.array([tick[0]]),
        "tick_scale": np.array([tick[1]]),
        "lot_mantissa": np.array([lot[0]]),
        "lot_scale": np.array([lot[1]]),
        "contract": np.array([contract]),
        "inverse": np.array([inverse]),
    }
    return {name: array[0].item() for name, array in TOUCH.compute(columns).items()}


@pytest.mark.parametrize(
    ("bid", "ask", "weighted"),
    [((100, 600), (200, 1000), 137.5), ((100, 100), (200, 100), 150.0), ((1000, 7), (1000, 7), 1000.0)],
)
def test_weighted_mid_as_in_barter_books_mod_rs(bid, ask, weighted):
    assert touch([bid], [ask])["weighted_mid"] == weighted


@pytest.mark.parametrize(("bid", "ask", "mid"), [(100, 200, 150.0), (50, 250, 150.0), (10, 250, 130.0)])
def test_mid_as_in_barter_books_mod_rs(bid, ask, mid):
    assert touch([(bid, 1)], [(ask, 1)])["mid"] == mid


def test_reference_book_has_mid_100_spread_10_bps_and_weighted_mid_100_0166667():
    found = touch([(9995, 4), (9990, 6)], [(10005, 2), (10010, 3)], tick=(1.0, 100.0))
    assert (found["best_bid"], found["best_ask"], found["mid"]) == (99.95, 100.05, 100.0)
    assert found["spread_bps"] == 10.0
    assert found["weighted_mid"] == pytest.approx(100.0166667, abs=5e-8)
    assert (found["best_bid_qty_base"], found["best_ask_qty_base"], found["crossed"]) == (4.0, 2.0, False)


def test_a_missing_side_is_null_and_so_is_what_needs_it():
    found = touch([], [(200, 3)])
    assert (found["best_ask"], found["best_ask_qty_base"]) == (200.0, 3.0)
    for name in ("best_bid", "best_bid_qty_base", "mid", "spread_bps", "weighted_mid"):
        assert math.isnan(found[name])
    assert found["crossed"] is False


def test_a_book_that_is_not_live_says_nothing():
    found = touch([(100, 1)], [(101, 1)], live=False)
    assert all(math.isnan(value) for name, value in found.items() if name != "crossed")


def test_the_best_price_of_a_trusted_book_stands_also_beyond_the_exact_reach():
    found = touch([(100, 1)], [(103, 1)], low=90, high=102)
    assert (found["best_bid"], found["best_ask"], found["mid"]) == (100.0, 103.0, 101.5)


def test_a_locked_or_crossed_book_keeps_its_numbers_and_is_flagged():
    locked, crossed = touch([(100, 1)], [(100, 1)]), touch([(101, 1)], [(99, 1)])
    assert (locked["crossed"], locked["spread_bps"]) == (True, 0.0)
    assert (crossed["crossed"], crossed["mid"], crossed["spread_bps"]) == (True, 100.0, -200.0)


def test_no_size_on_either_side_has_no_weighted_mid():
    assert math.isnan(touch([(100, 0)], [(101, 0)])["weighted_mid"])


def test_prices_are_the_doubles_nearest_to_the_decimals_the_venue_printed():
    found = touch([(617736, 5)], [(617737, 3)], tick=(1.0, 10.0), lot=(1.0, 1.0), contract=0.01)
    assert (found["best_bid"], found["best_ask"], found["mid"]) == (61773.6, 61773.7, 61773.65)
    assert (found["best_bid_qty_base"], found["best_ask_qty_base"]) == (0.05, 0.03)


def test_the_size_of_an_inverse_contract_is_its_dollars_over_its_price():
    found = touch([(50_000, 5)], [(50_100, 501)], contract=100.0, inverse=True)
    assert (found["best_bid_qty_base"], found["best_ask_qty_base"]) == (0.01, 1.0)


def test_an_unknown_contract_leaves_sizes_null_and_prices_known():
    found = touch([(100, 600)], [(200, 1000)], contract=math.nan)
    assert math.isnan(found["best_bid_qty_base"])
    assert found["weighted_mid"] == 137.5


levels = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), max_size=3)


@settings(max_examples=200, deadline=None)
@given(levels, levels, st.booleans())
def test_it_is_its_definition_in_exact_numbers(bids, asks, inverse):
    bids, asks = sorted(bids, reverse=True), sorted(asks)
    found = touch(bids, asks, inverse=inverse)
    (pb, qb), (pa, qa) = (side[0] if side else (None, None) for side in (bids, asks))
    assert found["best_bid"] == pytest.approx(math.nan if pb is None else pb, nan_ok=True)
    assert found["best_ask"] == pytest.approx(math.nan if pa is None else pa, nan_ok=True)
    mid = spread = weighted = math.nan
    if pb is not None and pa is not None:
        mid, spread = (pb + pa) / 2, float(Fraction(20_000 * (pa - pb), pa + pb))
        of_bid, of_ask = (Fraction(q, p if inverse else 1) for p, q in ((pb, qb), (pa, qa)))
        weighted = float((pb * of_ask + pa * of_bid) / (of_bid + of_ask)) if qb + qa else math.nan
        assert min(pb, pa) - 1e-9 <= weighted <= max(pb, pa) + 1e-9 or math.isnan(weighted)
        assert found["crossed"] == (pb >= pa)
    for name, wanted in (("mid", mid), ("spread_bps", spread), ("weighted_mid", weighted)):
        assert found[name] == pytest.approx(wanted, rel=1e-12, nan_ok=True), name
