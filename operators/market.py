"""The market of one venue on one shard: raw frames in, rows of the feature tables out, in order of event time."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators import quality
from operators.contract import Array, Columns
from operators.delta import Deltas
from operators.lanes import depth, derivatives, liquidations, tape
from operators.lanes.lane import Lane, closed
from operators.market_tables import BOOK, BOOK_WINDOW, QUALITY, QUALITY_MS, TAPE, TAPE_WINDOW
from operators.numbering import Numbering
from operators.panes import Panes, join
from operators.published import Published
from operators.watermark import ENDED, NEVER, Clock, by_guess, pass_marks
from operators.windows import Rows, Windows
from schemas.column import Column
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue

I8 = NDArray[np.int64]
LANES: dict[str, Callable[[Venue, dict[str, Instrument], Clock], Lane]] = {
    "depth": depth.DepthLane,
    "trades": tape.TapeLane,
    "liquidations": liquidations.LiquidationsLane,
    "derivatives": derivatives.DerivativesLane,
}
_THAW: dict[str, Callable[[Venue, dict[str, Instrument], bytes], Lane]] = {
    "depth": depth.DepthLane.thaw,
    "trades": tape.TapeLane.thaw,
    "liquidations": liquidations.LiquidationsLane.thaw,
    "derivatives": derivatives.DerivativesLane.thaw,
}

_NOTHING = {"liquidations": Panes.of(liquidations.STATISTICS), "derivatives": Panes.of(derivatives.STATISTICS)}
"""In the place of a lane that a venue does not have."""
_PRICE_KIND = ("fill_average", "limit", "bankruptcy", "trade")


@dataclass(frozen=True, slots=True)
class Cut:
    """How time is cut, in nanoseconds."""

    base_ns: int
    lengths_ns: tuple[int, ...]
    lateness_ns: int
    ahead_ns: int
    keyframe_ns: int
    idle_ns: int = 2_000_000_000

    def clock(self) -> Clock:
        """A clock for one log."""
        return Clock(self.base_ns, self.lateness_ns, self.ahead_ns, self.idle_ns)


class _Frozen(msgspec.Struct):
    lanes: dict[str, bytes]
    symbols: list[str]
    windows: dict[str, bytes]
    deltas: dict[str, bytes]
    released: int


class VenueMarket:
    """All lanes of one venue on one shard, its unfinished windows and what was last published."""

    def __init__(self, venue: Venue, known: dict[str, Instrument], cut: Cut) -> None:
        """Nothing read yet."""
        self.venue, self.known, self.cut = venue, known, cut
        self.lanes: dict[str, Lane] = {kind: LANES[kind](venue, known, cut.clock()) for kind in venue.kinds}
        self.numbers = Numbering()
        lengths = [n // cut.base_ns for n in cut.lengths_ns]
        keyframe = cut.keyframe_ns // cut.base_ns
        self.windows = {
            "features_book": Windows(depth.STATISTICS, lengths, keyframe),
            "features_tape": Windows(
                (*tape.STATISTICS, *liquidations.STATISTICS, *derivatives.STATISTICS), lengths, keyframe
            ),
        }
        self.deltas = {
            name: Deltas({c.name: c.tolerance for c in columns if c.dtype != "str"})
            for name, columns in (("features_book", BOOK), ("features_tape", TAPE))
        }
        self.released = NEVER

    def read(self, kind: str, frames: Frames) -> list[Reject]:
        """Take in frames of one lane, in log order."""
        lane = self.lanes[kind]
        rejects = lane.read(frames) if len(frames) else []
        pass_marks(lane.clock, frames.marks)
        table = {"depth": "features_book", "trades": "features_tape"}.get(kind)
        if table and lane.refined:
            numbers = self.numbers.of(lane.table)
            for instrument, tick_factor, lot_factor in lane.refined:
                self.windows[table].rescale(int(numbers[instrument]), tick_factor, lot_factor)
        lane.refined = []
        return rejects

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
        until = min(closed(lane) for lane in lanes)
        if until <= self.released:
            return []
        self.released = until
        passed = max(lane.clock.closed for lane in lanes)

        def closed_by(pane: Array) -> list[str]:
            code = np.where(pane <= passed, quality.EVENT, quality.END)
            for lane in lanes:
                code = np.where(by_guess(lane.clock, pane), quality.IDLE, code)
            return [quality.CLOSED_BY[c] for c in code.tolist()]

        out = [self._tape(until, closed_by), *self._liquidations(until, closed_by)]
        if "depth" in self.lanes:
            out += self._book(until, closed_by)
        for lane in lanes:
            lane.clock.forget(until)
        return [p for p in out if p.base]

    def _tables(self) -> list[InstrumentTable]:
        return [lane.table for lane in self.lanes.values()]

    def _book(self, until: int, closed_by: Callable[[Array], list[str]]) -> list[Published]:
        lane = self.lanes["depth"]
        released = lane.release(until)
        numbers = self.numbers.of(lane.table)
        to_come = lane.last() if lane.ended else None
        rows = self.windows["features_book"].roll(released.renumber(numbers), until, to_come)
        if not len(rows):
            return []
        scales = self.numbers.who([lane.table, *self._tables()]).scales
        values: dict[str, Array] = {**rows.columns, **{n: c[rows.instrument] for n, c in scales.items()}}
        values |= quality.book(values, rows.end * self.cut.base_ns)
        for feature in BOOK_WINDOW:
            values |= feature.compute(values)
        published = self._publish("features_book", rows, values, BOOK, closed_by, [lane.table])
        minute = rows.length * self.cut.base_ns == QUALITY_MS * 1_000_000
        if not minute.any():
            return [published]
        chosen = Rows(rows.length[minute], rows.end[minute], rows.instrument[minute], {})
        values = {n: c[minute] for n, c in values.items()}
        values |= {
            "depth_messages": values["messages"],
            "depth_dropped": values["dropped"],
            "depth_gaps": values["gaps"],
            "untrusted_ms": values["untrusted_ns"] / 1e6,
            "book_live": values["live"] == 1,
            "sequenced": values["sequenced"] == 1,
        }
        return [published, self._publish("quality", chosen, values, QUALITY, closed_by, [lane.table])]

    def _tape(self, until: int, closed_by: Callable[[Array], list[str]]) -> Published:
        parts, tables = [], []
        for kind in ("trades", "liquidations", "derivatives"):
            if kind in self.lanes:
                lane = self.lanes[kind]
                numbers = self.numbers.of(lane.table)
                parts.append(lane.release(until).renumber(numbers))
                tables.append(lane.table)
            else:
                parts.append(_NOTHING[kind])
        trades = self.lanes["trades"]
        assert isinstance(trades, tape.TapeLane)
        if "liquidations" not in self.lanes:
            parts[1] = trades.forced.panes.close(until).renumber(self.numbers.of(trades.table))
        mine = [lane for kind, lane in self.lanes.items() if kind != "depth"]
        to_come = max(lane.last() for lane in mine) if all(lane.ended for lane in mine) else None
        rows = self.windows["features_tape"].roll(join(parts), until, to_come)
        scales = self.numbers.who([trades.table, *self._tables()]).scales
        values: dict[str, Array] = {**rows.columns, **{n: c[rows.instrument] for n, c in scales.items()}}
        if "derivatives" in self.lanes:
            own = self.numbers.who([self.lanes["derivatives"].table, *self._tables()]).scales
            values |= {f"mark_{n}": own[n][rows.instrument] for n in ("contract", "inverse")}
        else:
            values |= {"mark_contract": values["contract"], "mark_inverse": values["inverse"]}
        end_ns = rows.end * self.cut.base_ns
        values["window_end_ns"] = end_ns
        values |= {
            "stale_ms": quality.stale_ms(end_ns, values["last_trade_ns"]),
            "late_rows": values["late_trades"] + values["late_marks"],
        }
        for feature in TAPE_WINDOW:
            values |= feature.compute(values)
        return self._publish("features_tape", rows, values, TAPE, closed_by, tables)

    def _publish(
        self,
        table: str,
        rows: Rows,
        values: Columns,
        columns: tuple[Column, ...],
        closed_by: Callable[[Array], list[str]],
        tables: list[InstrumentTable],
    ) -> Published:
        """Choose the rows that are news, order them, and give them their keys."""
        known = self.numbers.who([*tables, *self._tables()])
        values = {**values, "inferred": known.inferred[rows.instrument]}
        end_ms = rows.end * (self.cut.base_ns // 1_000_000)
        length_ms = rows.length * (self.cut.base_ns // 1_000_000)
        deltas = self.deltas.get(table)
        if deltas is not None:
            numeric = [c.name for c in columns if c.dtype != "str"]
            matrix = np.column_stack([np.asarray(values[n], np.float64) for n in numeric])
            lengths = np.array([n // self.cut.base_ns for n in self.cut.lengths_ns], np.int64)
            key = rows.instrument * len(lengths) + np.searchsorted(lengths, rows.length)
            chosen = np.flatnonzero(deltas.news(key, end_ms % (self.cut.keyframe_ns // 1_000_000) == 0, matrix))
        else:
            chosen = np.arange(len(rows))
        chosen = chosen[np.lexsort((known.rank[rows.instrument[chosen]], rows.length[chosen], rows.end[chosen]))]
        who = [known.rows[i] for i in rows.instrument[chosen].tolist()]
        start_ms = (end_ms - length_ms)[chosen]
        out: dict[str, Array | list[str]] = {
            "venue": [self.venue.name] * len(who),
            "symbol": [r.symbol for r in who],
            "window_ms": length_ms[chosen],
            "window_start": start_ms * 1_000_000,
        }
        for c in columns:
            out[c.name] = closed_by(rows.end[chosen] - 1) if c is quality.CLOSED else values[c.name][chosen]
        natural = [f"{self.venue.name}|{r.symbol}|{n}" for r, n in zip(who, length_ms[chosen].tolist(), strict=True)]
        return Published(table, [r.base for r in who], natural, start_ms.tolist(), end_ms[chosen].tolist(), out)

    def _liquidations(self, until: int, closed_by: Callable[[Array], list[str]]) -> list[Published]:
        lane = self.lanes.get("liquidations", self.lanes["trades"])
        assert isinstance(lane, liquidations.LiquidationsLane | tape.TapeLane)
        got = lane.forced.release(until)
        if not len(got["pane"]):
            return []
        who = [lane.table.rows[i] for i in got["instrument"].tolist()]
        natural, order = _event_orders(self.venue.name, who, got)
        sell = got["order_side"] < 0
        columns: dict[str, Array | list[str]] = {
            "venue": [self.venue.name] * len(who),
            "symbol": [r.symbol for r in who],
            "event_time": got["event_ns"],
            "nth": np.array(order, np.int64) % 1_000_000,
            "received_at": got["received_ns"],
            "order_side": ["sell" if s else "buy" for s in sell.tolist()],
            "position_side": ["long" if s else "short" for s in sell.tolist()],
            "qty_base": got["qty_base"],
            "price": got["price"],
            "price_kind": [_PRICE_KIND[k] for k in got["price_kind"].tolist()],
            "notional_usd": got["notional_usd"],
            "throttled": got["throttled"],
            "raw_offset": got["offset"],
            "closed_by": closed_by(got["pane"]),
            "inferred": np.array([r.inferred for r in who], np.bool_),
        }
        at_ms = (got["event_ns"] // 1_000_000).tolist()
        return [Published("liquidations", [r.base for r in who], natural, order, at_ms, columns)]

    @property
    def complete_ms(self) -> int | None:
        """Event time up to which all rows are published; None before the first window and at the end of the logs."""
        return None if self.released in (NEVER, ENDED) else (self.released + 1) * self.cut.base_ns // 1_000_000

    @property
    def furthest_behind(self) -> str:
        """The kind whose log holds up the windows."""
        return min(self.lanes, key=lambda kind: closed(self.lanes[kind]))

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
                {n: w.freeze() for n, w in self.windows.items()},
                {n: d.freeze() for n, d in self.deltas.items()},
                self.released,
            )
        )

    @classmethod
    def thaw(cls, venue: Venue, known: dict[str, Instrument], cut: Cut, data: bytes) -> "VenueMarket":
        """The market as it was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        market = cls(venue, known, cut)
        market.lanes = {kind: _THAW[kind](venue, known, was.lanes[kind]) for kind in venue.kinds}
        market.numbers = Numbering(was.symbols)
        for name, frozen in was.windows.items():
            market.windows[name].thaw(frozen)
        for name, frozen in was.deltas.items():
            market.deltas[name].thaw(frozen)
        market.released = was.released
        return market


def _event_orders(venue: str, who: list[Instrument], got: Columns) -> tuple[list[str], list[int]]:
    """Natural key and strictly increasing order of single events: the millisecond, then which of that millisecond.

    Events of one millisecond stand in log order, and all of them are released together, so the count is the log's.
    """
    natural = [f"{venue}|{r.symbol}" for r in who]
    order, count = [], dict[tuple[str, int], int]()
    for name, at_ns in zip(natural, got["event_ns"].tolist(), strict=True):
        ms = at_ns // 1_000_000
        nth = count[name, ms] = count.get((name, ms), -1) + 1
        order.append(ms * 1_000_000 + nth)
    return natural, order
