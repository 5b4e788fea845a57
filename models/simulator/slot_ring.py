"""The simulated book: signed lots on a ring of slots, bids positive and asks negative, around a moving centre."""

import math

import numpy as np

from models.simulator.chance import U8, normal, uniform
from models.simulator.simulated_rows import I8, Market
from schemas.kernels import inner, kernel

NEAR = 24
"""How many slots a side market makers refill without being drawn."""


@kernel
def price(slot: int, width: int) -> int:
    """The price of a slot in ticks: irregular within the slot, and rising with it.

    >>> price(6, 1), price(6, 10) // 10
    (6, 6)
    """
    return slot * width + ((slot * 2654435761) >> 7) % width


@kernel
def size(m: Market, sign: int, distance: int, word: U8) -> int:
    """Signed lots that a maker rests `distance` slots from the centre; +1 bids.

    Thinner at the touch, thinner on the side that the tilt runs over, now and then a wall.
    """
    shape = 1.0 - 0.6 * math.exp(-distance * m.slot_bps / 6.0)
    wall = 6.0 if uniform(word) < 0.008 else 1.0
    lots = m.slot_lots * m.depth * shape * wall * math.exp(0.6 * normal(word) - 0.18 + sign * m.tilt)
    return sign * max(1, int(lots))


@kernel
def settle(m: Market, book: I8) -> None:
    """Find the touch again; each side has at least one level."""
    mask = len(book) - 1
    m.bid = m.centre
    while m.bid > m.low and book[m.bid & mask] <= 0:
        m.bid -= 1
    if book[m.bid & mask] <= 0:
        book[m.bid & mask] = 1
    m.ask = m.centre + 1
    while m.ask < m.high and book[m.ask & mask] >= 0:
        m.ask += 1
    if book[m.ask & mask] >= 0:
        book[m.ask & mask] = -1


@inner
def recentre(m: Market, book: I8, centre: int, levels: int, word: U8) -> None:
    """Move the book: quotes on the wrong side of the centre and beyond the edges go, the new edges are filled."""
    mask = len(book) - 1
    low, high = centre - levels + 1, centre + levels
    for slot in range(m.low, m.high + 1):
        wrong = book[slot & mask] < 0 if slot <= centre else book[slot & mask] > 0
        if wrong or slot < low or slot > high:
            book[slot & mask] = 0
    for slot in range(low, high + 1):
        if (slot < m.low or slot > m.high) and uniform(word) < 0.9:
            book[slot & mask] = size(m, 1 if slot <= centre else -1, abs(slot - centre), word)
    m.low, m.high, m.centre = low, high, centre


@inner
def requote(m: Market, book: I8, changes: int, p_fill: float, spread: int, word: U8) -> None:
    """Makers refill what is empty near the touch with probability `p_fill`, and draw `changes` levels anew."""
    mask = len(book) - 1
    for distance in range(spread, spread + NEAR):
        for sign in (1, -1):
            slot = m.centre - distance if sign > 0 else m.centre + 1 + distance
            if book[slot & mask] == 0 and uniform(word) < p_fill:
                book[slot & mask] = size(m, sign, distance, word)
    reach = (m.high - m.low + 1) // 2 - 1
    for _ in range(changes):
        distance = min(reach, int(-math.log(1.0 - uniform(word)) * reach / 6.0))
        sign = 1 if uniform(word) < 0.5 else -1
        slot = m.centre - distance if sign > 0 else m.centre + 1 + distance
        kept = distance >= spread and uniform(word) > 0.12
        book[slot & mask] = size(m, sign, distance, word) if kept else 0
    settle(m, book)


@inner
def resting(m: Market, book: I8, side: int, limit: int) -> int:
    """Lots a taker of `side` (+1 buys) meets from the touch to slot `limit`."""
    mask = len(book) - 1
    total = 0
    if side > 0:
        for slot in range(m.ask, min(limit, m.high) + 1):
            total -= min(0, book[slot & mask])
    else:
        for slot in range(max(limit, m.low), m.bid + 1):
            total += max(0, book[slot & mask])
    return total


@kernel
def rebuild(m: Market, book: I8, levels: int, word: U8) -> None:
    """A full book around the centre."""
    book[:] = 0
    m.low, m.high = m.centre + 1, m.centre
    recentre(m, book, m.centre, levels, word)
    settle(m, book)


def room(levels: int) -> int:
    """The length of the ring: a power of two that holds two books a full side apart.

    >>> room(200)
    1024
    """
    return 1 << int(np.ceil(np.log2(4 * levels)))
