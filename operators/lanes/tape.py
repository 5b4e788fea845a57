"""The tape lane: trades to bars, flow and variance by pane; some venues' liquidations come in their trades."""

from functools import cache

import msgspec
import numpy as np

from operators import catalog, units
from operators.contract import Array, Statistic
from operators.lanes.lane import offered, refused, too_late
from operators.lanes.liquidation_log import FrozenLog, LiquidationLog
from operators.operator_states import Running, frozen, take_up
from operators.panes import Panes, keys
from operators.tape import bars, feeds, identity
from operators.waiting import Waiting
from operators.watermark import Assigned, Clock, assign
from schemas.batches import Liquidations, Trades
from schemas.frames import Frames, Reject
from schemas.instrument import FrozenTable, Instrument, InstrumentTable
from schemas.venue import Venue


@cache
def statistics(without: frozenset[str] = catalog.ALL) -> tuple[Statistic, ...]:
    """What the panes hold: what the operators keep that fill other tables than those, and the stamp."""
    return (
        *(s for o in catalog.at("trade", without) for s in o.statistics),
        Statistic("late_trades", "i8", "sum"),
        Statistic("repeated_trades", "i8", "sum"),
        Statistic("feed_switches", "i8", "sum"),
        Statistic("traded_ns", "i8", "held"),
    )


class _Frozen(msgspec.Struct):
    clock: Clock
    table: FrozenTable
    panes: bytes
    operators: bytes
    log: FrozenLog
    ended: bool
    feeds: bytes = b""
    seen: bytes = b""
    rows: bytes = b""


