"""Rows: the state of the simulated market as records, declared once and read by the compiled code by field name."""

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int64]


class Tide:
    """What moves all instruments together. `vol_bps` per square root of a second, `drift_bps` per second.

    `lean` says which way the storm that is brewing will run: +1 up, -1 down, 0 none.
    """

    regime: int
    log_vol: float
    vol_bps: float
    mood_bps: float
    drift_bps: float
    lean: float
    shock_bps: float


class Market:
    """One instrument. Slots number the grid of resting prices, `width` ticks apart; bids rest at `centre` or below."""

    log_fair: float
    vol_scale: float
    vol_bps: float
    log_vol: float
    premium: float
    premium_ema: float
    depth: float
    tilt: float
    log_depth: float
    appetite: float
    mood: float
    open_hazard: float
    trend_bps: float
    buy_heat: float
    sell_heat: float
    funding: float
    mark: float
    mark_e8: int
    index_e8: int
    tick: float
    lot: float
    width: int
    slot_bps: float
    slot_lots: float
    depth_usd: float
    long_lots: int
    short_lots: int
    base_lots: int
    bid: int
    ask: int
    centre: int
    low: int
    high: int
    shown_low: int
    shown_high: int
    update_id: int
    trade_id: int
    now_ms: int
    depth_received_ns: int
    trade_received_ns: int
    force_received_ns: int
    derivative_received_ns: int


class Trader:
    """One leveraged trader of one instrument, with at most one position: `lots` signed, 0 flat.

    `margin` and `cash` (what else is in the wallet) in USD; `liquidation` is the price that ends the position.
    """

    lots: int
    entry: float
    leverage: int
    margin: float
    cash: float
    liquidation: float
    opened_ms: int
    patient: int


class Event:
    """What becomes one frame; fields that a kind has no use for are 0. `_e8` counts hundred-millionths."""

    kind: int
    instrument: int
    event_ms: int
    received_ns: int
    id: int
    first_id: int
    previous_id: int
    start: int
    bids: int
    asks: int
    ticks: int
    lots: int
    side: int
    price_e8: int
    index_e8: int
    funding_e8: int
    next_funding_ms: int


class Liquidation:
    """Ground truth: one forced close. `lots` signed as the position was; `filled_lots` of it met the book."""

    event_ms: int
    mark_ms: int
    instrument: int
    trader: int
    lots: int
    filled_lots: int
    price: float
    mark: float
    liquidation: float
    entry: float
    leverage: int
    margin: float
    opened_ms: int


class Second:
    """One instrument in one second, as an observer could know it at its end; money in USD, depth within 10 bps."""

    mid: float
    spread_bps: float
    mark: float
    index: float
    funding: float
    open_interest: float
    bought: float
    sold: float
    bid_depth: float
    ask_depth: float
    longs_liquidated: float
    shorts_liquidated: float
    liquidations: int


class Clock:
    """Where the simulation stands: so it can pause when a buffer is full and go on."""

    second: int
    instrument: int
    step: int
    events: int
    levels: int
    liquidations: int


def dtype(row: type) -> np.dtype[np.void]:
    """The record type that a row class declares.

    >>> dtype(Tide).names[:2]
    ('regime', 'log_vol')
    """
    return np.dtype([(name, {int: "i8", float: "f8"}[kind]) for name, kind in row.__annotations__.items()])


DEPTH, SNAPSHOT, TRADE, FORCE, MARK, INTEREST = range(6)
"""The kinds of event."""
