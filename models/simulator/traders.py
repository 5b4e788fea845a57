"""Leveraged traders: how positions open, what margin holds them, the price that liquidates them, when they close."""

import math

import numpy as np

from models.simulator.chance import U8, normal, uniform
from models.simulator.simulated_rows import Market, Trader
from schemas.kernels import inner, kernel

FLOORS = np.array([0.0, 300e3, 800e3, 3e6, 12e6])
RATES = np.array([0.004, 0.005, 0.0065, 0.01, 0.02])
CUMS = np.array([0.0, 300.0, 1500.0, 12_000.0, 132_000.0])
MAX_LEVERAGES = np.array([125, 100, 75, 50, 25])
"""Maintenance tiers by notional, the same for every simulated instrument: rate and amount (cum) above each floor."""

LEVERAGES = np.array([5, 10, 20, 25, 50, 100])
SHARES = np.array([0.15, 0.20, 0.20, 0.10, 0.20, 0.15])
"""The mix when appetite for leverage is neutral."""


@kernel
def liquidation_price(quantity: float, side: int, entry: float, margin: float) -> float:
    """Binance USD-M, isolated: LP = (margin + cum - side*q*EP) / (q*MMR - side*q), tier taken at LP.

    `quantity` base units, `side` +1 long, prices and `margin` in USD. Never below 0, which no mark reaches.

    >>> round(liquidation_price(1.0, 1, 100.0, 10.0), 6)   # 10x: 90 / 0.996
    90.361446
    >>> round(liquidation_price(1.0, -1, 100.0, 10.0), 6)  # 110 / 1.004
    109.561753
    """
    found = 0.0
    for tier in range(len(FLOORS)):
        found = (margin + CUMS[tier] - side * quantity * entry) / (quantity * RATES[tier] - side * quantity)
        if tier + 1 == len(FLOORS) or quantity * found < FLOORS[tier + 1]:
            break
    return max(0.0, found)


@inner
def leverage_of(appetite: float, notional: float, word: U8) -> int:
    """A draw from the mix, tilted towards high leverage by appetite, capped by the tier of the notional."""
    total = 0.0
    for k in range(len(LEVERAGES)):
        total += SHARES[k] * math.exp(0.35 * appetite * (k - 2))
    point = uniform(word) * total
    chosen = int(LEVERAGES[-1])
    for k in range(len(LEVERAGES)):
        point -= SHARES[k] * math.exp(0.35 * appetite * (k - 2))
        if point < 0:
            chosen = int(LEVERAGES[k])
            break
    tier = len(FLOORS) - 1
    while tier > 0 and FLOORS[tier] > notional:
        tier -= 1
    return min(chosen, int(MAX_LEVERAGES[tier]))


@inner
def wants(m: Market, t: Trader, now_ms: int, word: U8) -> int:
    """Signed lots a trader now trades: opens when flat, or closes the whole position; 0 does nothing.

    Opening follows the trend, the crowd's mood and the appetite for leverage, and shuns the side that pays funding.
    A winner takes profit; half of the traders cut a loss at half their margin, the others wait for the liquidation.
    """
    chance = uniform(word)
    if t.lots == 0:
        pull = min(2.0, max(-2.0, m.trend_bps / (m.vol_bps * 25.0)))
        if chance > (1.0 + 0.8 * abs(pull)) * m.open_hazard:
            return 0
        p_long = 1.0 / (1.0 + math.exp(-1.3 * pull - m.mood + 800.0 * m.funding))
        side = 1 if uniform(word) < p_long else -1
        notional = min(m.depth_usd, m.depth_usd * 0.05 * math.exp(0.9 * normal(word)))
        return side * max(1, int(notional / (m.mark * m.lot)))
    profit = t.lots * m.lot * (m.mark - t.entry) / t.margin
    hazard = 1.0 / 1800.0 if t.leverage >= 50 else 1.0 / 3600.0
    if profit > 0.6:
        hazard = 1.0 / 120.0
    elif profit < -0.5 and t.patient == 0:
        hazard = 1.0 / 20.0
    elif profit < -0.2:
        hazard = hazard * 0.3
    return -t.lots if chance < hazard and now_ms > t.opened_ms else 0


@inner
def open_position(m: Market, t: Trader, lots: int, entry: float, now_ms: int, word: U8) -> None:
    """Enter at the average fill; the wallet is topped up when it cannot carry the margin and a tenth more."""
    quantity = abs(lots) * m.lot
    t.leverage = leverage_of(m.appetite, quantity * entry, word)
    t.margin = quantity * entry / t.leverage
    t.cash = max(t.cash, 1.1 * t.margin) - t.margin
    t.lots, t.entry, t.opened_ms = lots, entry, now_ms
    t.patient = 1 if uniform(word) < 0.5 else 0
    t.liquidation = liquidation_price(quantity, 1 if lots > 0 else -1, entry, t.margin)
    count(m, lots, 1)


@inner
def close_position(m: Market, t: Trader, exit_price: float) -> None:
    """Leave at the average fill; a loss stops at the margin."""
    t.cash += max(0.0, t.margin + t.lots * m.lot * (exit_price - t.entry))
    clear(m, t)


@kernel
def clear(m: Market, t: Trader) -> None:
    """No position; the margin of a liquidated one is lost."""
    count(m, t.lots, -1)
    t.lots, t.entry, t.leverage, t.margin, t.liquidation, t.opened_ms = 0, 0.0, 0, 0.0, 0.0, 0


@kernel
def count(m: Market, lots: int, sign: int) -> None:
    """Keep the crowd's long and short totals."""
    if lots > 0:
        m.long_lots += sign * lots
    else:
        m.short_lots -= sign * lots


@kernel
def crossed(t: Trader, mark: float) -> bool:
    """Whether the mark has reached the liquidation price."""
    return (t.lots > 0 and mark <= t.liquidation) or (t.lots < 0 and mark >= t.liquidation)
