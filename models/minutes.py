"""Minutes: rows of the feature topics to one row an instrument and minute, in order of time, as a forecast knew it.

A minute of a venue is complete when both of its feature logs have shown a later window end of it or a mark (or are
ended): its 60 s rows are then all there, because a venue's rows are published end by end. Nothing depends on how the
two logs were interleaved, nor on another venue. What one of the rows would have said and does not is NaN.

Rows come each minute, of a feed that is silent too. A minute in which nothing was heard of an instrument, no depth
message, trade or mark, tells of no liquidations because nobody would have: counts and money are NaN, not 0. So they are
on a spot market, always.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.vector_items import READS
from operators.contract import Array
from operators.event_order import EventOrder, reached
from operators.once import Once
from operators.progress import AHEAD, Progress, ahead
from operators.record_ids import record_ids
from schemas.frames import Frames, Reject
from schemas.venues.registry import VENUES

MINUTE_MS = 60_000
KINDS = ("book", "tape")
CLOSED_BY = ("event", "end", "idle")
LIQUIDATIONS = ("long_liquidations", "short_liquidations", "long_liquidated_usd", "short_liquidated_usd")


class _Row(msgspec.Struct, frozen=True):
    venue: str
    symbol: str
    window_ms: int
    window_start: int
    stale_ms: float | None
    late_rows: int
    closed_by: str
    inferred: bool


class _Book(_Row, frozen=True):
    book_ok: bool
    gap_ms: float
    mid: float | None
    spread_bps: float | None
    imbalance_1: float | None
    imbalance_5: float | None
    imbalance_10bps: float | None
    imbalance_50bps: float | None
    bid_depth_10bps_usd: float | None
    ask_depth_10bps_usd: float | None
    ofi_per_depth: float | None


class _Tape(_Row, frozen=True):
    realised_variance: float | None
    volume_usd: float | None
    buy_volume_usd: float | None
    long_liquidations: int
    short_liquidations: int
    long_liquidated_usd: float | None
    short_liquidated_usd: float | None
    mark_price: float | None
    index_price: float | None
    funding_rate: float | None
    next_funding_time: int
    open_interest_base: float | None
    mark_age_ms: float | None


_FROM_BOOK = tuple(name for name in READS if name in _Book.__struct_fields__)
_FROM_TAPE = tuple(name for name in READS if name in _Tape.__struct_fields__)
_text = msgspec.json.Decoder(str).decode
_DECODE = {"book": msgspec.json.Decoder(_Book).decode, "tape": msgspec.json.Decoder(_Tape).decode}


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of one venue: a row an instrument, in order of symbol; `columns` are `READS` and the stamp."""

    venue: str
    end_ms: int
    symbols: list[str]
    columns: dict[str, Array]


class _Waits(NamedTuple):
    symbol: str
    kind: str
    value: bytes


class _Frozen(msgspec.Struct):
    once: bytes
    ends_ms: dict[str, dict[str, int]]
    done_ms: dict[str, int]
    marked_ms: dict[str, int]
    waiting: list[tuple[str, bytes]]


