"""Tail losses: published vectors, the compiled portfolio path against a naive oracle, nulls with their reason."""

import csv
from pathlib import Path

import numpy as np
import pytest

from operators.portfolio import parametric, positions, returns, tail
from operators.portfolio.revaluation import revalue
from schemas.accounts import Account, Balance, Position
from schemas.brackets import Tiers

SHARED = Path(__file__).parents[2].parent / "shared"
EDHEC = SHARED / "reference" / "edhec_100x3.csv"
MINUTE = returns.MINUTE_NS


@pytest.fixture
def edhec() -> np.ndarray:
    if not EDHEC.exists():
        pytest.skip(f"put the EDHEC hedge fund returns into {EDHEC}")
    with EDHEC.open() as file:
        rows = list(csv.reader(file))
    return np.array([[float(x) for x in row[1:]] for row in rows[1:]])


@pytest.mark.parametrize(
    ("values", "cutoff", "expected"),
    [
        ([1, 2], 0.3, 1.3),
        ([1, 81, 82, 83, 84, 85], 0.1, 41),
        ([1, 81, 82, 83, 84, 85], 0.2, 81),
        ([1, 81, 82, 83, 84, 85], 0.3, 81.5),
    ],
)
def test_value_at_risk_of_empyrical(values, cutoff, expected):
    """[EXT✓] empyrical-reloaded tests/test_stats.py; its sign is that of the return."""
    assert tail.historical(np.array(values, np.float64), cutoff) == pytest.approx(-expected)


def test_shortfall_is_the_mean_at_or_below_the_quantile():
    """[EXT✓] empyrical-reloaded: CVaR = mean(returns <= VaR); at .3 the quantile is 81.5, so of 1 and 81."""
    assert tail.shortfall(np.array([1, 81, 82, 83, 84, 85.0]), 0.3) == pytest.approx(-41)


def test_the_baselines_of_performance_analytics(edhec):
    """[EXT✓] PerformanceAnalytics tests/testthat/test-VaR_archive_baseline.R, first column, p = .95."""
    first = edhec[:, 0]
    got = [
        parametric.gaussian(first, 0.05),
        parametric.modified(first, 0.05),
        tail.historical(first, 0.05),
        parametric.gaussian_shortfall(first, 0.05),
        tail.shortfall(first, 0.05),
    ]
    assert got == pytest.approx([0.012133, 0.014674, 0.014095, 0.017133, 0.024080], abs=5e-7)


def test_component_value_at_risk_of_performance_analytics(edhec):
    """[EXT✓] the same file, weights .3 .4 .3."""
    parts = parametric.components(edhec, np.array([0.3, 0.4, 0.3]), 0.05)
    assert parts.sum() == pytest.approx(0.012916, abs=5e-7)


def test_filtered_historical_simulation():
    """[HAND✓] analytics §4.4: scaled (.025, -.0416667, .025, -.0375, .0069444)."""
    r = np.array([0.01, -0.02, 0.015, -0.03, 0.005])
    scale = np.array([0.01, 0.012, 0.015, 0.02, 0.018])
    assert parametric.filtered(r, scale, 0.025, 0.2) == pytest.approx(0.0383333, abs=5e-8)


def test_a_tail_beyond_the_domain_of_cornish_fisher_is_null():
    assert np.isnan(parametric.modified(np.append(np.zeros(200), [-1.0, -1.0]), 0.01))
    assert np.isnan(parametric.modified(np.zeros(5), 0.01))


def random_state(seed: int, minutes: int, horizon: int, history: int, holes: float) -> returns.Returns:
    rng = np.random.default_rng(seed)
    state = returns.Returns(horizon, history)
    paths = 100 * np.exp(np.cumsum(rng.standard_t(3, (3, minutes)) * 1e-3, axis=1))
    for minute in range(minutes):
        seen = np.flatnonzero(rng.random(3) >= holes)
        returns.observe(state, seen, paths[seen, minute], np.full(len(seen), minute * MINUTE, np.int64))
    return state


def holdings(*accounts: Account) -> positions.Positions:
    state = positions.Positions(dict[tuple[str, str], Tiers]())
    for symbol in ("A", "B", "C"):
        positions.market(state, "binance-usdm", symbol + "USDT")
    for record in accounts:
        positions.replace(state, record)
    positions.move(state, np.arange(3), np.array([100.0, 50, 10]), np.ones(3, np.int64))
    return state


def hold(name: str, wallet: float, **qty: float) -> Account:
    held = [Position("binance-usdm", s + "USDT", q, 100, 5, "cross") for s, q in qty.items()]
    return Account(name, 1, [Balance("USDT", wallet)], held)


