"""Absorption, large trades and the autocorrelation of signs: by hand and from scratch."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.operator_states import Running
from operators.ranks import TURN_NS
from operators.tape import large_trades
from operators.tape.absorption import ABSORPTION
from operators.tape.large_trades import LARGE_TRADES
from operators.tape.sign_autocorrelation import LEAST, SIGN_AUTOCORRELATION
from tests.operators import folded, stepped

SCALES = {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1.0, "contract": 1.0}


def absorbed(panes):
    """Of panes (mid before, mid, buys, sells)."""
    before, mid, buys, sells = (np.array(c, np.float64) for c in zip(*panes, strict=True))
    n = len(panes)
    rows = {
        "mid_before": before,
        "mid": mid,
        "lots": (buys + sells).astype(np.int64),
        "buy_lots": buys.astype(np.int64),
    }
    rows |= {"per_price": np.zeros(n), "buy_per_price": np.zeros(n), "inverse": np.zeros(n, np.bool_)}
    out = stepped(ABSORPTION, rows | {k: np.full(n, v) for k, v in SCALES.items()})
    found = ABSORPTION.compute({name: array.sum(keepdims=True) for name, array in out.items()})
    return tuple(found[c.name][0].item() for c in ABSORPTION.columns)


def test_buys_that_lifted_nothing_and_sells_that_pressed_nothing_are_absorbed():
    panes = [(10, 10, 5, 0), (10, 11, 7, 2), (11, 10, 3, 4), (10, 10, 0, 6), (10, math.nan, 50, 50)]
    assert absorbed(panes) == (5 + 3, 2 + 6, 16 / 27)


def test_absorption_is_null_where_no_mid_is_known():
    assert math.isnan(absorbed([(10, math.nan, 5, 5)])[2])


def trades(lots, signs=None, at_ns=None):
    n = len(lots)
    return {
        "instrument": np.zeros(n, np.int32),
        "event_ns": np.full(n, 1, np.int64) if at_ns is None else np.array(at_ns, np.int64),
        "lots": np.array(lots, np.int64),
        "sign": np.array(signs or [1] * n, np.int8),
        "qty_per_price": np.array(lots) / 100.0,
        **{name: np.full(n, SCALES[name]) for name in ("lot_mantissa", "lot_scale")},
        "inverse": np.zeros(n, np.bool_),
    }


def large(lots, signs=None, **how):
    found = LARGE_TRADES.compute(folded(LARGE_TRADES, trades(lots, signs, **how)) | {"contract": np.ones(1)})
    return tuple(found[c.name][0].item() for c in LARGE_TRADES.columns)


def test_after_a_thousand_small_trades_two_hundredfold_ones_are_large():
    assert large([1] * 1000 + [200, 300, 1], [1] * 1000 + [1, -1, 1]) == (2.0, 200.0, 300.0)
    assert all(math.isnan(v) for v in large([1] * 999 + [200]))


def test_a_finer_lot_that_turns_up_later_makes_no_trade_large():
    running, panes = Running((LARGE_TRADES,)), LARGE_TRADES.empty(1)
    running.grow(1)
    before, after = trades([7] * 1000), trades([700] * 3 + [70_000])
    after = {**after, "lot_scale": np.full(4, 100.0), "qty_per_price": np.array([7.0, 7.0, 7.0, 700.0]) / 100}
    running.fold(before, panes, np.zeros(1000, np.int64))
    running.rescale(0, 1, 100)
    running.fold(after, panes, np.zeros(4, np.int64))
    assert panes["large_trades_n"].tolist() == [1]


@pytest.mark.parametrize("lots", [1, 10**4, 10**8])
@pytest.mark.parametrize("first", [0.02, 1, 5_000])
def test_about_one_trade_in_a_hundred_is_large_whatever_the_sizes_are_like(lots, first):
    """Coins of a hundred thousandth of a dollar trade in hundreds of millions of lots; the first trade may be any."""
    rng = np.random.default_rng(3)
    sizes = np.ceil(lots * np.exp(rng.normal(4, 1.2, 6_000))).astype(np.int64).tolist()
    assert large([max(int(first * sizes[0]), 1), *sizes])[0] == pytest.approx(50, abs=20)
    assert LARGE_TRADES.fields[0].shape == (2, 1, large_trades.BINS)


def test_sizes_of_the_day_before_yesterday_count_no_more():
    at_ns = [1] * 1000 + [1 + 2 * TURN_NS]
    assert all(math.isnan(v) for v in large([1] * 1000 + [500], at_ns=at_ns))
    assert large([1] * 1000 + [500], at_ns=[1] * 1000 + [1 + TURN_NS]) == (1.0, 500.0, 0.0)


def autocorrelation(signs):
    events = {"instrument": np.zeros(len(signs), np.int32), "sign": np.array(signs, np.int8)}
    running, panes = Running((SIGN_AUTOCORRELATION,)), SIGN_AUTOCORRELATION.empty(1)
    running.grow(1)
    running.fold(events, panes, np.zeros(len(signs), np.int64))
    return panes["sign_autocorrelation_last"][0]


def naive(signs):
    mean = product = 0.0
    for i in range(1, len(signs)):
        weight = 1 / min(i, LEAST)
        mean, product = mean + weight * (signs[i] - mean), product + weight * (signs[i] * signs[i - 1] - product)
    return (product - mean**2) / (1 - mean**2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1, 1]), st.integers(1, 9)), min_size=60, max_size=120))
def test_autocorrelation_of_signs_is_that_from_scratch(runs):
    signs = [s for s, times in runs for _ in range(times)]
    found = autocorrelation(signs)
    if len(signs) <= LEAST or len(set(signs)) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(max(-1, min(naive(signs), 1)), rel=1e-9)


def test_signs_that_alternate_have_minus_one_and_long_runs_nearly_one():
    assert autocorrelation([1, -1] * 400) == pytest.approx(-1.0, abs=0.01)
    assert autocorrelation(([1] * 100 + [-1] * 100) * 8) > 0.9
    rng = np.random.default_rng(1)
    assert abs(autocorrelation(rng.choice([-1, 1], 4_000).tolist())) < 0.25


volumes = st.integers(0, 9)
mids = st.sampled_from([10.0, 10.5, 11.0, math.nan])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(mids, mids, volumes, volumes), min_size=1, max_size=8))
def test_absorption_is_that_of_going_pane_by_pane(panes):
    known = [p for p in panes if not math.isnan(p[0] + p[1])]
    buys = sum(b for before, mid, b, _ in known if mid <= before)
    sells = sum(s for before, mid, _, s in known if mid >= before)
    volume = sum(b + s for *_, b, s in known)
    share = (buys + sells) / volume if volume else math.nan
    assert absorbed(panes) == pytest.approx((buys, sells, share), nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1_001, 1_300))
def test_large_trades_are_those_of_counting_all_that_came_before(seed, n):
    rng = np.random.default_rng(seed)
    lots = np.ceil(np.exp(rng.normal(3, 1.5, n))).astype(np.int64).tolist()
    signs = rng.choice([-1, 1], n).tolist()
    octaves = [4 * math.log2(q / lots[0]) for q in lots]
    bins = [math.floor(octave) for octave in octaves]
    wanted = [0.0, 0.0, 0.0]
    for i in range(large_trades.LEAST, n):
        before = bins[:i]
        share = sum(b < bins[i] for b in before) + (octaves[i] - bins[i]) * sum(b == bins[i] for b in before)
        if share / i >= large_trades.QUANTILE:
            wanted[0] += 1
            wanted[1 if signs[i] > 0 else 2] += lots[i]
    assert large(lots, signs) == tuple(wanted)
