"""Price steps: prices cut into steps that are round and about as wide, relative to the price, for all instruments."""

import numpy as np

from operators.contract import I8, Array

ROUND = np.array([m * 10**k for k in range(18) for m in (1, 2, 5)], np.int64)
"""1, 2, 5, 10, 20, 50, ..."""


def step_ticks(ticks: Array, bps: int) -> I8:
    """The widest of the round numbers of ticks that is no wider than `bps` of the price, and a tick at the least.

    >>> step_ticks(np.array([617_736, 9_999, 20_000, 3]), 1).tolist()
    [50, 1, 2, 1]
    """
    return np.asarray(ROUND[np.maximum(np.searchsorted(ROUND, ticks * bps // 10_000, side="right") - 1, 0)])
