"""Effective and realised spread, impact, and the meeting of trades and mids that they need."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.meeting import Meeting, Mids
from operators.tape.costs import COSTS, HORIZONS_S
from tests.operators import folded

NAN = math.nan


def costs(*trades):
    """Of (price, volume, sign, mid before, mids after) in one window."""
    price, volume, sign, before, after = (np.array(c) for c in zip(*trades, strict=True))
    events = {"price": price, "qty_base": volume, "sign": sign, "mid_before": before, "mid_after": after}
    return {name: array[0].item() for name, array in COSTS.compute(folded(COSTS, events)).items()}


def test_a_buy_above_mid_costs_9_995_bps_of_which_1_999_stay_with_the_maker_by_hand():
    found = costs((100.10, 3.0, 1, 100.05, (100.09, 100.09, 100.09)))
    assert found["effective_spread_bps"] == pytest.approx(9.9950, abs=5e-5)
    assert found["realised_spread_5s_bps"] == pytest.approx(1.9990, abs=5e-5)
    assert found["price_impact_60s_bps"] == pytest.approx(7.9960, abs=5e-5)


def test_trades_weigh_by_volume_and_one_whose_horizon_is_not_known_does_not_count():
    found = costs(
        (101.0, 1.0, 1, 100.0, (100.0,) * 3), (99.0, 3.0, -1, 100.0, (98.0,) * 3), (500.0, 9.0, 1, 100.0, (1, 1, NAN))
    )
    assert found["effective_spread_bps"] == pytest.approx(200.0)
    assert found["price_impact_1s_bps"] == pytest.approx(2e4 * (3 * 0.02) / 4)
    assert (found["measured_volume_base"], found["measured_trades"]) == (4.0, 2)


PRICES = st.floats(0.01, 1e5)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(PRICES, st.floats(1e-6, 1e6), st.sampled_from([-1, 1]), st.floats(0.5, 2)), min_size=1))
def test_effective_is_realised_plus_impact_to_the_last_digit(trades):
    found = costs(*((p, q, d, p * m, (p * m * 1.01, p * m * 0.99, p * m * 1.001)) for p, q, d, m in trades))
    for h in HORIZONS_S:
        parts = found[f"realised_spread_{h}s_bps"] + found[f"price_impact_{h}s_bps"]
        assert parts == found["effective_spread_bps"]


def test_a_trade_is_given_when_its_longest_horizon_is_over_and_meets_the_mid_just_before_it():
    meeting = Meeting((5, 10))
    meeting.mids.add(np.zeros(4, np.int64), np.array([10, 20, 25, 30]), np.array([1.0, 2.0, 3.0, 4.0]))
    one = {"instrument": [0], "pane": [2], "event_ns": [20], "price": [9.0], "qty_base": [1.0], "sign": [1]}
    meeting.add({n: np.array(v) for n, v in one.items()})
    assert len(meeting.release(29, 29)["pane"]) == 0
    found = meeting.release(30, 30)
    assert (found["mid_before"].tolist(), found["mid_after"].tolist()) == ([1.0], [[3.0, 4.0]])


def test_beyond_the_end_of_the_books_log_no_mid_is_known():
    meeting = Meeting((5,))
    meeting.mids.add(np.zeros(1, np.int64), np.array([10]), np.array([1.0]))
    one = {"instrument": [0, 0], "pane": [1, 1], "event_ns": [11, 12], "price": [9.0, 9.0], "qty_base": [1.0, 1.0]}
    meeting.add({n: np.array(v) for n, v in (one | {"sign": [1, 1]}).items()})
    assert str(meeting.release(2**62, 16)["mid_after"].ravel().tolist()) == "[1.0, nan]"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.sampled_from([1.0, 2.0, NAN])), max_size=20),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 32)), min_size=1, max_size=10),
    st.integers(0, 20),
    st.integers(0, 25),
)
def test_what_is_in_force_is_the_last_word_before_however_it_was_cut_and_what_was_forgotten(
    said, asked, cut, forgotten
):
    mids, latest, log = Mids(), {}, []
    for who, at, mid in said:
        latest[who] = max(latest.get(who, 0), at)
        log.append((who, latest[who], mid))
    for part in (said[:cut], said[cut:]):
        columns = list(zip(*part, strict=True)) or [(), (), ()]
        mids.add(np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.float64))
    mids.forget(forgotten)
    asked = [(who, max(at, forgotten)) for who, at in asked]
    who, at = (np.array(c, np.int64) for c in zip(*asked, strict=True))
    upto, before = mids.at(who, at).tolist(), mids.before(who, at + 1).tolist()
    for i, (k, t) in enumerate(asked):
        wanted = [m for w, s, m in log if w == k and s <= t]
        np.testing.assert_equal(upto[i], wanted[-1] if wanted else NAN)
    np.testing.assert_equal(upto, before)
