"""One log (topic and partition) as it is read: messages fetched but not yet handed over, and where its end is."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.frames import Frames

I8 = NDArray[np.int64]


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
    received_ns = np.array(times_ms, np.int64) * 1_000_000
    return Chunk(values, np.array(offsets, np.int64), received_ns, starts, symbols, int(received_ns.max()))


@dataclass(slots=True)
class Log:
    """`position` is the next offset to hand over, `fetched` the next one to come from the broker.

    `end` is where the broker last said that the log ends, `arrived_s` when (on a clock that never steps) it last grew.
    However much it holds, it is fetched up to `needed`.
    """

    topic: str
    partition: int
    position: int
    fetched: int
    arrived_s: float
    end: int = -1
    needed: int = -1
    bytes: int = 0
    paused: bool = False
    last_ns: int | None = None
    _chunks: deque[Chunk] = field(default_factory=deque)
    _at: int = 0

    def add(self, piece: Chunk) -> None:
        """Messages that came from the broker; their offsets go on where the last ones stopped, or later."""
        first, last = int(piece.offsets[0]), int(piece.offsets[-1])
        if first < self.fetched or last - first < len(piece.offsets) - 1:
            raise RuntimeError(
                f"{self.topic}[{self.partition}]: the client gave offset {first} after {self.fetched - 1}"
            )
        self.fetched = last + 1
        self.bytes += int(piece.starts[-1])
        self._chunks.append(piece)

    def reached(self, end: int) -> None:
        """The broker said that the log ends here now (there may be offsets without a message before it)."""
        if end >= self.fetched:
            self.end = self.fetched = end
            if not self._chunks:
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
        """The next frames: at most so many and so many bytes (but one), none received later than `until_ns`."""
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
        if not taken:
            return None
        joined = self._join(taken)
        self.bytes -= len(joined.data)
        self.position = self.fetched if not self._chunks else int(joined.offsets[-1]) + 1
        self.last_ns = int(joined.received_ns[-1])
        return joined

    def _join(self, taken: list[tuple[Chunk, int, int]]) -> Frames:
        symbols: dict[int, str] = {}
        starts = [np.zeros(1, np.int64)]
        count = total = 0
        for piece, at, to in taken:
            symbols |= {i - at + count: s for i, s in piece.symbols.items() if at <= i < to}
            starts.append(piece.starts[at + 1 : to + 1] - piece.starts[at] + total)
            count, total = count + to - at, int(starts[-1][-1])
        return Frames(
            self.topic,
            self.partition,
            np.concatenate([p.offsets[a:b] for p, a, b in taken]),
            np.concatenate([p.received_ns[a:b] for p, a, b in taken]),
            np.concatenate(starts),
            b"".join([v for p, a, b in taken for v in (p.values if b - a == len(p.values) else p.values[a:b])]),
            symbols,
        )
