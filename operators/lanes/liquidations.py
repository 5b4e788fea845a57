"""The liquidations lane: a topic of its own of forced orders."""

import msgspec

from operators import catalog
from operators.contract import Array
from operators.lanes.lane import refused
from operators.lanes.liquidation_log import FrozenLog, LiquidationLog
from operators.panes import Panes
from operators.waiting import Waiting
from operators.watermark import Clock, assign
from schemas.frames import Frames, Reject
from schemas.instrument import FrozenTable, Instrument, InstrumentTable
from schemas.venue import Venue


class _Frozen(msgspec.Struct):
    clock: Clock
    table: FrozenTable
    log: FrozenLog
    ended: bool


class LiquidationsLane:
    """One liquidations log."""

    def __init__(
        self, venue: Venue, known: dict[str, Instrument], clock: Clock, without: frozenset[str] = catalog.ALL
    ) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.liquidations = LiquidationLog(clock.base_ns, without)
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []
        self.met: list[dict[str, Array]] = []

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Rows of tables that are operators' own."""
        return (self.liquidations.waiting,)

    def read(self, frames: Frames) -> list[Reject]:
        """Take in liquidation frames in log order."""
        batch, rejects = self.venue.liquidations(frames, self.table)
        batch = self.liquidations.restate(batch, [(row, i, lots) for row, i, _, lots in self.table.refined])
        self.table.refined = []
        assigned = assign(self.clock, batch.event_ns, frames.received_ns[batch.frame], batch.frame, frames.marks)
        rejects += refused(frames, batch.frame, assigned)
        self.liquidations.add(frames, batch, self.table, assigned)
        return rejects

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`."""
        return self.liquidations.panes.close(closed)

    def last(self) -> int:
        """The last pane that is not released yet."""
        return self.liquidations.panes.last

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(_Frozen(self.clock, self.table.freeze(), self.liquidations.freeze(), self.ended))

    def thaw(self, known: dict[str, Instrument], data: bytes, fresh: frozenset[str]) -> None:
        """Take up what was frozen, into an empty lane; operators that are `fresh` begin anew."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        self.clock = was.clock
        self.table = InstrumentTable.thaw(known, was.table)
        self.liquidations.thaw(was.log, fresh)
        self.ended = was.ended
