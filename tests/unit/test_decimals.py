"""Floats as units of a power of ten: every bit comes back, whatever they are, and decimals take few."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from operators import decimals, golomb
from operators.pack import pack, unpack

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
PRICE = st.integers(-(10**12), 10**12).map(lambda n: n / 10**4)
LOTS = st.integers(0, 10**9).map(lambda n: n * 1e-3)


@given(
    st.sampled_from([ANY, PRICE, LOTS, st.one_of(PRICE, ANY)]).flatmap(
        lambda of: arrays(np.float64, (600, 2), elements=of)
    )
)
def test_every_bit_of_a_packed_float_comes_back(array):
    assert unpack(pack({"a": array}))["a"].tobytes() == array.tobytes()


def test_prices_and_sizes_take_less_than_half_of_their_bits():
    chance = np.random.default_rng(7)
    columns = [
        chance.integers(5_000_000, 6_000_000, 5_000) / 100,
        chance.integers(1, 100_000, 5_000) * 1e-3,
        chance.integers(0, 50, 5_000).astype(np.float64),
    ]
    kind, whole = decimals.units(np.array(columns), np.ones((3, 5_000), np.bool_))
    assert kind.tolist() == [4, 7, 0]
    assert decimals.floats(kind, whole).tobytes() == np.array(columns).tobytes()
    for column, units in zip(columns, whole, strict=True):
        assert len(golomb.steps(units)) < len(golomb.steps(column.view(np.int64))) / 2


def test_what_a_release_before_packed_is_read():
    values = np.array([[1.5, np.nan], [1.5, 2.25]] * 300)
    bits = values.view(np.int64)
    null, again = np.isnan(values), np.zeros(values.shape, np.bool_)
    again[1:] = bits[1:] == bits[:-1]
    left = golomb.steps(bits.T[~(null | again).T])
    parts = [np.packbits(null).tobytes(), np.packbits(again).tobytes(), left]
    was = msgspec.msgpack.encode({"a": ("<f8", values.shape, parts)})
    assert unpack(was)["a"].tobytes() == values.tobytes()
