"""Sign rules: who was the aggressor of a trade, where the venue does not say; +1 buyer, -1 seller, 0 not known.

    tick       p > p': +1; p < p': -1; equal: the sign before                              p': price before
    quote      p > m: +1; p < m: -1; at the mid, crossed or one-sided: 0                   m = (a + b) / 2
    Lee-Ready  quote, else tick
    EMO        p = a: +1; p = b: -1; else tick
    CLNV       p in the upper 30 % of the spread, up to a: +1; in the lower 30 %, from b: -1; else tick

Every venue here flags the aggressor, and the flag is what is used (`flagged`); the rules are for tapes without one. The
quotes are those in force just before the trade: no lag is taken off. A sign that no rule gives is the one of the
trade before it (0 at first), never one drawn at random.

Lee & Ready (1991), J. of Finance 46(2); Ellis, Michaely & O'Hara (2000), J. Financial and Quantitative Analysis 35(4);
Chakrabarty, Li, Nguyen & Van Ness (2007), J. of Banking & Finance 31(12).

>>> tick(np.array([2.0, 1.0]), np.array([1.0, 2.0])).tolist()
[1, -1]
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array

I1 = NDArray[np.int8]
_SHARE = 0.3
"""Of the spread, from each of its ends, in which CLNV goes by the quote."""


def flagged(buyer_is_maker: Array) -> I1:
    """From the venue's flag, as Binance's `m`: the buyer had been waiting, so the seller came."""
    return np.where(buyer_is_maker, -1, 1).astype(np.int8)


def carried(sign: Array) -> I1:
    """The signs, of which 0 becomes the last before it that is known.

    >>> carried(np.array([0, 1, 0, -1, 0])).tolist()
    [0, 1, 1, -1, -1]
    """
    known = np.where(sign != 0, np.arange(len(sign)), -1)
    last = np.maximum.accumulate(known) if len(sign) else known
    return np.where(last >= 0, np.asarray(sign)[np.maximum(last, 0)], 0).astype(np.int8)


def tick(price: Array, before: Array) -> I1:
    """By the price before it; an equal price takes the sign before."""
    return carried(_sign(price - before))


def quote(price: Array, bid: Array, ask: Array) -> I1:
    """By the mid; 0 where it says nothing."""
    return np.where(_stands(bid, ask), _sign(price - (bid + ask) / 2), 0).astype(np.int8)


def lee_ready(price: Array, bid: Array, ask: Array, before: Array) -> I1:
    """By the mid, and at the mid by the price before."""
    return _else_tick(quote(price, bid, ask), price, before)


def emo(price: Array, bid: Array, ask: Array, before: Array) -> I1:
    """At a quote by the quote, elsewhere by the price before."""
    at = (price == ask).astype(np.int8) - (price == bid).astype(np.int8)
    return _else_tick(np.where(_stands(bid, ask), at, 0), price, before)


def clnv(price: Array, bid: Array, ask: Array, before: Array) -> I1:
    """Near a quote and inside the spread by the quote, elsewhere by the price before."""
    near = _SHARE * (ask - bid)
    buys, sells = (price >= ask - near) & (price <= ask), (price <= bid + near) & (price >= bid)
    at = buys.astype(np.int8) - sells.astype(np.int8)
    return _else_tick(np.where(_stands(bid, ask), at, 0), price, before)


def _sign(values: Array) -> Array:
    return np.asarray(np.sign(np.nan_to_num(values)))


def _stands(bid: Array, ask: Array) -> Array:
    """Both quotes are there and not crossed."""
    return np.asarray(ask >= bid)


def _else_tick(sign: Array, price: Array, before: Array) -> I1:
    return carried(np.where(sign != 0, sign, _sign(price - before)))
