"""Slope: how fast depth piles up with distance from the mid, per side, over the best 20 levels.

    slope = sum_i x_i C_i / sum_i x_i^2        least squares through the origin; base units per bp

x_i = 1e4 |p_i - M| / M: distance of level i from mid, bps. C_i: base units from the best level to level i. Steeper is
deeper, never negative. 20 levels must be known exactly; a side with fewer is taken whole if the book is known out to
100 bps, else its slope is null. Not the elasticity between consecutive levels of Naes & Skjeltorp (2006).

>>> book = {"live": [True], "bid_starts": [0, 1], "bid_ticks": [9990], "bid_lots": [30], "ask_starts": [0, 1],
...         "ask_ticks": [10010], "ask_lots": [5], "reach_low_ticks": [0], "reach_high_ticks": [20000]}
>>> scales = {"tick_mantissa": [1.0], "tick_scale": [100.0], "lot_mantissa": [1.0], "lot_scale": [1.0],
...           "contract": [1.0], "inverse": [False]}
>>> slope = SLOPE.compute({k: np.array(v) for k, v in (book | scales).items()})
>>> float(slope["bid_slope_base_per_bp"][0]), float(slope["ask_slope_base_per_bp"][0])
(3.0, 0.5)
"""

import numpy as np

from operators import units
from operators.book.midpoint import LADDER, NO_MID
from operators.book.sides import F8, Ladders, is_known, ladders, side_of
from operators.contract import Columns, Operator
from schemas.column import Column
from schemas.kernels import kernel

LEVELS = 20


@kernel
def _slopes(books: Ladders, levels: int, out: F8) -> None:
    """Lots (inverse: lots per tick) per bp, bid and ask; f8[2, m]."""
    for i in range(len(books.half)):
        half = books.half[i]
        if half == 0:
            continue
        for s in range(2):
            ticks, lots, reach = side_of(books, i, s)
            count, depth, covariance, squares = 0, 0.0, 0.0, 0.0
            for at in range(min(len(ticks), levels)):
                if not is_known(books, i, s, ticks[at]):
                    break
                depth += lots[at] / ticks[at] if books.inverse[i] else np.float64(lots[at])
                bps = 1e4 * abs(2 * ticks[at] - half) / half
                covariance += bps * depth
                squares += bps * bps
                count += 1
            if squares > 0 and (count == levels or 100 * reach >= half):
                out[s, i] = covariance / squares


def _slope(books: Columns) -> Columns:
    view = ladders(books)
    bid, ask = found = np.full((2, len(view.half)), np.nan)
    _slopes(view, LEVELS, found)
    per_lot = books["lot_mantissa"] / books["lot_scale"] * books["contract"]
    unit = np.where(books["inverse"], per_lot * books["tick_scale"] / books["tick_mantissa"], per_lot)
    return {"bid_slope_base_per_bp": bid * unit, "ask_slope_base_per_bp": ask * unit}


SLOPE = Operator(
    "slope",
    "close",
    (*LADDER, *units.READS),
    columns=tuple(
        Column(
            f"{side}_slope_base_per_bp",
            "f8",
            f"{side} depth gained per bp of distance from mid, best {LEVELS} levels",
            "base/bp",
            "sum x_i C_i / sum x_i^2; x_i: distance of level i from mid, bps, C_i: sum of q up to it",
            "definition of our own, not Naes & Skjeltorp (2006)",
            null_when=f"{NO_MID}; fewer than 20 exact levels "
            "and reach below 100 bps or the best price; all levels at the mid; contract unknown",
            low=0,
        )
        for side in ("bid", "ask")
    ),
    table="features_book",
    compute=_slope,
)
