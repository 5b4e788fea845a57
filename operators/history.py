"""History: the last minutes as sums over stretches of event time, declared as state (`contract.History`)."""

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8
from schemas.kernels import inner

F8 = NDArray[np.float64]


@inner
def moved_on(sums: F8, at: I8, k: int, stretch: int) -> bool:
    """Have the last bucket of instrument k be that of `stretch`, forgetting as many; False if it is gone by already.

    A stretch that is older than the last one but still held is not moved to: sums are added to the last bucket only.
    """
    if at[k] >= 0 and stretch < at[k]:
        return False
    buckets = sums.shape[1]
    steps = buckets if at[k] < 0 else min(buckets, stretch - at[k])
    if steps > 0:
        for b in range(buckets):
            for c in range(sums.shape[2]):
                sums[k, b, c] = sums[k, b + steps, c] if b + steps < buckets else 0.0
        at[k] = stretch
    return True


@inner
def total(sums: F8, k: int, c: int) -> float:
    """One of the sums over all buckets of instrument k."""
    out = 0.0
    for b in range(sums.shape[1]):
        out += sums[k, b, c]
    return out
