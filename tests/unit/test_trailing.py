"""Trailing returns: published values of variances and variance ratios, planted Hurst exponents, and the grid of 5 s."""

import csv
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.operator_states import Running
from operators.tape.trailing import GRID_NS, RETURNS, SCALES, TRAILING, hurst, ratio, variation

GRID = Path(__file__).parents[3] / "shared" / "reference" / "hf_5min_grid.csv"
CPI = """
28.98 29.15 29.35 29.37 29.54 29.55 29.75 29.84 29.81 29.92 29.98 30.04 30.21 30.22 30.38 30.44 30.48 30.69
30.75 30.94 30.95 31.02 31.12 31.28 31.38 31.58 31.65 31.88 32.28 32.45 32.85 32.9 33.1 33.4 33.7 34.1 34.4 34.9
35.3 35.7 36.3 36.8 37.3 37.9 38.5 38.9 39.4 39.9 40.1 40.6 40.9 41.2 41.5 41.8 42.2 42.7 43.7 44.2 45.6 46.8
48.1 49.3 51 52.3 53 54 54.9 55.8 56.1 57 57.9 58.7 60 60.8 61.6 62.7 63.9 65.5 67.1 68.5 70.6 73 75.2 78 80.9
82.6 84.7 87.2 89.1 91.5 93.4 94.4 95 97.5 98.1 97.9 98.8 99.8 100.8 102.1 103.3 104.1 105.1 105.7 107 107.7
108.5 109.9 108.7 109.5 110.2 111.4 112.7 113.8 115 116 117.2 118.5 119.9 121.2 123.1 124.5 125.4 127.5 128.9
130.5 133.4 134.7 135.1 136.2 137.2 138.3 139.4 140.5 141.7 142.8 143.8 144.5 145.6 146.3 147.2 148.4 149.4
150.5 151.8 152.6 153.5 154.7 156.1 157 158.2 159.4 159.9 160.4 161.5 162 162.2 163.2 163.9 164.7 165.9 166.7
168.1 169.3 170.9 172.7 173.9 175.6 176.4 177.4 177.6 177.7 179.3 180 181.2 182.6 183.2 183.7 184.9 186.3 187.4
189.1 190.8 191.8 193.8 194.7 199.2 199.4 200.7 202.7 201.9 203.574 205.92 207.338 209.133 212.495 213.997
218.61 216.889 212.174 212.671 214.469 216.385
"""
"""US consumer prices by quarter, 1959 to 2009 (US Bureau of Labor Statistics, public domain), as in statsmodels' macrodata."""
PRICES = [100, 101, 102, 101, 103, 104, 103, 105, 106, 108, 107, 109, 110, 109, 111, 113, 112, 114, 115, 117]


def variances(r):
    out = np.zeros(4)
    variation(np.array(r, np.float64), out)
    return out


def ratios(r, q):
    out = np.zeros(2)
    ratio(np.array(r, np.float64), q, out)
    return tuple(out.tolist())


def test_variance_and_bipower_variation_of_five_returns_by_hand():
    # analytics 2.8 [HAND]
    assert variances([0.01, -0.02, 0.015, 0.03, -0.01])[:2] == pytest.approx([0.001725, 0.0019634954], rel=1e-8)


def days(name):
    """The log returns of each day, with the leading zero that highfrequency's 5-minute returns have."""
    if not GRID.is_file():
        pytest.skip(f"no {GRID.name}: the reference grid of highfrequency is not beside this checkout")
    out = {}
    with GRID.open() as file:
        for row in csv.DictReader(file):
            out.setdefault(row["day"], []).append(math.log(float(row[name])))
    return [np.diff(p, prepend=p[0]) for p in out.values()]


@pytest.mark.parametrize(
    ("name", "least", "middle"),
    [("STOCK", 0.003344205602, 0.003387052289), ("MARKET", 0.001438168861, 0.001451676499)],
)
def test_min_and_med_variance_are_those_of_the_package_highfrequency(name, least, middle):
    # analytics 2.8 [EXT]: R package highfrequency, sums over 22 days of its fixture
    found = sum(variances(r) for r in days(name))
    assert found[2:] == pytest.approx([least, middle], rel=1e-8)


