"""One log (topic and partition) as it is read: messages fetched but not yet handed over, and where its end is."""

from bisect import bisect
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.frames import NO_MARKS, Frames, Marks, marks

I8 = NDArray[np.int64]


NS = 1_000_000
LATEST_MS = 2**63 // NS - 1
"""The latest time, in milliseconds, that nanoseconds can say."""


def stamp_ns(ms: int) -> int:
    """The time of a record, given in milliseconds, in nanoseconds; 0 where it is no time.

    Some clients write -1, and others nanoseconds for milliseconds. What was received at no time is rejected with that
    reason, as is any event that lies ahead of its receipt; whatever came with it goes on.

    >>> stamp_ns(1_700_000_000_000), stamp_ns(-1), stamp_ns(1_700_000_000_000_000_000)
    (1700000000000000000, 0, 0)
    """
    return ms * NS if 0 <= ms <= LATEST_MS else 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages as fetched together; `starts` counts their bytes."""

    values: list[bytes]
    offsets: I8
    received_ns: I8
    starts: I8
    symbols: dict[int, str]
    latest_ns: int


def chunk(values: list[bytes], offsets: list[int], times_ms: list[int], symbols: dict[int, str]) -> Chunk:
    """Messages of one log, at least one, in the order of their offsets."""
    starts = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=starts[1:])
    told_ms = np.array(times_ms, np.int64)
    received_ns = np.where((told_ms >= 0) & (told_ms <= LATEST_MS), told_ms, 0) * NS
    return Chunk(values, np.array(offsets, np.int64), received_ns, starts, symbols, int(received_ns.max()))


@dataclass(slots=True)
class Log:
    """`position` is the next offset to hand over, `fetched` the next one to come from the broker.

    `end` is where the broker last said that the log ends. However much it holds, it is fetched up to `needed`.
    `marked_ns` is the latest mark that was fetched, `newest_ns` the latest time of any record or guess, `last_ns` the
    receipt of what was last handed over. While the broker is asked for its end, `asked_ns` is what the log will then be
    known to have come to, `confirmed` the answer.
    """

    topic: str
    partition: int
    position: int
    fetched: int
    end: int = -1
    needed: int = -1
    bytes: int = 0
    paused: bool = False
    last_ns: int | None = None
    marked_ns: int | None = None
    asked_ns: int | None = None
    newest_ns: int | None = None
    confirmed: tuple[int, int] | None = None
    _chunks: deque[Chunk] = field(default_factory=deque)
    _at: int = 0
    _marks: deque[tuple[int, int, bool]] = field(default_factory=deque)
    _guesses: int = 0
    _later: bool = False
    """Whether the last mark is known to be no earlier than all before it."""

    def add(self, piece: Chunk) -> None:
        """Messages that came from the broker; their offsets go on where the last ones stopped, or later."""
        first, last = int(piece.offsets[0]), int(piece.offsets[-1])
        if first < self.fetched or last - first < len(piece.offsets) - 1:
            raise RuntimeError(
                f"{self.topic}[{self.partition}]: the client gave offset {first} after {self.fetched - 1}"
            )
        self.fetched = last + 1
        self.newest_ns = max(piece.latest_ns, self.newest_ns or 0)
        self.bytes += int(piece.starts[-1])
        self._chunks.append(piece)

    def mark(self, offset: int, time_ns: int, guessed: bool = False) -> None:
        """After all offsets before this one the log had come to a time. Of marks in a row the last is enough.

        A guess counts before the record of its offset, a mark is itself the record. One that may be the first of a
        clock that was set back stays: those after it alone might not show that it was.
        """
        if not guessed:
            self.marked_ns = max(time_ns, self.marked_ns or 0)
            self.fetched = max(self.fetched, offset + 1)
        at = bisect(self._marks, (offset, not guessed), self._latest(offset), key=lambda mark: (mark[0], not mark[2]))
        framed = int(self._chunks[-1].offsets[-1]) + 1 if self._chunks else 0
        before = self._marks[at - 1] if at else None
        last, later = at == len(self._marks), self.newest_ns is not None and time_ns >= self.newest_ns
        in_a_row = before is not None and last and framed <= before[0] and offset <= self.fetched
        if before is not None and in_a_row and before[2] == guessed and self._later and later:
            self._marks[-1] = (offset, time_ns, guessed)
        else:
            self._marks.insert(at, (offset, time_ns, guessed))
            self._guesses += guessed
        self._later = later if last else self._later
        self.newest_ns = max(time_ns, self.newest_ns or 0)

    def _latest(self, offset: int) -> int:
        """Where to look for the place of a mark: most come behind all others, of which there may be very many."""
        return len(self._marks) if self._marks and self._marks[-1][0] < offset else 0

    def skip_marks(self) -> None:
        """For a reader that needs none: past the marks that come next."""
        self._pass()
        if not self._chunks:
            self.position = self.fetched

    def _pass(self) -> list[tuple[int, int, bool]]:
        """The marks before the next frame, taken out."""
        following, passed = self.next, []
        while self._marks and self._marks[0][0] <= following:
            passed.append(self._marks.popleft())
            self._guesses -= passed[-1][2]
        return passed

    @property
    def next(self) -> int:
        """The offset of the next frame to hand over; what comes next where none waits."""
        return int(self._chunks[0].offsets[self._at]) if self._chunks else self.fetched

    @property
    def marked(self) -> bool:
        """Whether a mark can be handed over now."""
        return bool(self._marks) and self._marks[0][0] <= self.next

    @property
    def guessed(self) -> bool:
        """Whether a guess waits."""
        return self._guesses > 0

    @property
    def time_ns(self) -> int | None:
        """How far it has come: the next frame to hand over, else the last one or the last mark; None if unknown."""
        if self._chunks:
            return self.head_ns
        return max((t for t in (self.last_ns, self.marked_ns) if t is not None), default=None)

    def reached(self, end: int) -> None:
        """The broker said that the log ends here now (there may be offsets without a message before it)."""
        if self.asked_ns is not None:
            self.confirmed, self.asked_ns = (end, self.asked_ns), None
        if end >= self.fetched:
            self.end = self.fetched = end
            if not self._chunks and not self.marked:
                self.position = end

    @property
    def at_end(self) -> bool:
        """All that the broker had, when it last told, is handed over."""
        return not self._chunks and self.position == self.end

    @property
    def head_ns(self) -> int | None:
        """When the next frame to hand over was received; None without one."""
        return int(self._chunks[0].received_ns[self._at]) if self._chunks else None

    def cuts(self, start: int, frames: int, size: int) -> list[int]:
        """The fetched messages from `start` on as blocks of at most so many messages and bytes (but one message).

        Block i is from offset `cuts[i]` to before `cuts[i + 1]`; there is none without messages.
        """
        found = [start]
        count = total = last = 0
        for piece in self._chunks:
            at = int(np.searchsorted(piece.offsets, start))
            while at < len(piece.values):
                room = int(np.searchsorted(piece.starts, piece.starts[at] + size - total, "right")) - 1
                to = min(at + frames - count, room, len(piece.values))
                if to <= at and count == 0:
                    to = at + 1
                if to > at:
                    count, total = count + to - at, total + int(piece.starts[to] - piece.starts[at])
                    at, last = to, int(piece.offsets[to - 1]) + 1
                if count >= frames or total > size or (at < len(piece.values) and to <= at):
                    found.append(last)
                    count = total = 0
        if count:
            found.append(last)
        return found

    def take(self, until_ns: int | None, frames: int, size: int, before: int | None = None) -> Frames | None:
        """The next frames: at most so many and so many bytes (but one), none received later than `until_ns`.

        With them go the marks before what is left.
        """
        taken: list[tuple[Chunk, int, int]] = []
        while self._chunks and frames > 0:
            piece, at = self._chunks[0], self._at
            room = int(np.searchsorted(piece.starts, piece.starts[at] + size, "right")) - 1
            to = min(len(piece.values), at + frames, room)
            if to <= at and not taken:
                to = at + 1
            if before is not None:
                to = min(to, int(np.searchsorted(piece.offsets, before)))
            if until_ns is not None and piece.latest_ns > until_ns:
                late = np.flatnonzero(piece.received_ns[at:to] > until_ns)
                to = at + int(late[0]) if len(late) else to
            if to <= at:
                break
            taken.append((piece, at, to))
            frames -= to - at
            size -= int(piece.starts[to] - piece.starts[at])
            if to < len(piece.values):
                self._at = to
                break
            self._chunks.popleft()
            self._at = 0
        passed = self._pass()
        last_ns = max((time_ns for _, time_ns, _ in passed), default=None)
        if last_ns is not None:
            self.last_ns = max(last_ns, self.last_ns or 0)
        if not taken and not passed:
            return None
        if not taken:
            self.position = self.position if self._chunks else self.fetched
            return Frames(self.topic, self.partition, _NONE, _NONE, _START, b"", marks=_between(_NONE, passed))
        joined = self._join(taken, passed)
        self.bytes -= len(joined.data)
        self.position = self.fetched if not self._chunks else int(joined.offsets[-1]) + 1
        self.last_ns = max(int(joined.received_ns[-1]), last_ns or 0)
        return joined

    def _join(self, taken: list[tuple[Chunk, int, int]], passed: list[tuple[int, int, bool]]) -> Frames:
        symbols: dict[int, str] = {}
        starts = [np.zeros(1, np.int64)]
        count = total = 0
        for piece, at, to in taken:
            symbols |= {i - at + count: s for i, s in piece.symbols.items() if at <= i < to}
            starts.append(piece.starts[at + 1 : to + 1] - piece.starts[at] + total)
            count, total = count + to - at, int(starts[-1][-1])
        offsets = np.concatenate([p.offsets[a:b] for p, a, b in taken])
        return Frames(
            self.topic,
            self.partition,
            offsets,
            np.concatenate([p.received_ns[a:b] for p, a, b in taken]),
            np.concatenate(starts),
            b"".join([v for p, a, b in taken for v in (p.values if b - a == len(p.values) else p.values[a:b])]),
            symbols,
            _between(offsets, passed),
        )


_NONE = np.empty(0, np.int64)
_START = np.zeros(1, np.int64)


def _between(offsets: I8, passed: list[tuple[int, int, bool]]) -> Marks:
    """Marks by offset as marks between frames."""
    if not passed:
        return NO_MARKS
    at = np.searchsorted(offsets, [offset for offset, _, _ in passed]).tolist()
    return marks([(i, time_ns, guessed) for i, (_, time_ns, guessed) in zip(at, passed, strict=True)])
