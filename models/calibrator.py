"""A calibrator: scores of a model to probabilities and the interval of each, as plain arrays that can be stored.

    isotonic: p = linear between knots (x, y), flat outside      Platt: p = 1 / (1 + exp(-(a logit(s) + b)))

Point and interval are of one fit, so low <= p <= high. Isotonic: Venn-Abers, the fits with the new case counted as 0
and as 1. Platt: the 90 % credible interval of its log-odds, z +- 1.645 sd(z), with the posterior covariance of (a, b).
Either is wide where few cases of its score were seen. p, low and high are clipped to [1e-4, 1 - 1e-4].
Sources: Platt (1999); Vovk, Petej & Fedorova (2015), arXiv 1511.00213; MacKay (1992), Neural Computation 4(5).
"""

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
EDGE = 1e-4
CREDIBLE_SD = 1.6448536269514722
"""Standard deviations on either side that hold 90 % of a normal distribution."""


class Calibrator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Isotonic: the map in `knots` and `values`, Venn-Abers in `scores`, `low`, `high`. Platt: (a, b) in `values`,
    and in `covariance` the variances and the covariance of (a, b): aa, ab, bb.
    """

    kind: Literal["isotonic", "platt"]
    knots: list[float]
    values: list[float]
    scores: list[float]
    low: list[float]
    high: list[float]
    covariance: list[float] = []

    def __post_init__(self) -> None:
        """ValueError for a map of an earlier release, whose interval was another map's."""
        if self.kind == "platt" and len(self.covariance) != 3:
            raise ValueError("its interval need not hold its own point, as in earlier releases: train it again")


def logit(p: F8) -> F8:
    """Log-odds of probabilities, clipped away from 0 and 1.

    >>> logit(np.array([0.5])).tolist()
    [0.0]
    """
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(clipped / (1 - clipped)))


def expit(log_odds: F8) -> F8:
    """Probabilities of log-odds.

    >>> expit(np.array([0.0, -1e9])).round(4).tolist()
    [0.5, 0.0]
    """
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -100, 100))))


def probability(by: Calibrator, score: F8) -> F8:
    """Calibrated probabilities; NaN for NaN.

    >>> probability(Calibrator("isotonic", [0.2, 0.8], [0.1, 0.5], [], [], []), np.array([0.0, 0.5])).round(9).tolist()
    [0.1, 0.3]
    """
    if by.kind == "isotonic":
        p = np.interp(score, by.knots, by.values)
    else:
        p = expit(by.values[0] * logit(score) + by.values[1])
    return np.where(np.isnan(score), np.nan, np.clip(p, EDGE, 1 - EDGE))


def interval(by: Calibrator, score: F8) -> tuple[F8, F8]:
    """The interval of each score, around its `probability`; NaN for NaN.

    >>> low, high = interval(Calibrator("platt", [], [1.0, 0.0], [], [], [], [0.0, 0.0, 0.25]), np.array([0.5]))
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.3052], [0.6948])
    """
    if by.kind == "isotonic":
        low = np.array(by.low)[np.searchsorted(by.scores, score, side="right")]
        high = np.array(by.high)[np.searchsorted(by.scores, score, side="left")]
    else:
        odds, (aa, ab, bb) = logit(score), by.covariance
        middle = by.values[0] * odds + by.values[1]
        reach = CREDIBLE_SD * np.sqrt(np.maximum(aa * odds**2 + 2 * ab * odds + bb, 0))
        low, high = expit(middle - reach), expit(middle + reach)
    unknown = np.isnan(score)
    return (
        np.where(unknown, np.nan, np.clip(low, EDGE, 1 - EDGE)),
        np.where(unknown, np.nan, np.clip(high, EDGE, 1 - EDGE)),
    )
