"""Stages: where an operator can stand, and the columns that it is offered there.

Every stage of events offers `instrument` and `event_ns`, every stage of panes and windows `instrument` and when they
end. What an operator reads and its stage does not offer stops the import (`check`), with one line that names both, and
so does what nobody would call, fill or publish, and a name that is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from operators import units
from operators.book.midpoint import LADDER
from operators.contract import Dtype, EventTable, Merge, Operator
from operators.edges import EDGES
from schemas import column

PANE = ("pane", "pane_start_ns", "pane_end_ns")
BOOK = "book_"
"""How the columns begin at the stage `asset` that have a value a book."""
BEFORE = "_before"
"""How the columns end of what was in force before an event, or where its pane begins."""
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
    """Stages whose operators' columns in tables of windows are offered too."""
    columns_as: str = "{}"
    """What they are called there."""
    calls: tuple[str, ...] = ("fold",)
    """The functions of an operator that are called there, besides the `compute` of what a closed window holds."""
    rows: bool = False
    """Whether an operator there can have a table of its own; it is then asked for rows, by `step` or `compute`."""


STAGES = {
    s.name: s
    for s in (
        Stage(
            "depth",
            "a depth message of an instrument, with the best five levels of both sides after it; `event_ns` is 0 where "
            "the message has no time of its own (books by REST), and of one that is late before its pane; `fresh`: its "
            "levels are not to be compared with those before it, as a book begins with it or it was rightly ignored",
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
            rows=True,
        ),
        Stage(
            "forced_order",
            "a liquidation as the venue sent it, repeats included, late ones not; `open_from`: the first pane that was "
            "open when it came",
            (
                *(*EVENT, "received_ns", "offset", "order_side", "price", "price_kind", "lots", "throttled", "id"),
                "open_from",
                *units.READS,
            ),
            calls=("step",),
        ),
        Stage(
            "liquidation",
            "a liquidation, counted once; `price` is null where the message had none",
            (
                *(*EVENT, "received_ns", "offset", "order_side", "price", "price_kind", "lots", "throttled"),
                *("qty_base", "notional_usd"),
                *units.READS,
            ),
            rows=True,
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
            calls=("step", "compute"),
            rows=True,
        ),
        Stage(
            "pane",
            "a closed pane with trades, in pane order; `mid_before` and `mid` are in force at its edges (`mid` is null "
            "where the last trade came 5 s or more after the book's last message: one would have told of it), as are "
            "what the book said at its last end of a pane before them (`best_*_before`, `best_*_after`, and when the "
            "last message was, `last_event_ns_*`); what was before is null where the book was not trusted all the time "
            "between",
            ("instrument", *PANE, "base_ms", "mid_before", "mid", *EDGES, *units.READS),
            ("trade",),
            calls=("step",),
        ),
        Stage(
            "meeting",
            "a trade that is not late, with the book's mid in force just before it and `horizons_ns` after it "
            "(`mid_after`, a column for each of the operator's own, in its order); given when the longest that anyone "
            "asks for is over; `qty_base` counts a contract of unknown size as one unit, which weighs trades as well",
            (*EVENT, "price", "qty_base", "sign", "mid_before", "mid_after"),
        ),
        Stage(
            "liquidation_meeting",
            "a liquidation, counted once, with the mids of the meeting: just before it and `horizons_ns` after it; "
            "`price` is null where the message had none. What ends in `_before` besides is what the book said at its "
            "last end of a pane before it; null where a gap has shown that it was not known, and where `mid_before` "
            "is. `stale_ms`: the age of the book's last message when the longest horizon is over",
            (
                *(*EVENT, "order_side", "price", "price_kind", "throttled", "qty_base", "notional_usd"),
                *("mid_before", "mid_after", "stale_ms"),
            ),
            columns_of=("close",),
            columns_as="{}" + BEFORE,
            calls=(),
            rows=True,
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
            columns_as=BOOK + "{}",
            calls=(),
            rows=True,
        ),
        Stage(
            "window",
            "a closed window",
            ("instrument", "window_start_ns", "window_end_ns", *units.READS),
            ("depth", "close", "trade", "pane", "liquidation", "mark"),
            calls=("step", "compute"),
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
            calls=("compute",),
        ),
    )
}