def test_without_the_leading_zero_of_each_day_the_published_values_are_missed():
    # analytics 2.8, trap (i): highfrequency's n is 79, not 78
    found = sum(variances(r[1:]) for r in days("STOCK"))
    assert abs(found[2] / 0.003344205602 - 1) == pytest.approx(1.6e-4, abs=5e-6)
    assert abs(found[3] / 0.003387052289 - 1) > 1e-6


@pytest.mark.parametrize(("q", "wanted", "z"), [(2, 0.5475888166, -2.1985186788), (4, 0.2488576755, -1.9790914186)])
def test_variance_ratio_and_its_robust_statistic_are_those_of_the_package_arch(q, wanted, z):
    # analytics 2.7 [LIB]: arch.unitroot.VarianceRatio(lags=q, robust, overlap, debiased)
    r = np.diff(np.log(np.array(PRICES, np.float64)))
    assert ratios(r, q) == pytest.approx((wanted, z), rel=1e-9)


@pytest.mark.parametrize(("q", "wanted", "z"), [(2, 1.6599145679, 5.2877690), (12, 7.1235179581, 15.1491713)])
def test_variance_ratios_of_consumer_prices_are_those_of_the_package_arch(q, wanted, z):
    # analytics 2.7 [LIB]: of log prices that follow their trend for years
    r = np.diff(np.log(np.array(CPI.split(), np.float64)))
    assert ratios(r, q) == pytest.approx((wanted, z), rel=1e-8)


def naive_ratio(r, q):
    n, mean = len(r), sum(r) / len(r)
    one = sum((x - mean) ** 2 for x in r) / (n - 1)
    sums = [sum(r[i : i + q]) - q * mean for i in range(n - q + 1)]
    return sum(s * s for s in sums) / (q * (n - q + 1) * (1 - q / n)) / one


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([-0.02, -0.01, 0.0, 0.01, 0.03]), min_size=20, max_size=40), st.sampled_from([2, 4, 8]))
def test_variance_ratio_is_that_of_sums_from_scratch(r, q):
    if len(set(r)) > 1:
        assert ratios(r, q)[0] == pytest.approx(naive_ratio(r, q), rel=1e-9)


def fractional(h, n, seed):
    """Fractional Gaussian noise of a known exponent, exactly, by the Cholesky factor of its covariance."""
    k = np.arange(n)
    rho = 0.5 * (np.abs(k + 1.0) ** (2 * h) - 2 * np.abs(k * 1.0) ** (2 * h) + np.abs(k - 1.0) ** (2 * h))
    factor = np.linalg.cholesky(rho[np.abs(k[:, None] - k[None, :])])
    return factor @ np.random.default_rng(seed).normal(size=n) * 1e-4


@pytest.mark.parametrize("planted", [0.3, 0.5, 0.7])
def test_a_planted_hurst_exponent_is_recovered(planted):
    found = [hurst(fractional(planted, RETURNS, seed), 0, RETURNS, SCALES) for seed in range(12)]
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found) - planted) < 0.02 + 3 * error
    assert np.std(found) < 0.12


def rescaled_range(r):
    """Hurst's exponent as the R package PerformanceAnalytics has it: ln(R / S) / ln n, S with n - 1."""
    walked = np.cumsum(r - np.mean(r))
    return math.log((walked.max() - walked.min()) / np.std(r, ddof=1)) / math.log(len(r))


