"""Varints: 64-bit integers as bytes, seven bits a byte, so that what is small takes little room."""

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]

MOST_BYTES = 10
_LOW_57 = (1 << 57) - 1


@inner
def write(data: U1, at: int, value: int) -> int:
    """Append a 64-bit pattern, lowest bits first; where the next one goes."""
    while value >> 7 != 0:
        data[at] = value & 127 | 128
        value = value >> 7 & _LOW_57
        at += 1
    data[at] = value
    return at + 1


@inner
def read(data: U1, at: int) -> tuple[int, int]:
    """The value at a place, and where the next one is."""
    value = 0
    shift = 0
    while data[at] > 127:
        value |= int(np.int64(data[at] & 127) << shift)
        shift += 7
        at += 1
    return value | int(np.int64(data[at]) << shift), at + 1


@kernel
def _write_steps(values: I8, data: U1) -> int:
    at = int(np.int64(0))
    last = 0
    for value in values:
        step = value - last
        at = write(data, at, step << 1 ^ step >> 63)
        last = value
    return at


@kernel
def _read_steps(data: U1, values: I8) -> None:
    at = int(np.int64(0))
    last = 0
    for i in range(len(values)):
        coded, at = read(data, at)
        last += coded >> 1 & ((1 << 63) - 1) ^ -(coded & 1)
        values[i] = last


def steps(values: I8) -> bytes:
    """Steps from value to value, small ones of either sign in one byte."""
    data = np.empty(MOST_BYTES * len(values), np.uint8)
    return data[: _write_steps(values, data)].tobytes()


def integers(data: bytes, count: int) -> I8:
    """The values that `steps` was given.

    >>> integers(steps(np.array([5, -(2**63), 2**63 - 1])), 3).tolist()
    [5, -9223372036854775808, 9223372036854775807]
    """
    values = np.empty(count, np.int64)
    _read_steps(np.frombuffer(bytearray(data), np.uint8), values)
    return values
