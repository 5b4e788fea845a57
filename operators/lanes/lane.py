"""A lane: one raw log on its way to panes. What is common to depth, trades, liquidations and derivatives."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from operators.panes import Panes
from operators.watermark import ENDED, Assigned, Clock
from schemas.frames import Frames, Reject
from schemas.instrument import InstrumentTable


class Lane(Protocol):
    """Reads frames in log order; gives up its panes once the shard says that they are closed."""

    clock: Clock
    ended: bool
    table: InstrumentTable
    refined: list[tuple[int, int, int]]
    """Instrument, tick factor, lot factor: inferences refined by the last read, for whoever holds released panes."""

    def read(self, frames: Frames) -> list[Reject]:
        """Take in the next frames; what could not be used comes back."""
        ...

    def release(self, closed: int) -> Panes:
        """The panes up to `closed`, taken out."""
        ...

    def last(self) -> int:
        """The last pane that is not released yet; `NEVER` when there is none."""
        ...

    def freeze(self) -> bytes:
        """The lane as bytes."""
        ...


def closed(lane: Lane) -> int:
    """Up to which pane this lane lets windows close: all of them once its log has ended."""
    return ENDED if lane.ended else lane.clock.closed


def refused(frames: Frames, frame: NDArray[np.int32], assigned: Assigned, late: str | None = "late") -> list[Reject]:
    """Rows whose event time is ahead of their receipt, and rows too late for their pane, as rejects with their frames.

    A reject stands for a row, so a frame with two late trades is rejected twice: nothing is dropped uncounted.
    """
    out = []
    marked = assigned.ahead | assigned.late if late else assigned.ahead
    for row in np.flatnonzero(marked).tolist():
        i = int(frame[row])
        reason = "event_time_ahead" if assigned.ahead[row] else str(late)
        out.append(Reject(frames.topic, frames.partition, int(frames.offsets[i]), reason, frames.frame(i)))
    return out
