"""Imbalance of the best queues: how much more stands on the bid than on the ask.

    I_L = (B_L - A_L) / (B_L + A_L),   B_L, A_L: size of the best L bids, asks, base units;  L = 1, 5, 20
    I_w = the same with level l = 0, 1, ... weighted by exp(-l / 2), over the best 20 levels

In [-1, 1]; bids heavier: positive. L levels must be known exactly on both sides; a side with fewer levels is taken
whole if the book is known out to 100 bps, else the number is null. The contract size cancels and need not be known.

Gould & Bonart (2016), Market Microstructure and Liquidity 2(2).

>>> book = {"live": [True], "bid_starts": [0, 1], "bid_ticks": [9995], "bid_lots": [4], "ask_starts": [0, 1],
...         "ask_ticks": [10005], "ask_lots": [2], "reach_low_ticks": [9990], "reach_high_ticks": [10010]}
>>> out = IMBALANCE.compute({k: np.array(v) for k, v in (book | {"inverse": [False]}).items()})
>>> round(float(out["imbalance_1"][0]), 6), float(out["imbalance_5"][0])
(0.333333, nan)
"""

import numpy as np
from numpy.typing import NDArray

from operators.book.midpoint import I8, LADDER, REACH, SIDES, half_ticks
from operators.contract import Columns, Feature
from schemas.column import Column
from schemas.kernels import kernel

LEVELS = (1, 5, 20)
DECAY_PER_LEVEL = 0.5
_LEVELS = np.array(LEVELS)
_WEIGHT = np.exp(-DECAY_PER_LEVEL * np.arange(LEVELS[-1]))


@kernel
def _imbalances(
    half: I8,
    inverse: NDArray[np.bool_],
    levels: I8,
    weight: NDArray[np.float64],
    sums: NDArray[np.float64],
    out: NDArray[np.float64],
    bid_starts: I8,
    bid_ticks: I8,
    bid_lots: I8,
    ask_starts: I8,
    ask_ticks: I8,
    ask_lots: I8,
    low: I8,
    high: I8,
) -> None:
    """One row per level count, then the weighted one; f8[len(levels) + 1, m]. `sums` is room for both sides' sums."""
    kinds = len(levels)
    for i in range(len(half)):
        if half[i] == 0:
            continue
        for s in range(2):
            for k in range(kinds + 1):
                sums[s, k] = np.nan
            start, end = (bid_starts[i], bid_starts[i + 1]) if s == 0 else (ask_starts[i], ask_starts[i + 1])
            ticks, lots = (bid_ticks, bid_lots) if s == 0 else (ask_ticks, ask_lots)
            reach = half[i] - 2 * max(low[i], 0) if s == 0 else 2 * min(high[i], half[i]) - half[i]
            size, weighted, count = 0.0, 0.0, 0
            for at in range(start, min(end, start + len(weight))):
                if at > start and (ticks[at] < low[i] if s == 0 else ticks[at] > high[i]):
                    break
                q = lots[at] / ticks[at] if inverse[i] else np.float64(lots[at])
                size += q
                weighted += q * weight[at - start]
                if at - start + 1 == levels[count]:
                    sums[s, count] = size
                    count += 1
            if 100 * reach >= half[i]:
                for k in range(count, kinds):
                    sums[s, k] = size
                count = kinds
            if count == kinds:
                sums[s, kinds] = weighted
        for k in range(kinds + 1):
            whole = sums[0, k] + sums[1, k]
            if whole > 0:
                out[k, i] = (sums[0, k] - sums[1, k]) / whole


def _imbalance(books: Columns) -> Columns:
    sides = (books[n] for n in (*SIDES, *REACH))
    half = half_ticks(books)
    found = np.full((len(LEVELS) + 1, len(half)), np.nan)
    _imbalances(half, books["inverse"], _LEVELS, _WEIGHT, np.empty((2, len(found))), found, *sides)
    return dict(zip((c.name for c in IMBALANCE.writes), found, strict=True))


def _column(name: str, meaning: str, formula: str, levels: int) -> Column:
    unknown = "book not live, one-sided or crossed"
    if levels > 1:
        unknown += f"; fewer than {levels} exact levels on a side and reach below 100 bps"
    source = "Gould & Bonart (2016)"
    return Column(name, "f8", meaning, "1", formula, source, "bids heavier: positive", unknown, -1, 1, 0.001)


IMBALANCE = Feature(
    "imbalance",
    (*LADDER, "inverse"),
    (
        *(
            _column(f"imbalance_{n}", f"imbalance of the best {n} levels", "(B_L - A_L) / (B_L + A_L)", n)
            for n in LEVELS
        ),
        _column(
            "imbalance_weighted",
            "imbalance of the best 20 levels, nearer levels weighing more",
            "level l weighted by exp(-l / 2)",
            LEVELS[-1],
        ),
    ),
    _imbalance,
)
