"""EWMA variance: analytics 2.8 by hand, and against lists of one-minute returns."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.operator_states import Running
from operators.tape.ewma import EWMA, FRESH_NS, LAMBDA, LEAST, MINUTE_NS


def run(trades, state=None, end_ns=None):
    """What the last window says after trades of (event ns, ticks), a pane each."""
    running = Running((EWMA,))
    running.grow(1)
    for name, value in (state or {}).items():
        running.states["ewma"][name][:] = value
    at, ticks = (np.array(c, np.int64) for c in zip(*trades, strict=True))
    out = running.step({"instrument": np.zeros(len(at), np.int32), "pane_end_ns": at, "close_ticks": ticks})
    last = {name: array[-1:] for name, array in out.items()}
    return EWMA.compute(last | {"window_end_ns": at[-1:] if end_ns is None else np.array([end_ns])})["ewma_variance"][0]


def test_three_returns_of_riskmetrics_by_hand():
    # analytics 2.8 [HAND]: v0 = 4e-4, r = .01, -.02, .015: 3.735952e-4
    closes = np.round(1e12 * np.exp(np.cumsum([0.0, 0.01, -0.02, 0.015]))).astype(np.int64)
    trades = [(1 + n * MINUTE_NS, int(c)) for n, c in enumerate([*closes, 1])]
    held = {"variance": 4e-4, "returns": 10**6}
    assert run(trades, held) == pytest.approx(3.735952e-4, abs=5e-11)


def naive(trades):
    """Minute by minute, from a dict of closes."""
    closes = {}
    for at, ticks in trades:
        closes[(at - 1) // MINUTE_NS] = ticks
    v, n, price = 0.0, 0, None
    for minute in range(min(closes), max(closes)):
        now = closes.get(minute, price)
        if price is not None:
            n += 1
            r = math.log(now / price)
            weight = max(1 - LAMBDA, 1 / n)
            v = (1 - weight) * v + weight * r * r
        price = now
    return v if n >= LEAST else math.nan


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 150), st.integers(90, 110)), min_size=1, max_size=60))
def test_it_is_that_of_going_minute_by_minute(drawn):
    at = np.cumsum([s for s, _ in drawn]) * 10**9
    trades = [(int(t), p) for t, (_, p) in zip(at, drawn, strict=True)]
    assert run(trades) == pytest.approx(naive(trades), rel=1e-9, abs=1e-18, nan_ok=True)


def test_it_is_null_before_17_returns_and_half_an_hour_after_the_last_trade():
    trades = [(1 + n * MINUTE_NS, 100 + n % 2) for n in range(LEAST + 2)]
    assert math.isnan(run(trades[:-1]))
    assert run(trades) == pytest.approx(math.log(1.01) ** 2)
    assert math.isnan(run(trades, end_ns=trades[-1][0] + FRESH_NS))
