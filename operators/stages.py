"""Stages: where an operator can stand, and the columns that it is offered there.

Every stage of events offers `instrument` and `event_ns`, every stage of panes and windows `instrument` and when they
end. What an operator reads and its stage does not offer stops the import (`check`), with one line that names both.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from operators import units
from operators.book.midpoint import LADDER
from operators.contract import Operator
from operators.touches import EDGES

PANE = ("pane", "pane_start_ns", "pane_end_ns")
BOOK = "book_"
"""How the columns begin at the stage `asset` that have a value a book."""
EVENT = ("instrument", "event_ns", *PANE)
"""`pane_start_ns` is outside the pane and `pane_end_ns` inside; a late event's pane begins after the event."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One place for operators: what a row there is, and the columns that it has."""

    name: str
    meaning: str
    offers: tuple[str, ...]
    statistics_of: tuple[str, ...] = ()
    """Stages whose operators' statistics are offered too."""
    columns_of: tuple[str, ...] = ()
    """Stages whose operators' columns in tables of windows are offered too, of every book: `book_<column>`."""


STAGES = {
    s.name: s
    for s in (
        Stage(
            "depth",
            "a depth message of an instrument, with the best five levels of both sides after it",
            (
                *EVENT,
                *("live", "fresh", "gap", "dropped", "untrusted_ns"),
                *("bid_ticks", "bid_lots", "ask_ticks", "ask_lots"),
                *units.READS,
            ),
        ),
        Stage(
            "trade",
            "a trade that is not late",
            (*EVENT, "ticks", "lots", "sign", "qty_per_price", *units.READS),
        ),
        Stage(
            "forced_order",
            "a liquidation as the venue sent it, repeats included",
            (
                *(*EVENT, "received_ns", "offset", "order_side", "price", "price_kind", "lots", "throttled", "id"),
                *units.READS,
            ),
        ),
        Stage(
            "liquidation",
            "a liquidation, counted once; `price` is null where the message had none",
            (
                *(*EVENT, "received_ns", "offset", "order_side", "price", "price_kind", "lots", "throttled"),
                *("qty_base", "notional_usd"),
                *units.READS,
            ),
        ),
        Stage(
            "mark",
            "a message of mark, index, funding or open interest; NaN (time: 0) where it does not carry the field",
            (*EVENT, "mark", "index", "funding_rate", "next_funding_ns", "open_interest"),
        ),
        Stage(
            "close",
            "a book as it stands when a pane of it ends, its ladder within 100 bps of mid, and the row of its "
            "instrument's table for the micro-price; `gap`: since its closing before there was time in which it was "
            "not trusted, so what stood then and what stands now cannot be compared",
            (*EVENT, "gap", *LADDER, *units.READS, "micro_table"),
        ),
        Stage(
            "pane",
            "a closed pane with trades, in pane order; `mid_before` and `mid` are in force at its edges, as are what "
            "the book said at its last end of a pane before them (`best_*_before`, `best_*_after`, and when the "
            "last message was, `last_event_ns_*`); what was before is null where the book was not trusted all the time "
            "between",
            ("instrument", *PANE, "base_ms", "mid_before", "mid", *EDGES, *units.READS),
            ("trade",),
        ),
        Stage(
            "meeting",
            "a trade that is not late, with the book's mid in force just before it and `horizons_ns` after it "
            "(`mid_after`, a column for each of the operator's own, in its order); given when the longest that anyone "
            "asks for is over",
            (*EVENT, "price", "qty_base", "sign", "mid_before", "mid_after"),
        ),
        Stage(
            "asset",
            "an asset and quote currency at the end of a pane in which one of its books had a message, at the end of "
            "the one `horizons_ns` after a message, and at the keyframe after it. What starts with `book_` has a row "
            "a pane and a column a book, of all venues, by venue and symbol; a book that has said nothing yet is there "
            "or not, with NaN and 0. Contracts with a date of expiry are left out. `instrument` numbers the assets, "
            "`book_number` the books, in no order that means anything (-1: none); `book_gap_ns`: for how long the book "
            "was not trusted by what this pane shows, above 0 where there was a gap; `inferred`: steps of one were",
            (
                "instrument",
                *PANE,
                "inferred",
                *(BOOK + n for n in ("venue", "symbol", "number", "live", "sequenced", "last_event_ns", "gap_ns")),
            ),
            columns_of=("close",),
        ),
        Stage(
            "window",
            "a closed window",
            ("instrument", "window_start_ns", "window_end_ns", *units.READS),
            ("depth", "close", "trade", "pane", "liquidation", "mark"),
        ),
        Stage(
            "account",
            "an account and its sums over its positions",
            (
                "gross_usd",
                "net_usd",
                "leverage_weight_usd",
                "leverage_max",
                "pool_utilisation",
                "pool_maintenance_ratio",
                "equity_usd",
                "positions",
                "pools_gone",
            ),
        ),
    )
}

