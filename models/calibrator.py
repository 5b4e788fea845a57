"""A calibrator: scores of a model to probabilities and their Venn-Abers interval, as plain arrays that can be stored.

    isotonic: p = linear between knots (x, y), flat outside      Platt: p = 1 / (1 + exp(-(a logit(s) + b)))

p is clipped to [1e-4, 1 - 1e-4]. The interval (p0, p1) are the isotonic fits with the new case counted as 0 and as 1:
wide where few cases of its score were seen. Sources: Platt (1999); Vovk, Petej & Fedorova (2015), arXiv 1511.00213.
"""

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
EDGE = 1e-4


class Calibrator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`knots` and `values`: the isotonic map, or (a, b) in `values` for Platt; `scores`, `low`, `high`: Venn-Abers'."""

    kind: Literal["isotonic", "platt"]
    knots: list[float]
    values: list[float]
    scores: list[float]
    low: list[float]
    high: list[float]


def logit(p: F8) -> F8:
    """Log-odds of probabilities, clipped away from 0 and 1.

    >>> logit(np.array([0.5])).tolist()
    [0.0]
    """
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(clipped / (1 - clipped)))


def probability(by: Calibrator, score: F8) -> F8:
    """Calibrated probabilities; NaN for NaN.

    >>> probability(Calibrator("isotonic", [0.2, 0.8], [0.1, 0.5], [], [], []), np.array([0.0, 0.5])).round(9).tolist()
    [0.1, 0.3]
    """
    if by.kind == "isotonic":
        p = np.interp(score, by.knots, by.values)
    else:
        p = 1 / (1 + np.exp(-(by.values[0] * logit(score) + by.values[1])))
    return np.where(np.isnan(score), np.nan, np.clip(p, EDGE, 1 - EDGE))


def interval(by: Calibrator, score: F8) -> tuple[F8, F8]:
    """The Venn-Abers interval (p0, p1) of each score; p0 <= p1, NaN for NaN."""
    low = np.array(by.low)[np.searchsorted(by.scores, score, side="right")]
    high = np.array(by.high)[np.searchsorted(by.scores, score, side="left")]
    unknown = np.isnan(score)
    return np.where(unknown, np.nan, np.minimum(low, high)), np.where(unknown, np.nan, np.maximum(low, high))
