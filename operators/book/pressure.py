"""Depth pressure: which side leans harder on the mid, notional fading with distance.

    W_s = sum over the levels of side s within 100 bps of  p q exp(-d / lambda)        USD
    DP  = (W_bid - W_ask) / (W_bid + W_ask)                                            bids heavier: positive

p: price; q: size in base units; d = 1e4 |p - M| / M: distance from mid, bps; lambda = 10 bps. The ladder ends at
100 bps, where a dollar weighs e^-10. Where the book is known exactly less far on one side, both sums end there, so DP
compares equal distances (`depth_reach_bps` says how far; a venue's snapshot may reach 20 bps); below 10 bps, where
more would be left out than counted, it is null. The sums themselves are null below 50 bps, where they would leave out
what weighs more than e^-5 a dollar. DP needs no contract size. A crossed book has no pressure.

>>> book = {"live": [True], "bid_starts": [0, 1], "bid_ticks": [9990], "bid_lots": [30], "ask_starts": [0, 1],
...         "ask_ticks": [10010], "ask_lots": [10], "reach_low_ticks": [9900], "reach_high_ticks": [10100]}
>>> scales = {"tick_mantissa": [1.0], "tick_scale": [100.0], "lot_mantissa": [1.0], "lot_scale": [1.0],
...           "contract": [1.0], "inverse": [False]}
>>> pressure = PRESSURE.compute({k: np.array(v) for k, v in (book | scales).items()})
>>> round(float(pressure["bid_pressure_usd"][0]), 3), round(float(pressure["depth_pressure"][0]), 6)  # 2997 / e
(1102.535, 0.49925)
"""

import numpy as np

from operators import units
from operators.book.midpoint import LADDER, NO_MID
from operators.book.scans import Scan, Scans
from operators.book.sides import F8, I8, Ladders, ladders, side_of
from operators.contract import Columns, Operator
from schemas.column import Column
from schemas.kernels import kernel

DECAY_BPS = 10.0
LEAST_REACH_BPS = 10
"""To compare the sides."""
WHOLE_REACH_BPS = 50
"""To tell the sums."""
MOST_BPS = 100
_NEAR = 64


@kernel
def _pressures(
    books: Ladders, begin: int, end: int, decay_bps: float, least_bps: int, most_bps: int, power: F8, out: F8
) -> None:
    """Sum of ticks * lots (inverse: lots), faded; bid, ask, and the reach both share, half ticks; f8[3, m].

    The weight of a level is that of the level before it times a power of the weight of one tick, which a table holds
    (`power` is room for it): a multiplication in place of an exponential a level, good to 1e-12.
    """
    near = len(power)
    for i in range(begin, end):
        half = books.half[i]
        if half == 0:
            continue
        bids, _, reach_bid = side_of(books, i, 0)
        asks, _, reach_ask = side_of(books, i, 1)
        shared = min(reach_bid, reach_ask)
        if 10000 * shared < least_bps * half:
            continue
        out[2, i] = shared
        limit = min(most_bps * half // 10000, shared)
        rate = 1e4 / decay_bps / half
        step = np.exp(-2 * rate)
        power[0] = 1.0
        filled = near if len(bids) + len(asks) > 2 * near else 1
        for k in range(1, filled):
            power[k] = power[k - 1] * step
        for s in range(2):
            ticks, lots, _ = side_of(books, i, s)
            farthest = (half - limit + 1) // 2 if s == 0 else (half + limit) // 2
            before = ticks[0]
            weight = np.exp(-rate * abs(2 * before - half))
            total = 0.0
            for at in range(len(ticks)):
                t = ticks[at]
                if t < farthest if s == 0 else t > farthest:
                    break
                gap = abs(t - before)
                weight *= power[gap] if gap < filled else np.exp(-2 * rate * gap)
                before = t
                total += weight * (np.float64(lots[at]) if books.inverse[i] else np.float64(t) * np.float64(lots[at]))
            out[s, i] = total


def _pressure(books: Columns) -> Scan:
    view = ladders(books)
    found, power = np.full((3, len(view.half)), np.nan), np.empty(_NEAR)

    def some(begin: int, end: int) -> None:
        _pressures(view, begin, end, DECAY_BPS, LEAST_REACH_BPS, MOST_BPS, power, found)

    return Scan(some, lambda: _said(books, view.half, found))


def _said(books: Columns, half: I8, found: F8) -> Columns:
    bid, ask, shared = found
    unit = np.where(1e4 * shared >= WHOLE_REACH_BPS * half, 1.0, np.nan)
    per_lot = books["lot_mantissa"] / books["lot_scale"] * books["contract"]
    unit *= np.where(books["inverse"], per_lot, per_lot * books["tick_mantissa"] / books["tick_scale"])
    whole = bid + ask
    with np.errstate(divide="ignore", invalid="ignore"):
        leaning = np.where(whole > 0, (bid - ask) / whole, np.nan)
    return {"bid_pressure_usd": bid * unit, "ask_pressure_usd": ask * unit, "depth_pressure": leaning}


_UNKNOWN = NO_MID + "; known exactly to less than {} bps of mid"
_W = "sum of p q exp(-d / 10 bps), d <= min(100 bps, depth_reach_bps)"
_SOURCE = "definition of our own"

PRESSURE = Operator(
    "pressure",
    "close",
    (*LADDER, *units.READS),
    columns=(
        *(
            Column(
                f"{side}_pressure_usd",
                "f8",
                f"{side} notional, fading with distance from mid",
                "USD",
                _W,
                _SOURCE,
                null_when=_UNKNOWN.format(WHOLE_REACH_BPS) + "; contract unknown",
                low=0,
            )
            for side in ("bid", "ask")
        ),
        Column(
            "depth_pressure",
            "f8",
            "which side leans harder on the mid",
            "1",
            "(W_bid - W_ask) / (W_bid + W_ask)",
            _SOURCE,
            sign="bids heavier: positive",
            null_when=_UNKNOWN.format(LEAST_REACH_BPS) + "; nothing in reach",
            low=-1,
            high=1,
            tolerance=0.001,
        ),
    ),
    table="features_book",
    compute=Scans(_pressure),
)
