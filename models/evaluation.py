"""Evaluation on time that no part of a model has seen: precision-recall beside prevalence, and skill against baselines.

    Brier = mean (p - y)^2       skill = 1 - Brier(model) / Brier(baseline)
    interval: quantiles a and 1 - a of 2000 resamples of n days, a = Phi(-sqrt(n / (n - 1)) t(0.975, n - 1))

The interval of the skill is a bootstrap over whole days (neighbouring windows overlap, so single cases are not
independent), for 95 %: a is 2.5 % for many days and less for few, whose resamples spread too little (the expanded
percentile interval, Hesterberg 2015, arXiv 1411.5279). It holds the skill itself. A model beats a baseline when it
lies above 0. No resample is worse than the worst day, and luck alone wins all of n days once in 2^n: with fewer than
six there is no interval and nothing is beaten (pure noise had won 6 to 11 of 100 tests of two days). Accuracy is not
computed: "never" scores 95 %.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t  # type: ignore[import-untyped]
from sklearn.metrics import (  # type: ignore[import-untyped]
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)

from models import baselines
from models.calibration import calibration_error, reliability
from models.calibrator import probability
from models.training import Cases, Trained, baseline_inputs

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
DAY_NS = 86_400_000_000_000
RESAMPLES = 2000
LEAST_DAYS = 6
"""Days of UTC that have cases, whole or not; 2^-6 is the first below 2.5 %."""


class Skill(msgspec.Struct, frozen=True):
    """Brier skill against one baseline, its interval over days, and whether it is beaten."""

    baseline: str
    skill: float
    low: float | None
    high: float | None
    beaten: bool


class Score(msgspec.Struct, frozen=True):
    """How good a forecast was; `reliability` rows are mean forecast, observed share and cases."""

    cases: int
    bursts: int
    days: int
    prevalence: float
    pr_auc: float | None
    roc_auc: float | None
    brier: float
    log_loss: float
    calibration_error: float
    reliability: list[tuple[float, float, int]]
    skills: list[Skill]


def skill(name: str, y: NDArray[np.int8], p: F8, reference: F8, at_ns: I8, seed: int = 1) -> Skill:
    """Skill of `p` over `reference`.

    >>> y, at = np.array([0, 1], np.int8), np.array([0, 1])
    >>> skill("climatology", y, np.array([0.1, 0.9]), np.array([0.5, 0.5]), at).skill
    0.96
    """
    _, day = np.unique(at_ns // DAY_NS, return_inverse=True)
    ours = np.bincount(day, weights=(p - y) ** 2)
    theirs = np.bincount(day, weights=(reference - y) ** 2)
    whole = round(float(1 - ours.sum() / theirs.sum()), 12)
    if len(ours) < LEAST_DAYS:
        return Skill(name, whole, None, None, False)
    n = len(ours)
    tail = norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))
    drawn = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    low, high = np.quantile(1 - ours[drawn].sum(axis=1) / theirs[drawn].sum(axis=1), [tail, 1 - tail])
    low, high = min(float(low), whole), max(float(high), whole)
    return Skill(name, whole, low, high, low > 0)


def score(y: NDArray[np.int8], p: F8, at_ns: I8, references: Mapping[str, F8]) -> Score:
    """The score of probabilities; without bursts, or calm, areas are null and there is no skill: nothing was there to
    be forecast, and whoever says the least would win. ValueError without cases.
    """
    if len(y) == 0:
        raise ValueError("no cases to evaluate on")
    both = 0 < int(y.sum()) < len(y)
    mean, share, n = reliability(y, p)
    return Score(
        len(y),
        int(y.sum()),
        len(np.unique(at_ns // DAY_NS)),
        float(y.mean()),
        float(average_precision_score(y, p)) if both else None,
        float(roc_auc_score(y, p)) if both else None,
        float(brier_score_loss(y, p)),
        float(log_loss(y, p, labels=[0, 1])),
        calibration_error(y, p),
        list(zip(mean.tolist(), share.tolist(), n.tolist(), strict=True)),
        [skill(name, y, p, reference, at_ns) for name, reference in references.items()] if both else [],
    )


def evaluate(of: Trained, raw: F8, cases: Cases, test: I8) -> Score:
    """The score of a trained model on its test cases; `raw` are the booster's uncalibrated probabilities of them."""
    inputs = baseline_inputs(cases)
    references = {name: baselines.predict(of.baselines[name], x[test]) for name, x in inputs.items()}
    return score(cases.y[test], probability(of.calibrator, raw), cases.at_ns[test], references)
