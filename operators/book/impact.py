"""Price impact: what an order of 10 k to 5 M USD would pay against the book as it stands, on both sides.

    impact_s(N)   = 1e4 s (VWAP_s(N) / M - 1)       against the mid; s = +1 buys (walks the asks), -1 sells
    slippage_s(N) = 1e4 s (VWAP_s(N) / P_s - 1)     against the best price P_s of the side that is walked
    VWAP_s(N)     = N / sum of q, levels taken best first until sum of p q is N, the last one in part

Levels that are known exactly and within 100 bps of mid count; null where they do not hold N. So both are at least 0,
at most 100 bps from mid, and rise with N. `filled` is the share of 5 M USD that can be had there: null where the book
is not known out to 100 bps, unless it is 1. Rounded to 2**-20 bps. One pass over the levels serves all sizes.

>>> book = {"live": [True], "bid_starts": [0, 1], "bid_ticks": [1000], "bid_lots": [10],
...         "ask_starts": [0, 3], "ask_ticks": [1001, 1002, 1005], "ask_lots": [2, 3, 500],
...         "reach_low_ticks": [0], "reach_high_ticks": [2000]}
>>> scales = {"tick_mantissa": [1.0], "tick_scale": [10.0], "lot_mantissa": [1.0], "lot_scale": [1.0],
...           "contract": [1.0], "inverse": [False]}
>>> found = IMPACT.compute({k: np.array(v) for k, v in (book | scales).items()})
>>> round(float(found["buy_impact_10k_bps"][0]), 4)  # 2 at 100.1, 3 at 100.2, the rest at 100.5; mid 100.05
43.2702
"""

import numpy as np

from operators import units
from operators.book.midpoint import LADDER, NO_MID
from operators.book.scans import Scan, Scans
from operators.book.sides import F8, Ladders, known_within, ladders, side_of
from operators.contract import Array, Columns, Operator
from schemas.column import Column
from schemas.kernels import kernel

SIZES = {"10k": 10_000, "50k": 50_000, "100k": 100_000, "500k": 500_000, "1m": 1_000_000, "5m": 5_000_000}
SIDES = ("sell", "buy")
"""Aggressors, by the side of the book that they walk: bids, asks."""
WITHIN_BPS = 100
_GRID = 2.0**20
_SIZES_USD = np.array([*SIZES.values()], np.float64)
_WORSE = np.array([-1e4, 1e4])[:, None, None]


@kernel
def walk(books: Ladders, begin: int, end: int, unit_usd: F8, sizes_usd: F8, vwap: F8, filled: F8) -> None:
    """VWAP in ticks, f8[sides, sizes, m] (NaN: not filled), and the share of the last size that is there, f8[sides, m].

    `unit_usd`: dollars of a tick times a lot, inverse: of a lot. Sizes ascend.
    """
    for i in range(begin, end):
        half, inverse = books.half[i], books.inverse[i]
        if half == 0 or not unit_usd[i] > 0:
            continue
        for s in range(2):
            ticks, lots, reach = side_of(books, i, s)
            value, size, n, wanted = 0.0, 0.0, 0, sizes_usd[0] / unit_usd[i]
            for k in range(known_within(books, i, s, WITHIN_BPS)):
                price, lot = np.float64(ticks[k]), np.float64(lots[k])
                here = lot if inverse else price * lot
                if value + here >= wanted:
                    while n < len(sizes_usd) and value + here >= sizes_usd[n] / unit_usd[i]:
                        wanted = sizes_usd[n] / unit_usd[i]
                        vwap[s, n, i] = wanted / (size + (wanted - value) / price)
                        n += 1
                    if n == len(sizes_usd):
                        break
                    wanted = sizes_usd[n] / unit_usd[i]
                value += here
                size += here / price
            if n == len(sizes_usd):
                filled[s, i] = 1.0
            elif WITHIN_BPS * half <= 10_000 * reach:
                filled[s, i] = value * unit_usd[i] / sizes_usd[-1]


def _away(vwap: Array, of: Array, most: float) -> Array:
    """How much worse than a price a side, bps, f8[sides, sizes, m]; rounded, and never better."""
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.round(_WORSE * (vwap / of - 1) * _GRID) / _GRID
        return np.clip(away, 0.0, most) + 0.0  # never minus zero


def _impact(books: Columns) -> Scan:
    view = ladders(books)
    m = len(view.half)
    unit = books["lot_mantissa"] / books["lot_scale"] * books["contract"]
    unit = np.where(books["inverse"], unit, unit * books["tick_mantissa"] / books["tick_scale"])
    vwap, filled = np.full((2, len(SIZES), m), np.nan), np.full((2, m), np.nan)

    def some(begin: int, end: int) -> None:
        walk(view, begin, end, unit, _SIZES_USD, vwap, filled)

    return Scan(some, lambda: _said(view, vwap, filled))


def _said(view: Ladders, vwap: F8, filled: F8) -> Columns:
    m = len(view.half)
    mid = np.where(view.half > 0, view.half / 2, np.nan)
    best = np.full((2, m), np.nan)
    for s, (starts, ticks) in enumerate(((view.bid_starts, view.bid_ticks), (view.ask_starts, view.ask_ticks))):
        there = starts[:-1] < starts[1:]
        best[s, there] = ticks[starts[:-1][there]]
    impact, slippage = _away(vwap, mid, WITHIN_BPS), _away(vwap, best[:, None], 2.1 * WITHIN_BPS)
    np.minimum(filled, 1.0, out=filled)
    out: dict[str, Array] = {}
    for s, side in enumerate(SIDES):
        for n, name in enumerate(SIZES):
            out[f"{side}_impact_{name}_bps"] = impact[s, n]
            out[f"{side}_slippage_{name}_bps"] = slippage[s, n]
        out[f"{side}_filled_5m"] = filled[s]
    return out


def _columns(side: str) -> list[Column]:
    worse = "worse for the aggressor: positive"
    source = "VWAP to fill (walk the book)"
    out = []
    for name in SIZES:
        unknown = f"{NO_MID}; no {name} USD in the levels known within {WITHIN_BPS} bps; contract unknown"
        for what, against, most in (
            ("impact", "the mid", float(WITHIN_BPS)),
            ("slippage", "the best price", 2.1 * WITHIN_BPS),
        ):
            out.append(
                Column(
                    f"{side}_{what}_{name}_bps",
                    "f8",
                    f"how much worse than {against} a {side} of {name} USD would be filled on average, right now",
                    "bps",
                    f"1e4 s (VWAP({name}) / {'M' if what == 'impact' else 'P'} - 1), s: 1 buys, -1 sells; to 2^-20 bps",
                    source,
                    worse,
                    unknown,
                    0,
                    most,
                    dollars=True,
                )
            )
    unknown = f"{NO_MID}; less than {WITHIN_BPS} bps known, unless 5m USD are found in what is; contract unknown"
    meaning = f"share of 5m USD that a {side} would find within {WITHIN_BPS} bps of mid"
    formula = "min(1, sum p q / 5e6)"
    share = Column(
        f"{side}_filled_5m", "f8", meaning, "1", formula, source, null_when=unknown, low=0, high=1, dollars=True
    )
    return [*out, share]


IMPACT = Operator(
    "impact",
    "close",
    (*LADDER, *units.READS),
    columns=tuple(c for side in ("buy", "sell") for c in _columns(side)),
    table="features_liquidity",
    compute=Scans(_impact),
)