@dataclass(slots=True)
class Minutes:
    """Of each venue: how far its logs are, the rows that wait for the other log, and the last minute handed out."""

    once: Once = field(default_factory=Once)
    progress: dict[str, dict[str, Progress]] = field(default_factory=dict)
    done_ms: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, EventOrder[_Waits]] = field(default_factory=dict)
    marked_ms: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    ahead_ms: int = 5_000
    """How far a row may be ahead of its record's time."""

    def read(self, kind: str, log: Frames) -> list[Reject]:
        """Take in records of the log `book` or `tape`, in its order; what cannot be used comes back."""
        new, rejects = self.once.select(log, self.ahead_ms)
        bounds = new.starts.tolist()
        begin, end, order, _ = (c.tolist() for c in record_ids(new))
        for i in range(len(new)):
            value = new.data[bounds[i] : bounds[i + 1]]
            why = self._take(kind, new.data[begin[i] : end[i]], order[i], value, int(new.received_ns[i]))
            if why:
                rejects.append(Reject(log.topic, log.partition, int(new.offsets[i]), why, value))
        if len(log.marks):
            self.marked_ms[kind] = max(self.marked_ms.get(kind, -1), int(log.marks.time_ns.max()) // 1_000_000)
        return rejects

    def _take(self, kind: str, key: bytes, order: int, value: bytes, received_ns: int) -> str:
        try:
            text = key.decode() if b"\\" not in key else _text(b'"' + key + b'"')
        except (UnicodeDecodeError, msgspec.MsgspecError):
            text = ""
        venue, _, rest = text.partition("|")
        symbol, _, length = rest.rpartition("|")
        if not symbol or not length.isascii() or not length.isdigit() or venue not in VENUES:
            return "the id does not tell a known venue, symbol, window length and start"
        length_ms = int(length)
        end_ms = order + length_ms
        if ahead(end_ms, received_ns, self.ahead_ms):
            return AHEAD
        why = self._hold(kind, venue, symbol, end_ms, value) if length_ms == MINUTE_MS else ""
        self._logs(venue)[kind].see(venue, end_ms)
        return why

    def _hold(self, kind: str, venue: str, symbol: str, end_ms: int, value: bytes) -> str:
        try:
            row = _DECODE[kind](value)
        except msgspec.MsgspecError as error:
            return f"not a {kind} row: {error}"
        told = row.venue, row.symbol, row.window_ms, row.window_start
        if told != (venue, symbol, MINUTE_MS, end_ms - MINUTE_MS) or end_ms % MINUTE_MS:
            return "the id and the row do not tell the same whole minute"
        if row.closed_by not in CLOSED_BY:
            return f"closed_by {row.closed_by!r} is not one of {', '.join(CLOSED_BY)}"
        if end_ms <= self.done_ms.get(venue, -1):
            return "its minute was complete before it came"
        self._waiting(venue).add(end_ms, _Waits(symbol, kind, value))
        return ""

    def _waiting(self, venue: str) -> EventOrder[_Waits]:
        return self.waiting.setdefault(venue, EventOrder(lambda row: (row.symbol, row.kind)))

    def _logs(self, venue: str) -> dict[str, Progress]:
        return self.progress.setdefault(venue, {kind: Progress() for kind in KINDS})

    def mark(self, ended: set[str]) -> None:
        """Which of the logs are at their end now."""
        self.ended = ended

    @property
    def marked_until_ms(self) -> int | None:
        """All minutes up to this time have been handed out; None before both logs have shown a mark."""
        return min(self.marked_ms.values()) if len(self.marked_ms) == len(KINDS) else None

    def ready(self, until_ms: int | None = None) -> Iterator[Minute]:
        """The minutes that have become complete, none after `until_ms`, each venue's in order of time."""
        for venue in sorted(self.waiting):
            shown = {k: max(log.complete_ms, self.marked_ms.get(k, -1)) for k, log in self._logs(venue).items()}
            complete_ms = reached(shown, self.ended).all
            due_ms = complete_ms if until_ms is None else min(complete_ms, until_ms)
            for end_ms, rows in self.waiting[venue].release(due_ms):
                self.done_ms[venue] = end_ms
                yield _minute(venue, end_ms, rows)

    def freeze(self) -> bytes:
        """What is waited for, and how far the logs are."""
        ends = {v: {k: max(p.ends_ms.values(), default=-1) for k, p in of.items()} for v, of in self.progress.items()}
        waiting = [(row.kind, row.value) for _, of in sorted(self.waiting.items()) for _, row in of]
        return msgspec.msgpack.encode(_Frozen(self.once.freeze(), ends, self.done_ms, self.marked_ms, waiting))

    @classmethod
    def thaw(cls, data: bytes, ahead_ms: int = 5_000) -> "Minutes":
        """As it was frozen; which logs are ended is told again."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        state = cls(Once.thaw(was.once), done_ms=was.done_ms, marked_ms=was.marked_ms, ahead_ms=ahead_ms)
        for venue, ends in was.ends_ms.items():
            for kind, end_ms in ends.items():
                if end_ms >= 0:
                    state._logs(venue)[kind].see(venue, end_ms)
        for kind, value in was.waiting:
            row = _DECODE[kind](value)
            state._waiting(row.venue).add(row.window_start + row.window_ms, _Waits(row.symbol, kind, value))
        return state


def liquidates(venue: str, symbol: str) -> bool:
    """Whether a market has positions that can be liquidated; a spot market has none, beside contracts of its venue too.

    >>> [liquidates("deribit", symbol) for symbol in ("BTC_USDC-PERPETUAL", "BTC_USDC")]
    [True, False]
    """
    return VENUES[venue].infer(symbol).kind != "spot"


def _minute(venue: str, end_ms: int, rows: list[_Waits]) -> Minute:
    names = list(dict.fromkeys(row.symbol for row in rows))
    n = len(names)
    unknown: NDArray[np.float64] = np.full(n, np.nan)
    of: dict[str, Array] = {name: unknown.copy() for name in (*READS, "gap_ms", "stale_ms")}
    of |= {"book_ok": np.zeros(n, np.bool_), "inferred": np.zeros(n, np.bool_), "late_rows": np.zeros(n, np.int64)}
    closed = np.zeros(n, np.int64)
    place = {name: i for i, name in enumerate(names)}
    for symbol, kind, value in rows:
        i = place[symbol]
        row = _DECODE[kind](value)
        if isinstance(row, _Book):
            for column in _FROM_BOOK:
                of[column][i] = _number(getattr(row, column))
            of["book_ok"][i], of["gap_ms"][i] = row.book_ok, row.gap_ms
            of["book_age_s"][i] = _number(row.stale_ms) / 1e3
        elif isinstance(row, _Tape):
            for column in _FROM_TAPE:
                of[column][i] = _number(getattr(row, column))
            of["next_funding_ns"][i] = row.next_funding_time * 1e6 if row.next_funding_time > 0 else np.nan
            of["open_interest"][i] = _number(row.open_interest_base)
            of["tape_age_s"][i] = _number(row.stale_ms) / 1e3
            of["derivatives_age_s"][i] = _number(row.mark_age_ms) / 1e3
        of["inferred"][i] |= row.inferred
        of["late_rows"][i] += row.late_rows
        closed[i] = max(closed[i], CLOSED_BY.index(row.closed_by))
    heard_s = np.fmin(np.fmin(of["book_age_s"], of["tape_age_s"]), of["derivatives_age_s"])
    told = (heard_s < MINUTE_MS / 1e3) | (of["long_liquidations"] > 0) | (of["short_liquidations"] > 0)
    liquid = np.array([liquidates(venue, name) for name in names], np.bool_)
    for column in LIQUIDATIONS:
        of[column][~(told & liquid)] = np.nan
    of["stale_ms"] = 1e3 * np.maximum(of["book_age_s"], of["tape_age_s"])
    of["closed_by"] = closed
    return Minute(venue, end_ms, names, of)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
