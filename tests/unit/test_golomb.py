"""Golomb codes: every integer comes back, small ones in few bits, and what is no code is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.golomb import integers, steps

I64 = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.integers(-3, 3), I64, st.just(-(2**63)), st.just(2**63 - 1)), max_size=40))
def test_integers_of_any_size_in_any_order_come_back(values):
    given_ = np.array(values, np.int64)
    assert integers(steps(given_), len(given_)).tolist() == values


def test_what_is_equal_takes_a_bit_and_what_follows_a_geometric_law_little_more_than_its_entropy():
    assert len(steps(np.zeros(8_000, np.int64))) <= 1_002
    # Steps of 1, 2, 3 ... with probabilities 1/2, 1/4, 1/8 ...: two bits of entropy; written as integers of either sign.
    gaps = np.random.default_rng(3).geometric(0.5, 8_000)
    assert len(steps(np.cumsum(gaps))) * 8 < 4.5 * 8_000


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 200))
def test_bytes_that_are_no_code_are_refused_or_read_and_never_followed_beyond_their_end(data, count):
    try:
        assert len(integers(data, count)) == count
    except ValueError as error:
        assert str(error) == f"{len(data)} bytes do not hold {count} integers"


def test_bytes_that_end_early_are_refused():
    data = steps(np.arange(0, 10**9, 10**6))
    with pytest.raises(ValueError, match=f"{len(data) - 20} bytes do not hold 1000 integers"):
        integers(data[:-20], 1000)
