"""What a venue's frames become: struct-of-arrays batches, one class a kind, the same for all venues.

Prices are integer ticks and quantities integer lots of the instrument (row `instrument` of the log's table).
`frame` is the index into the `Frames` that the row came from, so offset and receipt time need not be copied.
Times are nanoseconds since 1970, UTC; `event_ns` 0 means that the frame has no event time (Binance spot snapshots).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
I1 = NDArray[np.int8]
F8 = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Sequencing(IntEnum):
    """How a venue chains its depth messages; the rules stand in `operators/book/continuity`."""

    BINANCE_FUTURES = 0
    BINANCE_SPOT = 1
    BYBIT = 2
    OKX = 3
    DERIBIT = 4


REFUSED, BESIDE = -2, -3
"""Ids of depth messages that only say what became of a frame; see `Depth`."""
WHOLE = -4
"""In place of `previous_id`, of a snapshot: ids before it have no bearing on it, it is of another view of the book."""
ASKED = -5
"""In place of `previous_id`, of a snapshot that somebody asked for by REST where the stream sends its own."""
AFTER_SILENCE = -6
"""In place of a `previous_id` that is not sent: another view, of other ids, went on when the one kept was silent."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Depth messages. Levels of message i: `ticks[starts[i]:starts[i+1]]`, its `bids[i]` bids first, then asks.

    A level's lots are absolute; 0 deletes. An id that a venue does not send is -1. Two messages without levels say
    what became of a frame: `last_id` `REFUSED`, one of the chain could not be used, so its book cannot be trusted;
    `BESIDE`, it was of another view of the book than the one that the log keeps.
    """

    frame: I4
    instrument: I4
    event_ns: I8
    snapshot: Flags
    first_id: I8
    last_id: I8
    previous_id: I8
    starts: I8
    bids: I4
    ticks: I8
    lots: I8

    def __len__(self) -> int:
        """How many messages."""
        return len(self.frame)

    @classmethod
    def none(cls) -> "Depth":
        """No messages."""
        i4, i8 = np.empty(0, np.int32), np.empty(0, np.int64)
        return cls(i4, i4, i8, np.empty(0, np.bool_), i8, i8, i8, np.zeros(1, np.int64), i4, i8, i8)

    @classmethod
    def joined(cls, parts: Sequence["Depth"]) -> "Depth":
        """The messages of at least one part, those of one after those of the other."""
        if len(parts) == 1:
            return parts[0]
        counts = np.concatenate([np.diff(p.starts) for p in parts])
        starts = np.append(0, np.cumsum(counts)).astype(np.int64)
        rows = {n: np.concatenate([getattr(p, n) for p in parts]) for n in (*MESSAGE, "ticks", "lots")}
        return cls(**rows, starts=starts)

    def part(self, start: int, stop: int) -> "Depth":
        """Messages `start` to `stop` (exclusive)."""
        low, high = int(self.starts[start]), int(self.starts[stop])
        rows = {n: getattr(self, n)[start:stop] for n in MESSAGE}
        starts = self.starts[start : stop + 1] - low
        return Depth(**rows, starts=starts, ticks=self.ticks[low:high], lots=self.lots[low:high])

    def keep(self, wanted: Flags) -> "Depth":
        """Only the messages that are wanted."""
        counts = np.diff(self.starts)
        levels = np.repeat(wanted, counts)
        starts = np.append(0, np.cumsum(counts[wanted])).astype(np.int64)
        rows = {n: getattr(self, n)[wanted] for n in MESSAGE}
        return Depth(**rows, starts=starts, ticks=self.ticks[levels], lots=self.lots[levels])

    def refuse(self, which: Flags) -> "Depth":
        """The messages of `which` as refused ones: no levels, no time, no ids."""
        ids = {n: np.where(which, REFUSED, getattr(self, n)) for n in ("first_id", "last_id", "previous_id")}
        counts = np.diff(self.starts)
        levels = np.repeat(~which, counts)
        return replace(
            self,
            **ids,
            event_ns=np.where(which, 0, self.event_ns),
            snapshot=self.snapshot & ~which,
            starts=np.append(0, np.cumsum(np.where(which, 0, counts))).astype(np.int64),
            bids=np.where(which, 0, self.bids).astype(np.int32),
            ticks=self.ticks[levels],
            lots=self.lots[levels],
        )


MESSAGE = ("frame", "instrument", "event_ns", "snapshot", "first_id", "last_id", "previous_id", "bids")


class PrintFeed(IntEnum):
    """A venue's feeds of trades: one, of every fill (beside an aggregated one), of fills merged by taker order."""

    ONLY = 0
    SINGLE = 1
    AGGREGATE = 2


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades; `sign` +1 for an aggressive buy, -1 for an aggressive sell.

    `id` tells a trade from all others of its instrument and feed; -1 where the venue sent none. `first_id` to `last_id`
    are the fills that it is of, on a count that the venue's feeds share and that grows; -1 where it cannot be told.
    """

    frame: I4
    instrument: I4
    event_ns: I8
    ticks: I8
    lots: I8
    sign: I1
    feed: I1
    id: I8
    first_id: I8
    last_id: I8

    def __len__(self) -> int:
        """How many trades."""
        return len(self.frame)

    @classmethod
    def none(cls) -> "Trades":
        """No trades."""
        i8, i4, i1 = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int8)
        return cls(i4, i4, i8, i8, i8, i1, i1, i8, i8, i8)

    def part(self, start: int, stop: int) -> "Trades":
        """Trades `start` to `stop` (exclusive)."""
        return self if start == 0 and stop == len(self) else self.keep(slice(start, stop))

    def keep(self, wanted: Flags | slice) -> "Trades":
        """Only the trades that are wanted."""
        return Trades(*(getattr(self, f.name)[wanted] for f in fields(self)))


class PriceKind(IntEnum):
    """What the price of a liquidation is."""

    FILL_AVERAGE = 0
    LIMIT = 1
    BANKRUPTCY = 2
    TRADE = 3


@dataclass(frozen=True, slots=True)
class Liquidations:
    """Liquidations; `order_side` is the forced order: +1 buy (a short was liquidated), -1 sell (a long was).

    `price` is a number as printed (an average need not lie on a tick), NaN where there is none; `throttled` says that
    the venue sends at most one a second, so that sums are lower bounds. An order that was filled in parts is a row a
    part, each with what is new. `id` is the trade's, where the venue tells one; else -1, and -2, -3, ... of those that
    a frame lists once more, alike in all else.
    """

    frame: I4
    instrument: I4
    event_ns: I8
    order_side: I1
    price: F8
    price_kind: I1
    lots: I8
    throttled: Flags
    id: I8

    def __len__(self) -> int:
        """How many liquidations."""
        return len(self.frame)

    def keep(self, wanted: Flags) -> "Liquidations":
        """Only the liquidations that are wanted."""
        return Liquidations(*(getattr(self, f.name)[wanted] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Mark, index, funding and open interest as they come; NaN where a message does not carry the field.

    `funding_rate` is the predicted rate of the running interval; `open_interest` is in the venue's quantity units.
    """

    frame: I4
    instrument: I4
    event_ns: I8
    mark: F8
    index: F8
    funding_rate: F8
    next_funding_ns: I8
    open_interest: F8

    def __len__(self) -> int:
        """How many messages."""
        return len(self.frame)
