"""Decimals: floats as whole numbers of units of 10^-e where every bit comes back: prices, sizes and counts are such.

All of a column have one e. A float that was read from a decimal is units / 10^e, one that is lots of a lot size is
units * 10^-e; for some units these differ in the last bit, so both are tried, the coarsest e first.

Source: Afroozeh, Kuffo & Boncz (2023), ALP: Adaptive Lossless floating-Point Compression, SIGMOD, section 3.
"""

import math

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
I1 = NDArray[np.int8]
Flags = NDArray[np.bool_]

BITS = -1
"""The kind of a column that is not of decimals: floats stand as bits. Others: 2 e where divided by 10^e, else + 1."""
FINEST = 9
WHOLE = 2.0**52
"""Units beyond it are not whole numbers for certain."""
POWERS = np.array([float(f"1e{e}") for e in range(FINEST + 1)])
UNITS = np.array([float(f"1e-{e}") for e in range(FINEST + 1)])


@kernel
def _units(values: F8, wanted: Flags, powers: F8, units: F8, kind: I1, whole: I8) -> None:
    """A row a column: the first kind that gives every wanted value back; where there is none `whole` stays as it is."""
    for c in range(len(values)):
        for k in range(2 * len(powers)):
            e = k >> 1
            fits = True
            for i in range(values.shape[1]):
                if not wanted[c, i]:
                    continue
                value = values[c, i]
                n = np.rint(value / units[e] if k & 1 else value * powers[e])
                back = n * units[e] if k & 1 else n / powers[e]
                if back != value or abs(n) > WHOLE or (n == 0 and math.copysign(1.0, value) < 0):
                    fits = False
                    break
            if fits:
                kind[c] = k
                for i in range(values.shape[1]):
                    if wanted[c, i]:
                        value = values[c, i]
                        whole[c, i] = np.int64(np.rint(value / units[e] if k & 1 else value * powers[e]))
                break


def units(values: F8, wanted: Flags) -> tuple[I1, I8]:
    """Of columns (a row each) the kind, and the wanted values as units, or as bits where the kind is `BITS`.

    >>> kind, whole = units(np.array([[0.5, 57123.25], [1 / 3, 0.1], [7.0, -0.0]]), np.ones((3, 2), np.bool_))
    >>> kind.tolist(), whole[0].tolist()
    ([4, -1, -1], [50, 5712325])
    """
    kind, whole = np.full(len(values), BITS, np.int8), values.view(np.int64).copy()
    _units(values, wanted, POWERS, UNITS, kind, whole)
    return kind, whole


def floats(kind: NDArray[np.integer], whole: I8) -> F8:
    """The values again.

    >>> floats(np.array([4, 5]), np.array([[57], [57]])).tolist()
    [[0.57], [0.5700000000000001]]
    """
    of = kind[:, None]
    e = np.maximum(of, 0) >> 1
    return np.where(of == BITS, whole.view(np.float64), np.where(of & 1, whole * UNITS[e], whole / POWERS[e]))
