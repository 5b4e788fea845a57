"""A lane: one raw log on its way to panes. What is common to depth, trades, liquidations and derivatives."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import I8, Array, Columns
from operators.panes import Panes
from operators.waiting import Waiting
from operators.watermark import Assigned, Clock
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable

AHEAD = "event_time_ahead of receipt by more than clock.ahead_ms"
LATE = "late"


class Lane(Protocol):
    """Reads frames in log order; gives up its panes once the shard says that they are closed."""

    clock: Clock
    ended: bool
    table: InstrumentTable
    met: list[dict[str, Array]]
    """What the last read has for the meeting, in log order."""
    refined: list[tuple[int, int, int]]
    """Instrument, tick factor, lot factor: inferences refined by the last read, for whoever holds released panes."""

    @property
    def waiting(self) -> Iterable[Waiting]:
        """Rows of tables that are operators' own."""
        ...

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

    def thaw(self, known: dict[str, Instrument], data: bytes, fresh: frozenset[str]) -> None:
        """Take up what was frozen, into an empty lane; operators that are `fresh` begin anew."""
        ...


def refused(frames: Frames, frame: NDArray[np.int32], assigned: Assigned, *, and_late: bool = True) -> list[Reject]:
    """Rows whose event time is ahead of their receipt, and rows too late for their pane, as rejects with their frames.

    A reject stands for a row, so a frame with two late trades is rejected twice: nothing is dropped uncounted.
    """
    marked = assigned.ahead | assigned.late if and_late else assigned.ahead
    rows = np.flatnonzero(marked)
    reasons = np.where(assigned.ahead[rows], AHEAD, LATE).tolist()
    return [_reject(frames, i, why) for i, why in zip(frame[rows].tolist(), reasons, strict=True)]


def too_late(frames: Frames, frame: NDArray[np.int32]) -> list[Reject]:
    """Rows too late for their pane, by their frames."""
    return [_reject(frames, i, LATE) for i in frame.tolist()]


def _reject(frames: Frames, i: int, reason: str) -> Reject:
    return Reject(frames.topic, frames.partition, int(frames.offsets[i]), reason, frames.frame(i))


def offered(
    reads: frozenset[str], given: Columns, instrument: Array, pane: I8, base_ns: int, scales: Columns
) -> dict[str, Array]:
    """What a lane has of its events, and of panes and scales what somebody reads."""
    out: dict[str, Array] = {"instrument": instrument, "pane": pane, **given}
    if "pane_start_ns" in reads:
        out["pane_start_ns"] = pane * base_ns
    if "pane_end_ns" in reads:
        out["pane_end_ns"] = (pane + 1) * base_ns
    for name in units.READS:
        if name in reads:
            out[name] = scales[name][instrument]
    return out
