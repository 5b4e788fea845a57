"""The tape lane: trades to bars, flow and variance by pane; some venues' liquidations come in their trades."""

import msgspec
import numpy as np

from operators import units
from operators.contract import Array, Statistic
from operators.lanes.lane import refused
from operators.lanes.liquidations import Forced
from operators.panes import Panes, keys, layout
from operators.tape import bars, cvd, variance
from operators.watermark import Assigned, Clock, assign
from schemas.batches import Liquidations, Trades
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue

EVENTS = (*bars.BARS.statistics, Statistic("late_trades", "i8", "sum"), Statistic("last_trade_ns", "i8", "max"))
STATISTICS = (*EVENTS, *cvd.STATISTICS, *variance.STATISTICS)
_LAYOUT = layout(STATISTICS)


class _Frozen(msgspec.Struct):
    clock: Clock
    table: tuple[Instrument, ...]
    panes: bytes
    cvd: bytes
    variance: bytes
    forced: tuple[bytes, bytes, bytes]
    ended: bool


class TapeLane:
    """One trades log."""

    def __init__(self, venue: Venue, known: dict[str, Instrument], clock: Clock) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.panes = Panes.of(EVENTS)
        self.cvd = cvd.CVD.init()
        self.variance = variance.VARIANCE.init()
        self.forced = Forced()
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []

    def read(self, frames: Frames) -> list[Reject]:
        """Take in trade frames in log order."""
        trades, forced, rejects = self.venue.trades(frames, self.table)
        refined = self.table.refined
        self.table.refined = []
        if refined:
            forced = self.forced.restate(
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
                cvd.rescale(self.cvd, instrument, tick_factor, lot_factor)
                variance.rescale(self.variance, instrument, tick_factor, lot_factor)
        if len(forced):
            wanted = ~(at.late | at.ahead)
            self.forced.add(frames, forced.keep(wanted), self.table, at.pane[wanted])
        return rejects

    def _add(self, trades: Trades, assigned: Assigned, scales: dict[str, Array]) -> None:
        """Take in trades that all count in the steps `scales`."""
        if assigned.ahead.any():
            trades, assigned = trades.keep(~assigned.ahead), assigned.keep(~assigned.ahead)
        slot = self.panes.slots(keys(trades.instrument, assigned.pane))
        if assigned.late.any():
            np.add.at(self.panes.columns["late_trades"], slot, assigned.late)
            trades, slot = trades.keep(~assigned.late), slot[~assigned.late]
        events: dict[str, Array] = {n: getattr(trades, n) for n in ("ticks", "lots", "sign", "event_ns")}
        of = {n: c[trades.instrument] for n, c in scales.items()}
        events["qty_per_price"] = bars.qty_per_price(trades.ticks, trades.lots, of)
        bars.BARS.add(self.panes.columns, events, slot)
        np.maximum.at(self.panes.columns["last_trade_ns"], slot, trades.event_ns)

    def _assign(self, frames: Frames, trades: Trades, forced: Liquidations) -> tuple[Assigned, Assigned]:
        """Both kinds of rows on the one clock of the log, in the order of their frames."""
        if not len(forced):
            event_ns = np.ascontiguousarray(trades.event_ns)
            every = assign(self.clock, event_ns, frames.received_ns[trades.frame], trades.frame, frames.marks)
            return every, every.keep(np.empty(0, np.int64))
        frame = np.concatenate([trades.frame, forced.frame])
        order = np.argsort(frame, kind="stable")
        event_ns = np.concatenate([trades.event_ns, forced.event_ns])
        ordered = assign(self.clock, event_ns[order], frames.received_ns[frame[order]], frame[order], frames.marks)
        back = np.argsort(order, kind="stable")
        return ordered.keep(back[: len(trades)]), ordered.keep(back[len(trades) :])

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`, with what runs on from pane to pane."""
        done = self.panes.close(closed)
        rows: dict[str, Array] = {
            **done.columns,
            "instrument": done.instrument,
            "pane": done.pane,
            "base_ms": np.full(len(done), self.clock.base_ns // 1_000_000, np.int64),
        }
        columns = {
            **done.columns,
            **cvd.CVD.step(self.cvd, rows),
            **variance.VARIANCE.step(self.variance, rows),
        }
        return Panes.filled(_LAYOUT, done.key, columns)

    def last(self) -> int:
        """The last pane that is not released yet."""
        return max(self.panes.last, self.forced.panes.last)

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(
            _Frozen(
                self.clock,
                self.table.freeze(),
                self.panes.freeze(),
                cvd.CVD.freeze(self.cvd),
                variance.VARIANCE.freeze(self.variance),
                self.forced.freeze(),
                self.ended,
            )
        )

    @classmethod
    def thaw(cls, venue: Venue, known: dict[str, Instrument], data: bytes) -> "TapeLane":
        """The lane as it was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        lane = cls(venue, known, was.clock)
        lane.table = InstrumentTable.thaw(known, was.table)
        lane.panes = Panes.thaw(EVENTS, was.panes)
        lane.cvd = cvd.CVD.thaw(was.cvd)
        lane.variance = variance.VARIANCE.thaw(was.variance)
        lane.forced = Forced.thaw(*was.forced)
        lane.ended = was.ended
        return lane
