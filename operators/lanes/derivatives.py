"""The derivatives lane: mark, index, funding and open interest in force at the end of each pane."""

import msgspec
import numpy as np

from operators.contract import Array, Statistic
from operators.lanes.lane import refused
from operators.panes import Panes, keys
from operators.watermark import Clock, assign
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue

_FIELDS = ("mark", "index", "funding_rate", "open_interest")
STATISTICS = (
    *(Statistic(n, "f8", "held", np.nan) for n in _FIELDS),
    Statistic("next_funding_ns", "i8", "held"),
    Statistic("mark_ns", "i8", "held"),
    Statistic("late_marks", "i8", "sum"),
)


class _Frozen(msgspec.Struct):
    clock: Clock
    table: tuple[Instrument, ...]
    panes: bytes
    ended: bool


class DerivativesLane:
    """One derivatives log. Within a pane the last message in log order that carries a field has the say."""

    def __init__(self, venue: Venue, known: dict[str, Instrument], clock: Clock) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.panes = Panes.of(STATISTICS)
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []

    def read(self, frames: Frames) -> list[Reject]:
        """Take in frames in log order."""
        batch, rejects = self.venue.derivatives(frames, self.table)
        assigned = assign(self.clock, batch.event_ns, frames.received_ns[batch.frame], batch.frame, frames.marks)
        rejects += refused(frames, batch.frame, assigned)
        kept = ~assigned.ahead
        slot = self.panes.slots(keys(batch.instrument[kept], assigned.pane[kept]))
        late = assigned.late[kept]
        held = self.panes.columns
        np.add.at(held["late_marks"], slot, late)
        for name in _FIELDS:
            self._hold(name, slot[~late], getattr(batch, name)[kept][~late])
        next_ns, has_mark = batch.next_funding_ns[kept][~late], np.isfinite(batch.mark[kept][~late])
        self._hold("next_funding_ns", slot[~late][next_ns > 0], next_ns[next_ns > 0])
        self._hold("mark_ns", slot[~late][has_mark], batch.event_ns[kept][~late][has_mark])
        return rejects

    def _hold(self, name: str, slot: Array, values: Array) -> None:
        """Later values of a slot replace earlier ones; NaN replaces nothing."""
        there = np.flatnonzero(~np.isnan(values.astype(np.float64)))
        last, first_from_end = np.unique(slot[there][::-1], return_index=True)
        self.panes.columns[name][last] = values[there][::-1][first_from_end]

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`."""
        return self.panes.close(closed)

    def last(self) -> int:
        """The last pane that is not released yet."""
        return self.panes.last

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(_Frozen(self.clock, self.table.freeze(), self.panes.freeze(), self.ended))

    @classmethod
    def thaw(cls, venue: Venue, known: dict[str, Instrument], data: bytes) -> "DerivativesLane":
        """The lane as it was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        lane = cls(venue, known, was.clock)
        lane.table = InstrumentTable.thaw(known, was.table)
        lane.panes = Panes.thaw(STATISTICS, was.panes)
        lane.ended = was.ended
        return lane