class TapeLane:
    """One trades log."""

    def __init__(
        self, venue: Venue, known: dict[str, Instrument], clock: Clock, without: frozenset[str] = catalog.ALL
    ) -> None:
        """An empty lane."""
        self.venue, self.clock = venue, clock
        self.table = InstrumentTable(known)
        self.statistics = statistics(without)
        self.panes = Panes.of(self.statistics)
        self.trades = Running(catalog.at("trade", without))
        self.feeds, self.seen = feeds.Feeds(), identity.Seen(memory_ns=self._memory_ns)
        self.rows = Waiting(catalog.at("trade", without), clock.base_ns)
        self.liquidations = LiquidationLog(clock.base_ns, without)
        self.ended = False
        self.refined: list[tuple[int, int, int]] = []
        self.met: list[dict[str, Array]] = []

    @property
    def _memory_ns(self) -> int:
        """For how long a trade that comes again may not be late."""
        return max(identity.MEMORY_NS, self.clock.base_ns + self.clock.lateness_ns)

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Rows of tables that are operators' own."""
        return self.rows, self.liquidations.waiting

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
        # A trade that liquidated is one message: late or ahead, it is counted and told of as a trade.
        told = (at.late | at.ahead) & np.isin(forced.frame, trades.frame) & np.isin(forced.id, trades.id)
        forced, at = forced.keep(~told), at.keep(~told)
        rejects += refused(frames, forced.frame, at)
        scales = units.of_table(self.table)
        for _, instrument, tick_factor, lot_factor in refined:
            scales["tick_scale"][instrument] /= tick_factor
            scales["lot_scale"][instrument] /= lot_factor
        start = 0
        for stop, instrument, tick_factor, lot_factor in [*refined, (len(trades), -1, 1, 1)]:
            rejects += self._take(frames, trades.part(start, stop), assigned.keep(slice(start, stop)), scales)
            start = stop
            if instrument >= 0:
                scales["tick_scale"][instrument] *= tick_factor
                scales["lot_scale"][instrument] *= lot_factor
                self.panes.rescale(instrument, tick_factor, lot_factor)
                self.refined.append((instrument, tick_factor, lot_factor))
                feeds.rescale(self.feeds, instrument, tick_factor, lot_factor)
                self.trades.rescale(instrument, tick_factor, lot_factor)
        if len(forced):
            self.liquidations.add(frames, forced, self.table, at)
        return rejects

    def _take(self, frames: Frames, trades: Trades, assigned: Assigned, scales: dict[str, Array]) -> list[Reject]:
        """Take in trades that all count in the steps `scales`: each fill once, whichever feed tells it."""
        rejects = refused(frames, trades.frame, assigned, and_late=False)
        if rejects:
            trades, assigned = trades.keep(~assigned.ahead), assigned.keep(~assigned.ahead)
        chosen = feeds.choose(self.feeds, trades, assigned.pane, assigned.late, assigned.open_from)
        return rejects + self._add(frames, chosen, scales)

    def _add(self, frames: Frames | None, chosen: feeds.Counted, scales: dict[str, Array]) -> list[Reject]:
        """Count trades of the feeds that count, without those that were delivered before; late ones are rejects."""
        trades, pane, late = chosen.trades, chosen.pane, chosen.late
        slot = self.panes.slots(keys(trades.instrument, pane))
        held = self.panes.columns
        if chosen.switched.any():
            np.add.at(held["feed_switches"], slot, chosen.switched)
        repeated = identity.repeated(self.seen, trades)
        if repeated.any():
            np.add.at(held["repeated_trades"], slot, repeated)
            trades, slot, pane, late = trades.keep(~repeated), slot[~repeated], pane[~repeated], late[~repeated]
        rejects: list[Reject] = []
        if late.any():
            np.add.at(held["late_trades"], slot, late)
            if frames is not None:
                rejects = too_late(frames, trades.frame[late])
            trades, slot, pane = trades.keep(~late), slot[~late], pane[~late]
        self.trades.grow(len(self.table.rows))
        given: dict[str, Array] = {n: getattr(trades, n) for n in ("ticks", "lots", "sign", "event_ns")}
        reads = self.trades.reads | frozenset(units.READS)
        events = offered(reads, given, trades.instrument, pane, self.clock.base_ns, scales)
        events["qty_per_price"] = bars.qty_per_price(trades.ticks, trades.lots, events)
        self.trades.fold(events, self.panes.columns, slot)
        self.rows.add(self.trades.rows(events), events["instrument"], pane)
        np.maximum.at(self.panes.columns["traded_ns"], slot, trades.event_ns)
        price = units.price(trades.ticks, events)
        # A contract that is not known weighs all trades alike.
        contract = np.where(np.isnan(events["contract"]), 1.0, events["contract"])
        base = units.base(trades.lots, price, {**events, "contract": contract})
        met = {n: events[n] for n in ("instrument", "pane", "event_ns", "sign")}
        self.met.append({**met, "price": price, "qty_base": base})
        return rejects

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
        """The panes up to `closed`."""
        if len(self.feeds.waiting):
            waited = feeds.settle(self.feeds, closed)
            if len(waited.trades):
                self._add(None, waited, units.of_table(self.table))
        return self.panes.close(closed)

    def last(self) -> int:
        """The last pane that is not released yet."""
        return max(self.panes.last, self.liquidations.panes.last, feeds.last(self.feeds))

    def freeze(self) -> bytes:
        """The lane as bytes."""
        return msgspec.msgpack.encode(
            _Frozen(
                self.clock,
                self.table.freeze(),
                self.panes.freeze(),
                frozen((self.trades,)),
                self.liquidations.freeze(),
                self.ended,
                feeds.freeze(self.feeds),
                identity.freeze(self.seen),
                self.rows.freeze(),
            )
        )

    def thaw(self, known: dict[str, Instrument], data: bytes, fresh: frozenset[str]) -> None:
        """Take up what was frozen, into an empty lane; operators that are `fresh` begin anew."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        self.clock = was.clock
        self.table = InstrumentTable.thaw(known, was.table)
        self.panes = Panes.thaw(self.statistics, was.panes, fresh)
        take_up((self.trades,), was.operators)
        self.liquidations.thaw(was.log, fresh)
        self.feeds, self.seen = feeds.thaw(was.feeds), identity.thaw(was.seen, self._memory_ns)
        if was.rows:
            self.rows.thaw(was.rows)
        self.ended = was.ended
