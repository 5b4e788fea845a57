"""The tape lane: trades to bars, flow and variance by pane; some venues' liquidations come in their trades."""

import msgspec
import numpy as np

from operators import catalog, units
from operators.contract import Array, Statistic
from operators.lanes.lane import offered, refused
from operators.lanes.liquidation_log import FrozenLog, LiquidationLog
from operators.panes import Panes, keys, layout
from operators.running import Running, frozen, take_up
from operators.tape import bars
from operators.waiting import Waiting
from operators.watermark import Assigned, Clock, assign
from schemas.batches import Liquidations, Trades
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue

EVENTS = (
    *(s for o in catalog.at("trade") for s in o.statistics),
    Statistic("late_trades", "i8", "sum"),
    Statistic("last_trade_ns", "i8", "max"),
)
STATISTICS = (*EVENTS, *(s for o in catalog.at("pane") for s in o.statistics))
_LAYOUT = layout(STATISTICS)


class _Frozen(msgspec.Struct):
    clock: Clock
    table: tuple[Instrument, ...]
    panes: bytes
    operators: bytes
    log: FrozenLog
    ended: bool


class TapeLane:
    """One trades log."""

    def __init__(self, venue: Venue, known: dict[str, Instrument], clock: Clock) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.panes = Panes.of(EVENTS)
        self.trades, self.closed = Running(catalog.at("trade")), Running(catalog.at("pane"))
        self.liquidations = LiquidationLog()
        self.ended = self.idle = False
        self.refined: list[tuple[int, int, int]] = []

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Rows of tables that are operators' own."""
        return (self.liquidations.waiting,)

    def read(self, frames: Frames) -> list[Reject]:
        """Take in trade frames in log order."""
        trades, forced, rejects = self.venue.trades(frames, self.table)
        refined = self.table.refined
        self.table.refined = []
        if refined:
            forced = self.liquidations.restate(
                forced,
                [
                    (int(np.searchsorted(forced.frame, trades.frame[row])) if row < len(trades) else len(forced), i, n)
                    for row, i, _, n in refined
                ],
            )
        assigned, at = self._assign(frames, trades, forced)
        rejects += refused(frames, trades.frame, assigned) + refused(frames, forced.frame, at)
        scales = units.of_table(self.table)
        for _, instrument, tick_factor, lot_factor in refined:
            scales["tick_scale"][instrument] /= tick_factor
            scales["lot_scale"][instrument] /= lot_factor
        start = 0
        for stop, instrument, tick_factor, lot_factor in [*refined, (len(trades), -1, 1, 1)]:
            self._add(trades.part(start, stop), assigned.keep(slice(start, stop)), scales)
            start = stop
            if instrument >= 0:
                scales["tick_scale"][instrument] *= tick_factor
                scales["lot_scale"][instrument] *= lot_factor
                self.panes.rescale(instrument, tick_factor, lot_factor)
                self.refined.append((instrument, tick_factor, lot_factor))
                for running in (self.trades, self.closed):
                    running.rescale(instrument, tick_factor, lot_factor)
        if len(forced):
            wanted = ~(at.late | at.ahead)
            self.liquidations.add(frames, forced.keep(wanted), self.table, at.pane[wanted], self.clock.base_ns)
        return rejects

    def _add(self, trades: Trades, assigned: Assigned, scales: dict[str, Array]) -> None:
        """Take in trades that all count in the steps `scales`."""
        if assigned.ahead.any():
            trades, assigned = trades.keep(~assigned.ahead), assigned.keep(~assigned.ahead)
        slot = self.panes.slots(keys(trades.instrument, assigned.pane))
        if assigned.late.any():
            np.add.at(self.panes.columns["late_trades"], slot, assigned.late)
            trades, slot, assigned = trades.keep(~assigned.late), slot[~assigned.late], assigned.keep(~assigned.late)
        self.trades.grow(len(self.table.rows))
        given: dict[str, Array] = {n: getattr(trades, n) for n in ("ticks", "lots", "sign", "event_ns")}
        reads = self.trades.reads | frozenset(units.READS)
        events = offered(reads, given, trades.instrument, assigned.pane, self.clock.base_ns, scales)
        events["qty_per_price"] = bars.qty_per_price(trades.ticks, trades.lots, events)
        self.trades.fold(events, self.panes.columns, slot)
        np.maximum.at(self.panes.columns["last_trade_ns"], slot, trades.event_ns)

    def _assign(self, frames: Frames, trades: Trades, forced: Liquidations) -> tuple[Assigned, Assigned]:
        """Both kinds of rows on the one clock of the log, in the order of their frames."""
        if not len(forced):
            event_ns = np.ascontiguousarray(trades.event_ns)
            every = assign(self.clock, event_ns, frames.received_ns[trades.frame])
            return every, every.keep(np.empty(0, np.int64))
        frame = np.concatenate([trades.frame, forced.frame])
        order = np.argsort(frame, kind="stable")
        event_ns = np.concatenate([trades.event_ns, forced.event_ns])
        ordered = assign(self.clock, event_ns[order], frames.received_ns[frame[order]])
        back = np.argsort(order, kind="stable")
        return ordered.keep(back[: len(trades)]), ordered.keep(back[len(trades) :])

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`, with what runs on from pane to pane."""
        done = self.panes.close(closed)
        base_ns = self.clock.base_ns
        given = {**done.columns, "base_ms": np.full(len(done), base_ns // 1_000_000, np.int64)}
        self.closed.grow(len(self.table.rows))
        scales = units.of_table(self.table)
        rows = offered(self.closed.reads, given, done.instrument, done.pane, base_ns, scales)
        return Panes.filled(_LAYOUT, done.key, {**done.columns, **self.closed.step(rows)})

    def last(self) -> int:
        """The last pane that is not released yet."""
        return max(self.panes.last, self.liquidations.panes.last)

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(
            _Frozen(
                self.clock,
                self.table.freeze(),
                self.panes.freeze(),
                frozen((self.trades, self.closed)),
                self.liquidations.freeze(),
                self.ended,
            )
        )

    @classmethod
    def thaw(cls, venue: Venue, known: dict[str, Instrument], data: bytes, fresh: frozenset[str]) -> "TapeLane":
        """The lane as it was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        lane = cls(venue, known, was.clock)
        lane.table = InstrumentTable.thaw(known, was.table)
        lane.panes = Panes.thaw(EVENTS, was.panes, fresh)
        take_up((lane.trades, lane.closed), was.operators)
        lane.liquidations = LiquidationLog.thaw(was.log, fresh)
        lane.ended = was.ended
        return lane
