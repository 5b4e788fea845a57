"""Sign rules: the rows of tclf's tests (BSD-3, tests/test_classical_classifier.py), which are analytics 2.2."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.tape.sign_rules import carried, clnv, emo, flagged, lee_ready, quote, tick


def each(rule, *rows):
    """The sign of each row by itself."""
    return [int(rule(*(np.array([float(v)]) for v in row))[0]) for row in rows]


def test_the_flag_of_a_waiting_buyer_says_that_the_seller_came():
    assert flagged(np.array([True, False])).tolist() == [-1, 1]


def test_tick_rule_of_tclf():
    assert each(tick, (1, 2), (2, 1)) == [-1, 1]
    assert tick(np.array([2.0, 2.0, 1.0, 1.0]), np.array([1.0, 2.0, 2.0, 1.0])).tolist() == [1, 1, -1, -1]


def test_quote_rule_of_tclf_and_nothing_at_the_mid_crossed_or_one_sided():
    assert each(quote, (1, 1, 3), (3, 1, 3)) == [-1, 1]
    assert each(quote, (2, 1, 3), (1, 3, 1), (1, np.nan, 3), (3, 1, np.nan)) == [0, 0, 0, 0]


@pytest.mark.parametrize(("rule", "signs"), [(lee_ready, [-1, 1, 1, -1]), (emo, [-1, 1, 1, -1])])
def test_lee_ready_and_emo_of_tclf(rule, signs):
    assert each(rule, (1, 1, 3, 0), (3, 1, 3, 0), (1, 1, 1, 0), (3, 2, 4, 4)) == signs


def test_clnv_of_tclf():
    rows = [(5, 3, 1, 0), (0, 3, 1, 1), (2.9, 3, 1, 1), (2.3, 3, 1, 3), (1.7, 3, 1, 0), (1.3, 3, 1, 1)]
    assert each(clnv, *[(p, bid, ask, before) for p, ask, bid, before in rows]) == [1, -1, 1, -1, 1, -1]


def test_what_no_rule_says_takes_the_sign_before_it_never_a_random_one():
    assert carried(np.array([0, 0, -1, 0, 1, 0])).tolist() == [0, 0, -1, -1, 1, 1]
    assert carried(np.array([])).tolist() == []


prices = st.integers(1, 6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(prices, prices, prices, prices), max_size=12))
def test_a_market_upside_down_has_the_opposite_signs(rows):
    p, bid, ask, before = np.array(rows, np.float64).reshape(-1, 4).T
    for rule in (lee_ready, emo, clnv):
        np.testing.assert_array_equal(rule(10 - p, 10 - ask, 10 - bid, 10 - before), -rule(p, bid, ask, before))
