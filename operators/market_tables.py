"""The tables of a market: the columns of their rows, and the features of a closed window that fill them."""

from operators import quality
from operators.book import flow
from operators.contract import Feature
from operators.lanes import depth
from operators.liquidation import counts, normal
from operators.tape import bars, cvd, marks, variance
from schemas.column import Column

BOOK_WINDOW: tuple[Feature, ...] = (flow.ORDER_FLOW,)
TAPE_WINDOW: tuple[Feature, ...] = (bars.BAR, cvd.CUMULATIVE, variance.VARIATION, counts.LIQUIDATED, marks.MARKS)
KEY = (
    Column("venue", "str", "where it trades"),
    Column("symbol", "str", "the venue's own name of the instrument"),
    Column("window_ms", "i8", "length of the window", unit="ms", low=100),
    Column("window_start", "time", "start of the window, itself outside: the window is (start, start + window_ms]"),
)
BOOK = (
    Column("last_update_id", "i8", "the venue's id of the last message applied", tolerance=float("inf")),
    *(c for f in depth.AT_CLOSE for c in f.writes),
    *(c for f in BOOK_WINDOW for c in f.writes),
    Column("messages", "i8", "depth messages of the window", low=0, tolerance=float("inf")),
    quality.BOOK_OK,
    quality.GAP_MS,
    quality.STALE_MS,
    quality.LATE_ROWS,
    quality.CLOSED,
    quality.INFERRED,
)
TAPE = (
    *(c for f in TAPE_WINDOW for c in f.writes),
    quality.STALE_MS,
    quality.LATE_ROWS,
    quality.CLOSED,
    quality.INFERRED,
)
LIQUIDATIONS = (
    *KEY[:2],
    *normal.NORMAL.writes,
    Column("nth", "i8", "which of the instrument's liquidations of that millisecond, in log order", low=0),
    Column("received_at", "time", "when the message was received"),
    quality.CLOSED,
    quality.INFERRED,
)
QUALITY = (
    Column("depth_messages", "i8", "depth messages read", low=0),
    Column("depth_dropped", "i8", "stale or repeated depth messages, rightly ignored", low=0),
    Column("depth_gaps", "i8", "breaks in the chain of depth messages", low=0),
    Column("untrusted_ms", "f8", "event time during which the book was not trusted", unit="ms", low=0.0),
    Column("book_live", "bool", "the book is trusted at the window's end"),
    Column("sequenced", "bool", "the venue's messages carry ids that prove completeness"),
    Column("bid_levels", "i8", "bid levels held", low=0),
    Column("ask_levels", "i8", "ask levels held", low=0),
    quality.STALE_MS,
    quality.LATE_ROWS,
    quality.CLOSED,
    quality.INFERRED,
)
QUALITY_MS = 60_000
"""The window that the table `quality` speaks of."""
