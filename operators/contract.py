"""The contract: what an operator declares. From it alone follow its state, its place, its table and its laws."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.column import Column

S = TypeVar("S")
Array = NDArray[Any]
Columns = Mapping[str, Array]
State = dict[str, Array]
"""Of one operator: a field's name to its values, one an instrument; of a `Kept`, the names of its columns to its rows.
"""
Merge = Literal["sum", "min", "max", "first", "last", "asof", "held"]
Dtype = Literal["i8", "f8", "bool"]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number kept per pane: its dtype, its value in an empty pane, and how two adjoining panes combine.

    `sum min max first last` start empty in each window; `first` and `last` go by pane order and pass over the empty
    value, which they therefore must not meet as data. `asof` is what the last pane with an event says, as it is, and
    stays in force through windows without events; `held` likewise, but passes over the empty value (NaN for f8).
    """

    name: str
    dtype: Literal["i8", "f8"]
    merge: Merge
    empty: float = 0
    ticks: int = 0
    """The power of the tick size in its dimension; with `lots`, what a refined inference multiplies it by."""
    lots: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """One number (or array of `shape`) of state for each instrument: what it is before anything has been seen of it.

    `ticks`, `lots`: the powers of the tick and lot size in its dimension; an inference that is refined multiplies all
    values but the empty one.
    """

    name: str
    dtype: Dtype
    empty: float = 0
    shape: tuple[int, ...] = ()
    ticks: int = 0
    lots: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Sums over the last `buckets` stretches of `bucket_ns` of event time, for each instrument and each of `sums`.

    As state: `<name>`, f8[instruments, buckets, sums], and `<name>_at`, the stretch that stands in the last bucket
    (-1: none yet). `operators/history` moves it on and adds to it; what is older is forgotten, so it is bounded.
    """

    name: str
    sums: tuple[str, ...]
    buckets: int
    bucket_ns: int

    @property
    def fields(self) -> tuple[Field, Field]:
        """What it is kept as."""
        return Field(self.name, "f8", 0.0, (self.buckets, len(self.sums))), Field(f"{self.name}_at", "i8", -1)


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that are remembered for a while, whichever instrument they are of; one column is `instrument`."""

    columns: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table of an operator's own, a row an event: what it is called, and how long its rows are kept.

    Its columns are the operator's, in their order. The room gives `nth`, `closed_by` and `inferred`, and puts venue and
    symbol before them; the first column is `event_time`. A row is published when the panes of its event and of its own
    `event_time` are closed: that may be the end of a stretch of events, never a time before the pane of its event,
    whose rows have gone. At the stage `asset` it begins with asset and quote, and a row is published when something in
    it moved, and at keyframes.

    With `sums` an event is a part of a row: rows of an instrument that are the same in all other columns are one, with
    those columns added up in the order of the log.

    With `key`, at the stage `asset`, an asset has a row a value of these columns: each that is given is published.
    """

    name: str
    topic: str
    ttl_days: int
    sums: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Operator:
    """One operator. `stage` (see `operators/stages`) says what it is given: the columns `reads`, a row an event.

    It has one or two functions, all of them pure but for the state that they own, without a clock or I/O:

    `fold(state, events, panes, slot)`, at stages of events: continues `statistics` in log order; event i belongs to row
    `slot[i]` of `panes`, which it may change; it never changes `events`. So no sum depends on where a batch was cut.

    `step(state, rows)`: ordered and stateful. At the stage `pane` it gives the `statistics` of each row; at `close` and
    `window` the `columns`; at a stage before another one what it `writes` for that. With an `EventTable` it gives any
    number of rows, and beside the columns `row`: which row of its input each one comes from.

    `compute(rows)`: the `columns`, row by row: at `close`, `asset` and `window` from what it `reads`, after a `fold` or
    `step` on events from what a closed window holds: its own statistics and what it `uses`. A null is NaN, in f8
    columns only. One at `close` that goes through whole ladders is made of `operators/book/scans`.

    Cutting a batch in two, with a freeze and a thaw of state and panes between, does not change what comes out.
    """

    name: str
    stage: str
    reads: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    table: str | EventTable = ""
    state: tuple[Field | History | Kept, ...] = ()
    statistics: tuple[Statistic, ...] = ()
    fold: Callable[[State, Columns, Columns, I8], None] | None = None
    step: Callable[[State, Columns], Columns] | None = None
    compute: Callable[[Columns], Columns] | None = None
    uses: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    horizons_ns: tuple[int, ...] = ()
    """At the stages `meeting` and `asset`: how long after each event what is in force is asked for again."""
    revision: int = 1
    """Raised when what the state means has changed although its declaration has not."""
    anew: bool = False
    """A changed declaration begins with an empty state, instead of refusing the one of before."""

    def __repr__(self) -> str:
        return f"Operator({self.name!r})"

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The state, one array a field."""
        out: list[Field] = []
        for part in self.state:
            out += part.fields if isinstance(part, History) else part.columns if isinstance(part, Kept) else (part,)
        return tuple(out)

    @property
    def kept(self) -> bool:
        """Whether the state is rows remembered, not a value an instrument."""
        return any(isinstance(part, Kept) for part in self.state)

    @cached_property
    def fingerprint(self) -> str:
        """Of what the state means: whoever takes up a state of another fingerprint would compute nonsense."""
        said = (self.stage, self.reads, self.state, self.statistics, self.horizons_ns, self.revision)
        return hashlib.blake2b(repr(said).encode(), digest_size=8).hexdigest()

    def init(self) -> State:
        """The state before anything was seen."""
        return {f.name: np.empty((0, *f.shape), f.dtype) for f in self.fields}

    def empty(self, panes: int) -> dict[str, Array]:
        """The statistics of `panes` panes without events."""
        return {s.name: np.full(panes, s.empty, s.dtype) for s in self.statistics}


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """A step of a flow with a state of its own kind: of the rules it was made for, of the minutes of a vector.

    `step` may change the state it owns, never its input; it reads no clock and does no I/O. Cutting a batch in two,
    with a freeze and a thaw between, does not change what comes out.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    init: Callable[[], S]
    step: Callable[[S, Columns], Columns]
    freeze: Callable[[S], bytes]
    thaw: Callable[[bytes], S]
