"""Touch: best prices and sizes, mid, spread and weighted mid.

    mid           M = (Pb + Pa) / 2
    spread_bps      = 1e4 (Pa - Pb) / M
    weighted_mid    = (Pb Qa + Pa Qb) / (Qa + Qb)

P: price in quote units; Q: size at that price in base units. A missing side is null, and so
is what needs it; a lone side is never taken for the mid. A locked or crossed book keeps its numbers and is flagged. The
best prices of a trusted book stand also where they lie beyond the exact reach (`depth_reach_bps` ends before them):
there they come from the stream of changes alone.

Gould et al. (2013), Limit order books, Quantitative Finance 13(11); the weighted mid as in barter-rs (`books/mod.rs`),
whose L2 `mid_price` returns a lone side.

>>> book = {"live": [True], "bid_starts": [0, 1], "bid_ticks": [100], "bid_lots": [600], "ask_starts": [0, 1],
...         "ask_ticks": [200], "ask_lots": [1000], "reach_low_ticks": [1], "reach_high_ticks": [999]}
>>> scales = {"tick_mantissa": [1.0], "tick_scale": [1.0], "lot_mantissa": [1.0], "lot_scale": [1.0],
...           "contract": [1.0], "inverse": [False]}
>>> touch = TOUCH.compute({k: np.array(v) for k, v in (book | scales).items()})
>>> float(touch["mid"][0]), float(touch["weighted_mid"][0])
(150.0, 137.5)
"""

import numpy as np

from operators import units
from operators.book.midpoint import SIDES, best
from operators.contract import Columns, Operator
from schemas.column import Column

NO_BID = "book not live, or no bid"
NO_ASK = "book not live, or no ask"
NO_MID = "best bid or best ask is null"
SOURCE = "Gould et al. (2013)"


def _touch(books: Columns) -> Columns:
    bid, bid_lots, ask, ask_lots = (
        best(books["live"], books[f"{s}_starts"], books[f"{s}_{n}"], np.nan)
        for s in ("bid", "ask")
        for n in ("ticks", "lots")
    )
    best_bid, best_ask = units.price(bid, books), units.price(ask, books)
    inverse = books["inverse"]
    with np.errstate(divide="ignore", invalid="ignore"):
        bid_weight = np.where(inverse, bid_lots / bid, bid_lots)
        ask_weight = np.where(inverse, ask_lots / ask, ask_lots)
        weighted_ticks = (bid * ask_weight + ask * bid_weight) / (ask_weight + bid_weight)
    return {
        "best_bid": best_bid,
        "best_bid_qty_base": units.base(bid_lots, best_bid, books),
        "best_ask": best_ask,
        "best_ask_qty_base": units.base(ask_lots, best_ask, books),
        "mid": units.price(bid + ask, books) / 2,
        "spread_bps": 2e4 * (ask - bid) / (ask + bid),
        "weighted_mid": units.price(weighted_ticks, books),
        "crossed": bid >= ask,
    }


TOUCH = Operator(
    "touch",
    "close",
    ("live", *SIDES, *units.READS),
    columns=(
        Column("best_bid", "f8", "highest bid price", "quote", "max p of bids", SOURCE, null_when=NO_BID, low=0),
        Column(
            "best_bid_qty_base",
            "f8",
            "size at the best bid",
            "base",
            "Qb",
            SOURCE,
            null_when=NO_BID + ", or contract unknown",
            low=0,
        ),
        Column("best_ask", "f8", "lowest ask price", "quote", "min p of asks", SOURCE, null_when=NO_ASK, low=0),
        Column(
            "best_ask_qty_base",
            "f8",
            "size at the best ask",
            "base",
            "Qa",
            SOURCE,
            null_when=NO_ASK + ", or contract unknown",
            low=0,
        ),
        Column(
            "mid", "f8", "midpoint of best bid and best ask", "quote", "(Pb + Pa) / 2", SOURCE, null_when=NO_MID, low=0
        ),
        Column(
            "spread_bps",
            "f8",
            "best ask less best bid, relative to mid",
            "bps",
            "1e4 (Pa - Pb) / M",
            SOURCE,
            sign="negative: crossed",
            null_when=NO_MID,
            low=-2e4,
            high=2e4,
        ),
        Column(
            "weighted_mid",
            "f8",
            "mid leaning to the side with less size, where the price is likelier to go",
            "quote",
            "(Pb Qa + Pa Qb) / (Qa + Qb)",
            "barter-rs books/mod.rs",
            null_when=NO_MID,
            low=0,
        ),
        Column("crossed", "bool", "best bid at or above best ask: locked or crossed", formula="Pb >= Pa"),
    ),
    table="features_book",
    compute=_touch,
)