@pytest.mark.parametrize("seed", range(5))
def test_the_portfolio_tail_equals_the_naive_oracle(seed):
    state = random_state(seed, 400, 6, 300, 0.01)
    book = holdings(hold("a", 5000, A=3, B=-4, C=20), hold("b", 1e6, B=7))
    value = revalue(book).account["equity_usd"]
    past = returns.returns(state)
    got = tail.portfolio(positions.flatten(book), np.arange(2), value, book.mark, past, 6, least=100)
    for row, quantities in enumerate(([3, -4, 20], [0, 7, 0])):
        weight = np.array(quantities) * [100.0, 50, 10] / value[row]
        used = [i for i in range(3) if weight[i]]
        path = sum(weight[i] * past[i] for i in used)
        known = path[~np.isnan(path)]
        hourly = path[::-1][::6]
        decay = 0.97 ** np.arange(len(hourly))
        ok = ~np.isnan(hourly)
        sigma = np.sqrt((decay[ok] * hourly[ok] ** 2).sum() / decay[ok].sum())
        assert got["tail_returns"][row] == len(known) > 250
        assert got["var_99_1h"][row] == pytest.approx(tail.historical(known), rel=1e-12)
        assert got["es_99_1h"][row] == pytest.approx(tail.shortfall(known), rel=1e-12)
        assert got["var_ewma_99_1h"][row] == pytest.approx(2.3263478740408408 * sigma, rel=1e-12)
        assert got["var_99_1h_usd"][row] == pytest.approx(got["var_99_1h"][row] * value[row])
        assert got["tail_reason"][row] == ""


def test_ties_at_the_quantile_all_count_in_the_shortfall():
    past = np.zeros((3, 1000))
    past[:, :40] = -0.02
    past[:, 0] = -0.05
    book = holdings(hold("a", 1000, A=1))
    value = revalue(book).account["equity_usd"]
    got = tail.portfolio(positions.flatten(book), np.arange(1), value, book.mark, past, 60)
    path = 100 / value[0] * past[0]
    assert got["es_99_1h"][0] == pytest.approx(tail.shortfall(path))
    assert got["var_99_1h"][0] == pytest.approx(tail.historical(path))


def test_the_tail_is_null_with_its_reason():
    past = np.full((3, 1000), 0.001)
    past[1, 499:] = np.nan
    gone = Position("binance-usdm", "NEWUSDT", 1, 100, 5, "cross")
    book = holdings(hold("none", 10), hold("broke", -1, A=1), hold("short", 1000, B=1), hold("fine", 1000, A=1))
    positions.replace(book, Account("new", 1, [Balance("USDT", 10.0)], [gone]))
    value = revalue(book).account["equity_usd"]
    got = tail.portfolio(positions.flatten(book), np.arange(5), value, book.mark, past, 60)
    assert got["tail_reason"].tolist() == [
        "no positions",
        "insolvent",
        "not enough history",
        "",
        "a position has no mark",
    ]
    assert np.isnan(got["var_99_1h"]).tolist() == [True, True, True, False, True]
    assert got["tail_returns"].tolist() == [0, 0, 499, 1000, 0]


def test_returns_span_the_horizon_and_overlap():
    state = returns.Returns(2, 4)
    for minute, price in enumerate([100, 110, 120, 121, 150, 999]):
        now = np.array([minute * MINUTE], np.int64)
        returns.observe(state, np.array([0]), np.array([float(price)]), now)
    # the newest minute is not over: ends at minutes 1 to 4, and minute 1 has no partner
    assert returns.returns(state)[0].tolist() == pytest.approx([np.nan, 0.2, 0.1, 0.25], nan_ok=True)


def test_a_minute_without_a_mark_is_unknown():
    state = returns.Returns(1, 3)
    for minute in (0, 1, 3, 4):
        returns.observe(state, np.array([0]), np.array([100.0]), np.array([minute * MINUTE], np.int64))
    assert returns.returns(state)[0].tolist() == pytest.approx([0, np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize("seed", range(20))
def test_where_marks_are_cut_into_batches_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    n = 60
    market = rng.integers(0, 3, n)
    price = rng.uniform(1, 2, n)
    price[rng.random(n) < 0.1] = np.nan
    when = (np.cumsum(rng.integers(-2, 4, n)) + 10) * MINUTE
    whole, parts = returns.Returns(2, 5), returns.Returns(2, 5)
    returns.observe(whole, market, price, when)
    for part in np.array_split(np.arange(n), rng.integers(1, 20)):
        returns.observe(parts, market[part], price[part], when[part])
        parts = returns.thaw(returns.freeze(parts))
    np.testing.assert_array_equal(returns.returns(whole), returns.returns(parts))


def test_the_ring_does_not_grow_with_time():
    state = random_state(1, 50, 2, 5, 0.0)
    size = len(returns.freeze(state))
    for minute in range(50, 300):
        returns.observe(state, np.arange(3), np.ones(3), np.full(3, minute * MINUTE, np.int64))
    assert len(returns.freeze(state)) <= size + 8
