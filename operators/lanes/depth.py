"""The depth lane: frames to books, and what the books say when a pane closes."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators import catalog, units
from operators.book import ladder, micro_price, packing
from operators.book.midpoint import SIDES
from operators.contract import Array, Columns, EventTable, Statistic
from operators.lanes.lane import offered, refused
from operators.operator_states import Running, frozen, take_up
from operators.panes import Panes, keys
from operators.waiting import Waiting
from operators.watermark import NEVER, Assigned, Clock, assign, never_back
from schemas.batches import Depth
from schemas.frames import Frames, Reject
from schemas.instrument import FrozenTable, Instrument, InstrumentTable
from schemas.venue import Venue

I8 = NDArray[np.int64]
_NONE_YET = -(2**62)

STAMP = (
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
    Statistic("missed", "i8", "sum"),
    Statistic("untold", "i8", "sum"),
    Statistic("whole_ns", "i8", "held"),
)
"""`whole_ns`: when the instrument's second pane began, the first that its log can have told of as a whole."""


@cache
def statistics(without: frozenset[str] = catalog.ALL) -> tuple[Statistic, ...]:
    """What the panes hold: the stamp, and what the operators keep and say that fill other tables than those."""
    return (
        *STAMP,
        *(s for o in catalog.at("depth", without) for s in o.statistics),
        *(
            Statistic(c.name, "f8", "asof", np.nan)
            for o in catalog.at("close", without)
            for c in o.columns
            if not isinstance(o.table, EventTable)
        ),
    )


_MESSAGE = ("live", "fresh", "gap", "dropped", "untrusted_ns", "bid_ticks", "bid_lots", "ask_ticks", "ask_lots")


class _Frozen(msgspec.Struct):
    clock: Clock
    table: FrozenTable
    books: bytes
    operators: bytes
    waiting: bytes
    panes: bytes
    last_pane: bytes
    ended: bool


