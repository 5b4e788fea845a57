"""Bands: what stands within x bps of the mid on each side, how one-sided it is, and how far the book is known.

    D_s(x) = sum of q over the levels of side s with 1e4 |p - M| / M <= x        base units, and USD (sum of p q)
    I(x)   = (D_bid(x) - D_ask(x)) / (D_bid(x) + D_ask(x))                       base units; bids heavier: positive

p: price; q: size in base units (inverse contracts: dollars divided by the level's price); M: mid. A level exactly at x
bps counts: the comparison is made in integer half ticks. A band that goes beyond the exact reach of the book is null,
never the part of it that is known. Depth of the best L levels likewise needs L exact levels; a side with fewer is
taken whole if the book is known out to 100 bps and its best price is known exactly.

Degryse, de Jong & van Kervel (2015), Review of Finance 19(4): Depth(X); Gould & Bonart (2016), Market Microstructure
and Liquidity 2(2), for the imbalance.

>>> book = {"live": [True], "bid_starts": [0, 2], "bid_ticks": [9995, 9980], "bid_lots": [4, 6],
...         "ask_starts": [0, 2], "ask_ticks": [10005, 10020], "ask_lots": [2, 3],
...         "reach_low_ticks": [9970], "reach_high_ticks": [10060]}
>>> scales = {"tick_mantissa": [1.0], "tick_scale": [100.0], "lot_mantissa": [1.0], "lot_scale": [1.0],
...           "contract": [1.0], "inverse": [False]}
>>> bands = BANDS.compute({k: np.array(v) for k, v in (book | scales).items()})
>>> [float(bands[n][0]) for n in ("bid_depth_10bps_base", "bid_depth_25bps_base", "bid_depth_50bps_base")]
[4.0, 10.0, nan]
>>> float(bands["depth_reach_bps"][0])
30.0
"""

import numpy as np

from operators import units
from operators.book.midpoint import LADDER, NO_MID
from operators.book.scans import Scan, Scans
from operators.book.sides import F8, I8, Ladders, ladders, side_of
from operators.contract import Array, Columns, Operator
from schemas.column import Column
from schemas.kernels import inner, kernel

BANDS_BPS = (5, 10, 25, 50, 100)
LEVELS = (5, 10, 20)
_BPS = np.array(BANDS_BPS)
_LEVELS = np.array(LEVELS)
_PER_SIDE = len(BANDS_BPS) + len(LEVELS)


@inner
def _end(ticks: I8, away: int, half: int, distance: int) -> int:
    """How many levels, best first, stand at most `distance` half ticks from the mid."""
    low, high = 0, len(ticks)
    while low < high:
        at = (low + high) // 2
        if away * (2 * ticks[at] - half) <= distance:
            low = at + 1
        else:
            high = at
    return low


