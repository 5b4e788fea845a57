"""Market orders: they eat the book level by level, print a trade for each, and move the fair price for good."""

from collections.abc import Sequence

from models.simulator import messages
from models.simulator.chance import U8
from models.simulator.simulated_rows import I8, Clock, Event, Market
from models.simulator.slot_ring import price, settle
from schemas.kernels import inner, kernel

EXCITE_SAME = 0.45
EXCITE_OTHER = 0.15
DECAY_PER_S = 0.7
"""Hawkes: each order brings on average this many orders of its own and of the other side, within a second or two."""

LASTING = 0.8
"""Share of the bps that an order would walk through an even book by which the fair price moves."""


@kernel
def take(
    m: Market, i: int, book: I8, side: int, lots: int, limit: int, word: U8, events: Sequence[Event], clock: Clock
) -> tuple[int, float, int]:
    """Fill up to `lots` down to slot `limit`; the outermost level keeps one lot, so no side runs empty.

    Lots filled, average price (0 when none) and last price in ticks.
    """
    mask = len(book) - 1
    slot = m.ask if side > 0 else m.bid
    edge = m.high if side > 0 else m.low
    filled, worth, last = 0, 0, 0
    while lots > filled and side * (limit - slot) >= 0 and side * (edge - slot) >= 0:
        here = -side * book[slot & mask]
        if slot == edge:
            here -= 1
        if here > 0:
            part = min(here, lots - filled)
            book[slot & mask] += side * part
            last = price(slot, m.width)
            filled += part
            worth += part * last
            messages.trade(m, i, last, part, side, word, events, clock)
        slot += side
    if filled == 0:
        return 0, 0.0, 0
    settle(m, book)
    return filled, worth / filled * m.tick, last


@inner
def excite(m: Market, side: int) -> None:
    """An order makes further orders likelier."""
    m.buy_heat += DECAY_PER_S * (EXCITE_SAME if side > 0 else EXCITE_OTHER)
    m.sell_heat += DECAY_PER_S * (EXCITE_OTHER if side > 0 else EXCITE_SAME)


@inner
def press(m: Market, side: int, filled: int) -> None:
    """The lasting part of an order's impact, larger in a thin book; at most 60 bps."""
    m.log_fair += side * 1e-4 * min(60.0, LASTING * filled * m.slot_bps / (0.75 * m.slot_lots * m.depth))
