"""Order-flow imbalance: analytics 1.10."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.flow import ORDER_FLOW
from tests.operators import folded


def messages(*touches, live=None, fresh=None, instrument=None):
    """Touches as (bid, its size, ask, its size), or five such levels; prices times 10 so that 100.5 is a tick."""
    n = len(touches)
    levels = np.zeros((4, n, 5), np.int64)
    for i, touch in enumerate(touches):
        for m, level in enumerate([touch] if not isinstance(touch[0], tuple) else touch):
            bid, bid_size, ask, ask_size = level
            levels[:, i, m] = round(bid * 10), bid_size, round(ask * 10), ask_size
    return {
        "instrument": np.array(instrument or [0] * n, np.int32),
        "live": np.array(live or [True] * n),
        "fresh": np.array(fresh or [False] * n),
        "bid_ticks": levels[0],
        "bid_lots": levels[1],
        "ask_ticks": levels[2],
        "ask_lots": levels[3],
    }


def flow(*touches, level=0, **flags):
    """The flow of each message: each stands in a pane of its own."""
    n = len(touches)
    out = folded(ORDER_FLOW, messages(*touches, **flags), n, np.arange(n))
    found = zip(out[f"ofi_lots_{level + 1}"].tolist(), out["ofi_messages"].tolist(), strict=True)
    return [e if known else None for e, known in found]


@pytest.mark.parametrize(("after", "e"), [((100.5, 5, 101, 10), 5), ((100, 10, 100.5, 5), -5), ((100, 15, 101, 10), 5)])
def test_one_quote_after_another_as_in_a_public_unit_test_and_the_first_is_not_known(after, e):
    assert flow((100, 10, 101, 10), after) == [None, e]


def test_the_hand_checked_sequence_sums_to_8():
    quotes = [
        (100, 10, 101, 10),
        (100, 14, 101, 10),
        (100, 14, 101, 6),
        (100.5, 5, 101, 6),
        (100.5, 5, 100.8, 7),
        (100, 14, 100.8, 7),
        (100, 14, 101, 6),
    ]
    found = flow(*quotes)
    assert found == [None, 4, 4, 5, -7, -5, 7]
    assert sum(e for e in found if e is not None) == 8


def test_a_resync_is_not_differenced_across():
    assert flow((100, 10, 101, 10), (100, 99, 101, 1), (100, 98, 101, 1), fresh=[False, True, False]) == [
        None,
        None,
        -1,
    ]


def test_a_book_that_was_not_live_is_not_differenced_with():
    touches = [(100, 10, 101, 10), (100, 50, 101, 10), (100, 60, 101, 10), (100, 61, 101, 10)]
    assert flow(*touches, live=[True, False, True, True]) == [None, None, None, 1]


def test_instruments_do_not_mix():
    touches = [(100, 10, 101, 10), (7, 1, 8, 1), (100, 12, 101, 10), (7, 1, 8, 4)]
    assert flow(*touches, instrument=[0, 5, 0, 5]) == [None, None, 2, -3]


def test_a_side_that_empties_loses_all_that_stood_there():
    assert flow((100, 10, 101, 6), (0, 0, 101, 6), (0, 0, 0, 0), (100, 3, 0, 0), (100, 3, 101, 2)) == [
        None,
        -10,
        6,
        3,
        -2,
    ]


def test_deeper_levels_are_compared_with_themselves():
    before = ((100, 10, 101, 10), (99, 20, 102, 20))
    after = ((100, 10, 101, 10), (99, 26, 102, 19))
    assert flow(before, after, level=1) == [None, 7]
    assert flow(before, after, level=0) == [None, 0]


def window(*touches, mid=100.5, contract=1.0, inverse=False, **flags):
    panes = folded(ORDER_FLOW, messages(*touches, **flags))
    one = {"mid": mid, "lot_mantissa": 1.0, "lot_scale": 10.0, "contract": contract, "inverse": inverse}
    row = ORDER_FLOW.compute({**panes, **{name: np.array([value]) for name, value in one.items()}})
    return {name: array[0].item() for name, array in row.items()}


def test_a_window_sums_known_flows_in_base_units_and_relative_to_the_mean_queue():
    found = window((100, 10, 101, 10), (100, 14, 101, 10), (100, 14, 101, 6))
    assert found["ofi"] == 0.8  # 8 lots of 0.1
    assert found["ofi_per_depth"] == pytest.approx(8 / ((14 + 10 + 14 + 6) / 4))
    assert math.isnan(found["mlofi_2"])


def test_a_level_with_anything_in_it_has_a_flow_even_if_it_is_zero():
    level = ((100, 10, 101, 10), (99, 20, 102, 20))
    found = window(level, level)
    assert (found["ofi"], found["mlofi_2"]) == (0.0, 0.0)
    assert math.isnan(found["mlofi_3"])


def test_what_left_a_level_at_which_nothing_stands_afterwards_is_a_flow_too():
    found = window(((100, 10, 101, 10), (99, 20, 102, 30)), ((100, 10, 101, 10), (0, 0, 102, 30)))
    assert found["mlofi_2"] == -2.0
    gone = window(((100, 10, 101, 10), (99, 20, 102, 30)), (100, 10, 101, 10))
    assert gone["mlofi_2"] == 1.0  # 30 lots offered and 20 bid went
    assert math.isnan(gone["mlofi_3"])
    emptied = window((100, 10, 101, 10), (0, 0, 101, 10), (0, 0, 0, 0))
    assert emptied["ofi"] == 0.0 and emptied["ofi_per_depth"] == 0.0  # 10 bid went, then 10 offered


def test_a_window_whose_flows_are_not_known_is_null_not_zero():
    assert all(math.isnan(value) for value in window((100, 10, 101, 10)).values())


def test_inverse_flow_is_dollars_over_mid():
    found = window((100, 10, 101, 10), (100, 30, 101, 10), mid=50.0, contract=100.0, inverse=True)
    assert found["ofi"] == 20 * 0.1 * 100 / 50


def test_the_trap_of_strict_inequalities_a_size_that_changes_at_its_price_is_a_flow():
    # analytics 1.10: public codes with b_n > b_{n-1} say 0 here
    assert flow((100, 10, 101, 10), (100, 15, 101, 10), (100, 15, 101, 4)) == [None, 5, 6]


def queue_flow(before, after, sign):
    """Of one side of one level, (price, size) or nothing: what was added less what went, bids; asks turned over."""
    (p0, q0), (p1, q1) = ((sign * p, q) if q else (-(2**63), 0) for p, q in (before, after))
    return sign * ((q1 if p1 >= p0 else 0) - (q0 if p1 <= p0 else 0))


touches = st.tuples(st.integers(1, 4), st.integers(0, 9), st.integers(5, 8), st.integers(0, 9))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(touches, touches, st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_flows_are_those_of_comparing_each_queue_with_itself(drawn):
    quotes = [
        tuple((b if q else 0, q, a if r else 0, r) for b, q, a, r in (first, second)) for first, second, *_ in drawn
    ]
    live, fresh = [d[2] for d in drawn], [d[3] for d in drawn]
    for level in (0, 1):
        wanted = [None]
        for i in range(1, len(quotes)):
            (b0, q0, a0, r0), (b1, q1, a1, r1) = quotes[i - 1][level], quotes[i][level]
            e = queue_flow((b0, q0), (b1, q1), 1) + queue_flow((a0, r0), (a1, r1), -1)
            wanted.append(e if live[i - 1] and live[i] and not fresh[i] else None)
        assert flow(*quotes, level=level, live=live, fresh=fresh) == wanted
