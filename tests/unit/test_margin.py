"""Liquidation prices: every published vector, and the closed form against bisection on whole accounts."""

import numpy as np
import pytest

from operators.portfolio import inverse
from operators.portfolio.margin import (
    BINANCE_USDM,
    BYBIT_LINEAR_V2024,
    BYBIT_LINEAR_V2026,
    buffered,
    linear,
    liquidation_price,
    round_conservative,
)
from operators.portfolio.tiers import TierTable, table
from schemas.brackets import Tiers, deductions

WALLET = 1535443.01
ETH = (3683.979, 1456.84, 0.10, 135365.0)
BTC = (109.488, 32481.98, 0.025, 16300.0)


def tiers(*floor_and_rate: tuple[float, float]) -> Tiers:
    floor, mmr = (np.array(column, np.float64) for column in zip(*floor_and_rate, strict=True))
    cap = np.append(floor[1:], floor[-1] + 1e12)
    return Tiers(floor, cap, mmr, deductions(floor, mmr), np.full(len(floor), 20.0))


def of(t: Tiers) -> TierTable:
    return table([("binance-usdm", "X")], {("binance-usdm", "X"): t})


def one(t: Tiers, qty: float, entry: float, margin: float, rule: int = BINANCE_USDM) -> float:
    return float(
        liquidation_price(
            np.array([0]), np.array([qty]), np.array([entry]), np.array([margin]), np.array([rule]), of(t)
        )[0]
    )


@pytest.mark.parametrize(
    ("position", "other", "expected"),
    [
        (ETH, None, 1114.78),
        (BTC, None, 18778.73),
        (ETH, (109.488, 32481.98, 31967.27, 0.025, 16300.0), 1153.26),
        (BTC, (3683.979, 1456.84, 1335.18, 0.10, 135365.0), 26316.89),
    ],
    ids=["isolated ETH", "isolated BTC", "cross ETH", "cross BTC"],
)
def test_the_four_liquidation_prices_of_binances_own_example(position, other, expected):
    """[EXT✓] freqtrade tests/exchange/test_binance.py::test_liquidation_price_binance, commit c9ae5e1e."""
    qty, entry, mmr, cum = position
    margin = WALLET
    if other is not None:
        other_qty, other_entry, mark, other_mmr, other_cum = other
        margin += other_qty * (mark - other_entry) - (other_qty * mark * other_mmr - other_cum)
    assert float(linear(1.0, qty, entry, margin, mmr, cum)) == pytest.approx(expected, abs=0.005)


def test_what_the_other_position_takes_away_in_binances_example():
    """[EXT✓] analytics §4.1: TMM 71200.81 and 356512.51, unrealised -56354.57 and -448192.89."""
    btc_maintenance, btc_pnl = 109.488 * 31967.27 * 0.025 - 16300, 109.488 * (31967.27 - 32481.98)
    eth_maintenance, eth_pnl = 3683.979 * 1335.18 * 0.10 - 135365, 3683.979 * (1335.18 - 1456.84)
    assert btc_maintenance == pytest.approx(71200.81, abs=0.005)
    assert eth_maintenance == pytest.approx(356512.51, abs=0.005)
    assert btc_pnl == pytest.approx(-56354.57, abs=0.005)
    assert eth_pnl == pytest.approx(-448192.89, abs=0.005)


@pytest.mark.parametrize(
    ("sign", "leverage", "entry", "qty", "expected"),
    [
        (-1, 5, 10, 1, 11.89108910891089),
        (-1, 3, 10, 1, 13.211221122079207),
        (-1, 5, 8, 1, 9.514851485148514),
        (-1, 5, 10, 0.6, 11.897689768976898),
        (1, 5, 10, 1, 8.070707070707071),
        (1, 5, 8, 1, 6.454545454545454),
        (1, 3, 10, 1, 6.723905723905723),
        (1, 5, 10, 0.6, 8.063973063973064),
    ],
)
def test_binance_isolated_prices_of_freqtrade(sign, leverage, entry, qty, expected):
    """[EXT✓] freqtrade tests/exchange/test_exchange.py::test_get_liquidation_price, MMR .01, cum .01."""
    assert float(linear(sign, qty, entry, qty * entry / leverage, 0.01, 0.01)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("sign", "leverage", "entry", "qty", "expected"),
    [
        (-1, 5, 10, 1, 11.87413417771621),
        (-1, 5, 10, 2, 11.87413417771621),
        (-1, 3, 10, 1, 13.193482419684678),
        (-1, 5, 8, 1, 9.499307342172967),
        (1, 5, 10, 1, 8.085708510208207),
        (1, 3, 10, 1, 6.738090425173506),
    ],
)
def test_gate_and_okx_isolated_prices_of_freqtrade_have_the_fee_in_the_rate(sign, leverage, entry, qty, expected):
    """[EXT✓] the same test; taker .0006."""
    price = linear(sign, qty, entry, qty * entry / leverage, 0.01 + 0.0006, 0.0)
    assert float(price) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("sign", "leverage", "expected"),
    [
        (1, 1, 0.1),
        (1, 3, 6.7666666),
        (1, 5, 8.1),
        (1, 10, 9.1),
        (-1, 1, 19.9),
        (-1, 3, 13.233333),
        (-1, 5, 11.9),
        (-1, 10, 10.9),
    ],
)
def test_bybit_simplified_prices_of_freqtrade(sign, leverage, expected):
    """[EXT✓] the same test; MMR .01, no deduction, maintenance at entry."""
    price = one(tiers((0, 0.01)), sign * 1.0, 10.0, 10 / leverage, BYBIT_LINEAR_V2024)
    assert price == pytest.approx(expected, abs=1e-6)