class DepthLane:
    """Books of all instruments of one depth log, with their order flow and closing ladders by pane."""

    def __init__(
        self, venue: Venue, known: dict[str, Instrument], clock: Clock, without: frozenset[str] = catalog.ALL
    ) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.books = ladder.init(venue.sequencing)
        self.messages, self.closings = Running(catalog.at("depth", without)), Running(catalog.at("close", without))
        self.waiting = (Waiting(catalog.at("close", without), clock.base_ns, in_log_order=False),)
        self.statistics = statistics(without)
        self.panes = Panes.of(self.statistics)
        self.last_pane = np.empty(0, np.int64)
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []
        self.met: list[dict[str, Array]] = []
        self.fitted: Mapping[str, Array] = {}
        """By symbol, for the micro-price."""
        self._micro: Array = np.empty((0, micro_price.WIDTH))

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
                # Levels that the finer step cannot count: the book is not trusted until its next snapshot.
                ladder.forget(self.books, instrument)
            for running in (self.messages, self.closings):
                running.rescale(instrument, tick_factor, lot_factor)
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
            rejects = refused(frames, depth.frame, assigned, and_late=False)
            # Of a log that has shown no time yet nothing is trusted, and there is no pane in which to say so.
            somewhere = ~assigned.ahead | (assigned.pane > NEVER + 1)
            depth = depth.refuse(assigned.ahead).keep(somewhere)
            assigned = assigned.keep(somewhere)
        more = len(self.table.rows) - len(self.last_pane)
        self.last_pane = np.append(self.last_pane, np.full(more, _NONE_YET, np.int64))
        begun = np.flatnonzero(self.last_pane[depth.instrument] == _NONE_YET)
        pane = self._monotone(depth.instrument, assigned.pane)
        self.messages.grow(len(self.table.rows))
        for applied in ladder.apply(self.books, depth, pane, self.clock.closed):
            part = slice(applied.first, applied.first + len(applied.live))
            if part.stop > part.start:
                self._fold(applied, depth.part(part.start, part.stop), assigned.keep(part), pane[part], scales)
            self._close(applied, scales)
        if begun.size:
            first = begun[np.unique(depth.instrument[begun], return_index=True)[1]]
            slot = self.panes.slots(keys(depth.instrument[first], pane[first]))
            self.panes.columns["whole_ns"][slot] = (pane[first] + 1) * self.clock.base_ns
        return rejects

    def _fold(
        self, applied: ladder.Applied, depth: Depth, assigned: Assigned, pane: I8, scales: dict[str, Array]
    ) -> None:
        """Take what messages did to the books into their panes."""
        slot = self.panes.slots(keys(depth.instrument, pane))
        held = self.panes.columns
        np.add.at(held["messages"], slot, 1)
        rare = {
            "dropped": applied.dropped,
            "gaps": applied.gap,
            "late_rows": assigned.late,
            "untrusted_ns": applied.untrusted_ns,
            "missed": applied.missed,
            "untold": applied.untold,
        }
        for name, values in rare.items():
            if values.any():
                np.add.at(held[name], slot, values)
        given: dict[str, Array] = {"event_ns": depth.event_ns, **{n: getattr(applied, n) for n in _MESSAGE}}
        # An ignored message shows the book that was there, so it is no change of it and counts in no mean over changes.
        given["fresh"] = applied.fresh | applied.dropped
        events = offered(self.messages.reads, given, depth.instrument, pane, self.clock.base_ns, scales)
        self.messages.fold(events, held, slot)
        mid = _mids(applied, depth.instrument, scales)
        # A message that is late or has no time is in force from the pane on that it is put into: what is closed has met
        # the mid before it.
        since_ns = depth.event_ns.copy()
        put = assigned.late | (since_ns == 0)
        since_ns[put] = np.maximum(since_ns[put], assigned.pane[put] * self.clock.base_ns + 1)
        missing_ns = np.where(applied.gap & ~put, applied.untrusted_ns, 0)
        self.met.append({"instrument": depth.instrument, "event_ns": since_ns, "mid": mid, "missing_ns": missing_ns})

    def _monotone(self, instrument: NDArray[np.int32], pane: I8) -> I8:
        """The pane of each message, never before the one of the message before it of the same instrument."""
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
        given: dict[str, Array] = {
            "event_ns": applied.close_event_ns,
            "live": applied.close_live,
            "gap": gaps(held, row),
            "reach_low_ticks": applied.close_reach_low_ticks,
            "reach_high_ticks": applied.close_reach_high_ticks,
            **{n: getattr(applied, f"close_{n}") for n in SIDES},
        }
        instrument, pane = applied.close_instrument, applied.close_pane
        self.closings.grow(len(self.table.rows))
        if "micro_table" in self.closings.reads:
            if len(self._micro) < len(self.table.rows):
                self._micro = micro_price.tables([r.symbol for r in self.table.rows], self.fitted)
            given["micro_table"] = self._micro[instrument]
        view = offered(self.closings.reads, given, instrument, pane, self.clock.base_ns, scales)
        scanned = self.closings.scan(view)
        for name, values in self.closings.step(view, scanned).items():
            held[name][row] = values
        self.waiting[0].add(self.closings.rows(view, scanned), instrument, pane)

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`."""
        scales = units.of_table(self.table)
        for applied in ladder.apply(self.books, Depth.none(), np.empty(0, np.int64), closed):
            self._close(applied, scales)
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
                frozen((self.messages, self.closings)),
                self.waiting[0].freeze(),
                self.panes.freeze(),
                self.last_pane.tobytes(),
                self.ended,
            )
        )

    def thaw(self, known: dict[str, Instrument], data: bytes, fresh: frozenset[str]) -> None:
        """Take up what was frozen, into an empty lane; operators that are `fresh` begin anew."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        self.clock = was.clock
        self.table = InstrumentTable.thaw(known, was.table)
        self.books = packing.thaw(was.books)
        take_up((self.messages, self.closings), was.operators)
        self.waiting[0].thaw(was.waiting)
        self.panes = Panes.thaw(self.statistics, was.panes, fresh)
        self.last_pane = np.frombuffer(was.last_pane, np.int64).copy()
        self.ended = was.ended


def gaps(held: Columns, rows: Any = slice(None)) -> Array:
    """In which panes there was time, up to their messages, in which a book was not trusted."""
    return np.asarray((held["gaps"][rows] > 0) | (held["untrusted_ns"][rows] > 0))


def _mids(applied: ladder.Applied, instrument: Array, scales: dict[str, Array]) -> Array:
    """The mid after each message; null where the book is not live, one-sided or crossed."""
    bid, ask = applied.bid_ticks[:, 0], applied.ask_ticks[:, 0]
    of = {n: scales[n][instrument] for n in ("tick_mantissa", "tick_scale")}
    return np.where(applied.live & (bid > 0) & (ask > bid), units.price(bid + ask, of) / 2, np.nan)