def test_the_trap_of_a_rescaled_range_that_is_below_zero_where_ours_is_null_or_near_it():
    # analytics 2.9 [HAND]: r = (1, -1, 1, -1): R = 1, S = 1.1547, H = -.1038; a small R/S is biased, so it is not ours
    assert rescaled_range(np.array([1.0, -1.0, 1.0, -1.0])) == pytest.approx(-0.1038, abs=5e-5)
    assert rescaled_range(np.random.default_rng(1).normal(size=30)) > 0.5, "for a random walk, of which it is 0.5"
    bounce = np.tile([1.0, -1.0], RETURNS // 2)
    assert math.isnan(hurst(bounce, 0, RETURNS, SCALES)), "two steps of it cover no distance, which has no logarithm"
    noisy = bounce + 1e-3 * np.random.default_rng(2).normal(size=RETURNS)
    assert hurst(noisy, 0, RETURNS, SCALES) < 0.1


def run(trades, pane_ns=1):
    """Of trades (event ns, ticks), a pane each: what the last window says, and the state."""
    running = Running((TRAILING,))
    running.grow(1)
    at, ticks = (np.array(c, np.int64) for c in zip(*trades, strict=True))
    rows = {"instrument": np.zeros(len(at), np.int32), "pane_start_ns": at - pane_ns, "pane_end_ns": at}
    rows["close_ticks"] = ticks
    out = running.step(rows)
    last = {name: array[-1:] for name, array in out.items()}
    found = TRAILING.compute(last | {"window_end_ns": at[-1:]})
    return {name: array[0].item() for name, array in found.items()}, running.states["trailing"]


def on_the_grid(trades):
    """Returns of the last price at the end of each 5 s that has ended, from scratch."""
    steps = {}
    for at, ticks in trades:
        steps[(at - 1) // GRID_NS] = ticks
    prices = []
    for step in range(min(steps), max(steps)):
        prices.append(steps.get(step, prices[-1] if prices else 0))
    return [math.log(b / a) for a, b in pairwise(prices)]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_the_returns_are_those_of_the_grid_from_scratch(seed):
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.integers(1, 3 * GRID_NS, 600))
    trades = list(zip(at.tolist(), (1000 + np.cumsum(rng.integers(-2, 3, 600))).tolist(), strict=True))
    found, _ = run(trades)
    r = on_the_grid(trades)[-RETURNS:]
    assert len(r) == RETURNS
    wanted = variances(r)
    assert found["trailing_realised_variance"] == pytest.approx(wanted[0], rel=1e-9)
    assert found["trailing_med_variance"] == pytest.approx(wanted[3], rel=1e-9)
    assert found["jump_share"] == pytest.approx(max(wanted[0] - wanted[1], 0) / wanted[0], abs=1e-9)
    for q in (2, 4, 8, 16):
        assert found[f"variance_ratio_{q}"] == pytest.approx(naive_ratio(r, q), rel=1e-9)
    away = np.mean([abs(naive_ratio(r, q) - 1) for q in (2, 4, 8, 16)])
    assert found["efficiency"] == pytest.approx(100 * (1 - min(1, away / 0.5)), abs=1e-6)
    assert found["hurst"] == pytest.approx(hurst(np.array(r), 0, RETURNS, SCALES), rel=1e-9)
    assert found["hurst_error"] > 0


def test_it_is_null_before_512_returns_and_where_no_price_changed():
    steps = [(1 + i * GRID_NS, 1000) for i in range(RETURNS + 2)]
    short, _ = run(steps[: RETURNS + 1])
    assert all(math.isnan(v) for v in short.values())
    flat, _ = run(steps)
    assert flat["trailing_realised_variance"] == 0.0
    assert all(math.isnan(flat[n]) for n in ("jump_share", "variance_ratio_2", "efficiency", "hurst"))


@pytest.mark.parametrize(("pane_s", "known"), [(1, True), (2.5, True), (5, True), (2, False), (10, False), (60, False)])
def test_prices_between_the_ends_of_panes_are_not_taken_for_those_of_before(pane_s, known):
    # of panes of 10 s every second return was 0 and so each product of two: all variance had come in jumps
    pane_ns = round(pane_s * 1_000_000_000)
    rng = np.random.default_rng(6)
    ticks = (10_000 + np.cumsum(rng.integers(-9, 10, (RETURNS + 2) * GRID_NS // min(pane_ns, GRID_NS)))).tolist()
    found, _ = run([(pane_ns * (i + 1), t) for i, t in enumerate(ticks)], pane_ns)
    assert {math.isnan(v) for v in found.values()} == {not known}


def test_a_refined_tick_changes_no_return():
    rng = np.random.default_rng(5)
    trades = [(1 + i * GRID_NS, int(t)) for i, t in enumerate(1000 + np.cumsum(rng.integers(-2, 3, RETURNS + 2)))]
    plain, _ = run(trades)
    fine, _ = run([(at, 10 * t) for at, t in trades])
    assert fine == pytest.approx(plain, rel=1e-9)
