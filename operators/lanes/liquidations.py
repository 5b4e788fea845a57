"""The liquidations lane: forced orders in normal form, counted once, and their volumes by pane."""

from dataclasses import replace

import msgspec
import numpy as np

from operators import units
from operators.contract import Array
from operators.lanes.lane import refused
from operators.liquidation import counts, normal, repeats
from operators.pack import pack, unpack
from operators.panes import Panes, keys
from operators.watermark import Clock, assign
from schemas.batches import Liquidations
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue

STATISTICS = counts.COUNTS.statistics
EVENT = {
    "instrument": np.int64,
    "pane": np.int64,
    "event_ns": np.int64,
    "received_ns": np.int64,
    "offset": np.int64,
    "order_side": np.int64,
    "price": np.float64,
    "price_kind": np.int64,
    "qty_base": np.float64,
    "notional_usd": np.float64,
    "throttled": np.bool_,
}


class _Frozen(msgspec.Struct):
    clock: Clock
    table: tuple[Instrument, ...]
    seen: bytes
    panes: bytes
    events: bytes
    ended: bool


class Forced:
    """Liquidations of one log, whichever of its frames carry them, deduplicated and kept until their pane closes."""

    def __init__(self) -> None:
        """None yet."""
        self.seen = repeats.REPEATS.init()
        self.panes = Panes.of(STATISTICS)
        self.events: dict[str, Array] = {n: np.empty(0, t) for n, t in EVENT.items()}

    def restate(self, batch: Liquidations, refined: list[tuple[int, int, int]]) -> Liquidations:
        """A batch and what is remembered, all in the lots known at the batch's end.

        `refined`: from which row on, of which instrument, lots count finer by which factor.
        """
        lots = batch.lots.copy()
        for row, instrument, factor in refined:
            lots[:row][batch.instrument[:row] == instrument] *= factor
            repeats.rescale(self.seen, instrument, factor)
        return replace(batch, lots=lots)

    def add(self, frames: Frames, batch: Liquidations, table: InstrumentTable, pane: Array) -> None:
        """Take in events that are neither late nor refused."""
        scales = units.of_table(table)
        of = {n: c[batch.instrument] for n, c in scales.items()}
        raw: dict[str, Array] = {
            "instrument": batch.instrument,
            "event_ns": batch.event_ns,
            "received_ns": frames.received_ns[batch.frame],
            "offset": frames.offsets[batch.frame],
            "order_side": batch.order_side,
            "price": batch.price,
            "price_kind": batch.price_kind,
            "lots": batch.lots,
            "throttled": batch.throttled,
            "pane": pane,
            **of,
        }
        repeated = repeats.REPEATS.step(self.seen, raw)["repeated"]
        raw = {n: c[~repeated] for n, c in raw.items()}
        raw |= {n: c for n, c in normal.NORMAL.compute(raw).items() if n in ("qty_base", "price", "notional_usd")}
        slot = self.panes.slots(keys(raw["instrument"], raw["pane"]))
        counts.COUNTS.add(self.panes.columns, raw, slot)
        self.events = {n: np.concatenate([self.events[n], raw[n].astype(t)]) for n, t in EVENT.items()}

    def release(self, closed: int) -> dict[str, Array]:
        """The single events of panes up to `closed`, by event time and then log order."""
        done = self.events["pane"] <= closed
        out = {n: c[done] for n, c in self.events.items()}
        self.events = {n: c[~done] for n, c in self.events.items()}
        order = np.lexsort((np.arange(len(out["pane"])), out["event_ns"]))
        return {n: c[order] for n, c in out.items()}

    def freeze(self) -> tuple[bytes, bytes, bytes]:
        """What was seen, the open panes, the events that wait."""
        return repeats.REPEATS.freeze(self.seen), self.panes.freeze(), pack(self.events)

    @classmethod
    def thaw(cls, seen: bytes, panes: bytes, events: bytes) -> "Forced":
        """As they were frozen."""
        forced = cls()
        forced.seen = repeats.REPEATS.thaw(seen)
        forced.panes = Panes.thaw(STATISTICS, panes)
        arrays = unpack(events)
        forced.events = {n: arrays[n].astype(t) for n, t in EVENT.items()}
        return forced


class LiquidationsLane:
    """One liquidations log."""

    def __init__(self, venue: Venue, known: dict[str, Instrument], clock: Clock) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.forced = Forced()
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []

    def read(self, frames: Frames) -> list[Reject]:
        """Take in liquidation frames in log order."""
        batch, rejects = self.venue.liquidations(frames, self.table)
        batch = self.forced.restate(batch, [(row, i, lots) for row, i, _, lots in self.table.refined])
        self.table.refined = []
        assigned = assign(self.clock, batch.event_ns, frames.received_ns[batch.frame], batch.frame, frames.marks)
        rejects += refused(frames, batch.frame, assigned)
        kept = ~(assigned.late | assigned.ahead)
        self.forced.add(frames, batch.keep(kept), self.table, assigned.pane[kept])
        return rejects

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`."""
        return self.forced.panes.close(closed)

    def last(self) -> int:
        """The last pane that is not released yet."""
        return self.forced.panes.last

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(_Frozen(self.clock, self.table.freeze(), *self.forced.freeze(), self.ended))

    @classmethod
    def thaw(cls, venue: Venue, known: dict[str, Instrument], data: bytes) -> "LiquidationsLane":
        """The lane as it was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        lane = cls(venue, known, was.clock)
        lane.table = InstrumentTable.thaw(known, was.table)
        lane.forced = Forced.thaw(was.seen, was.panes, was.events)
        lane.ended = was.ended
        return lane
