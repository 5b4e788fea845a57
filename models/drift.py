"""Drift: population stability index between the shares of bins then and now.

    PSI = sum_i (a_i - e_i) ln(a_i / e_i), shares floored at 1e-4

Dimensionless, never negative. Below .1 is no drift, above .25 an alarm.
"""

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
LEAST_SHARE = 1e-4


def psi(expected: F8, actual: F8) -> float:
    """The index of two sets of shares.

    >>> round(psi(np.full(4, 0.25), np.array([0.4, 0.3, 0.2, 0.1])), 7)
    0.2282174
    """
    e, a = np.maximum(expected, LEAST_SHARE), np.maximum(actual, LEAST_SHARE)
    return float(((a - e) * np.log(a / e)).sum())
