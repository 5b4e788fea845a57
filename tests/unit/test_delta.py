"""Deltas: which rows are news, by hand and against a plain loop."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.delta import Deltas

NAN, INF = math.nan, math.inf


def news(deltas, rows):
    """rows: (key, keyframe, values...)."""
    width = len(deltas.tolerance)
    return deltas.news(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[1] for r in rows], np.bool_),
        np.array([r[2:] for r in rows], np.float64).reshape(-1, width),
    ).tolist()


def test_the_first_row_of_a_key_is_news_even_if_all_of_it_is_null():
    assert news(Deltas([0.0]), [(4, False, NAN), (4, False, NAN), (2, False, NAN)]) == [True, False, True]


def test_a_move_of_exactly_the_tolerance_is_no_news_and_a_larger_one_is():
    assert news(Deltas([0.5]), [(0, False, 1.0), (0, False, 1.5), (0, False, 0.5), (0, False, 1.75)]) == [
        True,
        False,
        False,
        True,
    ]


def test_small_moves_add_up_since_a_row_is_compared_with_the_last_one_published():
    assert news(Deltas([0.5]), [(0, False, x) for x in (1.0, 1.25, 1.5, 1.75, 2.0)]) == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_a_null_that_comes_or_goes_is_news_whatever_the_tolerance():
    assert news(Deltas([INF]), [(0, False, 1.0), (0, False, NAN), (0, False, NAN), (0, False, 9.0)]) == [
        True,
        True,
        False,
        True,
    ]


def test_a_column_of_infinite_tolerance_is_never_news_by_its_value():
    assert news(Deltas([INF, 0.0]), [(0, False, 1.0, 1.0), (0, False, 1e300, 1.0), (0, False, 5.0, 2.0)]) == [
        True,
        False,
        True,
    ]


def test_a_keyframe_is_news_and_what_follows_is_compared_with_it():
    assert news(Deltas([0.5]), [(0, False, 1.0), (0, True, 1.25), (0, False, 1.75), (0, False, 1.8)]) == [
        True,
        True,
        False,
        True,
    ]


def test_no_rows_are_no_news():
    assert news(Deltas([0.5]), []) == []


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
    deltas, got = Deltas(np.array(tolerance)), []
    bounds = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]
    for a, b in pairwise(bounds):
        got += news(deltas, rows[a:b])
        again = Deltas(np.array(tolerance))
        again.thaw(deltas.freeze())
        deltas = again
    assert got == wanted
