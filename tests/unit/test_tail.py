"""Tail losses: published vectors, the compiled portfolio path against a naive oracle, nulls with their reason."""

import csv
from pathlib import Path

import numpy as np
import pytest

from operators.portfolio import account_rows, parametric, positions, returns, tail_loss
from operators.portfolio.revaluation import revalue
from schemas.accounts import Account, Balance, Position

SHARED = Path(__file__).parents[2].parent / "shared"
EDHEC = SHARED / "reference" / "edhec_100x3.csv"
HOUR = returns.HOUR_NS


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
    assert tail_loss.historical(np.array(values, np.float64), cutoff) == pytest.approx(-expected)


def test_shortfall_is_the_mean_at_or_below_the_quantile():
    """[EXT✓] empyrical-reloaded: CVaR = mean(returns <= VaR); at .3 the quantile is 81.5, so of 1 and 81."""
    assert tail_loss.shortfall(np.array([1, 81, 82, 83, 84, 85.0]), 0.3) == pytest.approx(-41)


def test_the_baselines_of_performance_analytics(edhec):
    """[EXT✓] PerformanceAnalytics tests/testthat/test-VaR_archive_baseline.R, first column, p = .95."""
    first = edhec[:, 0]
    got = [
        parametric.gaussian(first, 0.05),
        parametric.modified(first, 0.05),
        tail_loss.historical(first, 0.05),
        parametric.gaussian_shortfall(first, 0.05),
        tail_loss.shortfall(first, 0.05),
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


def random_state(seed: int, hours: int, history: int, holes: float) -> returns.Returns:
    rng = np.random.default_rng(seed)
    state = returns.Returns(history)
    paths = 100 * np.exp(np.cumsum(rng.standard_t(3, (3, hours)) * 1e-2, axis=1))
    for hour in range(hours):
        seen = np.flatnonzero(rng.random(3) >= holes)
        returns.observe(state, seen, paths[seen, hour], np.full(len(seen), (hour + 1) * HOUR - 1, np.int64))
    return state


def holdings(*accounts: Account) -> positions.Positions:
    state = positions.Positions(positions.Rules())
    for symbol in ("A", "B", "C"):
        positions.market(state, "binance-usdm", symbol + "USDT")
    for record in accounts:
        positions.replace(state, record)
    positions.move(state, np.arange(3), np.array([100.0, 50, 10]), np.ones(3, np.int64))
    return state


def hold(name: str, wallet: float, asset: str = "USDT", **qty: float) -> Account:
    held = [Position("binance-usdm", s + "USDT", q, 100, 5, "cross") for s, q in qty.items()]
    return Account(name, 1, [Balance(asset, wallet)], held)


def naive(path: np.ndarray) -> tuple[float, float, float]:
    """Value at risk, shortfall and EWMA value at risk as the file says them, loop by loop."""
    r = path[~np.isnan(path)]
    variance, scaled = float(np.mean(r[: tail_loss.BURN_IN] ** 2)), []
    for x in r[tail_loss.BURN_IN :].tolist():
        scaled.append(x / variance**0.5)
        variance = 0.97 * variance + 0.03 * x * x
    z = np.array(scaled)
    return (
        tail_loss.historical(z) * variance**0.5,
        tail_loss.shortfall(z) * variance**0.5,
        tail_loss.ewma(np.where(np.isnan(path), 0, path)) if not np.isnan(path).any() else np.nan,
    )


def tails(book: positions.Positions, past: np.ndarray, least: int = tail_loss.LEAST):
    due = revalue(book)
    value = due.account["equity_usd"]
    return value, tail_loss.portfolio(account_rows.exposures(book, due), np.arange(len(value)), value, past, least)


@pytest.mark.parametrize(("seed", "holes"), [(0, 0.0), (1, 0.01), (2, 0.0), (3, 0.02)])
def test_the_portfolio_tail_equals_the_naive_oracle(seed, holes):
    past = returns.returns(random_state(seed, 500, 400, holes))
    book = holdings(hold("a", 5000, A=3, B=-4, C=20), hold("b", 1e6, B=7))
    value, got = tails(book, past, least=200)
    for row, quantities in enumerate(([3, -4, 20], [0, 7, 0])):
        weight = np.array(quantities) * [100.0, 50, 10] / value[row]
        path = sum(weight[i] * past[i] for i in range(3) if weight[i])
        var, es, ewma = naive(path)
        assert got["tail_returns"][row] == (~np.isnan(path)).sum() - tail_loss.BURN_IN > 200
        assert got["var_99_1h"][row] == pytest.approx(var, rel=1e-9)
        assert got["es_99_1h"][row] == pytest.approx(es, rel=1e-9)
        assert np.isnan(ewma) or got["var_ewma_99_1h"][row] == pytest.approx(ewma, rel=1e-9)
        assert got["var_99_1h_usd"][row] == pytest.approx(got["var_99_1h"][row] * value[row])
        assert got["tail_reason"][row] == ""


def test_collateral_that_is_no_dollar_is_at_risk_too():
    """[HAND] 10 A at 100 as collateral, short 10 of it: what moves the one moves the other back."""
    past = returns.returns(random_state(4, 800, 700, 0.0))
    _, got = tails(holdings(hold("hedged", 10, asset="A", A=-10), hold("bare", 10, asset="A", C=1e-9)), past)
    assert got["var_99_1h"][0] == pytest.approx(0, abs=1e-12)
    assert got["var_99_1h"][1] > 0.01


def test_profit_in_a_coin_moves_with_the_coin_as_its_wallet_does():
    """[HAND] 1 BTC and 50 ETHBTC from .05 to .045, -.25 BTC: of .75 BTC at 60,000, not of one; 135,000 move with ETHBTC."""
    book = positions.Positions(positions.Rules())
    held = Position("binance-usdm", "ETHBTC", 50, 0.05, 5, "cross")
    positions.replace(book, Account("a", 1, [Balance("BTC", 1.0)], [held]))
    at = np.array([positions.market(book, "binance-usdm", s) for s in ("ETHBTC", "BTCUSDT")])
    positions.move(book, at, np.array([0.045, 60_000]), np.array([1, 1]))
    of = account_rows.exposures(book, revalue(book))
    assert of.usd.tolist() == pytest.approx([135_000])
    assert (of.purse_usd.tolist(), of.purse_market.tolist()) == ([pytest.approx(45_000)], [at[1]])


@pytest.mark.parametrize(("haircut", "moves"), [(0.0, 60_000), (0.05, 57_000), (1.0, 0)])
def test_collateral_is_at_risk_by_what_it_counts_in_equity(haircut, moves):
    """Of a coin that counts nothing all was at risk: a loss of many times the equity."""
    book = positions.Positions(positions.Rules(haircuts={"BTC": haircut}))
    held = Position("binance-usdm", "ETHUSDT", 0.001, 3000, 5, "cross")
    positions.replace(book, Account("a", 1, [Balance("USDT", 100.0), Balance("BTC", 1.0)], [held], True))
    at = np.array([positions.market(book, "binance-usdm", s) for s in ("ETHUSDT", "BTCUSDT")])
    positions.move(book, at, np.array([3000.0, 60_000]), np.array([1, 1]))
    due = revalue(book)
    assert due.account["equity_usd"].tolist() == pytest.approx([100 + moves])
    assert account_rows.exposures(book, due).purse_usd.tolist() == pytest.approx([0, moves])


@pytest.mark.parametrize(("rate", "reason"), [(2.0, "collateral has no mark"), (0.0, "")])
def test_collateral_that_counts_by_its_rate_but_has_no_mark_makes_the_tail_unknown(rate, reason):
    """Equity had it, and what moves with it was taken to be nothing."""
    past = np.full((20, 1000), 0.001)
    told = Account("a", 1, [Balance("USDT", 1000.0), Balance("Z", 500.0, "", rate)], hold("a", 0, A=1).positions, True)
    value, got = tails(holdings(told), past)
    assert value.tolist() == pytest.approx([1000 + 500 * rate])
    assert got["tail_reason"].tolist() == [reason]


def test_ties_at_the_quantile_all_count_in_the_shortfall():
    past = np.zeros((3, 1000))
    past[:, ::2], past[:, 1::2] = 0.01, -0.01
    value, got = tails(holdings(hold("a", 1000, A=1)), past)
    assert got["es_99_1h"][0] == pytest.approx(got["var_99_1h"][0]) == pytest.approx(0.01 * 100 / value[0])


def test_the_tail_is_null_with_its_reason():
    past = np.full((3, 1000), 0.001)
    past[1, 599:] = np.nan
    gone = Position("binance-usdm", "NEWUSDT", 1, 100, 5, "cross")
    book = holdings(hold("none", 10), hold("broke", -1, A=1), hold("short", 1000, B=1), hold("fine", 1000, A=1))
    positions.replace(book, Account("new", 1, [Balance("USDT", 10.0)], [gone]))
    positions.replace(book, hold("unknown", 10, asset="Z", A=1))
    _, got = tails(book, past)
    assert got["tail_reason"].tolist() == [
        "no positions",
        "insolvent",
        "not enough history",
        "",
        "a position has no mark",
        "equity is not known",
    ]
    assert np.isnan(got["var_99_1h"]).tolist() == [True, True, True, False, True, True]
    assert got["tail_returns"].tolist() == [0, 0, 499, 900, 0, 0]


def marks(state: returns.Returns, *told: tuple[float, float]) -> None:
    """Marks of market 0: hour (and part of it) and price."""
    for hour, price in told:
        returns.observe(state, np.array([0]), np.array([price]), np.array([int(hour * HOUR)], np.int64))


def test_returns_are_of_whole_hours_and_none_overlaps():
    state = returns.Returns(4)
    marks(state, (0.99, 100), (1.5, 7), (1.99, 110), (2.99, 121), (3.99, 60.5), (4.5, 999))
    # the newest hour is not over; the first has none before it
    assert returns.returns(state)[0].tolist() == pytest.approx([np.nan, 0.1, 0.1, -0.5], nan_ok=True)


def test_an_hour_without_a_mark_in_its_last_five_minutes_is_unknown():
    state = returns.Returns(4)
    marks(state, (0.99, 100), (1.90, 110), (2.95, 121), (3.99, 121), (4.01, 121))
    assert returns.returns(state)[0].tolist() == pytest.approx([np.nan, np.nan, np.nan, 0], nan_ok=True)


def test_hours_that_passed_are_known_from_candles_and_none_that_is_still_to_come():
    candles = {0: (np.arange(100, 120), np.arange(100.0, 120))}
    state = returns.Returns(4, candles)
    marks(state, (106.5, 500.0))
    assert returns.returns(state)[0].tolist() == pytest.approx([1 / 101, 1 / 102, 1 / 103, 1 / 104])
    marks(state, (106.99, 212.0), (107.5, 1.0))
    assert returns.returns(state)[0, -1] == pytest.approx(212 / 105 - 1)
    again = returns.thaw(returns.freeze(state), candles)
    np.testing.assert_array_equal(returns.returns(again), returns.returns(state))


def test_candles_that_came_later_than_a_freeze_fill_what_is_unknown_and_change_nothing_else():
    state = returns.Returns(4)
    marks(state, (103.99, 50.0), (105.5, 60.0))
    candles = {0: (np.arange(100, 120), np.arange(100.0, 120))}
    again = returns.thaw(returns.freeze(state), candles)
    assert returns.returns(again)[0].tolist() == pytest.approx(
        [1 / 101, 102 / 101 - 1 + 0 * 1, 50 / 102 - 1, 104 / 50 - 1], rel=0.02
    )


@pytest.mark.parametrize("seed", range(20))
def test_where_marks_are_cut_into_batches_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    n = 60
    market = rng.integers(0, 3, n)
    price = rng.uniform(1, 2, n)
    price[rng.random(n) < 0.1] = np.nan
    when = ((np.cumsum(rng.integers(-2, 4, n)) + 10) * HOUR / 2).astype(np.int64)
    candles = {1: (np.arange(0, 40), rng.uniform(1, 2, 40))}
    whole, parts = returns.Returns(5, candles), returns.Returns(5, candles)
    returns.observe(whole, market, price, when)
    for part in np.array_split(np.arange(n), rng.integers(1, 20)):
        returns.observe(parts, market[part], price[part], when[part])
        parts = returns.thaw(returns.freeze(parts), candles)
    np.testing.assert_array_equal(returns.returns(whole), returns.returns(parts))


def test_the_ring_does_not_grow_with_time():
    state = random_state(1, 50, 5, 0.0)
    size = len(returns.freeze(state))
    for hour in range(50, 300):
        returns.observe(state, np.arange(3), np.ones(3), np.full(3, hour * HOUR, np.int64))
    assert len(returns.freeze(state)) <= size + 8
