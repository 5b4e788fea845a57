"""Risk levels of a burst probability against its base rate b, which fall only after three minutes of calm.

    low p < 2 b      medium 2 b <= p < 5 b      high p >= 5 b      critical p >= 10 b and E[V] >= q99 / 2

Up at once; down when p (and E[V]) have been below 0.8 of the level's threshold for three minutes in a row.
Unknown p: the level stays as it is and the three minutes start again.
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
LEVELS = np.array(["low", "medium", "high", "critical"])
CALM_MINUTES = 3
SLACK = 0.8


def level(p: F8, base_rate: Array, expected_usd: F8, q99_usd: Array, slack: float = 1.0) -> I8:
    """Index into `LEVELS`, every threshold times `slack`; NaN counts as low.

    >>> level(np.array([0.09, 0.1, 0.25, 0.5]), np.full(4, 0.05), np.full(4, 1.0), np.full(4, 2.0)).tolist()
    [0, 1, 2, 3]
    """
    b = slack * np.asarray(base_rate, np.float64)
    critical = (p >= 10 * b) & (expected_usd >= slack * np.asarray(q99_usd) / 2)
    return (p >= 2 * b).astype(np.int64) + (p >= 5 * b) + ((p >= 5 * b) & critical)


def hold(before: I8, calm: I8, now: I8, slack: I8, known: NDArray[np.bool_]) -> tuple[I8, I8]:
    """The levels in force and their minutes of calm, from those before and `level` without and with slack.

    >>> before, calm = np.array([2]), np.array([0])
    >>> for _ in range(3):
    ...     before, calm = hold(before, calm, np.array([0]), np.array([1]), np.array([True]))
    >>> before.tolist()
    [1]
    """
    calmer = known & (slack < before)
    minutes = np.where(calmer, calm + 1, 0)
    fall = minutes >= CALM_MINUTES
    force = np.where(fall, slack, before)
    force = np.where(known, np.maximum(force, now), before)
    return force, np.where(fall, 0, minutes)