def test_bybit_linear_of_2024_is_liquidated_at_19700():
    """[EXT✓] Bybit help centre: 1 BTC @20 000, 50x, .5 %: IM 400, MM 100."""
    assert one(tiers((0, 0.005)), 1.0, 20_000.0, 400.0, BYBIT_LINEAR_V2024) == pytest.approx(19_700, abs=1e-9)


def test_bybit_linear_of_2026_takes_maintenance_at_the_mark():
    """[HAND✓] (q EP - IM - deduction - extra) / (q (1 - MMR)) = (20000 - 400) / .995."""
    assert one(tiers((0, 0.005)), 1.0, 20_000.0, 400.0, BYBIT_LINEAR_V2026) == pytest.approx(19_600 / 0.995)


def test_bybit_takes_the_deduction_of_the_tier_at_entry():
    """[HAND✓] value 20 000, tier from 10 000 at 1 %, deduction 50: MM 150; 20000 - (400 - 150)."""
    t = tiers((0, 0.005), (10_000, 0.01))
    assert one(t, 1.0, 20_000.0, 400.0, BYBIT_LINEAR_V2024) == pytest.approx(19_750, abs=1e-9)


def test_inverse_vectors_of_bybit():
    """[EXT✓] MCS help centre, help.bybit 360039261334, UTA text of 2024-09; [HAND✓] of 2026-05."""
    legacy = inverse.bybit_isolated_legacy(
        np.array([1, -1, 1, -1]), np.array([2000, 2000, 8000, 8000]), np.array([10, 10, 50, 50]), 0.005
    )
    assert legacy.round(2).tolist() == [1826.48, 2209.94, 7881.77, 8121.83]
    assert float(inverse.bybit_cross_bankruptcy(10_000, 8000, 0.5, 0.00075)) == pytest.approx(5718.57, abs=0.005)
    cross = inverse.bybit_cross_legacy(10_000, 8000, 0.5, 0.005, 0.00075)
    assert float(cross) == pytest.approx(5739.0835, abs=5e-5)
    assert float(round_conservative(cross, np.array(1), np.array(0.5))) == 5739.5
    sides = np.array([1, -1])
    v2024 = inverse.bybit_isolated_v2024(sides, 60_000, 50_000, 10, 0.005)
    v2026 = inverse.bybit_isolated_v2026(sides, 60_000, 50_000, 10, 0.005)
    assert v2024.round(2).tolist() == [45662.10, 55248.62]
    assert v2026.round(2).tolist() == [45681.82, 55277.78]


def test_the_coin_margined_forum_case():
    """[EXT✓] dev.binance.vision/t/6292; Binance's own screen showed 33599.40, within .1 %."""
    price = float(inverse.binance_coinm(1, 10_000_000, 45_000, 101, 0.125, 11.81))
    assert price == pytest.approx(33578.859744834, abs=1e-8)
    assert price == pytest.approx(33599.40, rel=1e-3)


def test_an_inverse_short_smaller_than_its_margin_has_no_price():
    assert np.isnan(inverse.binance_coinm(-1, 1000, 50_000, 1.0, 0.004, 0.0))


def test_the_buffered_prices_of_freqtrade():
    """[EXT✓] LP 17.47, EP 18.884, buffer .05; test_backtesting.py: EP .1, q 15000, wallet 300, MMR .01, cum .01."""
    assert float(buffered(np.array(17.47), np.array(18.884), 0.05)) == pytest.approx(17.5407)
    long = linear(1, 15_000, 0.1, 300, 0.01, 0.01)
    short = linear(-1, 15_000, 0.1, 300, 0.01, 0.01)
    assert float(buffered(long, np.array(0.1), 0.05)) == pytest.approx(0.081767037, abs=1e-9)
    assert float(buffered(short, np.array(0.1), 0.05)) == pytest.approx(0.11787191, abs=1e-8)


