"""Baselines that a forecast must beat, fitted on the same span: base rate, persistence, recent volatility.

    climatology: p = b      by a single number x: p = (sum y + b) / (n + 1) in the decile of x, by the fitted deciles

b: share of bursts in the fitted span. Persistence takes x = V(t - h, h) / Q(t, h), how much the window that has just
ended held against the threshold; recent volatility takes x = the volatility of the last minute. Unknown x: p = b.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
BINS = 10


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step function of one number: probability `p[i]` between `edges[i - 1]` and `edges[i]`."""

    edges: list[float]
    p: list[float]
    base_rate: float


def fit(x: F8, y: NDArray[np.int8]) -> Baseline:
    """The step function; constant x makes it the climatology. ValueError without cases.

    >>> made = fit(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1], np.int8))
    >>> predict(made, np.array([0.0, 1.0, np.nan])).round(3).tolist()
    [0.167, 0.833, 0.5]
    """
    if len(y) == 0:
        raise ValueError("a baseline needs cases to be fitted on")
    rate = float(y.mean())
    known = ~np.isnan(x)
    edges = np.unique(np.quantile(x[known], np.arange(1, BINS) / BINS)) if known.any() else np.empty(0)
    at = np.searchsorted(edges, x[known], side="left")
    n = np.bincount(at, minlength=len(edges) + 1)
    bursts = np.bincount(at, weights=y[known].astype(np.float64), minlength=len(edges) + 1)
    return Baseline(edges.tolist(), ((bursts + rate) / (n + 1)).tolist(), rate)


def predict(by: Baseline, x: F8) -> F8:
    """Probabilities of bursts."""
    return np.where(np.isnan(x), by.base_rate, np.array(by.p)[np.searchsorted(by.edges, x, side="left")])
