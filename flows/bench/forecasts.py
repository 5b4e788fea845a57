"""Forecasts: burst probabilities of 300 instruments, both sides, all horizons, with their top factors."""

import time

import numpy as np

from flows.bench.result import Result
from flows.bench.size import Size
from models import model_registry
from models.forecaster import build, forecast
from models.labels import LABEL_VERSION, STEP_NS
from models.vector_items import FEATURE_VERSION, NAMES

INSTRUMENTS, CASES, ROUNDS = 300, 10_000, 150


def measure(size: Size) -> list[Result]:
    """One model of at most 150 trees, used for every side and horizon."""
    from models.training import Cases, Parameters, train  # noqa: PLC0415 - LightGBM, which only the models extra brings

    rng = np.random.default_rng(1)
    x = rng.normal(size=(CASES, len(NAMES)))
    drive = x[:, 3] + np.sin(2 * x[:, 10]) + x[:, 20] * x[:, 7]
    y = (rng.random(CASES) < 1 / (1 + np.exp(3 - drive))).astype(np.int8)
    at = np.arange(CASES) * STEP_NS
    cases = Cases(at, at + STEP_NS, x, y, np.where(y, 3.0, 0.1), rng.random(CASES))
    trained, _ = train(cases, Parameters(rounds=ROUNDS, patience=ROUNDS, threads=1))
    cards = [
        model_registry.Card(side, m, "b", "c", trained.rounds, 0.05, 3.0, 0.1, 2.0, {})
        for side in ("long", "short")
        for m in (5, 15, 30, 60)
    ]
    about = model_registry.Metadata(FEATURE_VERSION, LABEL_VERSION, list(NAMES), 0, 1, "", {}, cards)
    models, maps = {c.key: trained.booster for c in cards}, {c.key: trained.calibrator for c in cards}
    by = build(model_registry.Version("v0", about, models, maps))
    live = rng.normal(size=(INSTRUMENTS, len(NAMES)))
    live[:, -3:] = 0.1
    took = []
    for _ in range(size.repeats + 1):
        began = time.perf_counter()
        forecast(by, live, np.ones(INSTRUMENTS, np.bool_), np.full((INSTRUMENTS, len(cards)), 1e6))
        took.append(1e3 * (time.perf_counter() - began))
    row = f"forecasts {INSTRUMENTS} x {len(cards)}"
    return [Result(row, f"all sides and horizons, {trained.rounds} trees", tuple(took[1:]), "ms", "<= 50")]
