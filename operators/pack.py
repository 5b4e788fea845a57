"""Pack: a state of arrays as immutable bytes and back, for freeze and thaw."""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[str, list[int], bytes]]).decode


def pack(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Names, dtypes, shapes and bytes of arrays.

    >>> unpack(pack({"a": np.array([[1, 2]])}))["a"]
    array([[1, 2]])
    """
    return _encode({n: (a.dtype.str, a.shape, np.ascontiguousarray(a).tobytes()) for n, a in arrays.items()})


def unpack(data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays that `pack` was given, writable copies."""
    return {n: np.frombuffer(raw, dtype).reshape(shape).copy() for n, (dtype, shape, raw) in _decode(data).items()}
