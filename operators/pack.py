"""Pack: a state of arrays as immutable bytes and back, for freeze and thaw; every bit of every number comes back.

Integers stand as the steps between them, along the first axis, in Golomb codes. Of floats, those that are NaN, and
those with the bits of the one before them along the first axis, are only marked: most of a state is null or unchanged.
The others stand as integers do: as units where their column is of decimals (`decimals`), else by their bits.
Of words stand those that there are, and which of them each is; of flags the bits. Small arrays stand as they are.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators import decimals, golomb

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[str, list[int], list[bytes]]]).decode
_NAN = np.float64(np.nan).view(np.int64)
_SMALL = 512
"""Numbers of an array below which it is not worth coding."""
_SHORT = 32
"""Numbers of a column below which it is not looked at for decimals; releases before looked at none."""


def _floats(array: NDArray[np.float64]) -> list[bytes]:
    values = np.ascontiguousarray(array.reshape(len(array), -1).T)
    bits = values.view(np.int64)
    null = bits == _NAN
    again = np.zeros(bits.shape, np.bool_)
    np.equal(bits[:, 1:], bits[:, :-1], out=again[:, 1:])
    stand = ~(null | again)
    flags = [np.packbits(plane.T).tobytes() for plane in (null, again)]
    if len(array) < _SHORT:
        return [*flags, golomb.steps(bits[stand])]
    kind, whole = decimals.units(values, stand)
    return [*flags, golomb.steps(whole[stand]), kind.tobytes()]


def _from_floats(parts: list[bytes], shape: list[int]) -> NDArray[np.float64]:
    size = int(np.prod(shape))
    null, again = (
        np.unpackbits(np.frombuffer(p, np.uint8), count=size).view(np.bool_).reshape(shape[0], -1).T for p in parts[:2]
    )
    stand = ~(null | again)
    whole = np.zeros(stand.shape, np.int64)
    whole[stand] = golomb.integers(parts[2], int(np.count_nonzero(stand)))
    kind = np.frombuffer(parts[3], np.int8) if len(parts) > 3 else np.full(len(stand), decimals.BITS)
    values = np.where(null, np.nan, decimals.floats(kind, whole))
    row = np.where(again, 0, np.arange(values.shape[1]))
    np.maximum.accumulate(row, axis=1, out=row)
    return np.ascontiguousarray(np.take_along_axis(values, row, axis=1).T).reshape(shape)


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