def test_a_long_that_its_margin_covers_down_to_zero_has_no_price():
    assert np.isnan(one(tiers((0, 0.005)), 1.0, 100.0, 100.0))
    assert np.isnan(one(tiers((0, 0.005)), 1.0, 100.0, 150.0))


def test_a_market_without_tiers_has_no_price():
    none = table([("binance-usdm", "X")], {})
    answer = liquidation_price(np.array([0]), np.array([1.0]), np.array([10.0]), np.array([1.0]), np.array([0]), none)
    assert np.isnan(answer[0])


LADDERS = [
    tiers((0, 0.004), (50_000, 0.005), (250_000, 0.01), (1_000_000, 0.025), (10_000_000, 0.05)),
    tiers((0, 0.015), (5_000, 0.02), (10_000, 0.025), (25_000, 0.05), (62_500, 0.125), (125_000, 0.5)),
    tiers((0, 0.005)),
]
MARKETS = [("binance-usdm", str(i)) for i in range(3)]
FLAT = table(MARKETS, dict(zip(MARKETS, LADDERS, strict=True)))
ROWS = [list(zip(t.floor.tolist(), t.mmr.tolist(), t.cum.tolist(), strict=True)) for t in LADDERS]


def maintenance(market: int, notional: float) -> float:
    _, mmr, cum = [row for row in ROWS[market] if row[0] <= notional][-1]
    return notional * mmr - cum


def crossing(left, mark: float, sign: int) -> float:
    """The price at which `left` first vanishes as the mark moves against the position, or where it came from."""
    solvent = left(mark) > 0
    away = -sign if solvent else sign
    near, far, step = mark, mark, mark * 1e-3
    while (left(far) > 0) == solvent:
        if far in (0.0, 1e15):
            return float("nan")
        near, far = far, min(max(far + away * step, 0.0), 1e15)
        step *= 1.5
    while (middle := 0.5 * (near + far)) not in (near, far):
        if (left(middle) > 0) == solvent:
            near = middle
        else:
            far = middle
    return near


def error_of_a_random_account(rng) -> float:
    """Relative difference between closed form and bisection of the first of its one to four positions."""
    n = int(rng.integers(1, 5))
    market = rng.integers(0, 3, n)
    mark = 10 ** rng.uniform(-2, 5, n)
    entry = mark * np.exp(rng.normal(0, 0.1, n))
    sign = rng.choice([-1, 1], n)
    qty = 10 ** rng.uniform(2, 7.5, n) / mark
    isolated = rng.random(n) < 0.4
    margin = qty * entry / rng.integers(1, 100, n)
    wallet = float((qty * mark).sum() * rng.uniform(0.01, 0.8))
    m, s, q, e = int(market[0]), int(sign[0]), float(qty[0]), float(entry[0])
    if rng.random() < 0.2 and len(ROWS[m]) > 1:
        boundary = float(rng.choice(LADDERS[m].floor[1:]))
        isolated[0] = True
        margin[0] = s * q * (e - boundary / q) + maintenance(m, boundary)
    pnl = sign * qty * (mark - entry)
    held = np.array([maintenance(int(market[i]), float(qty[i] * mark[i])) for i in range(n)])
    cross = ~isolated
    backing = np.where(isolated, margin, wallet + (pnl[cross].sum() - pnl) - (held[cross].sum() - held))
    price = liquidation_price(market, sign * qty, entry, backing, np.zeros(n, np.int64), FLAT)[0]
    others = [float(pnl[j] - held[j]) for j in range(1, n) if cross[j]]
    behind = float(margin[0]) if isolated[0] else wallet + sum(others)
    expected = crossing(lambda p: behind + s * q * (p - e) - maintenance(m, q * p), float(mark[0]), s)
    if np.isnan(expected) or expected < 1e-6 * e:
        assert np.isnan(price) or price < 2e-6 * e
        return float("nan")
    return abs(price - expected) / expected


def test_the_closed_form_agrees_with_bisection_of_whole_accounts_to_1e9():
    """10 000 accounts of one to four cross or isolated positions, a fifth of them set on a tier's boundary."""
    rng = np.random.default_rng(7)
    errors = np.array([error_of_a_random_account(rng) for _ in range(10_000)])
    assert np.isfinite(errors).sum() > 5_000
    assert np.nanmax(errors) < 1e-9
