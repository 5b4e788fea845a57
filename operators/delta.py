"""Delta: a row is news when something in it moved beyond its declared tolerance, or when its window ends at a keyframe.

A null that was none before, or the other way about, has moved. A tolerance of infinity says that a column is never
news by itself (an age, a counter of time).
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from operators.evolving import Changed, Part, begun, marks, taken_up
from operators.pack import pack, unpack
from schemas.kernels import kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]


@kernel
def _news(key: I8, keyframe: Flags, values: F8, tolerance: F8, last: F8, known: Flags, out: Flags) -> None:
    """Compare each row, a column of `values`, with the last published one of its key, in order.

    Minus infinity: not known, so no news.
    """
    for r in range(len(key)):
        k = key[r]
        news = keyframe[r] or not known[k]
        for c in range(len(tolerance)):
            if news:
                break
            now, then = values[c, r], last[k, c]
            if then == -np.inf:
                continue
            if math.isnan(now) != math.isnan(then) or abs(now - then) > tolerance[c]:
                news = True
        if news:
            known[k] = True
            for c in range(len(tolerance)):
                last[k, c] = values[c, r]
        out[r] = news


class Deltas:
    """The last published row of every key of one table."""

    def __init__(self, tolerance: Mapping[str, float]) -> None:
        """Column -> its tolerance, in the column's unit, in the order of the values."""
        self.names = tuple(tolerance)
        self.parts = [Part(name, "1") for name in tolerance]
        self.tolerance = np.array(list(tolerance.values()), np.float64)
        self.last = np.empty((0, len(self.tolerance)), np.float64)
        self.known = np.zeros(0, np.bool_)

    def news(self, key: I8, keyframe: Flags, values: F8) -> Flags:
        """Which rows to publish.

        >>> d = Deltas({"mid": 0.5})
        >>> d.news(np.zeros(4, np.int64), np.array([False, False, False, True]), np.array([[1.0], [1.2], [2.0], [2.0]]))
        array([ True, False,  True,  True])
        """
        if values.shape != (len(key), len(self.tolerance)):
            raise ValueError(f"rows of {values.shape[1]} columns, where {len(self.tolerance)} are compared")
        if len(key):
            more = int(key.max()) + 1 - len(self.known)
            if more > 0:
                self.known = np.append(self.known, np.zeros(more, np.bool_))
                self.last = np.vstack([self.last, np.full((more, len(self.tolerance)), np.nan)])
        out = np.empty(len(key), np.bool_)
        _news(key, keyframe, np.ascontiguousarray(values.T, np.float64), self.tolerance, self.last, self.known, out)
        return out

    def freeze(self) -> bytes:
        """The last published rows."""
        return pack({"last": self.last, "known": self.known, "marks": marks(self.parts)})

    def thaw(self, data: bytes, fresh: frozenset[str] = frozenset()) -> None:
        """Take up what was frozen; one that is new, or of `fresh`, is no news before the next row of its key.

        Changed if what was frozen does not fit together: the kernel checks no bounds.
        """
        was = unpack(data)
        last, known = was["last"].astype(np.float64), was["known"].astype(np.bool_)
        if len(last) != len(known):
            raise Changed(f"there are {len(last)} last published rows of {len(known)} keys")
        unknown = np.full(len(self.parts), -np.inf)
        self.last, self.known = taken_up(last, was["marks"], begun(self.parts, fresh), unknown), known
