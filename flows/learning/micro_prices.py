"""Best quotes read from ClickHouse, instrument by instrument, and the micro-price tables fitted to them."""

from collections.abc import Iterator
from functools import reduce
from math import gcd

import numpy as np

from flows.clickhouse.client import ClickHouse
from models.micro_price_fit import Fitted, TooLittle, fit, listed
from operators.contract import Array

_DIGITS = 10
"""Decimals of prices that a tick is looked for in."""


def tick_of(prices: Array) -> float:
    """The widest step that all prices are multiples of, to ten decimals.

    >>> tick_of(np.array([61773.5, 61774.0, 61770.5])), tick_of(np.array([0.0012, 0.0016]))
    (0.5, 0.0004)
    """
    whole = np.unique(np.round(prices * 10.0**_DIGITS).astype(np.int64))
    return reduce(gcd, whole.tolist(), 0) / 10.0**_DIGITS


def fitted(client: ClickHouse, days: int, keyframe_ms: int) -> Iterator[tuple[str, Fitted | str]]:
    """Each instrument with its table, or why there is none; of the shortest windows there are, `days` back from the
    last. Rows further apart than a keyframe are no step, nor is one to or from a row whose book was not trusted.
    """
    places = client.rows(
        "SELECT venue, symbol, min(window_ms) FROM features_book GROUP BY venue, symbol ORDER BY venue, symbol"
    )
    for venue, symbol, window_ms in places:
        rows = client.rows(
            """
            SELECT toUnixTimestamp64Milli(window_start), ifNull(best_bid, nan), ifNull(best_ask, nan),
                book_ok ? ifNull(best_bid_qty_base, nan) : nan, book_ok ? ifNull(best_ask_qty_base, nan) : nan
            FROM features_book FINAL
            WHERE venue = {venue:String} AND symbol = {symbol:String} AND window_ms = {window_ms:Int64}
              AND window_start > (SELECT max(window_start) FROM features_book) - toIntervalDay({days:UInt32})
            ORDER BY window_start
            """,
            venue=venue,
            symbol=symbol,
            window_ms=window_ms,
            days=days,
        )
        name = f"{venue} {symbol}"
        at_ms, bid, ask, bid_size, ask_size = np.array(rows, np.float64).reshape(-1, 5).T
        known = (bid > 0) & (ask > 0) & (bid_size > 0) & (ask_size > 0)
        if known.sum() < 2:
            yield name, "no quotes"
            continue
        follows = np.append(False, (np.diff(at_ms) <= keyframe_ms) & known[1:] & known[:-1])
        tick = tick_of(np.concatenate([bid[known], ask[known]]))
        try:
            found = fit(bid, ask, bid_size, ask_size, follows, tick)
        except TooLittle as error:
            yield name, str(error)
            continue
        spans = int(at_ms[0]), int(at_ms[-1])
        yield name, Fitted(str(venue), str(symbol), tick, int(follows.sum()), *spans, listed(found))
