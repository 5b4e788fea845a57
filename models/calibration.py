"""Calibration: fit the map from scores to probabilities on time that is later than the model's, and measure it.

The Venn-Abers ends are computed here by their definition: the package of that name imports pandas, switches numpy's
warnings off for the process, and warns on scores of a model without skill.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]

from models.calibrator import Calibrator, expit, logit

F8 = NDArray[np.float64]
ENOUGH_FOR_ISOTONIC = 1000
SCORE_DECIMALS = 4
PRIOR_SD = 0.5
STEPS = 50


def fit(score: F8, y: NDArray[np.int8], weight: float = 1.0) -> Calibrator:
    """Isotonic with at least 1000 independent positives, else Platt. ValueError when only one class is there.

    `weight`: how much of an independent case a case is; windows of h minutes that begin each minute overlap, so 1 / h.

    >>> rng = np.random.default_rng(0)
    >>> score = rng.random(500)
    >>> fit(score, (rng.random(500) < score).astype(np.int8)).kind
    'platt'
    """
    positives = int(y.sum())
    if not 0 < positives < len(y):
        raise ValueError(f"calibration needs bursts and calm: {positives} bursts in {len(y)} cases")
    if weight * positives >= ENOUGH_FOR_ISOTONIC:
        told = np.round(score, SCORE_DECIMALS)
        isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(told, y)
        knots, values = isotonic.X_thresholds_.tolist(), isotonic.y_thresholds_.tolist()
        return Calibrator("isotonic", knots, values, *_venn_abers(told, y))
    values, covariance = _platt(logit(score), y, weight)
    return Calibrator("platt", [], values, [], [], [], covariance)


def _platt(log_odds: F8, y: NDArray[np.int8], weight: float) -> tuple[list[float], list[float]]:
    """Slope and shift of most posterior probability, and their covariance (Laplace's) as aa, ab, bb.

    A priori they are normal around 1 and 0 (the score as it is), sd 0.5: a block with few independent bursts says
    little about how often they come elsewhere, so it changes little and leaves the interval wide.
    """
    design = np.column_stack([log_odds, np.ones(len(y))])
    prior, precision = np.array([1.0, 0.0]), np.eye(2) / PRIOR_SD**2
    at = prior.copy()

    def loss(at: F8) -> float:
        z, away = design @ at, at - prior
        return float(weight * (np.logaddexp(0, z) - y * z).sum() + away @ precision @ away / 2)

    for _ in range(STEPS):
        p = expit(design @ at)
        slope = weight * design.T @ (p - y) + precision @ (at - prior)
        curve = weight * (design.T * (p * (1 - p))) @ design + precision
        move = np.linalg.solve(curve, slope)
        while np.abs(move).max() >= 1e-10 and loss(at - move) > loss(at):
            move /= 2
        at -= move
        if np.abs(move).max() < 1e-10:
            break
    spread = np.linalg.inv(curve)
    return [float(v) for v in at], [float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])]


def _venn_abers(score: F8, y: NDArray[np.int8]) -> tuple[list[float], list[float], list[float]]:
    scores, at = np.unique(score, return_inverse=True)
    n = np.bincount(at).astype(np.float64)
    bursts = np.asarray(np.bincount(at, weights=y.astype(np.float64)), np.float64)
    low, high = (_counted_as(case, n, bursts).tolist() for case in (0.0, 1.0))
    # A score below all that were seen may be 0 for all that is known, one above all of them 1.
    return scores.tolist(), [0.0, *low], [*high, 1.0]


@njit(cache=True)
def _counted_as(case: float, n: F8, bursts: F8) -> F8:
    """For each distinct score: the isotonic fit at it when one more case of it, 0 or 1, is counted in."""
    k = len(n)
    out, total, weight, first = np.empty(k), np.empty(k), np.empty(k), np.empty(k, np.int64)
    for added in range(k):
        top = -1
        for i in range(k):
            top += 1
            total[top], weight[top], first[top] = bursts[i], n[i], i
            if i == added:
                total[top] += case
                weight[top] += 1
            while top > 0 and total[top - 1] * weight[top] >= total[top] * weight[top - 1]:
                total[top - 1] += total[top]
                weight[top - 1] += weight[top]
                top -= 1
        while first[top] > added:
            top -= 1
        out[added] = total[top] / weight[top]
    return out


def reliability(y: NDArray[np.int8], p: F8, bins: int = 15) -> tuple[F8, F8, NDArray[np.int64]]:
    """Mean forecast, observed share and number of cases in bins of equal mass, in order of forecast.

    Equal forecasts stay in one bin: by the order of the cases, which is that of time, a storm would be one of its own.

    >>> y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1], np.int8)
    >>> mean, share, n = reliability(y, np.array([0.1, 0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 0.9, 1.0]), 3)
    >>> mean.round(3).tolist(), share.round(3).tolist(), n.tolist()
    ([0.2, 0.583, 0.9], [0.0, 0.667, 1.0], [3, 3, 3])
    """
    order = np.argsort(p, kind="stable")
    told, seen = p[order], y[order].astype(np.float64)
    begins = np.unique(np.searchsorted(told, told[np.arange(bins) * len(told) // bins]))
    n = np.diff(begins, append=len(told))
    return np.add.reduceat(told, begins) / n, np.add.reduceat(seen, begins) / n, n


def calibration_error(y: NDArray[np.int8], p: F8, bins: int = 15) -> float:
    """Expected calibration error over bins of equal mass: the mean distance of forecast and observed share."""
    mean, share, n = reliability(y, p, bins)
    return float((n * np.abs(mean - share)).sum() / n.sum())
