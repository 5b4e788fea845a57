"""Deltas: which rows are news, by hand and against a plain loop."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.delta import Deltas
from operators.evolving import Changed

NAN, INF = math.nan, math.inf


def of(*tolerance):
    return Deltas({f"column_{i}": t for i, t in enumerate(tolerance)})


def news(deltas, rows):
    """rows: (key, keyframe, values...)."""
    width = len(deltas.tolerance)
    return deltas.news(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[1] for r in rows], np.bool_),
        np.array([r[2:] for r in rows], np.float64).reshape(-1, width),
    ).tolist()


def test_the_first_row_of_a_key_is_news_even_if_all_of_it_is_null():
    assert news(of(0.0), [(4, False, NAN), (4, False, NAN), (2, False, NAN)]) == [True, False, True]


def test_a_move_of_exactly_the_tolerance_is_no_news_and_a_larger_one_is():
    assert news(of(0.5), [(0, False, 1.0), (0, False, 1.5), (0, False, 0.5), (0, False, 1.75)]) == [
        True,
        False,
        False,
        True,
    ]


def test_small_moves_add_up_since_a_row_is_compared_with_the_last_one_published():
    assert news(of(0.5), [(0, False, x) for x in (1.0, 1.25, 1.5, 1.75, 2.0)]) == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_a_null_that_comes_or_goes_is_news_whatever_the_tolerance():
    assert news(of(INF), [(0, False, 1.0), (0, False, NAN), (0, False, NAN), (0, False, 9.0)]) == [
        True,
        True,
        False,
        True,
    ]


def test_a_column_of_infinite_tolerance_is_never_news_by_its_value():
    assert news(of(INF, 0.0), [(0, False, 1.0, 1.0), (0, False, 1e300, 1.0), (0, False, 5.0, 2.0)]) == [
        True,
        False,
        True,
    ]


def test_a_keyframe_is_news_and_what_follows_is_compared_with_it():
    assert news(of(0.5), [(0, False, 1.0), (0, True, 1.25), (0, False, 1.75), (0, False, 1.8)]) == [
        True,
        True,
        False,
        True,
    ]


def test_no_rows_are_no_news():
    assert news(of(0.5), []) == []


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from([NAN, 0.0, 0.25, 0.5, 1.0, 7.0]),
        st.sampled_from([NAN, 0.0, 1.0]),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.lists(st.integers(0, 25), max_size=3))
def test_cut_and_thawed_anywhere_the_news_is_that_of_a_plain_loop(rows, cuts):
    tolerance, last, wanted = (0.25, INF), {}, []
    for key, keyframe, *values in rows:
        then = last.get(key)
        moved = then is None or any(
            math.isnan(a) != math.isnan(b) or abs(a - b) > t for a, b, t in zip(values, then, tolerance, strict=True)
        )
        if keyframe or moved:
            last[key] = values
        wanted.append(bool(keyframe or moved))
    deltas, got = of(*tolerance), []
    bounds = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]
    for a, b in pairwise(bounds):
        got += news(deltas, rows[a:b])
        again = of(*tolerance)
        again.thaw(deltas.freeze())
        deltas = again
    assert got == wanted


def test_a_column_that_is_new_is_no_news_before_the_next_row_and_one_that_is_gone_is_forgotten():
    then = Deltas({"gone": 0.0, "mid": 0.5})
    news(then, [(0, False, 7.0, 1.0), (2, False, 7.0, NAN)])
    now = Deltas({"new": 0.0, "mid": 0.5})
    now.thaw(then.freeze())
    assert news(now, [(0, False, 3.0, 1.0), (0, False, 4.0, 2.0), (0, False, 5.0, 2.0)]) == [False, True, True]
    assert news(now, [(2, False, 3.0, NAN), (1, False, 3.0, 1.0)]) == [False, True]


def test_rows_that_do_not_fit_together_are_refused_before_a_kernel_reads_them():
    deltas = of(0.0, 0.0)
    news(deltas, [(3, False, 1.0, 2.0)])
    deltas.last = deltas.last[:, :1]
    with pytest.raises(Changed, match="2 columns of state are named, and 1 are there"):
        of(0.0, 0.0).thaw(deltas.freeze())
    deltas.last = np.zeros((3, 2))
    with pytest.raises(Changed, match="there are 3 last published rows of 4 keys"):
        of(0.0, 0.0).thaw(deltas.freeze())
