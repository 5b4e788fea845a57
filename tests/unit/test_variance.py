"""Realised variance and bipower variation: analytics 2.8."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.tape.variance import VARIANCE
from tests.operators import stepped


def step(panes, closes, instrument=None):
    rows = {"pane": np.array(panes, np.int64), "close_ticks": np.array(closes, np.int64)}
    rows["instrument"] = np.array(instrument or [0] * len(panes), np.int32)
    return stepped(VARIANCE, rows)


def published(out):
    one = {name: np.array([out[name].sum()]) for name in ("squared_return", "bipower")}
    one["return_known"] = out["return_known"][-1:]
    return {name: array[0].item() for name, array in VARIANCE.compute(one).items()}


def test_realised_variance_and_bipower_variation_by_hand():
    returns = [0.01, -0.02, 0.015, 0.03, -0.01]
    closes = np.round(1e12 * np.exp(np.cumsum([0.0, *returns]))).astype(np.int64)
    found = published(step(range(6), closes))
    assert found["realised_variance"] == pytest.approx(0.001725, rel=1e-9)
    assert found["bipower_variation"] == pytest.approx(0.0019634954, rel=1e-7)


def test_the_first_pane_with_a_trade_has_no_return_and_the_window_is_null():
    out = step([4], [100])
    assert out["return_known"].tolist() == [0]
    assert all(math.isnan(value) for value in published(out).values())


def test_a_pane_without_trades_has_a_return_of_zero_and_stops_both_products():
    with_row, without_row = step([0, 1, 2, 3], [100, 110, 0, 121]), step([0, 1, 3], [100, 110, 121])
    r = math.log(1.1)
    for out in (with_row, without_row):
        assert out["squared_return"].sum() == pytest.approx(2 * r * r)
        assert out["bipower"].sum() == 0


def test_an_unchanged_price_is_a_known_return_of_zero():
    assert published(step([0, 1], [100, 100])) == {"realised_variance": 0.0, "bipower_variation": 0.0}


def test_instruments_do_not_mix():
    out = step([0, 0, 1, 1], [100, 7, 100, 14], instrument=[0, 1, 0, 1])
    assert out["squared_return"].tolist() == pytest.approx([0, 0, 0, math.log(2) ** 2])


@settings(max_examples=100, deadline=None)
@given(closes=st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_it_equals_the_definition_on_the_filled_grid(closes):
    out = step(range(len(closes)), closes)
    grid = []
    for close in closes:
        grid.append(close or (grid[-1] if grid else 0))
    start = next((i for i, close in enumerate(grid) if close), len(grid))
    r = [0.0] * (start + 1) + [math.log(b / a) for a, b in pairwise(grid[start:])]
    assert out["squared_return"].sum() == pytest.approx(sum(x * x for x in r), rel=1e-12)
    products = sum(abs(a * b) for a, b in pairwise(r))
    assert out["bipower"].sum() == pytest.approx(products, rel=1e-12, abs=1e-15)
