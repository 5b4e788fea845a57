"""Packed arrays: every bit comes back, below and above the size from which numbers are coded."""

import numpy as np
import pytest

from operators.pack import pack, unpack

SHAPES = [(), (0,), (7,), (511,), (512,), (3, 400), (4, 30, 11), (0, 600)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_bit_of_packed_arrays_comes_back_in_arrays_of_their_own(shape, order):
    random = np.random.default_rng(7)
    payload = np.array([0x7FF8_0000_0000_0001], np.int64).view(np.float64)[0]
    arrays = {
        "floats": random.choice([np.nan, payload, -np.nan, 0.0, -0.0, 1.5, np.inf], size=shape),
        "wide": random.integers(-(2**63), 2**63 - 1, size=shape),
        "narrow": random.integers(-3, 3, size=shape),
        "flags": random.random(shape) < 0.5,
        "words": random.choice(["", "bid", "consumed", "\u00e9"], size=shape).astype("<U8"),
        "bytes": random.integers(0, 255, size=shape).astype(np.uint8),
    }
    arrays = {name: np.asarray(a, order=order) for name, a in arrays.items()}
    back = unpack(pack(arrays))
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()
        assert back[name].flags.writeable and back[name].flags.c_contiguous
