"""Spoofing: how much the pulling of a wall looks like it, from 0 to 1, which level data cannot prove.

    suspicion = min(1, z / 10) (1 + quick + leaning) / 3      if it stood 1 to 50 bps from mid and behind the best
    quick: it was gone within 5 s of being seen                price, else 0
    leaning: with it there was more on its side within 50 bps than on the other, without it there is not

z: how far the wall stood out. Where a side is not known as far as 50 bps, the sides are compared as far as both are: of
a snapshot that reaches 20 bps, what changed since is all that is held beyond, and the side of which more changed is not
the heavier one. That is how it looks, and proves nothing: who quotes honestly pulls too, when the market moves; intent,
and whose orders these were, is not in level data, and neither is what came and went between two ends of panes.

After Cartea, Jaimungal & Wang (2020), Spoofing and price manipulation in order-driven markets, Applied Mathematical
Finance 27(1-2), and Do & Putnins (2023), Detecting layering and spoofing in markets.
"""

import numpy as np

from operators.book.sides import Ladders, side_of
from schemas.kernels import inner

NEAR_BPS, FAR_BPS, QUICK_NS, CLEAR_Z = 1, 50, 5_000_000_000, 10.0


@inner
def _within(books: Ladders, i: int, s: int, most: int) -> float:
    """What stands on a side within so many half ticks of mid."""
    ticks, lots, _ = side_of(books, i, s)
    half, total = books.half[i], 0.0
    for j in range(len(ticks)):
        if abs(2 * ticks[j] - half) > most:
            break
        total += np.float64(lots[j]) * (1.0 if books.inverse[i] else np.float64(ticks[j]))
    return total


@inner
def suspicion(books: Ladders, i: int, s: int, at: int, best: int, gone: float, age_ns: int, z: float) -> float:
    """How much the pulling of a wall looks like spoofing; `gone`: how much less stands there now."""
    half = books.half[i]
    away = abs(2 * at - half)
    if np.isnan(z):
        return np.nan
    if 10_000 * away < NEAR_BPS * half or 10_000 * away > FAR_BPS * half or at == best:
        return 0.0
    most = min(FAR_BPS * half // 10_000, side_of(books, i, 0)[2], side_of(books, i, 1)[2])
    mine, other = _within(books, i, s, most), _within(books, i, 1 - s, most)
    signs = 1 + (age_ns <= QUICK_NS) + (away <= most and mine + gone > other and mine <= other)
    return float(min(1.0, max(z, 0.0) / CLEAR_Z) * signs / 3)
