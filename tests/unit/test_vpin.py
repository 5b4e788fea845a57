"""VPIN: buckets split at the boundary by hand, and against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.operator_states import Running
from operators.tape.buckets import A_DAY, DAY_NS
from operators.tape.vpin import VPIN


def running(buckets, size):
    """With so many buckets, and yesterday's volume such that a bucket holds `size` lots."""
    one = Running((VPIN,))
    one.grow(1)
    state = one.states["vpin"]
    state["imbalances"] = np.full((1, buckets), np.nan)
    state["bucket_lots"][:], state["day"][:] = A_DAY * size, 0
    return one


def fold(one, *signed, at_ns=1):
    panes = VPIN.empty(len(signed))
    lots = np.array(signed, np.int64)
    events = {
        "instrument": np.zeros(len(signed), np.int32),
        "event_ns": np.full(len(signed), at_ns, np.int64),
        "lots": abs(lots),
        "sign": np.sign(lots).astype(np.int8),
    }
    one.fold(events, panes, np.arange(len(signed)))
    return panes["vpin_last"].tolist()


def test_trades_are_split_at_the_boundary_of_a_bucket():
    """Buckets of 10 of +6 -7 +4 +9 -4: |6 - 4|, |-3 + 4 + 3|, |6 - 4|: 2, 4 and 2, nothing left over; 8 / 30."""
    one = running(buckets=3, size=10)
    found = fold(one, 6, -7, 4, 9, -4)
    assert [math.isnan(v) for v in found] == [True, True, True, True, False]
    assert found[-1] == pytest.approx(8 / 30, rel=1e-15)
    assert one.states["vpin"]["filled_lots"].tolist() == [0]


def test_one_trade_fills_as_many_buckets_as_it_is_large():
    assert fold(running(4, 10), 45)[-1] == 1.0


@pytest.mark.parametrize("lots", [10**15 + 1, -(10**15) - 1])
def test_a_trade_of_a_million_million_buckets_takes_no_longer_than_one_of_a_few(lots):
    """As after a day of which the log holds one trade: bucket by bucket this would take a quarter of an hour."""
    one = running(buckets=4, size=10)
    assert fold(one, 7, -2, lots, -5)[-2:] == [1.0, 1.0]
    assert one.states["vpin"]["full"].tolist() == [10**14 + 1]
    assert one.states["vpin"]["filled_lots"].tolist() == [A_DAY * 5]


def test_the_size_of_a_bucket_is_a_fiftieth_of_the_day_before_and_null_before_that():
    one = Running((VPIN,))
    one.grow(1)
    assert math.isnan(fold(one, *[1] * 500, at_ns=1)[-1])
    assert one.states["vpin"]["full"].tolist() == [0]
    fold(one, *[7] * 10, at_ns=DAY_NS + 1)
    assert one.states["vpin"]["bucket_lots"].tolist() == [500]
    assert one.states["vpin"]["full"].tolist() == [7]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-30, 30).filter(bool), min_size=1, max_size=30), st.integers(1, 12))
def test_it_is_the_definition_on_the_stretched_tape(trades, size):
    one = running(3, size)
    tape = [1 if t > 0 else -1 for t in trades for _ in range(abs(t))]
    full = [tape[i : i + size] for i in range(0, len(tape) - size + 1, size)][-3:]
    wanted = float(sum(Fraction(abs(sum(b)), size) for b in full) / 3) if len(full) == 3 else math.nan
    assert fold(one, *trades)[-1] == pytest.approx(wanted, rel=1e-12, nan_ok=True)
