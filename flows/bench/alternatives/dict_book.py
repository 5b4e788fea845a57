"""Dict book: one instrument's book in two dicts, and its one-second windows, event by event in plain Python.

The best prices are kept up to date with each level, so that order-flow imbalance does not search the book.
"""

import heapq
from dataclasses import dataclass, field
from typing import Any

import msgspec

WINDOW_MS = 1_000
NEAR = 5
Levels = list[tuple[float, float]]
Row = dict[str, Any]


class Snapshot(msgspec.Struct):
    """A REST snapshot."""

    bids: Levels
    asks: Levels


class DepthUpdate(msgspec.Struct, tag_field="e", tag="depthUpdate"):
    """A depth message."""

    E: int
    s: str
    b: Levels
    a: Levels


class Trade(msgspec.Struct, tag_field="e", tag="trade"):
    """A trade."""

    E: int
    s: str
    p: float
    q: float
    m: bool


class AggregateTrade(msgspec.Struct, tag_field="e", tag="aggTrade"):
    """Trades of one order at one price."""

    E: int
    s: str
    p: float
    q: float
    m: bool


class Message(msgspec.Struct):
    """A message in the envelope of a combined stream."""

    data: DepthUpdate | Trade | AggregateTrade


Event = Snapshot | DepthUpdate | Trade | AggregateTrade
_message = msgspec.json.Decoder(Message, strict=False).decode
_snapshot = msgspec.json.Decoder(Snapshot, strict=False).decode


def decode(value: bytes, symbol: str | None) -> tuple[str, Event]:
    """Symbol and event; a snapshot does not always name its symbol, so it is given."""
    if value.startswith(b'{"lastUpdateId"'):
        assert symbol is not None
        return symbol, _snapshot(value)
    data = _message(value).data
    return data.s, data


@dataclass(slots=True)
class DictBook:
    """The book and the window under way.

    >>> book = DictBook("BTCUSDT")
    >>> book.apply(Snapshot([(9.0, 2.0)], [(10.0, 1.0)]))
    >>> book.apply(DepthUpdate(500, "BTCUSDT", [(9.5, 1.0)], []))
    >>> book.apply(DepthUpdate(1500, "BTCUSDT", [(9.5, 0.0)], []))["best_bid"]
    9.5
    """

    symbol: str
    bids: dict[float, float] = field(default_factory=dict)
    asks: dict[float, float] = field(default_factory=dict)
    best_bid: float = 0.0
    best_ask: float = float("inf")
    window: int = -1
    ofi: float = 0.0
    volume: float = 0.0
    signed: float = 0.0
    notional: float = 0.0
    updates: int = 0

    def apply(self, event: Event) -> Row | None:
        """Take in one event; the row of the window that it closes, if any."""
        if isinstance(event, Snapshot):
            self.bids, self.asks = dict(event.bids), dict(event.asks)
            self.best_bid, self.best_ask = max(self.bids, default=0.0), min(self.asks, default=float("inf"))
            return None
        row = None
        if (window := event.E // WINDOW_MS) > self.window:
            row = self.close() if self.window >= 0 else None
            self.window = window
        if isinstance(event, DepthUpdate):
            self._depth(event)
        else:
            quantity = event.q
            self.volume += quantity
            self.signed += -quantity if event.m else quantity
            self.notional += quantity * event.p
        return row

    def _depth(self, event: DepthUpdate) -> None:
        bids, asks = self.bids, self.asks
        bid, ask = self.best_bid, self.best_ask
        bid_size, ask_size = bids.get(bid, 0.0), asks.get(ask, 0.0)
        for price, quantity in event.b:
            if quantity:
                bids[price] = quantity
                if price > self.best_bid:  # noqa: PLR1730 (max() is slower)
                    self.best_bid = price
            elif bids.pop(price, None) is not None and price == self.best_bid:
                self.best_bid = max(bids, default=0.0)
        for price, quantity in event.a:
            if quantity:
                asks[price] = quantity
                if price < self.best_ask:  # noqa: PLR1730
                    self.best_ask = price
            elif asks.pop(price, None) is not None and price == self.best_ask:
                self.best_ask = min(asks, default=float("inf"))
        if self.best_bid >= bid:
            self.ofi += bids.get(self.best_bid, 0.0)
        if self.best_bid <= bid:
            self.ofi -= bid_size
        if self.best_ask <= ask:
            self.ofi -= asks.get(self.best_ask, 0.0)
        if self.best_ask >= ask:
            self.ofi += ask_size
        self.updates += 1

    def close(self) -> Row:
        """The row of the window, and a new window."""
        bid_depth = sum(self.bids[p] for p in heapq.nlargest(NEAR, self.bids))
        ask_depth = sum(self.asks[p] for p in heapq.nsmallest(NEAR, self.asks))
        depth = bid_depth + ask_depth
        row = {
            "symbol": self.symbol,
            "window_start": self.window * WINDOW_MS,
            "best_bid": self.best_bid,
            "best_ask": self.best_ask,
            "mid": (self.best_bid + self.best_ask) / 2,
            "bid_depth": bid_depth,
            "ask_depth": ask_depth,
            "imbalance": (bid_depth - ask_depth) / depth if depth else None,
            "ofi": self.ofi,
            "updates": self.updates,
            "volume": self.volume,
            "signed_volume": self.signed,
            "vwap": self.notional / self.volume if self.volume else None,
        }
        self.ofi = self.volume = self.signed = self.notional = 0.0
        self.updates = 0
        return row
