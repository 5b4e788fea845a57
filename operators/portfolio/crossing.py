r"""Crossing: where positions whose marks move together are no longer covered by what backs them.

    f(x) = B + x C + sum_j r s_j q_j (x P_j - EP_j) - k M_j(x q_j P_j) + sum_u min(0, t_u E_u(x)) = 0,   x > 0

x: common factor of the marks P_j of the positions j that move; B: what backs them besides, the rest of the pool as it
stands; C: collateral of the pool in the asset that moves. M: maintenance by tiers, k and r what a unit of it and of
profit counts in the pool (1, 1 but for collateral rates of a pool of several assets). E_u: what purse u, in which such
profits go, then holds; t_u: what a unit of it counts more or less once that has another sign than now, as what is owed
counts more than what is owned. With legs on both sides f may fall both ways. As tiers' rates rise with size, f is
concave and piecewise linear: it has at most two roots, and Newton's steps from either end reach them in as many steps
as tiers and signs are passed, never beyond. Taken is the root nearest to x = 1. Legs of one market share its price,
also where it has no mark and each counts at its own entry.
Source: definition of this project; for a single position the closed form of `margin`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.portfolio.tiers import tier_of
from schemas.kernels import inner

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
MOST_STEPS = 200

QTY, ENTRY, LEVERAGE, MARGIN, FEE = range(5)
"""Columns of the numbers of a position."""
MARKET, PURSE, LEG, KIN, RULE, CROSS, BASE, TIERS = range(8)
"""Of its places: market, purse, next leg of the market, next of the underlying, rule, whether cross, underlying, and
its ladder of `tiers`."""


class Members(NamedTuple):
    """Of each position P, r, k, and what it needs where tiers do not tell; of the first of a purse E_u(x) = `owned` +
    x `swing` and t_u, 0 of the others.
    """

    price: F8
    rate: F8
    need_rate: F8
    fixed: F8
    owned: F8
    swing: F8
    turn: F8


@inner
def covered(
    x: float,
    first: int,
    link: int,
    backing: float,
    moving: float,
    held: F8,
    place: I8,
    of: Members,
    tier_starts: I8,
    floor: F8,
    mmr: F8,
    cum: F8,
) -> tuple[float, float]:
    """f(x) and its slope. A member whose rule takes maintenance at entry needs its `fixed` whatever x is, one without
    tiers x times that: its initial margin is of its notional.
    """
    value, slope = backing + x * moving, moving
    j = first
    while True:
        m, size, price = place[j, TIERS], abs(held[j, QTY]), of.price[first if link == LEG else j]
        value += of.rate[j] * held[j, QTY] * (x * price - held[j, ENTRY])
        slope += of.rate[j] * held[j, QTY] * price
        notional = x * size * price
        tier = tier_of(notional, tier_starts[m], tier_starts[m + 1], floor)
        if place[j, RULE] == 1:
            value -= of.need_rate[j] * of.fixed[j]
        elif tier < 0:
            value -= of.need_rate[j] * x * of.fixed[j]
            slope -= of.need_rate[j] * of.fixed[j]
        else:
            value -= of.need_rate[j] * (notional * mmr[tier] - cum[tier])
            slope -= of.need_rate[j] * mmr[tier] * size * price
        turned = of.turn[j] * (of.owned[j] + x * of.swing[j])
        if turned < 0:
            value += turned
            slope += of.turn[j] * of.swing[j]
        j = place[j, link]
        if j == first:
            return value, slope


@inner
def nearest_root(
    first: int,
    link: int,
    backing: float,
    moving: float,
    held: F8,
    place: I8,
    of: Members,
    tier_starts: I8,
    floor: F8,
    mmr: F8,
    cum: F8,
) -> float:
    """The factor nearest to 1 at which f vanishes; NaN where there is none."""
    low, high = np.nan, np.nan
    x = 0.0
    for _ in range(MOST_STEPS):
        value, slope = covered(x, first, link, backing, moving, held, place, of, tier_starts, floor, mmr, cum)
        if x == 0.0 and value >= 0:
            break
        if value < 0 and slope <= 0:
            low = np.nan
            break
        step = x - value / slope if slope != 0 else x
        low = step
        if value >= 0 or step <= x:
            break
        x = step
    x = 1.0
    j = first
    while True:
        m = place[j, TIERS]
        if tier_starts[m + 1] > tier_starts[m]:
            price = of.price[first if link == LEG else j]
            x = max(x, floor[tier_starts[m + 1] - 1] / (abs(held[j, QTY]) * price))
        if of.turn[j] != 0 and of.swing[j] != 0:
            x = max(x, -of.owned[j] / of.swing[j])
        j = place[j, link]
        if j == first:
            break
    x *= 2.0  # beyond the last edge: on it, slope is of either side
    for _ in range(MOST_STEPS):
        value, slope = covered(x, first, link, backing, moving, held, place, of, tier_starts, floor, mmr, cum)
        if slope >= 0:
            high = np.nan
            break
        step = x - value / slope
        high = step
        if value >= 0 or step >= x or step <= 0:
            break
        x = step
    if not high > 0:
        high = np.nan
    if not low > 0:
        low = np.nan
    if np.isnan(low) or abs(high - 1) < abs(low - 1):
        return high
    return low
