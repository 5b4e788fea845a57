"""A table: the columns of an output topic, its natural key, its version and its time."""

import math

import msgspec

from schemas.column import Column

_TAKEN = {"id", "ingested_at", "in_force_since"}
"""What records, tables and dense views have besides the columns."""


class Table(msgspec.Struct, frozen=True):
    """The one declaration of an output topic and its table.

    Of the rows of one `key` the one with the highest `version` holds, or the last written. `time` is
    the event time. Rows are dropped `ttl_days` after they were written, None keeps them. `dense`: a row is written only
    when something moved, plus a keyframe every 60 s; the columns then hold `window_ms`, and `time` starts the window.
    """

    name: str
    topic: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    version: str = ""
    ttl_days: int | None = None
    time: str = ""
    dense: bool = False

    def __post_init__(self) -> None:
        """ValueError names what does not fit together."""
        names = [column.name for column in self.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{self.name}: the column {twice[0]} is declared twice")
        if taken := set(names) & _TAKEN:
            raise ValueError(f"{self.name}: no column can be called {', '.join(sorted(taken))}, as one already is")
        leading = {*self.key, *filter(None, (self.version, self.time, "window_ms" if self.dense else ""))}
        if missing := leading - set(names):
            raise ValueError(f"{self.name}: {', '.join(sorted(missing))} is not among the columns")
        if nullable := [c.name for c in self.columns if c.name in leading and c.null_when]:
            raise ValueError(f"{self.name}: {', '.join(nullable)} orders the table and can never be null")
        if self.time and self.column(self.time).dtype != "time":
            raise ValueError(f"{self.name}: {self.time} is not a time")
        if self.dense and (self.time not in self.key or "window_ms" not in self.key):
            raise ValueError(f"{self.name}: the key of a dense table has window_ms and {self.time}")

    @property
    def orders_per_ms(self) -> int | None:
        """How many orders of records (`operators/record_ids`) a millisecond of event time has; None: they are no times.

        Of events that are told apart within one by `nth` a million.
        """
        if not self.time or self.version:
            return None
        return 1_000_000 if "nth" in {column.name for column in self.columns} else 1

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def _moves(tolerance: float) -> str:
    """Of what change a row comes where only what moved is published; empty: of any."""
    return "never by itself" if tolerance == math.inf else f"by more than {tolerance:g}" if tolerance else ""


def declared(column: Column) -> dict[str, str]:
    """What is declared of a column beside its meaning, by what it is called to people; what is not said is left out."""
    bounds = {"at least": column.low, "at most": column.high}
    named = {
        "unit": column.unit,
        "formula": column.formula,
        "sign": column.sign,
        "null when": column.null_when,
        **{name: f"{bound:g}" for name, bound in bounds.items() if bound is not None},
        "moves a row": _moves(column.tolerance),
        "source": column.source,
    }
    return {name: text for name, text in named.items() if text}


def describe(column: Column) -> str:
    """All that is declared of a column, as one line for people.

    >>> describe(Column("mid", "f8", "middle of the touch", "USD", "(bid + ask) / 2", null_when="a side is empty"))
    'middle of the touch; unit: USD; formula: (bid + ask) / 2; null when: a side is empty'
    """
    return "; ".join([column.meaning, *(f"{name}: {text}" for name, text in declared(column).items())])
