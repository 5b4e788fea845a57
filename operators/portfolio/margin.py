r"""Liquidation price of linear one-way positions, in closed form, maintenance taken at that price.

    LP = (W + cum - s q EP) / (q mmr - s q)

s: +1 long, -1 short. q: size, base units, > 0. EP: entry price. W: margin behind the position, USD: its own when
isolated; in cross mode wallet - maintenance of the other positions + their unrealised profit, both at their marks.
Where closing is charged within margins (Bybit), W is less that fee, which is part of what was put aside.
mmr, cum: rate and deduction of the tier in which q LP lies.

What is left, W + s q (P - EP) - maintenance(q P), is continuous in P and, as every mmr < 1, strictly rises with P for a
long and falls for a short. So it vanishes at most once, that root is the first crossing as the mark moves against the
position, and its tier is the last whose floor still stands on the near side of zero: no trial and error over tiers.
NaN where there is none at a positive price (a long that its margin covers down to zero), or no tiers.

`BINANCE_USDM` and Bybit's text of 2026-05 (`BYBIT_LINEAR_V2026`) take maintenance at the mark; Bybit's of 2024-09
(`BYBIT_LINEAR_V2024`) at entry, where LP = EP - s (W - MM(q EP)) / q.
Sources: Binance FAQ b3c689c1; Bybit help centre, "Liquidation Price (USDT Contract)", and "Position Margin": "initial
margin + fee to close".

>>> float(linear(1.0, 109.488, 32481.98, 1535443.01, 0.025, 16300.0).round(2))
18778.73
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array
from operators.portfolio.tiers import TierTable, maintenance
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

BINANCE_USDM = 0
BYBIT_LINEAR_V2026 = 0
BYBIT_LINEAR_V2024 = 1


def linear(
    sign: float | Array,
    qty: float | Array,
    entry: float | Array,
    margin: float | Array,
    mmr: float | Array,
    cum: float | Array,
) -> Array:
    """The formula with the tier given; `mmr` + fee rate makes it Gate's and OKX's. NaN where it is not positive."""
    s, q = np.asarray(sign, np.float64), np.asarray(qty, np.float64)
    price = np.asarray((margin + cum - s * q * entry) / (q * mmr - s * q))
    return np.where(price > 0, price, np.nan)


@inner
def first_crossing(
    sign: float, qty: float, entry: float, margin: float, rule: int, start: int, end: int, floor: F8, mmr: F8, cum: F8
) -> float:
    """The liquidation price of one position with tiers `start` to `end`; NaN when there is none."""
    if start == end:
        return np.nan
    value = qty * entry
    if rule == 1:
        price = entry - sign * (margin - maintenance(value, start, end, floor, mmr, cum)) / qty
        return price if price > 0 else np.nan
    left = margin - sign * value
    tier = end - 1
    while tier > start:
        beyond = left + sign * floor[tier] - (floor[tier] * mmr[tier] - cum[tier])
        if sign * beyond <= 0:
            break
        tier -= 1
    price = (left + cum[tier]) / (qty * (mmr[tier] - sign))
    return price if price > 0 else np.nan


@kernel
def _prices(
    market: I8, sign: F8, qty: F8, entry: F8, margin: F8, rule: I8, starts: I8, floor: F8, mmr: F8, cum: F8, out: F8
) -> None:
    for i in range(len(qty)):
        m = market[i]
        out[i] = first_crossing(
            sign[i], qty[i], entry[i], margin[i], rule[i], starts[m], starts[m + 1], floor, mmr, cum
        )


def liquidation_price(market: I8, signed_qty: F8, entry: F8, margin: F8, rule: I8, tiers: TierTable) -> F8:
    """Liquidation prices, one a position; `margin` is W above, `market` the position's ladder of `tiers`."""
    q = np.asarray(signed_qty, np.float64)
    prices = np.empty(len(q))
    _prices(
        np.asarray(market, np.int64),
        np.sign(q),
        np.abs(q),
        np.asarray(entry, np.float64),
        np.asarray(margin, np.float64),
        np.asarray(rule, np.int64),
        tiers.starts,
        tiers.floor,
        tiers.mmr,
        tiers.cum,
        prices,
    )
    return prices


def round_conservative(price: Array, sign: Array, tick: Array) -> Array:
    """To the tick that is reached first: up for a long, down for a short.

    >>> round_conservative(np.array([5739.0835, 2209.9448]), np.array([1, -1]), np.array([0.5, 0.5])).tolist()
    [5739.5, 2209.5]
    """
    steps = price / tick
    return np.asarray(np.where(sign > 0, np.ceil(steps), np.floor(steps)) * tick)


def buffered(price: Array, entry: Array, share: float) -> Array:
    """The price moved towards entry by `share` of their distance, as freqtrade keeps away from liquidation.

    >>> float(buffered(np.array(17.47), np.array(18.884), 0.05).round(4))
    17.5407
    """
    return np.asarray(price + share * (entry - price))
