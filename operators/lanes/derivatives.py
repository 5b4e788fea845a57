"""The derivatives lane: mark, index, funding and open interest on their way to panes."""

import msgspec
import numpy as np

from operators import catalog
from operators.contract import Array, Statistic
from operators.lanes.lane import offered, refused
from operators.operator_states import Running, frozen, take_up
from operators.panes import Panes, keys
from operators.waiting import Waiting
from operators.watermark import Clock, assign
from schemas.frames import Frames, Reject
from schemas.instrument import FrozenTable, Instrument, InstrumentTable
from schemas.venue import Venue

STATISTICS = (
    *(s for o in catalog.at("mark") for s in o.statistics),
    Statistic("late_marks", "i8", "sum"),
)
_GIVEN = ("event_ns", "mark", "index", "funding_rate", "next_funding_ns", "open_interest")


class _Frozen(msgspec.Struct):
    clock: Clock
    table: FrozenTable
    panes: bytes
    operators: bytes
    ended: bool


class DerivativesLane:
    """One derivatives log."""

    def __init__(
        self, venue: Venue, known: dict[str, Instrument], clock: Clock, without: frozenset[str] = catalog.ALL
    ) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.panes = Panes.of(STATISTICS)
        self.marks = Running(catalog.at("mark", without))
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []
        self.met: list[dict[str, Array]] = []
        self.waiting: tuple[Waiting, ...] = ()

    def read(self, frames: Frames) -> list[Reject]:
        """Take in frames in log order."""
        batch, rejects = self.venue.derivatives(frames, self.table)
        assigned = assign(self.clock, batch.event_ns, frames.received_ns[batch.frame], batch.frame, frames.marks)
        rejects += refused(frames, batch.frame, assigned)
        kept = ~assigned.ahead
        slot = self.panes.slots(keys(batch.instrument[kept], assigned.pane[kept]))
        late = assigned.late[kept]
        np.add.at(self.panes.columns["late_marks"], slot, late)
        kept &= ~assigned.late
        given = {name: getattr(batch, name)[kept] for name in _GIVEN}
        self.marks.grow(len(self.table.rows))
        events = offered(self.marks.reads, given, batch.instrument[kept], assigned.pane[kept], self.clock.base_ns, {})
        self.marks.fold(events, self.panes.columns, slot[~late])
        return rejects

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`."""
        return self.panes.close(closed)

    def last(self) -> int:
        """The last pane that is not released yet."""
        return self.panes.last

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(
            _Frozen(self.clock, self.table.freeze(), self.panes.freeze(), frozen((self.marks,)), self.ended)
        )

    def thaw(self, known: dict[str, Instrument], data: bytes, fresh: frozenset[str]) -> None:
        """Take up what was frozen, into an empty lane; operators that are `fresh` begin anew."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        self.clock = was.clock
        self.table = InstrumentTable.thaw(known, was.table)
        self.panes = Panes.thaw(STATISTICS, was.panes, fresh)
        take_up((self.marks,), was.operators)
        self.ended = was.ended
