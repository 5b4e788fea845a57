"""The stamp: how far to trust a row, on every row of every table."""

import numpy as np

from operators.contract import Array, Columns
from schemas.column import Column

EVENT, END, IDLE = 0, 1, 2
CLOSED_BY = ("event", "end", "idle")

STALE_NS = 5_000_000_000
"""A book that has said nothing for so long is taken to be away where others tell that something happened."""
_AGE = float("inf")
OURS = "definition of our own"
BOOK_OK = Column("book_ok", "bool", "the book was trusted for the whole window, up to its end")
GAP_MS = Column(
    "gap_ms",
    "f8",
    "event time that passed, up to the messages of this window, while the book was not trusted: of a break in its"
    " chain, since the message before it",
    unit="ms",
    formula="sum of dt without a trusted book",
    source=OURS,
    low=0.0,
    tolerance=_AGE,
)
MISSED_UPDATES = Column(
    "missed_updates",
    "f8",
    "updates of the book that the venue numbered and that never came, by the ids of those of this window that did:"
    " messages on Bybit, changes of the book on Binance spot",
    unit="updates",
    formula="sum of (first id of a message - id of the message before - 1)",
    source=OURS,
    null_when="something may be missing and ids do not tell how much: on all other venues wherever the book was not"
    " trusted since a message before; where ids are absent or began anew",
    low=0.0,
    tolerance=_AGE,
)


def _stale(what: str, formula: str, null_when: str) -> Column:
    return Column("stale_ms", "f8", what, unit="ms", formula=formula, source=OURS, null_when=null_when, tolerance=_AGE)


STALE_MS = _stale(
    "age at the window's end of the last message that the row rests on",
    "end of the window - t of the last message that tells one",
    "there was no message with an event time yet",
)
TRADE_AGE = _stale(
    "age at the window's end of the last trade, in this window or before it",
    "end of the window - t of the last trade",
    "there was no trade yet",
)
MEETING_AGE = _stale(
    "age of the last message of the book when the last mid is asked for, a minute later: as old are the mids of a book "
    "whose feed was away",
    "a minute after the end of the window, or after the event - t of the last message by the last end of a shortest "
    "window until then",
    "the book has had no message with an event time yet",
)
MID_UNKNOWN = (
    "untrusted, one-sided, locked or crossed book, from the message before a gap on if that shows by a minute after;"
    " or its log had ended"
)
"""Of which times the meeting of trades or liquidations and book knows no mid (`operators/meeting`)."""
LATE_ROWS = Column(
    "late_rows",
    "i8",
    "messages that came after their shortest window had closed, counted in the first that was open; those of a book"
    " change it there, all others are left out",
    low=0,
)
REPEATED_ROWS = Column(
    "repeated_rows",
    "i8",
    "trades that were delivered again, by a reconnect or a second recorder, and left out, counted as late_rows are",
    low=0,
)
FEED_SWITCHES = Column(
    "feed_switches", "i8", "how often the trades went over to the other of the venue's feeds, as one was silent", low=0
)
CLOSED = Column(
    "closed_by", "str", "what closed the window: event (a later event), end (of a bounded log), idle (quiet)"
)
INFERRED = Column("inferred", "bool", "tick, lot and contract were inferred from frames, not taken from settings")


def stale_ms(end_ns: Array, last_event_ns: Array) -> Array:
    """Age of the last event at the end of a window; NaN when there was none.

    >>> stale_ms(np.array([3_000_000, 5]), np.array([1_000_000, 0])).tolist()
    [2.0, nan]
    """
    return np.where(last_event_ns > 0, (end_ns - last_event_ns) / 1e6, np.nan)


def book(rows: Columns, start_ns: Array, end_ns: Array) -> Columns:
    """The stamp of book rows from their statistics, `live untrusted_ns whole_ns` and those that it gives as they are.

    A window in which the log of its instrument began says nothing of the time before: it is not trusted as a whole.
    """
    return {
        "book_ok": (rows["live"] == 1) & (rows["untrusted_ns"] == 0) & (rows["whole_ns"] <= start_ns),
        "gap_ms": rows["untrusted_ns"] / 1e6,
        "missed_updates": np.where(rows["untold"] > 0, np.nan, rows["missed"]),
        "stale_ms": stale_ms(end_ns, rows["last_event_ns"]),
        "late_rows": rows["late_rows"],
    }


def of_minute(rows: Columns) -> Columns:
    """What the table `quality` says of book windows, from the same statistics."""
    return {
        "depth_messages": rows["messages"],
        "depth_dropped": rows["dropped"],
        "depth_gaps": rows["gaps"],
        "untrusted_ms": rows["untrusted_ns"] / 1e6,
        "book_live": rows["live"] == 1,
        "sequenced": rows["sequenced"] == 1,
    }