@inner
def _side(
    out: F8,
    i: int,
    ticks: I8,
    lots: I8,
    away: int,
    half: int,
    reach: int,
    worst: int,
    inverse: bool,
    bps: I8,
    levels: I8,
) -> None:
    """Column i of f8[8, 2, m] for one side; `away` is -1 for bids and 1 for asks.

    `reach`: half ticks from mid, at most as far as it is from 0; `worst`: the last price known, ticks.
    """
    at, size, other = 0, 0, 0.0
    for b in range(len(bps)):
        if bps[b] * half > 10000 * reach:
            break
        end = _end(ticks, away, half, bps[b] * half // 10000)
        if inverse:
            for k in range(at, end):
                size += lots[k]
                other += lots[k] / ticks[k]
        else:
            for k in range(at, end):
                size += lots[k]
                other += np.float64(ticks[k]) * np.float64(lots[k])
        at = end
        out[b, 0, i], out[b, 1, i] = size, other
    exact, most = 0, min(len(ticks), levels[-1])
    while exact < most and away * ticks[exact] <= away * worst:
        exact += 1
    whole = exact > 0 and 10000 * reach >= bps[-1] * half
    at, size, other = 0, 0, 0.0
    for n in range(len(levels)):
        for k in range(at, min(exact, levels[n])):
            size += lots[k]
            other += lots[k] / ticks[k] if inverse else np.float64(ticks[k]) * np.float64(lots[k])
        at = min(exact, levels[n])
        if whole or exact >= levels[n]:
            out[len(bps) + n, 0, i], out[len(bps) + n, 1, i] = size, other


@kernel
def _sums(books: Ladders, begin: int, end: int, bps: I8, levels: I8, out: F8) -> None:
    """Per side, and per band and then level count: lots, and ticks * lots (inverse: lots / ticks); f8[2, 8, 2, m]."""
    for i in range(begin, end):
        if books.half[i] == 0:
            continue
        for s in range(2):
            ticks, lots, reach = side_of(books, i, s)
            worst = books.low[i] if s == 0 else books.high[i]
            _side(out[s], i, ticks, lots, 2 * s - 1, books.half[i], reach, worst, books.inverse[i], bps, levels)


def _reach_bps(half: I8, books: Columns) -> Array:
    low = np.clip(books["reach_low_ticks"], 0, half)
    high = np.clip(books["reach_high_ticks"], 0, half)
    nearest = np.minimum(half - 2 * low, 2 * high - half)
    known = half > 0
    return np.where(known, 1e4 * np.maximum(nearest, 0) / np.where(known, half, 1), np.nan)


def _bands(books: Columns) -> Scan:
    view = ladders(books)
    sums = np.full((2, _PER_SIDE, 2, len(view.half)), np.nan)

    def some(begin: int, end: int) -> None:
        _sums(view, begin, end, _BPS, _LEVELS, sums)

    return Scan(some, lambda: _said(books, view.half, sums))


def _said(books: Columns, half: I8, sums: F8) -> Columns:
    inverse = books["inverse"]
    per_lot = books["lot_mantissa"] / books["lot_scale"] * books["contract"]
    tick = books["tick_mantissa"] / books["tick_scale"]
    lots, other = sums[:, :, 0], sums[:, :, 1]
    base = np.where(inverse, other * per_lot / tick, lots * per_lot)
    quote = np.where(inverse, lots * per_lot, other * per_lot * tick)[:, : len(BANDS_BPS)]
    sized = np.where(inverse, other, lots)[:, : len(BANDS_BPS)]
    whole = sized[0] + sized[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        imbalance = np.where(whole > 0, (sized[0] - sized[1]) / whole, np.nan)
    out: dict[str, Array] = {"depth_reach_bps": _reach_bps(half, books)}
    for b, x in enumerate(BANDS_BPS):
        for s, side in enumerate(("bid", "ask")):
            out[f"{side}_depth_{x}bps_base"] = base[s, b]
            out[f"{side}_depth_{x}bps_usd"] = quote[s, b]
        out[f"imbalance_{x}bps"] = imbalance[b]
    for n, count in enumerate(LEVELS):
        for s, side in enumerate(("bid", "ask")):
            out[f"{side}_depth_levels_{count}_base"] = base[s, len(BANDS_BPS) + n]
    return out


_DEPTH = "Degryse, de Jong & van Kervel (2015)"


def _band_columns(x: int) -> list[Column]:
    unknown = f"{NO_MID}; {x} bps beyond the exact reach of its side; contract unknown"
    formula = f"sum of q over 1e4 |p - M| / M <= {x}"
    one_sided = f"{NO_MID}; {x} bps beyond the exact reach of either side; nothing in the band"
    depths = [
        Column(
            f"{s}_depth_{x}bps_{u.lower()}",
            "f8",
            f"{s} depth within {x} bps of mid",
            u,
            f,
            _DEPTH,
            null_when=unknown,
            low=0,
        )
        for s in ("bid", "ask")
        for u, f in (("base", formula), ("USD", formula.replace("of q", "of p q")))
    ]
    meaning = f"imbalance of the depth within {x} bps of mid, in base units"
    heavier = "bids heavier: positive"
    share = f"(D_bid({x}) - D_ask({x})) / (D_bid({x}) + D_ask({x}))"
    name = f"imbalance_{x}bps"
    return [*depths, Column(name, "f8", meaning, "1", share, "Gould & Bonart (2016)", heavier, one_sided, -1, 1, 0.001)]


def _level_columns(count: int) -> list[Column]:
    unknown = f"{NO_MID}; fewer than {count} exact levels and reach below 100 bps or the best price; contract unknown"
    return [
        Column(
            f"{s}_depth_levels_{count}_base",
            "f8",
            f"{s} depth of the best {count} levels",
            "base",
            f"sum of q over the best {count} levels",
            "Gould et al. (2013)",
            "",
            unknown,
            0,
        )
        for s in ("bid", "ask")
    ]


BANDS = Operator(
    "bands",
    "close",
    (*LADDER, *units.READS),
    columns=(
        Column(
            "depth_reach_bps",
            "f8",
            "how far from mid both sides of the book are known exactly",
            "bps",
            "min over sides of max(0, 1e4 (M - p) / M of bids, 1e4 (p - M) / M of asks), p: the last price known: of"
            " the last snapshot (Binance; of an empty side every price) or of what is held",
            "definition of our own",
            null_when=NO_MID,
            low=0,
            high=1e4,
            tolerance=0.1,
        ),
        *(column for x in BANDS_BPS for column in _band_columns(x)),
        *(column for count in LEVELS for column in _level_columns(count)),
    ),
    table="features_book",
    compute=Scans(_bands),
)
