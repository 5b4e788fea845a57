"""Frames: the verbatim messages of one log (topic and partition), in log order, as one buffer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Marks:
    """How far a log had come, told between its frames: before frame `at[i]`, it had come to `time_ns[i]`.

    `guessed`: no writer said so, a reader judged it from the logs and wrote it down.
    """

    at: I8
    time_ns: I8
    guessed: NDArray[np.bool_]

    def __len__(self) -> int:
        """How many marks."""
        return len(self.at)


def marks(told: Sequence[tuple[int, int, bool]] = ()) -> Marks:
    """Marks as (before which frame, time, whether guessed), in log order.

    >>> marks([(0, 5, False), (2, 9, False)]).at.tolist()
    [0, 2]
    """
    at, time_ns, guessed = zip(*told, strict=True) if told else ((), (), ())
    return Marks(np.array(at, np.int64), np.array(time_ns, np.int64), np.array(guessed, np.bool_))


NO_MARKS = marks()


@dataclass(frozen=True, slots=True)
class Frames:
    """`data[starts[i]:starts[i + 1]]` is frame i; `symbols` names those that do not name themselves: by header, one
    without a value by its key."""

    topic: str
    partition: int
    offsets: I8
    received_ns: I8
    starts: I8
    data: bytes
    symbols: dict[int, str] = field(default_factory=dict)
    marks: Marks = NO_MARKS

    def __len__(self) -> int:
        """How many frames."""
        return len(self.offsets)

    def frame(self, i: int) -> bytes:
        """The bytes of frame i."""
        return self.data[self.starts[i] : self.starts[i + 1]]


def frames(
    topic: str,
    partition: int,
    values: Sequence[bytes],
    received_ns: Sequence[int] | I8,
    first_offset: int = 0,
    symbols: dict[int, str] | None = None,
    marks: Marks = NO_MARKS,
) -> Frames:
    """Join consecutive messages of a log.

    >>> batch = frames("raw.trades.binance-spot", 0, [b"{}", b"[1]"], [5, 6])
    >>> len(batch), batch.frame(1)
    (2, b'[1]')
    """
    starts = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=starts[1:])
    offsets = np.arange(first_offset, first_offset + len(values), dtype=np.int64)
    received = np.asarray(received_ns, np.int64)
    return Frames(topic, partition, offsets, received, starts, b"".join(values), symbols or {}, marks)


@dataclass(frozen=True, slots=True)
class Reject:
    """A frame or record that could not be used: where it stood and why; its bytes are kept."""

    topic: str
    partition: int
    offset: int
    reason: str
    data: bytes
