"""Messages: what of the simulated market becomes an event, with its ids and its time of receipt."""

import math
from collections.abc import Sequence

from models.simulator.chance import U8, uniform
from models.simulator.simulated_rows import DEPTH, FORCE, I8, INTEREST, MARK, SNAPSHOT, TRADE, Clock, Event, Market
from models.simulator.slot_ring import price
from schemas.kernels import kernel

MS = 1_000_000


@kernel
def trade(m: Market, i: int, ticks: int, lots: int, side: int, word: U8, events: Sequence[Event], clock: Clock) -> None:
    """One fill; `side` +1 when the taker bought."""
    m.trade_id += 1
    m.trade_received_ns = max(m.trade_received_ns + 1000, m.now_ms * MS + 3 * MS + int(uniform(word) * 2 * MS))
    e = events[clock.events]
    e.kind, e.instrument, e.event_ms, e.received_ns = TRADE, i, m.now_ms, m.trade_received_ns
    e.id, e.ticks, e.lots, e.side = m.trade_id, ticks, lots, side
    clock.events += 1


@kernel
def depth(m: Market, i: int, book: I8, shown: I8, word: U8, events: Sequence[Event], levels: I8, clock: Clock) -> None:
    """What changed since the message before, in rising price; nothing when nothing did.

    A price that changed sides is deleted on the one and set on the other, so no reader sees a crossed book.
    """
    mask = len(book) - 1
    start = at = clock.levels
    low, high = min(m.low, m.shown_low), max(m.high, m.shown_high)
    for slot in range(low, high + 1):
        now, was = book[slot & mask], shown[slot & mask]
        if now != was and (now > 0 or was > 0):
            levels[at, 0], levels[at, 1] = price(slot, m.width), max(0, now)
            at += 1
    bids = at - start
    for slot in range(low, high + 1):
        now, was = book[slot & mask], shown[slot & mask]
        if now != was:
            if now < 0 or was < 0:
                levels[at, 0], levels[at, 1] = price(slot, m.width), max(0, -now)
                at += 1
            shown[slot & mask] = now
    m.shown_low, m.shown_high = m.low, m.high
    if at == start:
        return
    e = events[clock.events]
    e.previous_id = m.update_id
    e.first_id = m.update_id + 1 + int(uniform(word) * 20)
    m.update_id = e.first_id + (at - start) + int(uniform(word) * 50)
    m.depth_received_ns = max(m.depth_received_ns + 2000, m.now_ms * MS + 4 * MS + int(uniform(word) * 3 * MS))
    e.kind, e.instrument, e.event_ms, e.received_ns = DEPTH, i, m.now_ms, m.depth_received_ns
    e.id, e.start, e.bids, e.asks = m.update_id, start, bids, at - start - bids
    clock.events += 1
    clock.levels = at


@kernel
def snapshot(m: Market, i: int, shown: I8, at_most: int, events: Sequence[Event], levels: I8, clock: Clock) -> None:
    """The whole book as of the last message, best first; received right after that message, before the next."""
    mask = len(shown) - 1
    start = at = clock.levels
    for slot in range(m.bid, m.low - 1, -1):
        if shown[slot & mask] > 0 and at - start < at_most:
            levels[at, 0], levels[at, 1] = price(slot, m.width), shown[slot & mask]
            at += 1
    bids = at - start
    for slot in range(m.ask, m.high + 1):
        if shown[slot & mask] < 0 and at - start - bids < at_most:
            levels[at, 0], levels[at, 1] = price(slot, m.width), -shown[slot & mask]
            at += 1
    m.depth_received_ns += 1000
    e = events[clock.events]
    e.kind, e.instrument, e.event_ms, e.received_ns = SNAPSHOT, i, m.now_ms, m.depth_received_ns
    e.id, e.start, e.bids, e.asks = m.update_id, start, bids, at - start - bids
    clock.events += 1
    clock.levels = at


@kernel
def forced(
    m: Market, i: int, lots: int, filled: int, average: float, limit: int, events: Sequence[Event], clock: Clock
) -> None:
    """The liquidation order of this second that the venue shows: its latest one. `lots` signed as the position was."""
    m.force_received_ns = max(m.force_received_ns + 1000, m.now_ms * MS + 25 * MS)
    e = events[clock.events]
    e.kind, e.instrument, e.event_ms, e.received_ns = FORCE, i, m.now_ms, m.force_received_ns
    e.ticks, e.lots, e.id, e.side = limit, abs(lots), filled, (-1 if lots > 0 else 1)
    e.price_e8 = math.floor(average * 1e8 + 0.5)
    clock.events += 1


@kernel
def mark(m: Market, i: int, word: U8, events: Sequence[Event], clock: Clock) -> None:
    """Mark, index and the running funding rate, which settles every eight hours."""
    m.derivative_received_ns = m.now_ms * MS + 8 * MS + int(uniform(word) * 4 * MS)
    e = events[clock.events]
    e.kind, e.instrument, e.event_ms, e.received_ns = MARK, i, m.now_ms, m.derivative_received_ns
    e.price_e8, e.index_e8 = m.mark_e8, m.index_e8
    e.funding_e8 = math.floor(m.funding * 1e8 + 0.5)
    e.next_funding_ms = (m.now_ms // 28_800_000 + 1) * 28_800_000
    clock.events += 1


@kernel
def interest(m: Market, i: int, lots: int, word: U8, events: Sequence[Event], clock: Clock) -> None:
    """Open interest as the REST endpoint answers it."""
    m.derivative_received_ns += 20 * MS + int(uniform(word) * 20 * MS)
    e = events[clock.events]
    e.kind, e.instrument, e.event_ms, e.received_ns = INTEREST, i, m.now_ms, m.derivative_received_ns
    e.lots = lots
    clock.events += 1