WINDOWS = {
    "features_book": ("depth", "close"),
    "features_tape": ("trade", "pane", "liquidation", "mark"),
    "features_costs": ("meeting",),
    "features_liquidity": ("depth", "close"),
    "features_efficiency": ("trade", "pane"),
}
"""The tables of windows, and the stages whose statistics and columns their windows hold."""
MORE = {"features_tape": ("mark_contract", "mark_inverse")}
"""What the windows of a table offer besides: the scale of a mark is that of its own log."""


class NotOffered(ValueError):
    """An operator reads what nobody offers, or stands where it cannot; the message is one line."""


def check(operators: Iterable[Operator]) -> None:
    """NotOffered names the operator and the column that its stage does not offer.

    >>> check([Operator("depth_age", "trade", ("ticks", "mood"))])
    Traceback (most recent call last):
    ...
    operators.stages.NotOffered: operator depth_age reads mood, which the stage trade does not offer
    """
    every = tuple(operators)
    written: dict[str, set[str]] = {name: set() for name in STAGES}
    for o in every:
        if o.stage not in STAGES:
            raise NotOffered(f"operator {o.name} stands at {o.stage!r}; the stages are {', '.join(STAGES)}")
        stage = STAGES[o.stage]
        # A window holds what its own table keeps, a closed pane what all tables of its log do.
        own = o.table if o.stage == "window" else None
        there = {*stage.offers, *written[o.stage], *_held(every, stage.statistics_of, own)}
        beside = (c for b in every if b.stage in stage.columns_of and isinstance(b.table, str) for c in b.columns)
        there |= {BOOK + c.name for c in beside}
        if missing := [name for name in o.reads if name not in there]:
            raise NotOffered(f"operator {o.name} reads {missing[0]}, which the stage {o.stage} does not offer")
        written[o.stage] |= {*o.writes, *(c.name for c in o.columns)}
        if o.stage == "pane":  # where operators follow one another, and their statistics are what a row holds
            written[o.stage] |= {s.name for s in o.statistics}
        if o.uses:
            if o.table not in WINDOWS:
                raise NotOffered(f"operator {o.name} uses {o.uses[0]} of the windows of {o.table!r}, which has none")
            window = {*STAGES["window"].offers, *MORE.get(str(o.table), ())}
            window |= _held(every, WINDOWS[str(o.table)], o.table)
            if missing := [name for name in o.uses if name not in window]:
                raise NotOffered(f"operator {o.name} uses {missing[0]}, which no window of {o.table} holds")


def _held(operators: Iterable[Operator], stages: tuple[str, ...], table: object) -> set[str]:
    """What windows (of a table) and panes (None: of any) hold of the operators of some stages."""
    out: set[str] = set()
    for o in operators:
        if o.stage in stages and (table is None or o.table == table or not o.table):
            out |= {s.name for s in o.statistics} | {c.name for c in o.columns}
    return out
