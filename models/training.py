"""Training: LightGBM on what a replay left, calibrated on later time, blocks purged of labels that reach beyond them.

Blocks in order of time: fit, stop (early stopping; none with a share of 0), calibrate, test. A case belongs to a
block only if its label was available when the next block begins (t + h + 60 s), so no window straddles two blocks.
Classes are never re-weighted: it would break the probabilities. Equal cases make byte-equal models.

Longs and shorts of one horizon share a model: each sees the market from its side (`models.vector.seen_by`), and what
they share is twice the bursts to learn from. Bursts are few, so this is worth more than what sets the sides apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import lightgbm
import msgspec
import numpy as np
from numpy.typing import NDArray

from models import baselines, calibration
from models.baselines import Baseline
from models.calibrator import Calibrator
from models.labels import NULL, STEP_NS, Labels
from models.vector import matrix
from models.vector_items import NAMES
from operators.contract import Columns

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What LightGBM is told, and the shares of time of the four blocks."""

    learning_rate: float = 0.03
    num_leaves: int = 31
    min_data_in_leaf: int = 200
    feature_fraction: float = 0.7
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    rounds: int = 2000
    patience: int = 100
    seed: int = 1
    threads: int = 2
    shares: tuple[float, float, float, float] = (0.6, 0.1, 0.15, 0.15)


@dataclass(frozen=True, slots=True)
class Cases:
    """One row an instrument and minute, in order of time.

    `future_ratio` is V(t, h) / Q(t, h), `past_ratio` V(t - h, h) / Q(t, h).
    """

    at_ns: I8
    available_ns: I8
    x: F8
    y: NDArray[np.int8]
    future_ratio: F8
    past_ratio: F8


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, its calibrator and its own baselines; base rate and ratios are of all that was fitted on.

    Volumes go by V / Q, the threshold of their own instrument and minute: instruments of all sizes share a model.
    """

    booster: str
    calibrator: Calibrator
    rounds: int
    base_rate: float
    mean_burst_ratio: float
    mean_calm_ratio: float
    q99_ratio: float
    baselines: dict[str, Baseline]


def join(vectors: Columns, labels: Mapping[int, Labels]) -> Cases:
    """Vectors with the labels of their instrument and minute; cases without a label are left out."""
    parts = []
    x = matrix(vectors)
    for instrument, of in labels.items():
        mine = np.flatnonzero(vectors["instrument"] == instrument)
        at = (vectors["at_ns"][mine] - of.at_ns[0]) // STEP_NS if len(of.at_ns) else np.full(len(mine), -1)
        inside = (at >= 0) & (at < len(of.at_ns))
        mine, at = mine[inside], at[inside]
        known = (of.y[at] != NULL) & (of.at_ns[at] == vectors["at_ns"][mine])
        mine, at = mine[known], at[known]
        with np.errstate(divide="ignore", invalid="ignore"):
            future, past = (usd[at] / of.threshold_usd[at] for usd in (of.volume_usd, of.past_usd))
        past = np.where(np.isfinite(past), past, np.nan)
        parts.append((of.at_ns[at], of.available_ns[at], x[mine], of.y[at], future, past))
    if not parts:
        raise ValueError("no labels to train on")
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Cases(*(column[order] for column in columns))


def joined(views: Sequence[Cases]) -> Cases:
    """The cases of several views of the same time as one, in order of time."""
    order = np.argsort(np.concatenate([of.at_ns for of in views]), kind="stable")
    return Cases(*(np.concatenate([getattr(of, name) for of in views])[order] for name in Cases.__slots__))


def edges(cases: Cases, shares: tuple[float, ...]) -> list[int]:
    """The ends of consecutive spans of time that hold these shares of the cases. ValueError without cases."""
    n = len(cases.at_ns)
    if n == 0:
        raise ValueError("no cases to train on")
    inner = [int(cases.at_ns[min(int(n * share), n - 1)]) for share in np.cumsum(shares[:-1]) / sum(shares)]
    return [int(cases.at_ns[0]), *inner, int(cases.at_ns[-1]) + 1]


def blocks(cases: Cases, ends: Sequence[int]) -> list[I8]:
    """Case numbers of the spans between `ends`, each purged at its end (but for the last)."""
    found = []
    for begin, end in pairwise(ends):
        inside = (cases.at_ns >= begin) & (cases.at_ns < end)
        if end != ends[-1]:
            inside &= cases.available_ns <= end
        found.append(np.flatnonzero(inside))
    return found


def baseline_inputs(cases: Cases) -> dict[str, F8]:
    """The number that each baseline goes by."""
    return {
        "climatology": np.zeros(len(cases.y)),
        "persistence": cases.past_ratio,
        "volatility": cases.x[:, NAMES.index("volatility_1m_bps")],
    }


def train(cases: Cases, by: Parameters | None = None) -> tuple[Trained, I8]:
    """A model of one view alone, see `train_together`."""
    return train_together([cases], by)[0]


def train_together(views: Sequence[Cases], by: Parameters | None = None) -> list[tuple[Trained, I8]]:
    """One model of all views, and for each the numbers of its test cases, which nothing of it has seen.

    ValueError says which block lacks bursts or calm.
    """
    told = by or Parameters()
    cases = joined(views)
    ends = edges(cases, told.shares)
    fit, stop, calibrate, _ = blocks(cases, ends)
    stops = told.shares[1] > 0
    for name, block in (("fit", fit), ("stop", stop), ("calibrate", calibrate)):
        if name == "stop" and not stops:
            continue
        bursts = int(cases.y[block].sum())
        if not 0 < bursts < len(block):
            raise ValueError(f"the {name} block has {bursts} bursts in {len(block)} cases: too little to train on")
    settings = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": told.learning_rate,
        "num_leaves": told.num_leaves,
        "max_depth": -1,
        "min_data_in_leaf": told.min_data_in_leaf,
        "feature_fraction": told.feature_fraction,
        "bagging_fraction": told.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": told.lambda_l2,
        "max_bin": 255,
        "deterministic": True,
        "force_row_wise": True,
        "seed": told.seed,
        "num_threads": told.threads,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(cases.x[fit], cases.y[fit], feature_name=list(NAMES), free_raw_data=False)
    held = [data.create_valid(cases.x[stop], cases.y[stop])] if stops else []
    stopping: list[Callable[..., None]] = [lightgbm.early_stopping(told.patience, verbose=False)] if stops else []
    booster = lightgbm.train(settings, data, told.rounds, valid_sets=held, callbacks=stopping)
    rounds = booster.best_iteration if stops else told.rounds
    score = np.asarray(booster.predict(cases.x[calibrate], num_iteration=rounds), np.float64)
    text = booster.model_to_string(num_iteration=rounds)
    windows = (cases.available_ns[calibrate] - cases.at_ns[calibrate]) // STEP_NS - 1
    calibrator = calibration.fit(score, cases.y[calibrate], 1 / max(1.0, float(windows.max())))
    y, ratio = cases.y[fit], cases.future_ratio[fit]
    out = []
    for of in views:
        *known, test = blocks(of, ends)
        seen = np.concatenate(known)
        trained = Trained(
            text,
            calibrator,
            rounds,
            float(y.mean()),
            float(ratio[y == 1].mean()),
            float(ratio[y == 0].mean()),
            float(np.quantile(ratio, 0.99)),
            {name: baselines.fit(x[seen], of.y[seen]) for name, x in baseline_inputs(of).items()},
        )
        out.append((trained, test))
    return out
