"""The depth lane: frames to books, and what the books say when a pane closes."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.book import bands, flow, imbalance, ladder, ofi, packing, pressure, slope, touch
from operators.book.midpoint import SIDES
from operators.contract import Array, Statistic
from operators.lanes.lane import refused
from operators.panes import Panes, keys
from operators.watermark import Clock, assign, never_back
from schemas.batches import Depth
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue

I8 = NDArray[np.int64]

AT_CLOSE = (touch.TOUCH, imbalance.IMBALANCE, bands.BANDS, slope.SLOPE, pressure.PRESSURE)
"""Features read off the ladder as it stands when its pane closes."""

STATE = (
    Statistic("live", "i8", "asof"),
    Statistic("sequenced", "i8", "asof", 1),
    Statistic("last_update_id", "i8", "asof", -1),
    Statistic("last_event_ns", "i8", "asof"),
    Statistic("bid_levels", "i8", "asof"),
    Statistic("ask_levels", "i8", "asof"),
    Statistic("messages", "i8", "sum"),
    Statistic("dropped", "i8", "sum"),
    Statistic("gaps", "i8", "sum"),
    Statistic("late_rows", "i8", "sum"),
    Statistic("untrusted_ns", "i8", "sum"),
)
STATISTICS = (
    *STATE,
    *flow.FLOW.statistics,
    *(Statistic(c.name, "f8", "asof", np.nan) for feature in AT_CLOSE for c in feature.writes),
)


class _Frozen(msgspec.Struct):
    clock: Clock
    table: tuple[Instrument, ...]
    books: bytes
    flow: bytes
    panes: bytes
    last_pane: bytes
    ended: bool


class DepthLane:
    """Books of all instruments of one depth log, with their order flow and closing ladders by pane."""

    def __init__(self, venue: Venue, known: dict[str, Instrument], clock: Clock) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.books = ladder.init(venue.sequencing)
        self.flow = ofi.OFI.init()
        self.panes = Panes.of(STATISTICS)
        self.last_pane = np.empty(0, np.int64)
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []

    def read(self, frames: Frames) -> list[Reject]:
        """Apply depth frames in log order."""
        depth, rejects = self.venue.depth(frames, self.table)
        refined = self.table.refined
        self.table.refined = []
        scales = units.of_table(self.table)
        for _, instrument, tick_factor, lot_factor in refined:
            scales["tick_scale"][instrument] /= tick_factor
            scales["lot_scale"][instrument] /= lot_factor
        start = 0
        for stop, instrument, tick_factor, lot_factor in refined:
            rejects += self._apply(frames, depth.part(start, stop), scales)
            start = stop
            scales["tick_scale"][instrument] *= tick_factor
            scales["lot_scale"][instrument] *= lot_factor
            try:
                ladder.rescale(self.books, instrument, tick_factor, lot_factor)
            except ValueError:
                # Levels that the finer step cannot count: no book of the log is trusted until its next snapshot.
                self.books = ladder.init(self.venue.sequencing)
            ofi.rescale(self.flow, instrument, tick_factor, lot_factor)
            self.panes.rescale(instrument, tick_factor, lot_factor)
            self.refined.append((instrument, tick_factor, lot_factor))
        rejects += self._apply(frames, depth.part(start, len(depth)) if start else depth, scales)
        return rejects

    def _apply(self, frames: Frames, depth: Depth, scales: dict[str, Array]) -> list[Reject]:
        """Apply messages that all count in the steps `scales`."""
        received = frames.received_ns[depth.frame]
        assigned = assign(self.clock, depth.event_ns, received, depth.frame, frames.marks)
        rejects = []
        if assigned.ahead.any():
            rejects = refused(frames, depth.frame, assigned, late=None)
            kept = ~assigned.ahead
            depth, assigned = depth.keep(kept), assigned.keep(kept)
        pane = self._monotone(depth.instrument, assigned.pane)
        applied = ladder.apply(self.books, depth, pane, self.clock.closed)
        slot = self.panes.slots(keys(depth.instrument, pane))
        held = self.panes.columns
        np.add.at(held["messages"], slot, 1)
        rare = {
            "dropped": applied.dropped,
            "gaps": applied.gap,
            "late_rows": assigned.late,
            "untrusted_ns": applied.untrusted_ns,
        }
        for name, values in rare.items():
            if values.any():
                np.add.at(held[name], slot, values)
        seen: dict[str, Array] = {
            "instrument": depth.instrument,
            **{n: getattr(applied, n) for n in ofi.OFI.reads if n != "instrument"},
        }
        flows = ofi.OFI.step(self.flow, seen)
        flow.FLOW.add(held, {**seen, **flows}, slot)
        self._close(applied, scales)
        return rejects

    def _monotone(self, instrument: NDArray[np.int32], pane: I8) -> I8:
        """The pane of each message, never before the one of the message before it of the same instrument."""
        more = len(self.table.rows) - len(self.last_pane)
        if more > 0:
            self.last_pane = np.append(self.last_pane, np.full(more, -(2**62), np.int64))
        out = np.empty(len(pane), np.int64)
        never_back(instrument, pane, self.last_pane, out)
        return out

    def _close(self, applied: ladder.Applied, scales: dict[str, Array]) -> None:
        """Set what the ladders of finished panes say beside the statistics of those panes."""
        if not len(applied.close_pane):
            return
        row = self.panes.slots(keys(applied.close_instrument, applied.close_pane))
        held = self.panes.columns
        held["live"][row] = applied.close_live
        held["sequenced"][row] = applied.close_sequenced
        held["last_update_id"][row] = applied.close_last_id
        held["last_event_ns"][row] = applied.close_event_ns
        held["bid_levels"][row] = applied.close_bid_levels
        held["ask_levels"][row] = applied.close_ask_levels
        view: dict[str, Array] = {
            "live": applied.close_live,
            "reach_low_ticks": applied.close_reach_low_ticks,
            "reach_high_ticks": applied.close_reach_high_ticks,
            **{n: getattr(applied, f"close_{n}") for n in SIDES},
            **{n: c[applied.close_instrument] for n, c in scales.items()},
        }
        for feature in AT_CLOSE:
            for name, values in feature.compute(view).items():
                held[name][row] = values

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`."""
        applied = ladder.apply(self.books, Depth.none(), np.empty(0, np.int64), closed)
        self._close(applied, units.of_table(self.table))
        return self.panes.close(closed)

    def last(self) -> int:
        """The last pane that is not released yet."""
        return self.panes.last

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(
            _Frozen(
                self.clock,
                self.table.freeze(),
                packing.freeze(self.books),
                ofi.OFI.freeze(self.flow),
                self.panes.freeze(),
                self.last_pane.tobytes(),
                self.ended,
            )
        )

    @classmethod
    def thaw(cls, venue: Venue, known: dict[str, Instrument], data: bytes) -> "DepthLane":
        """The lane as it was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        lane = cls(venue, known, was.clock)
        lane.table = InstrumentTable.thaw(known, was.table)
        lane.books = packing.thaw(was.books)
        lane.flow = ofi.OFI.thaw(was.flow)
        lane.panes = Panes.thaw(STATISTICS, was.panes)
        lane.last_pane = np.frombuffer(was.last_pane, np.int64).copy()
        lane.ended = was.ended
        return lane