HORIZONS = ("meeting", "liquidation_meeting", "asset")
"""The stages that ask what is in force a horizon later."""
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
    """NotOffered names the operator and the column that its stage does not offer, or what else is wrong with it.

    >>> check([Operator("depth_age", "trade", ("ticks", "mood"))])
    Traceback (most recent call last):
    ...
    operators.stages.NotOffered: operator depth_age reads mood, which the stage trade does not offer
    """
    every = tuple(operators)
    written: dict[str, set[str]] = {name: set() for name in STAGES}
    for n, o in enumerate(every):
        if o.stage not in STAGES:
            raise NotOffered(f"operator {o.name} stands at {o.stage!r}; the stages are {', '.join(STAGES)}")
        stage = STAGES[o.stage]
        there = {*stage.offers, *written[o.stage], *_kept(every, stage.statistics_of)}
        if o.stage == "window":
            there = _window(every, every[:n], o.table)
        beside = (c for b in every if b.stage in stage.columns_of and isinstance(b.table, str) for c in b.columns)
        there |= {stage.columns_as.format(c.name) for c in beside}
        if missing := [name for name in o.reads if name not in there]:
            raise NotOffered(f"operator {o.name} reads {missing[0]}, which the stage {o.stage} does not offer")
        # Where operators follow one another, what one gives the next may read.
        written[o.stage] |= {*o.writes, *(s.name for s in o.statistics if o.stage == "pane")}
        written[o.stage] |= {c.name for c in o.columns if "compute" in stage.calls}
        if o.uses:
            if o.table not in WINDOWS:
                raise NotOffered(f"operator {o.name} uses {o.uses[0]} of the windows of {o.table!r}, which has none")
            window = _window(every, every[:n], o.table)
            if missing := [name for name in o.uses if name not in window]:
                raise NotOffered(f"operator {o.name} uses {missing[0]}, which no window of {o.table} holds")
        for wrong in (*_unheard(o), *_misplaced(o), *_misnamed(o, every)):
            raise NotOffered(f"operator {o.name} {wrong}")


def _kept(operators: Iterable[Operator], stages: tuple[str, ...], table: object = None) -> set[str]:
    """The statistics of the operators of some stages that fill a table (None: any) or none."""
    of = (o for o in operators if o.stage in stages and (table is None or o.table in (table, "")))
    return {s.name for o in of for s in o.statistics}


def _window(every: Iterable[Operator], before: Iterable[Operator], table: object) -> set[str]:
    """What a window of a table holds when the operators `before` have said what they say of it."""
    out = {*STAGES["window"].offers, *MORE.get(str(table), ()), *_kept(every, WINDOWS.get(str(table), ()), table)}
    mine = (o for o in (*(o for o in every if o.stage == "close"), *before) if o.table == table)
    return out | {c.name for o in mine for c in o.columns}


def _unheard(o: Operator) -> Iterable[str]:
    """Types and merges that there are not: a type checker says so, and whoever has none would meet a `KeyError`."""
    said = [
        *((c.name, c.dtype, get_args(column.Dtype)) for c in o.columns),
        *((f.name, f.dtype, get_args(Dtype)) for f in o.fields),
        *((s.name, s.dtype, ("i8", "f8")) for s in o.statistics),
        *((s.name, s.merge, get_args(Merge)) for s in o.statistics),
    ]
    for name, word, words in said:
        if word not in words:
            yield f"says {word!r} of {name}; there are {', '.join(words)}"


