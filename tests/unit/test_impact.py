"""Price impact: analytics 1.15 by hand, and against taking an order from the levels one by one in exact numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.impact import IMPACT, SIZES, WITHIN_BPS, walk
from operators.book.sides import ladders
from tests.books import FAR, columns, one

ASKS = [(1001, 2), (1002, 3), (1005, 5)]
BIDS = [(1000, 10)]


def filled(asks, usd):
    """VWAP in quote units of a buy, and the share of it that is there; the tick is a tenth."""
    books = columns((BIDS, asks), tick=10.0)
    vwap, share = np.full((2, 1, 1), np.nan), np.full((2, 1), np.nan)
    walk(ladders(books), 0, 1, np.array([0.1]), np.array([usd]), vwap, share)
    return vwap[1, 0, 0] / 10, share[1, 0]


def test_a_buy_of_six_is_filled_at_100_2167_which_is_16_6583_bps_from_mid_and_11_6550_from_the_touch():
    # analytics 1.15 [HAND]: asks (100.1, 2) (100.2, 3) (100.5, 5), buy 6, mid 100.05
    vwap, share = filled(ASKS, 2 * 100.1 + 3 * 100.2 + 100.5)
    assert (round(vwap, 7), share) == (100.2166667, 1.0)
    assert 1e4 * (vwap / 100.05 - 1) == pytest.approx(16.6583, abs=5e-5)
    assert 1e4 * (vwap / 100.1 - 1) == pytest.approx(11.6550, abs=5e-5)


def test_a_buy_of_twelve_finds_ten_so_its_impact_is_null_and_its_share_0_8333_up_to_prices():
    # analytics 1.15 [HAND]: filled_frac 0.8333 counts base; here it is of dollars, twelve at the price of the ten
    ten = 2 * 100.1 + 3 * 100.2 + 5 * 100.5
    vwap, share = filled(ASKS, 1.2 * ten)
    assert math.isnan(vwap)
    assert share == pytest.approx(0.8333, abs=5e-5)


def from_scratch(bids, asks, low, high, per_lot, inverse, side, usd):
    """Average price in ticks, level by level; None: it is not there."""
    half = bids[0][0] + asks[0][0]
    left, base = Fraction(usd), Fraction(0)
    for ticks, lots in asks if side == "buy" else bids:
        known = ticks <= high if side == "buy" else ticks >= low
        if not known or 10_000 * abs(2 * ticks - half) > WITHIN_BPS * half:
            break
        value = Fraction(lots) * Fraction(per_lot) * (1 if inverse else Fraction(ticks))
        taken = min(left, value)
        left, base = left - taken, base + taken / ticks
        if left == 0:
            return Fraction(usd) / base, half
    return None, half


levels = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 60)), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(
    levels,
    levels,
    st.sampled_from([0, 9_940]),
    st.sampled_from([FAR, 10_060]),
    st.booleans(),
    st.sampled_from([1.0, 100.0]),
)
def test_impact_is_that_of_taking_the_levels_one_by_one(below, above, low, high, inverse, contract):
    bids, asks = [(10_000, 3)], [(10_002, 2)]
    for gap, lots in below:
        bids.append((bids[-1][0] - gap, lots))
    for gap, lots in above:
        asks.append((asks[-1][0] + gap, lots))
    found = one(IMPACT, bids, asks, low=low, high=high, tick=1.0, contract=contract, inverse=inverse)
    for side, sign in (("buy", 1), ("sell", -1)):
        for name, usd in SIZES.items():
            vwap, half = from_scratch(bids, asks, low, high, contract, inverse, side, usd)
            impact, slippage = (found[f"{side}_{what}_{name}_bps"] for what in ("impact", "slippage"))
            if vwap is None:
                assert math.isnan(impact)
                continue
            best = (asks if side == "buy" else bids)[0][0]
            assert impact == pytest.approx(float(10_000 * sign * (vwap / Fraction(half, 2) - 1)), abs=2e-6)
            assert slippage == pytest.approx(float(10_000 * sign * (vwap / best - 1)), abs=2e-6)


@settings(max_examples=100, deadline=None)
@given(levels, levels)
def test_the_curve_rises_with_size_and_is_mirrored_when_the_book_is(below, above):
    bids = [(10_000 - g, 40 * q) for g, q in zip(np.cumsum([g for g, _ in below]), [q for _, q in below], strict=True)]
    asks = [(10_000 + g, 40 * q) for g, q in zip(np.cumsum([g for g, _ in above]), [q for _, q in above], strict=True)]
    mirrored = [[(20_000 - p, q) for p, q in side] for side in (asks, bids)]
    # An inverse contract counts dollars a lot, so a mirrored level holds as much.
    found = one(IMPACT, bids, asks, contract=100.0, inverse=True)
    again = one(IMPACT, *mirrored, contract=100.0, inverse=True)
    for side, other in (("buy", "sell"), ("sell", "buy")):
        curve = [found[f"{side}_impact_{n}_bps"] for n in SIZES]
        there = [x for x in curve if not math.isnan(x)]
        assert there == sorted(there)
        assert curve[: len(there)] == there
        shares = found[f"{side}_filled_5m"], again[f"{other}_filled_5m"]
        if bids[0][0] + asks[0][0] == 20_000:
            assert shares[0] == pytest.approx(shares[1])


@pytest.mark.parametrize("factor", [10, 1000])
def test_prices_and_sizes_in_other_units_change_nothing(factor):
    asks, bids = [(p, 5_000 * q) for p, q in ASKS], [(p, 5_000 * q) for p, q in BIDS]
    plain = one(IMPACT, bids, asks, tick=10.0)
    finer = [[(p * factor, q) for p, q in side] for side in (bids, asks)]
    assert one(IMPACT, *finer, tick=10.0 * factor) == pytest.approx(plain, abs=2e-6, nan_ok=True)


def test_without_a_book_a_contract_or_enough_known_levels_there_is_no_impact():
    deep = [(1000, 10**6)], [(1001, 10**6)]
    assert one(IMPACT, *deep)["buy_impact_5m_bps"] == pytest.approx(1e4 * (1001 / 1000.5 - 1), abs=1e-5)
    for nothing in ({"live": False}, {"contract": math.nan}, {"high": 1000, "low": 1001}):
        assert all(math.isnan(x) for x in one(IMPACT, *deep, **nothing).values()), nothing
    assert all(math.isnan(x) for x in one(IMPACT, [], deep[1]).values())
