"""Bulk VPIN: the share of a change by hand, and buckets against exact fractions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.operator_states import Running
from operators.tape.buckets import A_DAY
from operators.tape.bulk_vpin import BULK_VPIN, CHANGES, buy_share


def test_a_rise_of_half_a_deviation_is_bought_at_69_1_per_cent():
    # analytics 2.3 [HAND]: change .6, deviation 1.2, volume 100: 69.146246
    changes = np.array([60, *[-120, 120] * 9, 0])
    deviation = np.std(changes, ddof=1)
    wanted = 0.5 * (1 + math.erf(60 / deviation / math.sqrt(2)))
    assert buy_share(changes, 60) == pytest.approx(wanted, rel=1e-12)
    assert 100 * 0.5 * math.erfc(-0.6 / (1.2 * math.sqrt(2))) == pytest.approx(69.146246, abs=5e-7)


def test_equal_changes_go_by_their_sign():
    assert [buy_share(np.full(CHANGES, c), c) for c in (3, -3, 0)] == [1.0, 0.0, 0.5]


def run(panes, buckets, size):
    """Of panes (close, lots) with buckets of `size` lots: VPIN after each."""
    running = Running((BULK_VPIN,))
    running.grow(1)
    state = running.states["bulk_vpin"]
    state["shares"] = np.zeros((1, buckets), np.int64)
    state["bucket_lots"][:], state["day"][:] = A_DAY * size, 0
    close, lots = (np.array(c, np.int64) for c in zip(*panes, strict=True))
    n = len(panes)
    rows = {"instrument": np.zeros(n, np.int32), "pane_end_ns": 1 + np.arange(n), "close_ticks": close, "lots": lots}
    return running.step(rows)["vpin_bulk_last"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 25)), min_size=CHANGES + 5, max_size=60))
def test_buckets_are_filled_with_the_shares_of_their_panes(moves):
    closes = 100 + np.cumsum([m for m, _ in moves])
    panes = list(zip(closes.tolist(), [q for _, q in moves], strict=True))
    unit = []
    for i in range(CHANGES, len(panes)):
        changes = np.diff(closes[i - CHANGES : i + 1])
        # A fiftieth of a lot at a time would be the definition; a lot at a time has the same boundaries here.
        unit += [buy_share(changes, changes[-1])] * panes[i][1]
    full = [abs(2 * np.mean(unit[10 * b : 10 * b + 10]) - 1) for b in range(len(unit) // 10)]
    wanted = np.mean(full[-2:]) if len(full) >= 2 else math.nan
    assert run(panes, 2, 10)[-1] == pytest.approx(wanted, abs=3e-6, nan_ok=True)


def test_a_pane_of_a_million_million_buckets_takes_no_longer_than_one_of_a_few():
    panes = [(100 + 10 * i, 1) for i in range(CHANGES + 1)] + [(90, 10**15 + 4), (100, 3)]
    assert run(panes, 4, 10)[-1] == pytest.approx(1.0, abs=1e-4)


def test_it_is_null_until_a_day_is_over():
    assert math.isnan(run([(100 + i % 3, 500) for i in range(60)], 2, 0)[-1])
