"""Imbalance of the best queues: how much more stands on the bid than on the ask.

    I_L = (B_L - A_L) / (B_L + A_L),   B_L, A_L: size of the best L bids, asks, base units;  L = 1, 5, 20
    I_w = the same with level l = 0, 1, ... weighted by exp(-l / 2), over the best 20 levels

In [-1, 1]; bids heavier: positive. L levels must be known exactly on both sides; a side with fewer levels is taken
whole if the book is known out to 100 bps and its best price is, else the number is null. The contract size cancels and
need not be known.

Gould & Bonart (2016), Market Microstructure and Liquidity 2(2).

>>> book = {"live": [True], "bid_starts": [0, 1], "bid_ticks": [9995], "bid_lots": [4], "ask_starts": [0, 1],
...         "ask_ticks": [10005], "ask_lots": [2], "reach_low_ticks": [9990], "reach_high_ticks": [10010]}
>>> out = IMBALANCE.compute({k: np.array(v) for k, v in (book | {"inverse": [False]}).items()})
>>> round(float(out["imbalance_1"][0]), 6), float(out["imbalance_5"][0])
(0.333333, nan)
"""

import numpy as np

from operators.book.midpoint import LADDER, NO_MID
from operators.book.sides import F8, I8, Ladders, is_known, ladders, side_of
from operators.contract import Columns, Operator
from schemas.column import Column
from schemas.kernels import kernel

LEVELS = (1, 5, 20)
DECAY_PER_LEVEL = 0.5
_LEVELS = np.array(LEVELS)
_WEIGHT = np.exp(-DECAY_PER_LEVEL * np.arange(LEVELS[-1]))


@kernel
def _imbalances(books: Ladders, levels: I8, weight: F8, sums: F8, out: F8) -> None:
    """One row per level count, then the weighted one; f8[len(levels) + 1, m]. `sums` is room for both sides' sums."""
    kinds = len(levels)
    for i in range(len(books.half)):
        half = books.half[i]
        if half == 0:
            continue
        for s in range(2):
            for k in range(kinds + 1):
                sums[s, k] = np.nan
            ticks, lots, reach = side_of(books, i, s)
            size, weighted, count = 0.0, 0.0, 0
            for at in range(min(len(ticks), len(weight))):
                if at > 0 and not is_known(books, i, s, ticks[at]):
                    break
                q = lots[at] / ticks[at] if books.inverse[i] else np.float64(lots[at])
                size += q
                weighted += q * weight[at]
                if at + 1 == levels[count]:
                    sums[s, count] = size
                    count += 1
            if 100 * reach >= half and is_known(books, i, s, ticks[0]):
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
    view = ladders(books)
    found = np.full((len(LEVELS) + 1, len(view.half)), np.nan)
    _imbalances(view, _LEVELS, _WEIGHT, np.empty((2, len(found))), found)
    return dict(zip((c.name for c in IMBALANCE.columns), found, strict=True))


def _column(name: str, meaning: str, formula: str, levels: int) -> Column:
    unknown = NO_MID
    if levels > 1:
        unknown += f"; fewer than {levels} exact levels on a side and reach below 100 bps or the best price"
    source = "Gould & Bonart (2016)"
    return Column(name, "f8", meaning, "1", formula, source, "bids heavier: positive", unknown, -1, 1, 0.001)


IMBALANCE = Operator(
    "imbalance",
    "close",
    (*LADDER, "inverse"),
    columns=(
        *(
            _column(
                f"imbalance_{n}", f"imbalance of the best {n} levels, in base units", "(B_L - A_L) / (B_L + A_L)", n
            )
            for n in LEVELS
        ),
        _column(
            "imbalance_weighted",
            "imbalance of the best 20 levels, in base units, nearer levels weighing more",
            "the same, level l = 0, 1, ... weighted by exp(-l / 2)",
            LEVELS[-1],
        ),
    ),
    table="features_book",
    compute=_imbalance,
)
