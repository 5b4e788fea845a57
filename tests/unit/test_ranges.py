"""Range variances: analytics 2.8 by hand, and a window of several panes as its one bar."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.panes import Panes, keys, layout
from operators.tape.ranges import RANGES
from operators.windows import Windows
from tests.operators import stepped


def variances(*panes):
    """Of the window that panes (open, high, low, close) make, in their order."""
    o, h, low, c = (np.array(v, np.int64) for v in zip(*panes, strict=True))
    rows = {"open_ticks": o, "high_ticks": h, "low_ticks": low, "close_ticks": c}
    n = len(panes)
    made = Panes.filled(layout(RANGES.statistics), keys(np.zeros(n), np.arange(n)), stepped(RANGES, rows))
    found = RANGES.compute(Windows(RANGES.statistics, [n], n).roll(made, n).columns)
    return [found[c.name][0].item() for c in RANGES.columns]


def test_the_bar_100_103_99_102_by_hand():
    # analytics 2.8 [HAND]: Parkinson 5.658552e-4, Garman-Klass 6.329589e-4, Rogers-Satchell 5.884132e-4
    assert variances((100, 103, 99, 102)) == pytest.approx([5.658552e-4, 6.329589e-4, 5.884132e-4], abs=5e-11)


prices = st.integers(1, 300)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(prices, prices, prices, prices), min_size=1, max_size=6))
def test_a_window_is_one_bar_of_the_open_extremes_and_close_of_its_panes(drawn):
    panes = [(o, max(of), min(of), c) for of in drawn for o, *_, c in [of]]
    o, c = math.log(panes[0][0]), math.log(panes[-1][3])
    h, low = math.log(max(p[1] for p in panes)), math.log(min(p[2] for p in panes))
    parkinson = (h - low) ** 2 / (4 * math.log(2))
    garman_klass = max((h - low) ** 2 / 2 - (2 * math.log(2) - 1) * (c - o) ** 2, 0)
    rogers_satchell = (h - c) * (h - o) + (low - c) * (low - o)
    assert variances(*panes) == pytest.approx([parkinson, garman_klass, rogers_satchell], rel=1e-9, abs=1e-12)


def test_a_window_without_a_trade_is_null():
    empty = RANGES.compute(RANGES.empty(1))
    assert all(math.isnan(v[0]) for v in empty.values())
