"""The tables of the markets: columns, topics and times, from the operators that the catalog lists and the stamp."""

from dataclasses import dataclass
from functools import cached_property

from operators import catalog, quality
from operators.contract import EventTable, Operator
from operators.units import only_in_dollars
from schemas.column import Column
from schemas.table import Table

KEY = (
    Column("venue", "str", "where it trades"),
    Column("symbol", "str", "the venue's own name of the instrument"),
    Column("window_ms", "i8", "length of the window", unit="ms", low=100),
    Column("window_start", "time", "start of the window, itself outside: the window is (start, start + window_ms]"),
)
ASSET_KEY = (
    Column("asset", "str", "the base asset"),
    Column("quote", "str", "the currency of all its prices: books in another one are another row, USDT is not USD"),
)
WINDOW_KEY = ("venue", "symbol", "window_ms", "window_start")


@dataclass(frozen=True)
class WindowTable:
    """A table with a row for each closed window in which something moved; `logs`: the kinds of logs it is made of."""

    name: str
    topic: str
    logs: tuple[str, ...]
    first: tuple[Column, ...]
    stamp: tuple[Column, ...]
    delay_ns: int = 0
    """How long after its window a row comes."""

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """Those that fill it."""
        return catalog.of(self.name)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Without the key."""
        return only_in_dollars((*self.first, *(c for o in self.operators for c in o.columns), *self.stamp))


BOOK = WindowTable(
    "features_book",
    "features.book",
    ("depth",),
    (
        Column(
            "last_update_id",
            "i8",
            "the venue's id of the last message applied; -1: the book is not live, or the venue sends none",
            tolerance=float("inf"),
        ),
    ),
    (
        Column("messages", "i8", "depth messages of the window, ignored ones too", low=0, tolerance=float("inf")),
        quality.BOOK_OK,
        quality.GAP_MS,
        quality.MISSED_UPDATES,
        quality.STALE_MS,
        quality.LATE_ROWS,
        quality.CLOSED,
        quality.INFERRED,
    ),
)
TAPE = WindowTable(
    "features_tape",
    "features.tape",
    ("trades", "liquidations", "derivatives"),
    (),
    (
        quality.TRADE_AGE,
        quality.LATE_ROWS,
        quality.REPEATED_ROWS,
        quality.FEED_SWITCHES,
        quality.CLOSED,
        quality.INFERRED,
    ),
)
COSTS = WindowTable(
    "features_costs",
    "features.costs",
    ("meeting",),
    (),
    (quality.MEETING_AGE, quality.CLOSED, quality.INFERRED),
    delay_ns=max((h for o in catalog.at("meeting") for h in o.horizons_ns), default=0),
)
LIQUIDITY = WindowTable(
    "features_liquidity",
    "features.liquidity",
    ("depth",),
    (),
    (quality.BOOK_OK, quality.STALE_MS, quality.CLOSED, quality.INFERRED),
)
EFFICIENCY = WindowTable(
    "features_efficiency",
    "features.efficiency",
    ("trades",),
    (),
    (quality.TRADE_AGE, quality.CLOSED, quality.INFERRED),
)
WINDOW_TABLES = (BOOK, TAPE, COSTS, LIQUIDITY, EFFICIENCY)

QUALITY = (
    Column("depth_messages", "i8", "depth messages read", low=0),
    Column(
        "depth_dropped", "i8", "depth messages rightly ignored: stale, repeated, or of another view of the book", low=0
    ),
    Column("depth_gaps", "i8", "breaks in the chain of depth messages", low=0),
    Column(
        "untrusted_ms",
        "f8",
        quality.GAP_MS.meaning,
        "ms",
        quality.GAP_MS.formula,
        quality.OURS,
        low=0.0,
    ),
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


def _of_events(operator: Operator, table: EventTable) -> Table:
    asset = operator.stage == "asset"
    key = ("asset", "quote", "event_time", *table.key) if asset else ("venue", "symbol", "event_time", "nth")
    columns = (*(ASSET_KEY if asset else KEY[:2]), *only_in_dollars(operator.columns))
    return Table(table.name, table.topic, columns, key, time="event_time", ttl_days=table.ttl_days)


TABLES: tuple[Table, ...] = (
    *(
        Table(t.name, t.topic, (*KEY, *t.columns), WINDOW_KEY, time="window_start", ttl_days=90, dense=True)
        for t in WINDOW_TABLES
    ),
    *(_of_events(o, o.table) for o in catalog.OPERATORS if isinstance(o.table, EventTable)),
    Table("quality", "quality", (*KEY, *QUALITY), WINDOW_KEY, time="window_start", ttl_days=90),
)


def delays_ns() -> dict[str, int]:
    """By topic, how long after their windows or events the rows of tables that wait for a horizon come."""
    found = {table.topic: table.delay_ns for table in WINDOW_TABLES if table.delay_ns}
    for operator in catalog.at("liquidation_meeting"):
        if isinstance(operator.table, EventTable):
            found[operator.table.topic] = max(h for o in catalog.at("liquidation_meeting") for h in o.horizons_ns)
    return found
