"""Cumulative volume delta: analytics 2.1."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.tape.cvd import CVD, NEVER
from tests.operators import stepped

DAY_S = 86_400


def rows(*panes, per_tick=(0.0, 0.0), base_ms=1000):
    """Of (instrument, pane, buy lots, sell lots)."""
    instrument, pane, buys, sells = np.array(panes, np.int64).T
    return {
        "instrument": instrument.astype(np.int32),
        "pane": pane.copy(),
        "base_ms": np.array([base_ms]),
        "lots": buys + sells,
        "buy_lots": buys.copy(),
        "per_price": np.full(len(pane), sum(per_tick)),
        "buy_per_price": np.full(len(pane), per_tick[0]),
    }


def cvd(*panes, **how):
    return stepped(CVD, rows(*panes, **how))["cvd_lots"].tolist()


def test_the_tardis_bar_of_2000_bought_and_200_sold_adds_1800():
    assert cvd((0, 5, 2000, 200)) == [1800]


def test_it_accumulates_over_panes_and_instruments_do_not_mix():
    assert cvd((0, 5, 10, 0), (1, 5, 0, 7), (0, 6, 0, 4), (1, 9, 1, 0)) == [10, -7, 6, -6]


def test_it_starts_again_with_the_pane_that_begins_at_midnight_utc():
    assert cvd((0, DAY_S - 1, 10, 0), (0, DAY_S, 3, 0), (0, DAY_S + 1, 0, 1)) == [10, 3, 2]


def test_panes_of_100_ms_have_the_same_midnight():
    assert cvd((0, 10 * DAY_S - 1, 10, 0), (0, 10 * DAY_S, 3, 0), base_ms=100) == [10, 3]


def test_inverse_trades_accumulate_lots_over_ticks():
    found = stepped(CVD, rows((0, 5, 1, 1), (0, 6, 1, 1), per_tick=(0.5, 0.125)))
    assert found["cvd_per_price"].tolist() == [0.375, 0.75]


def published(lots, per_tick, day, end_s, contract=1.0, inverse=False):
    one = {"cvd_lots": lots, "cvd_per_price": per_tick, "cvd_day": day, "window_end_ns": end_s * 10**9}
    one |= {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1e3}
    one |= {"contract": contract, "inverse": inverse}
    return CVD.compute({name: np.array([value]) for name, value in one.items()})["cvd"].item()


def test_it_is_published_in_base_units():
    assert published(1800, 9.9, 0, 60) == 1.8
    assert published(1800, 9.9, 0, 60, contract=100.0, inverse=True) == pytest.approx(9.9 * 100)


def test_a_new_day_without_a_trade_has_summed_nothing():
    assert published(1800, 9.9, 0, DAY_S + 1) == 0.0


def test_the_window_that_ends_at_midnight_belongs_to_the_old_day():
    assert published(1800, 9.9, 0, DAY_S) == 1.8


def test_before_any_trade_it_is_null():
    assert math.isnan(published(0, 0.0, NEVER, 60))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_it_is_the_sum_of_the_panes_of_the_day_from_scratch(drawn):
    panes, at = [], [0, 0]
    for instrument, step, buys, sells in drawn:
        at[instrument] += step * DAY_S // 4
        panes.append((instrument, at[instrument], buys, sells))
    wanted = [
        sum(b - s for k, p, b, s in panes[: i + 1] if k == of and p // DAY_S == pane // DAY_S)
        for i, (of, pane, _, _) in enumerate(panes)
    ]
    assert cvd(*panes) == wanted
