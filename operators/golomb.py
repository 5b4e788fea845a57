"""Golomb codes: 64-bit integers as bits, few of them where the integers are small or as large as those before them.

A value v is written with k: the number of digits, beyond k, of w = v + 2**k as so many zero bits and a one, then w
without its first digit: an exponential Golomb code of order k. k follows the mean number of digits of the values
before, so no table precedes them, one pass writes and one reads.

Teuhola (1978), A compression method for clustered bit-vectors, Information Processing Letters 7(6), 308-311; k as in
Weinberger, Seroussi & Sapiro (2000), The LOCO-I lossless image compression algorithm, IEEE Trans. Image Proc. 9(8).
"""

import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros
from numpy.typing import NDArray

from schemas.kernels import inlined, kernel

I8 = NDArray[np.int64]
U8 = NDArray[np.uint64]

MOST_BITS = 130
"""Of one value."""
SPARE = 3
"""Words behind the last bit that a reader may look at."""
START = 16
"""What `mean` begins with: eight times the digits that the first value is expected to have."""


@inlined
def write(words: U8, at: int, mean: int, value: np.uint64) -> tuple[int, int]:
    """Write a value at bit `at` of words that are zero from there on; where the next goes, and the mean by then."""
    one = np.uint64(1)
    k = max(0, (mean >> 3) - 1)
    whole = value + (one << np.uint64(k))
    rest = 64 if whole < value else _digits(whole) - 1
    at += rest - k
    if rest < 63:
        _put(words, at, (whole & ((one << np.uint64(rest)) - one)) << one | one)
    else:
        _put(words, at, one)
        _put(words, at + 1, whole if rest == 64 else whole & ((one << np.uint64(63)) - one))
    return at + 1 + rest, mean + _digits(value | one) - (mean >> 3)


@inlined
def _digits(value: np.uint64) -> int:
    """Of a number in base two that is not 0."""
    return 64 - int(np.int64(leading_zeros(value)))  # type: ignore[call-arg]


@inlined
def _put(words: U8, at: int, bits: np.uint64) -> None:
    word, within = at >> 6, at & 63
    words[word] |= bits << np.uint64(within)
    words[word + 1] = bits >> np.uint64(1) >> np.uint64(63 - within)


@inlined
def _look(words: U8, at: int) -> np.uint64:
    """The 64 bits from `at` on."""
    word, within = at >> 6, at & 63
    return np.uint64(words[word] >> np.uint64(within) | words[word + 1] << np.uint64(1) << np.uint64(63 - within))


@inlined
def read(words: U8, at: int, mean: int) -> tuple[np.uint64, int, int]:
    """The value at a bit, where the next one is (-1: this is no code), and the mean by then."""
    one = np.uint64(1)
    k = max(0, (mean >> 3) - 1)
    seen = _look(words, at)
    zeros = 64
    if seen != 0:
        zeros = int(np.int64(trailing_zeros(seen)))  # type: ignore[call-arg]
    elif words[(at + 64) >> 6] >> np.uint64((at + 64) & 63) & one == 0:
        return np.uint64(0), -1, mean
    rest = zeros + k
    at += zeros + 1
    if rest > 64:
        return np.uint64(0), -1, mean
    bits = seen >> np.uint64(zeros + 1) if zeros + 1 + rest <= 63 else _look(words, at)
    whole = bits & ((one << np.uint64(rest)) - one) | one << np.uint64(rest) if rest < 64 else bits
    value = whole - (one << np.uint64(k))
    return np.uint64(value), at + rest, mean + _digits(np.uint64(value | one)) - (mean >> 3)


@kernel
def _write_steps(values: I8, words: U8) -> int:
    at, mean = int(np.int64(0)), int(np.int64(START))
    last = int(np.int64(0))
    for value in values:
        step = value - last
        at, mean = write(words, at, mean, np.uint64(step << 1 ^ step >> 63))
        last = value
    return at


@kernel
def _read_steps(words: U8, bits: int, values: I8) -> bool:
    at, mean = int(np.int64(0)), int(np.int64(START))
    last = int(np.int64(0))
    for i in range(len(values)):
        coded, at, mean = read(words, at, mean)
        if at < 0 or at > bits:
            return False
        last += int(np.int64(coded >> np.uint64(1)) ^ -np.int64(coded & np.uint64(1)))
        values[i] = last
    return True


def room(values: int) -> U8:
    """Words for so many values, whatever they are."""
    return np.zeros(MOST_BITS * values // 64 + SPARE, np.uint64)


def taken(words: U8, bits: int) -> bytes:
    """The bytes that hold the first bits."""
    return words.view(np.uint8)[: -(-bits // 8)].tobytes()


def opened(data: bytes) -> U8:
    """Bytes as words, behind which a reader may look."""
    return np.frombuffer(data + bytes(8 * SPARE - len(data) % 8), np.uint64)


def steps(values: I8) -> bytes:
    """Steps from value to value; as long as the values are equal, eight to a byte."""
    words = room(len(values))
    return taken(words, _write_steps(values, words))


def integers(data: bytes, count: int) -> I8:
    """The values that `steps` was given. ValueError where it was not.

    >>> integers(steps(np.array([5, -(2**63), 2**63 - 1])), 3).tolist()
    [5, -9223372036854775808, 9223372036854775807]
    """
    values = np.empty(count, np.int64)
    if not _read_steps(opened(data), 8 * len(data), values):
        raise ValueError(f"{len(data)} bytes do not hold {count} integers")
    return values
