"""Benchmark: burst forecasts of 300 instruments for two sides and four horizons, factors included."""

import time

import numpy as np

from models import registry
from models.forecaster import build, forecast
from models.labels import LABEL_VERSION, STEP_NS
from models.training import Cases, Parameters, train
from models.vector import FEATURE_VERSION, NAMES

INSTRUMENTS, RUNS = 300, 9


def main() -> None:
    """Train one model of at most 150 trees, use it eight times over, print the median of the forecasts."""
    rng = np.random.default_rng(1)
    n = 10_000
    x = rng.normal(size=(n, len(NAMES)))
    drive = x[:, 3] + np.sin(2 * x[:, 10]) + x[:, 20] * x[:, 7]
    y = (rng.random(n) < 1 / (1 + np.exp(3 - drive))).astype(np.int8)
    at = np.arange(n) * STEP_NS
    cases = Cases(at, at + STEP_NS, x, y, np.where(y, 1e6, 1e3), rng.random(n))
    trained, _ = train(cases, Parameters(rounds=150, patience=150, threads=1))
    cards = [
        registry.Card(side, m, "b", "c", trained.rounds, 0.05, 1e6, 1e3, 1e6, {})
        for side in ("long", "short")
        for m in (5, 15, 30, 60)
    ]
    about = registry.Metadata(FEATURE_VERSION, LABEL_VERSION, list(NAMES), 0, 1, "", {}, cards)
    by = build(
        registry.Version(
            "v0", about, {c.key: trained.booster for c in cards}, {c.key: trained.calibrator for c in cards}
        )
    )
    live = rng.normal(size=(INSTRUMENTS, len(NAMES)))
    live[:, -3:] = 0.1
    took = []
    for _ in range(RUNS):
        start = time.perf_counter()
        forecast(by, live, np.ones(INSTRUMENTS, np.bool_))
        took.append(time.perf_counter() - start)
    print(f"{INSTRUMENTS} instruments x {len(cards)} models of {trained.rounds} trees")
    print(
        f"median {1e3 * float(np.median(took)):.1f} ms   best {1e3 * min(took):.1f} ms   worst {1e3 * max(took):.1f} ms"
    )


if __name__ == "__main__":
    main()
