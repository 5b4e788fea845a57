"""Intervals: wherever a table declares `x_low` and `x_high` beside `x`, every row has low <= x <= high."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.tables import TABLES
from models import calibration, evaluation
from models.calibrator import interval, probability
from operators.book.price_discovery import BOOKS, PRICE_DISCOVERY, SECOND_NS
from operators.operator_states import Running
from operators.tape.kyle import KYLE, LEAST
from tests.laws import feature_rows

DAY_NS = 86_400_000_000_000


def forecasts(seed: int) -> dict[str, np.ndarray]:
    """Calibrators of both kinds, of much and little evidence, asked at scores seen and unseen."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([40, 400, 6_000]))
    score = rng.beta(*rng.uniform(0.3, 3, 2), n)
    y = (rng.random(n) < score ** rng.uniform(0.3, 3)).astype(np.int8)
    y[:2] = 0, 1
    made = calibration.fit(score, y, 1 / float(rng.choice([1, 5, 60])))
    asked = np.concatenate((score, rng.random(500), [0.0, 1.0, 1e-9, np.nan]))
    low, high = interval(made, asked)
    return {"p_burst": probability(made, asked), "p_burst_low": low, "p_burst_high": high}


def scores(seed: int) -> dict[str, np.ndarray]:
    """Skills over few and many days, one of which may weigh more than all others."""
    rng = np.random.default_rng(seed)
    days = int(rng.choice([6, 7, 30]))
    n = 50 * days
    y = (rng.random(n) < rng.choice([0.02, 0.3])).astype(np.int8)
    p, reference = rng.random(n) ** rng.choice([1, 8]), np.full(n, 0.1)
    p[:50] = np.where(rng.random() < 0.5, 1.0, p[:50])
    got = evaluation.skill("x", y, p, reference, np.repeat(np.arange(days), 50) * DAY_NS)
    return {"skill": np.array([got.skill]), "skill_low": np.array([got.low]), "skill_high": np.array([got.high])}


def tape(seed: int) -> dict[str, np.ndarray]:
    """Slopes of few and many minutes, of moves that follow the volume closely or not at all."""
    rng = np.random.default_rng(seed)
    n, many = 40, int(rng.choice([LEAST, 300]))
    x = rng.normal(0, 10.0 ** rng.integers(-3, 4), (n, many))
    y = rng.normal(0, 2) * x + rng.normal(0, rng.choice([1e-9, 1.0]) * np.abs(x).max(), (n, many))
    sums = (np.full(n, float(many)), x.sum(1), y.sum(1), (x * x).sum(1), (x * y).sum(1), (y * y).sum(1))
    windows = dict(zip((f"kyle_{name}" for name in ("n", "x", "y", "xx", "xy", "yy")), sums, strict=True))
    end = np.full(n, DAY_NS)
    return dict(KYLE.compute(windows | {"window_end_ns": end, "kyle_end_ns": end}))


def price_discovery(seed: int) -> dict[str, np.ndarray]:
    """Shares of up to four books that follow a leader closely or hardly, or are nearly one."""
    rng = np.random.default_rng(seed)
    n, books = 310, int(rng.integers(2, BOOKS + 1))
    leader = np.cumsum(rng.normal(0, 1e-4, n))
    follow, noise = rng.uniform(0.05, 1.0, books), 10.0 ** rng.uniform(-7, -4)
    mids = np.tile(leader[:, None], (1, books))
    for t in range(1, n):
        mids[t] = mids[t - 1] + follow * (leader[t] - mids[t - 1]) + rng.normal(0, noise, books)
    price = np.exp(5 + mids)
    panes = {
        "instrument": np.zeros(n, np.int64),
        "pane_start_ns": SECOND_NS * np.arange(n),
        "pane_end_ns": SECOND_NS * np.arange(1, n + 1),
        "book_number": np.tile(np.arange(books), (n, 1)),
        "book_venue": np.tile(np.array([f"v{i}" for i in range(books)]), (n, 1)),
        "book_symbol": np.full((n, books), "X"),
        "book_live": np.ones((n, books), np.int64),
        "book_last_event_ns": np.tile(SECOND_NS * np.arange(1, n + 1)[:, None] - 1, (1, books)),
        "book_gap_ns": np.zeros((n, books), np.int64),
        "book_best_bid": price * 0.9999,
        "book_best_ask": price * 1.0001,
        "book_mid": price,
    }
    running = Running((PRICE_DISCOVERY,))
    running.grow(1)
    return dict(running.rows(panes)["price_discovery"])


MADE_BY = {
    "features_tape": tape,
    "forecasts_liquidation": forecasts,
    "forecast_scores": scores,
    "price_discovery": price_discovery,
}


def declared() -> list[tuple[str, str]]:
    names = {t.name: {c.name for c in t.columns} for t in TABLES}
    return [
        (table, column.removesuffix("_low"))
        for table, columns in names.items()
        for column in sorted(columns)
        if column.endswith("_low") and {column.removesuffix("_low"), column.removesuffix("_low") + "_high"} <= columns
    ]


def test_every_interval_that_is_published_has_rows_here():
    assert declared()
    assert {table for table, _ in declared()} == set(MADE_BY), "give the new interval rows in MADE_BY"


@pytest.mark.parametrize(("table", "name"), declared())
@given(st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_an_interval_holds_its_own_point(table, name, seed):
    made = MADE_BY[table](seed)
    point, low, high = made[name], made[name + "_low"], made[name + "_high"]
    known = ~np.isnan(point)
    assert known.any()
    assert (np.isnan(low) == ~known).all() and (np.isnan(high) == ~known).all()
    assert (low[known] <= point[known]).all() and (point[known] <= high[known]).all()


def test_the_rows_that_a_model_writes_hold_their_own_points(tmp_path):
    from models import model_registry
    from models.forecaster import build, forecast
    from models.vector_items import NAMES

    by = build(model_registry.load(tmp_path, feature_rows.model(tmp_path, 3)))
    x = np.random.default_rng(5).normal(size=(300, len(NAMES)))
    out = forecast(by, x, np.ones(300, np.bool_), np.full((300, 4), 1e5))
    used = out["abstain_reason"] == ""
    assert used.any()
    assert (out["p_burst_low"][used] <= out["p_burst"][used]).all()
    assert (out["p_burst"][used] <= out["p_burst_high"][used]).all()
