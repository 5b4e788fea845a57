"""Pack: a state of arrays as immutable bytes and back, for freeze and thaw; every bit of every number comes back.

Integers stand as the steps between them, along the first axis, in Golomb codes. Of floats, those that are NaN, and
those with the bits of the one before them along the first axis, are only marked: most of a state is null or unchanged;
of the others the bits stand as integers do.
Of words stand those that there are, and which of them each is; of flags the bits. Small arrays stand as they are.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators import golomb

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[str, list[int], list[bytes]]]).decode
_NAN = np.float64(np.nan).view(np.int64)
_SMALL = 512
"""Numbers of an array below which it is not worth coding."""


def _floats(array: NDArray[np.float64]) -> list[bytes]:
    bits = np.ascontiguousarray(array).view(np.int64).reshape(len(array), -1)
    null = bits == _NAN
    again = np.zeros(bits.shape, np.bool_)
    np.equal(bits[1:], bits[:-1], out=again[1:])
    left = golomb.steps(bits.T[~(null | again).T])
    return [np.packbits(null).tobytes(), np.packbits(again).tobytes(), left]


def _from_floats(parts: list[bytes], shape: list[int]) -> NDArray[np.float64]:
    size = int(np.prod(shape))
    null, again = (
        np.unpackbits(np.frombuffer(p, np.uint8), count=size).view(np.bool_).reshape(shape[0], -1) for p in parts[:2]
    )
    left = ~(null | again)
    bits = np.full(null.shape, _NAN, np.int64)
    bits.T[left.T] = golomb.integers(parts[2], int(np.count_nonzero(left)))
    row = np.where(again, 0, np.arange(len(bits))[:, None])
    np.maximum.accumulate(row, axis=0, out=row)
    return np.take_along_axis(bits, row, axis=0).view(np.float64).reshape(shape)


def _coded(array: NDArray[Any]) -> tuple[str, tuple[int, ...], list[bytes]]:
    kind = array.dtype.str if array.size >= _SMALL else ""
    if kind == "<i8":
        parts = [golomb.steps(array.ravel(order="F"))]
    elif kind == "<f8":
        parts = _floats(array)
    elif kind == "|b1":
        parts = [np.packbits(array).tobytes()]
    elif kind.startswith("<U"):
        words, which = np.unique(array, return_inverse=True)
        parts = [words.tobytes(), golomb.steps(which.ravel())]
    else:
        parts = [np.ascontiguousarray(array).tobytes()]
    return array.dtype.str, array.shape, parts


def _decoded(dtype: str, shape: list[int], parts: list[bytes]) -> NDArray[Any]:
    size = int(np.prod(shape))
    kind = dtype if size >= _SMALL else ""
    if kind == "<i8":
        return np.ascontiguousarray(golomb.integers(parts[0], size).reshape(shape, order="F"))
    if kind == "<f8":
        return _from_floats(parts, shape)
    if kind == "|b1":
        return np.unpackbits(np.frombuffer(parts[0], np.uint8), count=size).view(np.bool_).reshape(shape)
    if kind.startswith("<U"):
        return np.asarray(np.frombuffer(parts[0], dtype)[golomb.integers(parts[1], size)].reshape(shape))
    return np.frombuffer(parts[0], dtype).reshape(shape).copy()


def pack(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Names, dtypes, shapes and contents of arrays.

    >>> unpack(pack({"a": np.array([[1, 2]])}))["a"]
    array([[1, 2]])
    >>> many = np.array([np.nan, 1.5, -0.0] * 300).reshape(2, 450)
    >>> unpack(pack({"many": many}))["many"].tobytes() == many.tobytes(), len(pack({"many": many})) / many.nbytes < 0.4
    (True, True)
    """
    return _encode({n: _coded(a) for n, a in arrays.items()})


def unpack(data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays that `pack` was given, writable copies."""
    return {n: _decoded(*coded) for n, coded in _decode(data).items()}
