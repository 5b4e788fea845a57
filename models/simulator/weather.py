"""Weather: the slow hidden states that give bursts their causes (volatility regimes, drift, depth, leverage, mood)."""

import math

import numpy as np

from models.simulator.chance import U8, normal, uniform
from models.simulator.simulated_rows import Market, Tide
from schemas.kernels import inner

CALM, ACTIVE, STORM, BREWING = range(4)
REGIME_VOL = np.array([0.75, 1.15, 2.6, 0.9])
REGIME_DEPTH = np.array([1.0, 0.9, 0.6, 0.5])
STAY_S = np.array([1800.0, 1200.0, 600.0, 1500.0])
"""Multiples of volatility and of resting depth, and mean stay, of each regime.

A storm never comes unannounced: makers who sense it thin out for a while, more on the side it will run over, and
takers lean the same way. So depth, imbalance and flow foretell what volatility and liquidations do not show yet.
"""

STORM_DRIFT_BPS = 0.2
TILT = 0.35
BASE_VOL_BPS = 1.6
COMMON = 0.75
"""Correlation of an instrument's return with the tide's."""


@inner
def revert(value: float, sd: float, life_s: float, word: U8) -> float:
    """One second of an Ornstein-Uhlenbeck process around 0 with stationary deviation `sd`."""
    keep = math.exp(-1.0 / life_s)
    return value * keep + sd * math.sqrt(1.0 - keep * keep) * normal(word)


@inner
def tide_second(t: Tide, word: U8) -> None:
    """One second of what moves all instruments."""
    if uniform(word) < 1.0 / STAY_S[t.regime]:
        chance = uniform(word)
        if t.regime == BREWING:
            t.regime = STORM
        elif t.regime == STORM:
            t.regime = ACTIVE
        elif chance < (0.6 if t.regime == CALM else 0.3):
            t.regime = BREWING
            t.lean = 1.0 if uniform(word) < 0.5 else -1.0
        else:
            t.regime = ACTIVE if t.regime == CALM else CALM
    if t.regime < STORM:
        t.lean = 0.0
    if uniform(word) < 1.0 / 1500.0:
        t.mood_bps = 0.03 * normal(word)
    t.drift_bps = t.mood_bps + (STORM_DRIFT_BPS * t.lean if t.regime == STORM else 0.0)
    t.log_vol = revert(t.log_vol, 0.25, 1200.0, word)
    t.vol_bps = BASE_VOL_BPS * REGIME_VOL[t.regime] * math.exp(t.log_vol)
    t.shock_bps = t.vol_bps * normal(word)


@inner
def market_second(m: Market, t: Tide, word: U8) -> None:
    """One second of an instrument's own weather; makers thin out when volatility rises.

    The crowd's imbalance pulls the premium, and both the funding rate.
    """
    m.log_vol = revert(m.log_vol, 0.2, 1200.0, word)
    m.vol_bps = m.vol_scale * t.vol_bps * math.exp(m.log_vol)
    m.log_depth = revert(m.log_depth, 0.25, 2400.0, word)
    thinning = REGIME_DEPTH[t.regime] * (BASE_VOL_BPS / max(0.4, t.vol_bps)) ** 0.3
    m.depth += (math.exp(m.log_depth) * thinning - m.depth) / 60.0
    m.tilt += (TILT * t.lean - m.tilt) / 120.0
    m.appetite = revert(m.appetite, 1.0, 5400.0, word)
    m.mood = revert(m.mood, 0.8, 7200.0, word)
    m.open_hazard = math.exp(0.5 * m.appetite) / 1800.0
    crowd = (m.long_lots - m.short_lots) / (m.long_lots + m.short_lots + m.base_lots)
    m.premium += (0.0012 * crowd - m.premium) / 120.0 + 2e-6 * normal(word)
    m.funding += (min(0.003, max(-0.003, 0.0001 + 0.0008 * crowd + m.premium_ema)) - m.funding) / 300.0
