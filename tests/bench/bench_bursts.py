"""Benchmark: one minute of 300 instruments from its feature rows to forecast rows, all sides and horizons."""

import tempfile
import time
from pathlib import Path

import numpy as np

from flows.engine.json_rows import records
from flows.tables import BY_NAME
from models import model_registry
from models.bursts import Bursts, How
from models.forecaster import build
from models.minutes import Minute
from models.vector_items import READS
from tests.laws.feature_rows import T0, model

INSTRUMENTS, MINUTES = 300, 150
HORIZONS = (5, 15, 30, 60)


def main() -> None:
    """Print the medians of the step and of the step with its JSON records, and the size of the frozen state."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        by = build(model_registry.load(Path(folder), model(Path(folder), 1, HORIZONS)))
    bursts, step, whole = Bursts(How(HORIZONS, 50_000.0)), [], []
    names = [f"S{i:03d}USDT" for i in range(INSTRUMENTS)]
    for m in range(1, MINUTES + 1):
        of = {name: rng.random(INSTRUMENTS) + 0.1 for name in (*READS, "gap_ms", "stale_ms")}
        of["long_liquidated_usd"] = np.where(rng.random(INSTRUMENTS) < 0.3, 1e5 * rng.random(INSTRUMENTS), 0.0)
        of |= {"book_ok": np.ones(INSTRUMENTS, np.bool_), "inferred": np.zeros(INSTRUMENTS, np.bool_)}
        of |= {"late_rows": np.zeros(INSTRUMENTS, np.int64), "closed_by": np.zeros(INSTRUMENTS, np.int64)}
        start = time.perf_counter()
        made = bursts.step(Minute("binance-usdm", T0 + 60_000 * m, names, of), by)
        step.append(time.perf_counter() - start)
        for published in made:
            records(published, BY_NAME[published.table].columns)
        whole.append(time.perf_counter() - start)
    given = np.isfinite(np.asarray(made[1].columns["p_burst"])).mean()
    start = time.perf_counter()
    size = len(bursts.freeze())
    print(f"{INSTRUMENTS} instruments, {2 * len(HORIZONS)} models, {given:.0%} of the last minute's forecasts given")
    print(f"step {1e3 * np.median(step[70:]):.1f} ms, best {1e3 * min(step[70:]):.1f} ms")
    print(f"step and records {1e3 * np.median(whole[70:]):.1f} ms, best {1e3 * min(whole[70:]):.1f} ms")
    print(f"freeze {1e3 * (time.perf_counter() - start):.1f} ms, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
