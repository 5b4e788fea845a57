"""Micro-price: the mid to be expected after its next moves, given the imbalance at the best prices and the spread.

    P_micro = M + G(i, s)      i: bucket of Qb / (Qb + Qa), 11 of them; s: spread in ticks, 4 and more are one

G is looked up in the instrument's table, which `alphaplus microprice` fits to what was recorded of it (`models/` says
how) and `market.micro_price` names; without one this is null, as it is where the table had too little to go by. Held
within the best prices, which the theory does not promise: where the mid moves by many ticks at a time, as that of BTC
does, G is wider than the spread and this stands at one of the best prices. The weighted mid, which needs no table, is
another number: it takes the size alone for what will happen.

    mirror: with bids and asks exchanged the micro-price is as far on the other side of the mid: G(i, s) = -G(12 - i, s)

Stoikov (2018), The micro-price: a high-frequency estimator of future prices, Quantitative Finance 18(12), 1959-1966.

>>> bucket(np.array([1.0, 9.0, 5.0]), np.array([9.0, 1.0, 5.0])).tolist()
[1, 9, 5]
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.book.midpoint import SIDES, best
from operators.contract import I8, Array, Columns, Operator
from schemas.column import Column

BUCKETS, SPREADS = 11, 4
Tables = NDArray[np.float64]
"""f8[instruments, 1 + SPREADS * BUCKETS]: the tick that spreads are counted in, then G in the quote; NaN: unknown."""
WIDTH = 1 + SPREADS * BUCKETS


def tables(symbols: Sequence[str], fitted: Mapping[str, Array]) -> Tables:
    """The tables of instruments by number; of one that nothing was fitted to, NaN."""
    none = np.full(WIDTH, np.nan)
    if not any(s in fitted for s in symbols):
        return np.broadcast_to(none, (len(symbols), WIDTH))
    return np.array([fitted.get(s, none) for s in symbols]).reshape(len(symbols), WIDTH)


def bucket(bid_size: Array, ask_size: Array) -> I8:
    """Which of the buckets of imbalance, of sizes above 0; exchanged sizes give the bucket on the other side."""
    total = bid_size + ask_size
    below = np.floor(BUCKETS * bid_size / total)
    above = BUCKETS - 1 - np.floor(BUCKETS * ask_size / total)
    found = np.where(bid_size < ask_size, below, above)
    return np.asarray(np.clip(found, 0, BUCKETS - 1).astype(np.int64))


def state(spread_ticks: Array, bid_size: Array, ask_size: Array) -> I8:
    """Spread and imbalance as one number, below `SPREADS * BUCKETS`; -1 where either is none."""
    there = (spread_ticks > 0) & (bid_size > 0) & (ask_size > 0)
    row = np.clip(np.where(there, spread_ticks, 1), 1, SPREADS).astype(np.int64) - 1
    column = bucket(np.where(there, bid_size, 1.0), np.where(there, ask_size, 1.0))
    return np.where(there, BUCKETS * row + column, -1)


def _compute(books: Columns) -> Columns:
    table = books["micro_table"]
    if np.isnan(table[:, 0]).all():
        return {"micro_price": np.full(len(table), np.nan)}
    bid, bid_lots, ask, ask_lots = (
        best(books["live"], books[f"{s}_starts"], books[f"{s}_{n}"], np.nan)
        for s in ("bid", "ask")
        for n in ("ticks", "lots")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = books["inverse"]
        sizes = (np.where(inverse, bid_lots / bid, bid_lots), np.where(inverse, ask_lots / ask, ask_lots))
        spread = units.price(ask - bid, books)
        at = state(np.round(spread / table[:, 0]), *sizes)
    away = np.take_along_axis(table, 1 + np.maximum(at, 0)[:, None], axis=1)[:, 0]
    half = spread / 2
    mid = units.price(bid + ask, books) / 2
    return {"micro_price": np.where(at >= 0, mid + np.clip(away, -half, half), np.nan)}


MICRO_PRICE = Operator(
    "micro_price",
    "close",
    ("live", *SIDES, "micro_table", *units.READS),
    table="features_book",
    compute=_compute,
    columns=(
        Column(
            "micro_price",
            "f8",
            "mid to be expected after its next moves, by imbalance and spread",
            "quote",
            "M + G(i, s)",
            "Stoikov (2018)",
            null_when="no table of the instrument in market.micro_price, or a state it does not know; book not live, "
            "one-sided, locked or crossed",
            low=0,
        ),
    ),
)
