"""Modelling: a version made of a dataset, and the score of one on time that it has not seen."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from flows.settings import Forecast
from models import baselines, registry, training
from models.bursts import SIDES
from models.calibrator import probability
from models.dataset import Dataset
from models.evaluation import Score, evaluate, score
from models.labels import LABEL_VERSION
from models.training import Cases, Parameters, Trained
from models.trees import parse, walk
from models.vector import FEATURE_VERSION, NAMES

Key = tuple[str, int]
PARAMETERS = Parameters(threads=1)
QUICK = Parameters(
    learning_rate=0.05,
    num_leaves=8,
    min_data_in_leaf=300,
    feature_fraction=0.3,
    rounds=120,
    patience=120,
    threads=1,
    shares=(0.45, 0.2, 0.2, 0.15),
)
"""For few days of data: few shallow trees, and no giving up early on a block that holds a handful of storms.

Chosen between three settings by training on two simulated days and scoring the third, twice.
"""


def fit(of: Dataset, told: Forecast, by: Parameters) -> Iterator[tuple[Key, Trained | str, Cases, NDArray[np.int64]]]:
    """A model for each side and horizon, as soon as it is made, or why there is none, with its cases and its test."""
    for horizon in sorted(told.horizons_min):
        for side in SIDES:
            cases = of.cases(side, horizon, told.floor_usd)
            try:
                made, test = training.train(cases, by)
            except ValueError as error:
                yield (side, horizon), str(error), cases, np.empty(0, np.int64)
                continue
            yield (side, horizon), made, cases, test


def raw(booster: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Uncalibrated probabilities, by the walk that the flow uses."""
    log_odds, _ = walk(parse(booster), x, np.zeros(len(NAMES), np.int64), 1)
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def scored(of: Trained, cases: Cases, test: NDArray[np.int64]) -> Score:
    """How good it is on cases that it has not seen."""
    return evaluate(of, raw(of.booster, cases.x[test]), cases, test)


def scored_version(
    of: registry.Version, card: registry.Card, cases: Cases, fit: NDArray[np.int64], test: NDArray[np.int64]
) -> Score:
    """The same of a model of a stored version; the baselines are fitted on the cases `fit`."""
    p = probability(of.calibrators[card.key], raw(of.boosters[card.key], cases.x[test]))
    inputs = training.baseline_inputs(cases)
    references = {n: baselines.predict(baselines.fit(x[fit], cases.y[fit]), x[test]) for n, x in inputs.items()}
    return score(cases.y[test], p, cases.at_ns[test], references)


def save(root: Path, made: Mapping[Key, tuple[Trained, Score]], of: Dataset, told: Forecast, by: Parameters) -> str:
    """A version in the registry; its name."""
    cards = [
        registry.Card(
            side,
            horizon,
            f"{side}-{horizon}.txt",
            f"{side}-{horizon}.json",
            trained.rounds,
            trained.base_rate,
            trained.mean_burst_usd,
            trained.mean_calm_usd,
            trained.q99_usd,
            {"pr_auc": result.pr_auc, "prevalence": result.prevalence, "brier": result.brier}
            | {f"skill_{s.baseline}": s.skill for s in result.skills},
        )
        for (side, horizon), (trained, result) in made.items()
    ]
    numbers = {name: float(value) for name, value in msgspec.structs.asdict(by).items() if name != "shares"}
    about = registry.Metadata(
        FEATURE_VERSION,
        LABEL_VERSION,
        list(NAMES),
        int(of.at_ns.min()) // 1_000_000,
        int(of.at_ns.max()) // 1_000_000,
        _hash(of),
        numbers | {"floor_usd": told.floor_usd},
        cards,
    )
    boosters = {key: trained.booster for key, (trained, _) in made.items()}
    return registry.save(root, about, boosters, {key: trained.calibrator for key, (trained, _) in made.items()})


def _hash(of: Dataset) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in (of.instrument, of.at_ns, of.x, of.usd, of.book_ok):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
