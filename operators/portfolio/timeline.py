"""Timeline: account records and feature rows of many logs, merged by event time into seconds that are complete.

A second S holds what happened in (S - 1 s, S]. It is complete when every features log is (`operators/progress`) and
every accounts log has shown a record `lateness` past it or a mark (`operators/watermark`), or they have ended. What is
taken in late is decided by the order of its own log alone: it counts as happening just after the time up to which that
log was complete. So what comes out is a function of the logs, however their reading was cut and interleaved. Seconds
that a guessed mark completed say so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np

from operators import quality
from operators.event_order import EventOrder, reached
from operators.progress import AHEAD, NEVER_MS, Progress, ahead
from operators.watermark import ENDED, NEVER, Clock, assign, by_guess, pass_marks
from schemas.accounts import VENUES, Account
from schemas.frames import Frames, Reject
from schemas.venue_accounts.streams import Streams

SECOND_MS = 1_000
MS = 1_000_000
LOGS_ENDED = quality.CLOSED_BY[quality.END]


class TapeRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a row of `features.tape` is read; what closed it is looked at, and not held."""

    venue: str
    symbol: str
    window_ms: int
    window_start: int
    mark_price: float | None
    mark_age_ms: float | None
    closed_by: str = ""


class BookRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a row of `features.book` is read; what closed it is looked at, and not held."""

    venue: str
    symbol: str
    window_ms: int
    window_start: int
    mid: float | None
    book_ok: bool
    bid_depth_5bps_usd: float | None
    bid_depth_10bps_usd: float | None
    bid_depth_25bps_usd: float | None
    bid_depth_50bps_usd: float | None
    bid_depth_100bps_usd: float | None
    ask_depth_5bps_usd: float | None
    ask_depth_10bps_usd: float | None
    ask_depth_25bps_usd: float | None
    ask_depth_50bps_usd: float | None
    ask_depth_100bps_usd: float | None
    closed_by: str = ""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """An account record, `at_ms` when it counts, and the partition it came from."""

    at_ms: int
    partition: int
    account: Account
    late: bool


@dataclass(frozen=True, slots=True)
class Second:
    """All that belongs to one complete second, each market's and each account's in the order of its log."""

    at_ms: int
    records: tuple[Record, ...]
    marks: tuple[TapeRow, ...]
    books: tuple[BookRow, ...]
    closed_by: str


class _Frozen(msgspec.Struct):
    features: dict[str, tuple[dict[str, int], bool, int]]
    """Ends and mark of each log; between them stood whether it is over, which `over` says."""
    clocks: dict[str, Clock]
    over: list[str]
    newest: dict[str, int]
    records: list[Record]
    marks: list[tuple[int, TapeRow]]
    books: list[tuple[int, BookRow]]
    released_ms: int
    streams: bytes = b""


_tape = msgspec.json.Decoder(TapeRow).decode
_book = msgspec.json.Decoder(BookRow).decode


def clock(lateness_ms: int, ahead_ms: int, idle_ms: int) -> Clock:
    """The clock of a log of accounts, in panes of a millisecond."""
    return Clock(MS, lateness_ms * MS, ahead_ms * MS, idle_ms * MS)


@dataclass(slots=True)
class Timeline:
    """`features` and `clocks` name every log that is waited for; `base_ms` is the window whose rows are used."""

    base_ms: int
    features: dict[str, Progress]
    clocks: dict[str, Clock]
    over: set[str] = field(default_factory=set)
    newest: dict[str, int] = field(default_factory=dict)
    records: EventOrder[Record] = field(default_factory=lambda: EventOrder(lambda record: record.partition))
    marks: EventOrder[TapeRow] = field(default_factory=lambda: EventOrder(_market))
    books: EventOrder[BookRow] = field(default_factory=lambda: EventOrder(_market))
    released_ms: int = NEVER_MS
    streams: Streams = field(default_factory=Streams)
    ahead_ms: int = 5_000
    """How far a row of features may be ahead of its record's time."""

    def read_accounts(self, log: str, frames: Frames) -> list[Reject]:
        """Take in account records in log order; what cannot be used comes back with its reason."""
        rejects, accounts, kept = [], [], []
        own = self.clocks[log]
        for i in range(len(frames)):
            data = frames.frame(i)
            received_ms = int(frames.received_ns[i]) // MS
            key = frames.symbols.get(i, "")
            at_ms = received_ms if data else max(received_ms, self.newest.get(key, received_ms))
            account = self.streams.read(data, at_ms, key)
            if account is None:
                continue
            reason = account if isinstance(account, str) else self._wrong(account, int(frames.received_ns[i]), own)
            if reason or isinstance(account, str):
                rejects.append(Reject(frames.topic, frames.partition, int(frames.offsets[i]), str(reason), data))
                continue
            self.newest[account.account] = account.as_of
            accounts.append(account)
            kept.append(i)
        event_ns = np.array([account.as_of for account in accounts], np.int64) * MS
        assigned = assign(own, event_ns, frames.received_ns[kept], np.array(kept, np.int32), frames.marks)
        pass_marks(own, frames.marks)
        for account, pane in zip(accounts, assigned.pane.tolist(), strict=True):
            at_ms = pane + 1
            self.records.add(at_ms, Record(at_ms, frames.partition, account, at_ms > account.as_of))
        return rejects

    def _wrong(self, account: Account, received_ns: int, own: Clock) -> str:
        if account.as_of * MS > received_ns + own.ahead_ns:
            return "event_time_ahead"
        newest = self.newest.get(account.account, NEVER_MS)
        return f"as_of {account.as_of} is before the account's last, {newest}" if account.as_of < newest else ""

    def read_tape(self, log: str, frames: Frames) -> list[Reject]:
        """Take in rows of `features.tape`."""
        return self._read(log, frames, _tape, self.marks.add)

    def read_book(self, log: str, frames: Frames) -> list[Reject]:
        """Take in rows of `features.book`."""
        return self._read(log, frames, _book, self.books.add)

    def _read(self, log: str, frames: Frames, decoder, take) -> list[Reject]:  # type: ignore[no-untyped-def]
        progress, rejects = self.features[log], []
        for i in range(len(frames)):
            try:
                row = decoder(frames.frame(i))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                reason = " ".join(str(error).split())[:300]
                rejects.append(Reject(frames.topic, frames.partition, int(frames.offsets[i]), reason, frames.frame(i)))
                continue
            end_ms = row.window_start + row.window_ms
            if ahead(end_ms, int(frames.received_ns[i]), self.ahead_ms):
                rejects.append(Reject(frames.topic, frames.partition, int(frames.offsets[i]), AHEAD, frames.frame(i)))
                continue
            if row.window_ms == self.base_ms and row.venue in VENUES:
                held = msgspec.structs.replace(row, closed_by="")
                take(max(end_ms, progress.complete_ms + 1, self.released_ms + 1), held)
            # at the end of its logs no time passed: a window of minutes ends far ahead of what others have yet to say
            if row.closed_by != LOGS_ENDED:
                progress.see(row.venue, end_ms)
        if len(frames.marks):
            progress.mark(int(frames.marks.time_ns.max()) // MS)
        return rejects

    def mark(self, ended: Iterable[str]) -> None:
        """Which logs are at their end."""
        self.over |= set(ended)

    def _own(self) -> dict[str, int]:
        """Up to when each log is complete by what it has shown itself."""
        return {name: p.complete_ms for name, p in self.features.items()} | {
            name: NEVER_MS if own.closed == NEVER else own.closed + 1 for name, own in self.clocks.items()
        }

    @property
    def complete_ms(self) -> int | None:
        """Up to when all logs are complete by what they have shown; None while one has shown nothing, or at the end."""
        return self.released_ms if self.released_ms > NEVER_MS and len(self.over) < len(self._own()) else None

    @property
    def furthest_behind(self) -> str:
        """The log for which all others wait."""
        return reached(self._own(), self.over).behind

    def seconds(self) -> Iterator[Second]:
        """The seconds that have become complete since the last call and in which something happened, in order."""
        until, passed, _ = reached(self._own(), self.over)
        if until < ENDED:
            until -= until % SECOND_MS
        if until <= self.released_ms:
            return
        due = self._take(until)
        self.released_ms = until if until < ENDED else max([self.released_ms, *due])
        guessed = self._guessed(sorted(due))
        for at_ms in sorted(due):
            code = quality.IDLE if at_ms in guessed else quality.END if at_ms > passed else quality.EVENT
            records, marks, books = due[at_ms]
            yield Second(at_ms, tuple(records), tuple(marks), tuple(books), quality.CLOSED_BY[code])

    def _guessed(self, due: list[int]) -> set[int]:
        """Which of these seconds a guess about some log of accounts completed."""
        found: set[int] = set()
        for own in self.clocks.values():
            if own.guessed and due:
                last = np.array(due, np.int64) - 1
                found |= {due[i] for i in np.flatnonzero(by_guess(own, last)).tolist()}
            own.forget(self.released_ms - 1)
        return found

    def _take(self, until: int) -> dict[int, tuple[list[Record], list[TapeRow], list[BookRow]]]:
        """What waits for a second up to `until`, by second."""
        due: dict[int, tuple[list[Record], list[TapeRow], list[BookRow]]] = {}

        def of(at_ms: int) -> tuple[list[Record], list[TapeRow], list[BookRow]]:
            return due.setdefault(-(-at_ms // SECOND_MS) * SECOND_MS, ([], [], []))

        for at_ms, records in self.records.release(until):
            of(at_ms)[0].extend(records)
        for at_ms, marks in self.marks.release(until):
            of(at_ms)[1].extend(marks)
        for at_ms, books in self.books.release(until):
            of(at_ms)[2].extend(books)
        return due

    def freeze(self) -> bytes:
        """All that waits and how the logs stand."""
        features = {name: (p.ends_ms, False, p.marked_ms) for name, p in self.features.items()}
        return msgspec.msgpack.encode(
            _Frozen(
                features,
                self.clocks,
                sorted(self.over),
                self.newest,
                [record for _, record in self.records],
                list(self.marks),
                list(self.books),
                self.released_ms,
                self.streams.freeze(),
            )
        )

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        awaited = {name: p.awaited for name, p in self.features.items()}
        self.features = {
            n: Progress(ends_ms, marked_ms, awaited.get(n, ())) for n, (ends_ms, _, marked_ms) in was.features.items()
        }
        self.clocks, self.over, self.newest = was.clocks, set(was.over), was.newest
        for record in was.records:
            self.records.add(record.at_ms, record)
        for at_ms, row in was.marks:
            self.marks.add(at_ms, row)
        for at_ms, book in was.books:
            self.books.add(at_ms, book)
        self.released_ms = was.released_ms
        if was.streams:
            self.streams.thaw(was.streams)


def _market(row: TapeRow | BookRow) -> tuple[str, str]:
    return row.venue, row.symbol
