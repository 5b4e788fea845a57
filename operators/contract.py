"""What an operator is: declared columns, pure columnar functions, and a state that freezes to bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.column import Column

S = TypeVar("S")
Array = NDArray[Any]
Columns = Mapping[str, Array]
Merge = Literal["sum", "min", "max", "first", "last", "asof", "held"]


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """Ordered and stateful. `step` may change the state it owns, never its input; it reads no clock and does no I/O.

    Cutting a batch in two, with a freeze and a thaw between, does not change what comes out.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    init: Callable[[], S]
    step: Callable[[S, Columns], Columns]
    freeze: Callable[[S], bytes]
    thaw: Callable[[bytes], S]


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
class Fold:
    """A sufficient statistic of the events of a pane. Panes merge into windows by the statistics' own rules.

    `add(panes, events, slot)` continues the statistics in log order: event i belongs to row `slot[i]` of `panes`,
    which it may change; it never changes `events`. So no float sum depends on where a batch was cut.
    """

    name: str
    reads: tuple[str, ...]
    statistics: tuple[Statistic, ...]
    add: Callable[[Columns, Columns, NDArray[np.int64]], None]

    def empty(self, panes: int) -> dict[str, Array]:
        """The statistics of `panes` panes without events."""
        return {s.name: np.full(panes, s.empty, s.dtype) for s in self.statistics}


@dataclass(frozen=True, slots=True)
class Feature:
    """Published columns as a row-wise function of what a closed window holds. A null is NaN here, in f8 columns only.

    Row i of the result depends on row i of the input only, so any windows may be computed together.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[Column, ...]
    compute: Callable[[Columns], Columns]