def _misplaced(o: Operator) -> Iterable[str]:
    """What an operator has that nobody would call, fill or publish where it stands."""
    stage, own = STAGES[o.stage], isinstance(o.table, EventTable)
    if own and not stage.rows:
        able = ", ".join(s.name for s in STAGES.values() if s.rows)
        yield f"has a table of its own, for which the stage {o.stage} gives no rows; {able} do"
    if isinstance(o.table, str) and o.table and o.table not in WINDOWS:
        yield f"fills {o.table!r}; the tables of windows are {', '.join(WINDOWS)}"
    elif isinstance(o.table, str) and o.table and o.stage not in (*WINDOWS[o.table], "window"):
        yield f"stands at {o.stage}, and the windows of {o.table} are made of {', '.join(WINDOWS[o.table])}"
    if o.columns and not o.table and o.stage != "account":
        yield "has columns and no table"
    for name in ("fold", "step"):
        if getattr(o, name) is not None and name not in stage.calls and not (own and name == "step"):
            yield f"has a {name}, which the stage {o.stage} does not call"
    fills = o.step if o.stage == "pane" else o.fold
    if o.statistics and fills is None:
        yield f"keeps {o.statistics[0].name}, which nothing fills"
    if o.columns and o.compute is None and (o.step is None or not (own or "compute" in stage.calls)):
        yield f"has {o.columns[0].name}, which nothing gives"
    if o.fold is None and o.step is None and o.compute is None:
        yield "has no fold, step or compute: nothing of it would be called"
    if early := [h for h in o.horizons_ns if h <= 0]:
        yield f"asks {early[0]} ns after an event, which is not after it"
    if o.horizons_ns and o.stage not in HORIZONS:
        yield f"has horizons_ns, which the stage {o.stage} does not look at; {', '.join(HORIZONS)} do"
    if "mid_after" in o.reads and not o.horizons_ns:
        yield "reads mid_after and does not say in horizons_ns after how long"
    if isinstance(o.table, EventTable):
        if missing := [n for n in (*o.table.sums, *o.table.key) if n not in {c.name for c in o.columns}]:
            yield f"names {missing[0]} in its table, which is not among its columns"
        if o.table.sums and o.stage == "asset":
            yield "adds up rows, which the stage asset does not"
        if o.table.key and o.stage != "asset":
            yield f"has a table with a key, which the stage {o.stage} does not look at; asset does"


def _misnamed(o: Operator, every: tuple[Operator, ...]) -> Iterable[str]:
    """Names of an operator under which something else would be found, and sums that do not begin with nothing."""
    others = [b for b in every if b is not o]
    for name in {b.name for b in others} & {o.name}:
        yield f"is there twice: {name} is another's name too"
    fields = [f.name for f in o.fields]
    for name in (n for n in fields if fields.count(n) > 1):
        yield f"has {name} twice in its state"
    kept = {s.name: b.name for b in others for s in b.statistics}
    kept |= {c.name: b.name for b in others if b.stage == "close" and isinstance(b.table, str) for c in b.columns}
    for s in o.statistics:
        if s.name in kept:
            yield f"keeps {s.name}, as {kept[s.name]} does"
        if s.name in STAGES[o.stage].offers and o.stage == "pane":
            yield f"keeps {s.name}, which the stage pane offers"
        if s.merge == "sum" and s.empty != 0:
            yield f"keeps {s.name}, a sum that begins with {s.empty} and not with 0"
    taken = {"instrument": "the room", "pane": "the room", "row": "the room"}
    if isinstance(o.table, str) and o.table:
        taken = dict.fromkeys((*STAGES["window"].offers, *MORE.get(o.table, ())), "the room")
        taken |= {s.name: b.name for b in others if b.table in (o.table, "") for s in b.statistics}
    for c in o.columns:
        if c.name in taken and o.stage != "account":
            yield f"has a column {c.name}, under which {taken[c.name]} keeps something else"
        if o.stage == "close" and isinstance(o.table, str) and c.dtype not in ("f8", "bool"):
            yield f"has a column {c.name} of {c.dtype}; what a book says when a pane ends is kept as f8, NaN before"
