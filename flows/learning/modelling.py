"""Modelling: a version made of a dataset, and the score of one on time that it has not seen."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from flows.recovery.durable import settle
from flows.settings.tree import Forecast
from models import baselines, model_registry, training
from models.bursts import SIDES
from models.calibrator import probability
from models.dataset import Dataset
from models.evaluation import Score, evaluate, score
from models.labels import LABEL_VERSION
from models.thresholds import LEAST
from models.training import Cases, Parameters, Trained
from models.trees import parse, walk
from models.vector_items import FEATURE_VERSION, NAMES

Key = tuple[str, int]
FIRST = f"The first case of a horizon of h minutes comes {LEAST} + 2 h minutes after the first row."
"""An hour of windows stands behind a case's threshold, the last ended as it begins; its own has to end too."""
PARAMETERS = Parameters(threads=1)
QUICK = Parameters(
    learning_rate=0.05,
    num_leaves=8,
    min_data_in_leaf=300,
    feature_fraction=0.3,
    rounds=80,
    threads=1,
    shares=(0.7, 0.0, 0.15, 0.15),
)
"""For few days of data: few shallow trees, and no stopping by a block that holds a handful of storms, if any."""
DAYS = msgspec.structs.replace(QUICK, rounds=200, shares=(0.85, 0.0, 0.15, 0.0))
"""For more of them, where the test is other days altogether."""


def fit(of: Dataset, told: Forecast, by: Parameters) -> Iterator[tuple[Key, Trained | str, Cases, NDArray[np.int64]]]:
    """A model for each horizon, of both sides together, or why there is none; by side, with its cases and its test."""
    for horizon in sorted(told.horizons_min):
        views = [of.cases(side, horizon, told.floor_usd) for side in SIDES]
        try:
            made: list[tuple[Trained | str, NDArray[np.int64]]] = [*training.train_together(views, by)]
        except ValueError as error:
            made = [(str(error), np.empty(0, np.int64)) for _ in SIDES]
        for side, cases, (trained, test) in zip(SIDES, views, made, strict=True):
            yield (side, horizon), trained, cases, test


def there(cases: Cases) -> str:
    """How much there is to train on.

    >>> there(Cases(*([np.zeros(40)] * 3), np.zeros(40, np.int8), *([np.zeros(40)] * 2)))
    '40 cases, 0 bursts'
    """
    return f"{len(cases.y):,} cases, {int(cases.y.sum()):,} bursts"


def needs(by: Parameters) -> str:
    """What a training needs of the cases.

    >>> needs(Parameters(shares=(0.7, 0.0, 0.15, 0.15)))
    'A model needs bursts and calm in each of its blocks of time: fit (the first 70 %), calibrate (15 %); test is 15 %.'
    """
    blocks = zip(("fit", "stop", "calibrate"), by.shares, strict=False)
    used = [(name, share / sum(by.shares)) for name, share in blocks if share]
    parts = [f"{name} ({'the first ' if not i else ''}{100 * share:.0f} %)" for i, (name, share) in enumerate(used)]
    test = 100 * by.shares[3] / sum(by.shares)
    return f"A model needs bursts and calm in each of its blocks of time: {', '.join(parts)}; test is {test:.0f} %."


def raw(booster: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Uncalibrated probabilities, by the walk that the flow uses."""
    log_odds, _ = walk(parse(booster), x, np.zeros(len(NAMES), np.int64), 1)
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def scored(of: Trained, cases: Cases, test: NDArray[np.int64]) -> Score:
    """How good it is on cases that it has not seen."""
    return evaluate(of, raw(of.booster, cases.x[test]), cases, test)


def scored_version(
    of: model_registry.Version, card: model_registry.Card, cases: Cases, test: NDArray[np.int64]
) -> Score:
    """The same of a model of a stored version, against the baselines of its own training."""
    p = probability(of.calibrators[card.key], raw(of.boosters[card.key], cases.x[test]))
    inputs = training.baseline_inputs(cases)
    references = {n: baselines.predict(by, inputs[n][test]) for n, by in card.baselines.items()}
    return score(cases.y[test], p, cases.at_ns[test], references)


def save(
    root: Path,
    made: Mapping[Key, tuple[Trained, Score]],
    of: Dataset,
    told: Forecast,
    by: Parameters,
    more: Mapping[str, float] | None = None,
) -> str:
    """A version in the registry; its name. `more`: what else it should say of how it was made."""
    cards = [
        model_registry.Card(
            side,
            horizon,
            f"{horizon}.txt",
            f"{horizon}.json",
            trained.rounds,
            trained.base_rate,
            trained.mean_burst_ratio,
            trained.mean_calm_ratio,
            trained.q99_ratio,
            {"pr_auc": result.pr_auc, "prevalence": result.prevalence, "brier": result.brier}
            | {f"skill_{s.baseline}": s.skill for s in result.skills},
            trained.baselines,
        )
        for (side, horizon), (trained, result) in made.items()
    ]
    size = {"floor_usd": told.floor_usd, "vectors": float(len(of.at_ns)), **(more or {})}
    numbers = {name: float(value) for name, value in msgspec.structs.asdict(by).items() if name != "shares"}
    about = model_registry.Metadata(
        FEATURE_VERSION,
        LABEL_VERSION,
        list(NAMES),
        int(of.at_ns.min()) // 1_000_000,
        int(of.at_ns.max()) // 1_000_000,
        _hash(of),
        numbers | size,
        cards,
    )
    boosters = {key: trained.booster for key, (trained, _) in made.items()}
    calibrators = {key: trained.calibrator for key, (trained, _) in made.items()}
    return model_registry.save(root, about, boosters, calibrators, settle)


def _hash(of: Dataset) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in (of.instrument, of.at_ns, of.x, of.usd, of.book_ok):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
