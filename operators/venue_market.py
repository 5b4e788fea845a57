"""The market of one venue on one shard: raw frames in, rows of the feature tables out, in order of event time."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from operators import catalog, quality, units
from operators.contract import Array, EventTable
from operators.cut import Cut
from operators.edges import AGE, EDGES, TOUCH, Edges
from operators.event_order import Reached, reached
from operators.evolving import matched
from operators.lanes import depth, derivatives, liquidations, tape
from operators.lanes.lane import Lane, offered
from operators.liquidation_meeting import LiquidationMeeting
from operators.market_tables import (
    BOOK,
    COSTS,
    EFFICIENCY,
    LIQUIDITY,
    QUALITY,
    QUALITY_MS,
    TAPE,
    WINDOW_TABLES,
    WindowTable,
)
from operators.meeting import Meeting
from operators.numbering import Numbering
from operators.operator_states import Running, frozen, part, take_up
from operators.panes import Panes, join, keys
from operators.published_rows import Published
from operators.publishing import ClosedBy, of_events, of_windows
from operators.table_windows import TableWindows, held
from operators.waiting import Waiting
from operators.watermark import ENDED, NEVER, by_guess, pass_marks
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue

LANES: dict[str, Any] = {
    "depth": depth.DepthLane,
    "trades": tape.TapeLane,
    "liquidations": liquidations.LiquidationsLane,
    "derivatives": derivatives.DerivativesLane,
}
_BEFORE = ("mid_before", *(n for n in EDGES if n.endswith("_before")))
_ROWS_OF_THEIR_OWN = {o.name: (o, o.table) for o in catalog.OPERATORS if isinstance(o.table, EventTable)}


class _Frozen(msgspec.Struct):
    lanes: dict[str, bytes]
    symbols: list[str]
    tables: dict[str, tuple[bytes, bytes, bytes]]
    meeting: tuple[bytes, bytes, bytes]
    fingerprints: dict[str, str]
    released: int
    edges: bytes = b""
    forced: tuple[bytes, bytes, bytes] | None = None


class VenueMarket:
    """All lanes of one venue on one shard, its unfinished windows and what was last published."""

    def __init__(self, venue: Venue, known: dict[str, Instrument], cut: Cut) -> None:
        """Nothing read yet."""
        self.venue, self.known, self.cut = venue, known, cut
        self.lanes: dict[str, Lane] = {
            kind: LANES[kind](venue, known, cut.clock(), cut.without) for kind in venue.kinds
        }
        if isinstance(books := self.lanes.get("depth"), depth.DepthLane):
            books.fitted = cut.micro_prices.get(venue.name, {})
        self.numbers = Numbering()
        self.tables = {t.name: TableWindows(t, cut) for t in WINDOW_TABLES if t.name not in cut.without}
        self.closed, self.met = (Running(catalog.at(stage, cut.without)) for stage in ("pane", "meeting"))
        self.meeting = Meeting(self.met.horizons_ns)
        self.forced = LiquidationMeeting(cut.without, cut.base_ns, self.meeting)
        self.touch = TOUCH if self.closed.reads & {*EDGES} else ()
        """What is asked of the books at the edges of panes with trades."""
        self.edges = Edges((*self.touch, *self.forced.said_before, *AGE))
        self.held = held(cut.without)
        self.fingerprints = {o.name: o.fingerprint for o in catalog.chosen(cut.without)}
        self.panes = Panes.of(self.held["meeting"].statistics)
        self.released = NEVER
        self.closed_books: Panes | None = None
        """The panes of books that the last `advance` closed, by the venue's numbers; for who asks at once."""
        self.guessed: list[tuple[int, int]] = []

    def read(self, kind: str, frames: Frames) -> list[Reject]:
        """Take in frames of one lane, in log order."""
        lane = self.lanes[kind]
        rejects = lane.read(frames) if len(frames) else []
        pass_marks(lane.clock, frames.marks)
        numbers = self.numbers.of(lane.table)
        if lane.refined:
            if kind == "trades":
                for instrument, tick_factor, lot_factor in lane.refined:
                    self.closed.rescale(int(numbers[instrument]), tick_factor, lot_factor)
            for table in (t for t in self.tables.values() if kind in t.of.logs):
                for instrument, tick_factor, lot_factor in lane.refined:
                    table.windows.rescale(int(numbers[instrument]), tick_factor, lot_factor)
                    table.running.rescale(int(numbers[instrument]), tick_factor, lot_factor)
        lane.refined = []
        self._bring(kind)
        return rejects

    def _bring(self, kind: str) -> None:
        """Take what a lane has for the meeting there, by the venue's numbers."""
        lane = self.lanes[kind]
        numbers = self.numbers.of(lane.table)
        for met in lane.met:
            who = numbers[met["instrument"]]
            if kind == "depth":
                self.meeting.mids.add(who, met["event_ns"], met["mid"], met["missing_ns"])
            elif self.met.operators:
                self.meeting.add({**met, "instrument": who})
        lane.met = []
        if isinstance(lane, tape.TapeLane | liquidations.LiquidationsLane):
            for met in lane.liquidations.met:
                self.forced.add(met, numbers[met["instrument"]])
            lane.liquidations.met = []

    def keep_to(self, here: Callable[[str], bool]) -> None:
        """Use frames of those base assets only that are `here`."""
        for lane in self.lanes.values():
            lane.table.here = here

    def mark(self, kind: str, *, ended: bool = False) -> None:
        """A lane's log is at its end."""
        lane = self.lanes[kind]
        lane.ended = lane.ended or ended

    def advance(self) -> list[Published]:
        """Publish what has closed since the last call."""
        lanes = list(self.lanes.values())
        until, passed, _ = self._reached()
        self.closed_books = None
        if until <= self.released:
            return []
        since, self.released = self.released, until
        guessed = any(lane.clock.guessed for lane in lanes)

        def closed_by(pane: Array) -> list[str]:
            if not guessed and pane.max(initial=NEVER) <= passed:
                return [quality.CLOSED_BY[quality.EVENT]] * len(pane)
            code = np.where(pane <= passed, quality.EVENT, quality.END)
            for lane in lanes:
                code = np.where(by_guess(lane.clock, pane), quality.IDLE, code)
            return [quality.CLOSED_BY[c] for c in code.tolist()]

        out: list[Published] = []
        released: dict[str, Panes] = {}
        for table in self.tables.values():
            for kind in (k for k in table.of.logs if k not in released):
                released[kind] = self._release(kind, until)
            out += self._windows(table, released, until, closed_by)
        self.forced.meet((since, until), self._known(until), self.edges, len(self.numbers.index))
        if min(until, passed) > NEVER:
            self.meeting.forget(min(until, passed) * self.cut.base_ns, self.forced.events)
        for lane in lanes:
            numbers = self.numbers.of(lane.table)
            out += self._rows_of_their_own(lane.waiting, [lane.table], numbers, until, closed_by)
        out += self._rows_of_their_own((self.forced.rows,), [], None, until, closed_by)
        if "depth" in self.lanes:
            self.guessed = list(self.lanes["depth"].clock.guessed)
        for lane in lanes:
            lane.clock.forget(until)
        return [p for p in out if p.base]

    @property
    def waiting(self) -> int:
        """How many trades and liquidations wait for what the books say later, and panes of such trades."""
        return len(self.meeting.waiting["pane"]) + len(self.panes) + len(self.forced)

    def instruments(self) -> list[Instrument]:
        """The venue's instruments by number."""
        return self.numbers.who(self._tables()).rows

    def _tables(self) -> list[InstrumentTable]:
        return [lane.table for lane in self.lanes.values()]

    def _release(self, kind: str, until: int) -> Panes:
        """The closed panes of a kind of log, by the venue's numbers; liquidations may have come with the trades."""
        if kind == "meeting":
            return self._meet(until)
        if kind in self.lanes:
            lane = self.lanes[kind]
            panes = lane.release(until).renumber(self.numbers.of(lane.table))
            self._bring(kind)
            if kind == "depth":
                self.closed_books = panes
                self.edges.take(panes)
            return self._close(panes) if kind == "trades" else panes
        trades = self.lanes.get("trades")
        if kind == "liquidations" and isinstance(trades, tape.TapeLane):
            return trades.liquidations.panes.close(until).renumber(self.numbers.of(trades.table))
        return Panes.of(self.held[kind].statistics)

    def _close(self, panes: Panes) -> Panes:
        """Closed panes of trades, with what their operators say of them and of the mids at their edges."""
        base_ns, instrument, pane = self.cut.base_ns, panes.instrument, panes.pane
        scales = self.numbers.who([self.lanes["trades"].table, *self._tables()]).scales
        given = {**panes.columns, "base_ms": np.full(len(panes), base_ns // 1_000_000, np.int64)}
        for name, at in (("mid_before", pane), ("mid", pane + 1)):
            if name in self.closed.reads:
                given[name] = self.meeting.mids.at(instrument, at * base_ns)
        if "mid" in given:
            heard_ns = self.edges.at_end(instrument, pane, AGE)["last_event_ns"]
            given["mid"] = np.where(given["traded_ns"] - heard_ns >= quality.STALE_NS, np.nan, given["mid"])
        if self.touch:
            for edge, ended in (("before", pane - 1), ("after", pane)):
                given |= {f"{n}_{edge}": c for n, c in self.edges.at_end(instrument, ended, self.touch).items()}
        if self.closed_books is not None and (of := np.flatnonzero(depth.gaps(self.closed_books.columns))).size:
            broken = np.isin(panes.key, self.closed_books.key[of])
            given |= {n: np.where(broken, np.nan, given[n]) for n in _BEFORE if n in given}
        self.closed.grow(len(self.numbers.index))
        rows = offered(self.closed.reads, given, instrument, pane, base_ns, scales)
        return Panes.filled(self.held["trades"], panes.key, {**panes.columns, **self.closed.step(rows)})

    def _meet(self, until: int) -> Panes:
        """The panes whose trades have all met the mids that they ask for."""
        base_ns = self.cut.base_ns
        ended = until >= ENDED
        trades = self.meeting.release(*self._known(until))
        if len(trades["pane"]):
            self.met.grow(len(self.numbers.index))
            slot = self.panes.slots(keys(trades["instrument"], trades["pane"]))
            events = offered(self.met.reads, trades, trades["instrument"], trades["pane"], base_ns, {})
            self.met.fold(events, self.panes.columns, slot)
        return self.panes.close(until if ended else until - -(-self.meeting.longest_ns // base_ns))

    def _known(self, until: int) -> tuple[int, int]:
        """Up to when all logs are closed, and up to when it is known what the books said."""
        base_ns = self.cut.base_ns
        through = known = ENDED if until >= ENDED else (until + 1) * base_ns
        if "depth" in self.lanes and (books := self.lanes["depth"]).ended:  # whenever the others' logs end
            known = max(books.clock.now_ns, (books.clock.closed + 1) * base_ns)
        return through, known

    def _windows(
        self, table: TableWindows, released: dict[str, Panes], until: int, closed_by: ClosedBy
    ) -> list[Published]:
        """The rows of the windows of a table that have closed."""
        logs = ("trades",) if table.of is COSTS else table.of.logs
        mine = [self.lanes[kind] for kind in logs if kind in self.lanes]
        parts = [released[kind].only(table.layouts[kind]) for kind in table.of.logs]
        # What a log's clock passed by itself goes on, whether its end was told before or after.
        ends = [max(lane.last(), lane.clock.closed) for lane in mine if lane.ended]
        to_come = max(ends) if len(ends) == len(mine) else None
        delay = -(-table.of.delay_ns // self.cut.base_ns)
        if delay and to_come is not None:
            to_come = max(to_come, self.meeting.last(), self.panes.last)
        upto = until if until >= ENDED else until - delay

        def when_due(pane: Array) -> list[str]:
            return closed_by(pane + delay)

        rows = table.windows.roll(join(parts) if len(parts) > 1 else parts[0], upto, to_come)
        if not len(rows):
            return []
        tables = [lane.table for lane in mine]
        known = self.numbers.who([*tables, *self._tables()])
        scales = known.scales
        end_ns = rows.end * self.cut.base_ns
        values: dict[str, Array] = {
            **rows.columns,
            **{n: c[rows.instrument] for n, c in scales.items()},
            "instrument": rows.instrument,
            "window_start_ns": end_ns - rows.length * self.cut.base_ns,
            "window_end_ns": end_ns,
            "inferred": known.inferred[rows.instrument],
        }
        values |= self._stamp(table.of, values, end_ns)
        table.running.grow(len(self.numbers.index))
        table.compute(values)
        if not known.dollars.all():
            values |= units.in_dollars(values, table.of.columns, known.dollars[rows.instrument])
        numeric = np.empty((len(table.deltas.names), len(rows)))
        np.concatenate([values[name] for name in table.deltas.names], out=numeric.reshape(-1))
        lengths = table.windows.lengths
        key = rows.instrument * len(lengths) + np.searchsorted(lengths, rows.length)
        chosen = np.flatnonzero(table.deltas.news(key, end_ns % self.cut.keyframe_ns == 0, numeric.T))
        base_ms = self.cut.base_ns // 1_000_000
        out = [
            of_windows(table.of.name, self.venue.name, rows, chosen, values, table.of.columns, known, base_ms, when_due)
        ]
        if table.of is BOOK:
            chosen = np.flatnonzero(rows.length * base_ms == QUALITY_MS)
            values |= quality.of_minute(values)
            out.append(of_windows("quality", self.venue.name, rows, chosen, values, QUALITY, known, base_ms, closed_by))
        return out

    def _stamp(self, table: WindowTable, values: dict[str, Array], end_ns: Array) -> dict[str, Array]:
        """How far to trust the rows, and what the windows of a table offer besides their statistics."""
        if table in (BOOK, LIQUIDITY):
            return dict(quality.book(values, values["window_start_ns"], end_ns))
        if table is COSTS:
            return {"stale_ms": self.edges.age_ms(values["instrument"], end_ns + table.delay_ns, self.cut.base_ns)}
        if table is EFFICIENCY:
            return {"stale_ms": quality.stale_ms(end_ns, values["traded_ns"])}
        if table is TAPE:
            marks = self.lanes.get("derivatives", self.lanes["trades"])
            own = self.numbers.who([marks.table, *self._tables()]).scales
            return {f"mark_{n}": own[n][values["instrument"]] for n in ("contract", "inverse")} | {
                "stale_ms": quality.stale_ms(end_ns, values["traded_ns"]),
                "late_rows": values["late_trades"] + values["late_marks"] + values["late_liquidations"],
                "repeated_rows": values["repeated_trades"],
            }
        return {}

    def _rows_of_their_own(
        self,
        waiting: Iterable[Waiting],
        tables: Sequence[InstrumentTable],
        numbers: Array | None,
        until: int,
        closed_by: ClosedBy,
    ) -> list[Published]:
        """The rows of tables of operators' own; `numbers`: of a lane's instruments, which are looked up there first."""
        out = []
        released = [one for rows in waiting for one in rows.release(until).items()]
        if not released:
            return []
        known = self.numbers.who([*tables, *self._tables()])
        for name, given in released:
            operator, table = _ROWS_OF_THEIR_OWN[name]
            who = given["instrument"] if numbers is None else numbers[given["instrument"]]
            rows = {**given, **units.in_dollars(given, operator.columns, known.dollars[who])}
            out.append(of_events(table.name, self.venue.name, rows, who, operator.columns, known, closed_by))
        return out

    def _reached(self) -> Reached:
        """How far the lanes are together, in panes."""
        over = {kind for kind, lane in self.lanes.items() if lane.ended}
        return reached({kind: lane.clock.closed for kind, lane in self.lanes.items()}, over)

    @property
    def complete_ms(self) -> int | None:
        """Event time up to which all rows are published; None before the first window and at the end of the logs."""
        return None if self.released in (NEVER, ENDED) else (self.released + 1) * self.cut.base_ns // 1_000_000

    @property
    def furthest_behind(self) -> str:
        """The kind whose log holds up the windows."""
        return self._reached().behind

    @property
    def closed_until_s(self) -> float:
        """Event time, in seconds since 1970, up to which rows are published."""
        now = max(lane.clock.now_ns for lane in self.lanes.values())
        return max(0.0, min(now, (self.released + 1) * self.cut.base_ns) / 1e9)

    def freeze(self) -> bytes:
        """Everything that is not a setting."""
        return msgspec.msgpack.encode(
            _Frozen(
                {kind: lane.freeze() for kind, lane in self.lanes.items()},
                list(self.numbers.index),
                {name: table.freeze() for name, table in self.tables.items()},
                (self.meeting.freeze(), self.panes.freeze(), frozen((self.closed, self.met))),
                self.fingerprints,
                self.released,
                self.edges.freeze(),
                self.forced.freeze(),
            )
        )

    @classmethod
    def thaw(cls, venue: Venue, known: dict[str, Instrument], cut: Cut, data: bytes) -> "VenueMarket":
        """The market as it was frozen, operator by operator (`operators/operator_states`)."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        mine = catalog.chosen(cut.without)
        known_still = matched(was.fingerprints, (part(o) for o in mine))
        begins = [o for o in mine if o.name not in known_still]
        # Rows of a table of an operator's own are nowhere kept by the names of its columns, which others may have too.
        columns = (c.name for o in begins if not isinstance(o.table, EventTable) for c in o.columns)
        fresh = frozenset((*(s.name for o in begins for s in o.statistics), *columns))
        market = cls(venue, known, cut)
        for kind, lane in was.lanes.items():
            if kind in market.lanes:
                market.lanes[kind].thaw(known, lane, fresh)
        market.numbers = Numbering(was.symbols)
        for name, table in market.tables.items():
            if name in was.tables:
                table.thaw(was.tables[name], fresh)
        market.meeting.thaw(was.meeting[0])
        market.panes = Panes.thaw(market.held["meeting"].statistics, was.meeting[1], fresh)
        take_up((market.closed, market.met), was.meeting[2])
        if was.forced is not None:
            market.forced.thaw(was.forced)
        market.released = was.released
        if was.edges:
            market.edges.thaw(was.edges)
        return market
