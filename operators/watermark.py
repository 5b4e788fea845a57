"""Watermark: which pane an event belongs to, which events are late, and which panes of a log are closed.

A log has one clock: the greatest event time it has shown. Pane p holds the events of (p * base, (p + 1) * base]. It
closes when the clock is `lateness` past its end; so lateness is decided by the order of the log alone.

    closed = floor((max event time - lateness) / base) - 1

An event time that is more than `ahead` after the receipt of its message is refused before it can move the clock.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.kernels import kernel

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
Flags = NDArray[np.bool_]
NEVER = -(2**62)
"""No pane is closed yet, no event has been seen."""
ENDED = 2**62
"""Every pane is closed: the log is at its end."""


class Clock(msgspec.Struct):
    """The clock of one log; times in nanoseconds."""

    base_ns: int
    lateness_ns: int
    ahead_ns: int
    now_ns: int = NEVER
    floor: int = NEVER
    """The last pane that was closed for another reason than this clock: the log was quiet."""

    @property
    def closed(self) -> int:
        """The last closed pane; `NEVER` before the first event."""
        reached = NEVER if self.now_ns == NEVER else (self.now_ns - self.lateness_ns) // self.base_ns - 1
        return max(reached, self.floor)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Per event: its pane, whether it is late (the pane is then the first open one), whether it is refused as ahead.

    The pane of a refused one is that in which the clock stands.
    """

    pane: I8
    late: Flags
    ahead: Flags

    def keep(self, wanted: Flags | I8 | slice) -> "Assigned":
        """Only the events that are wanted, by flag, by index or as a stretch."""
        return Assigned(self.pane[wanted], self.late[wanted], self.ahead[wanted])


@kernel
def _assign(
    event_ns: I8,
    received_ns: I8,
    base: int,
    lateness: int,
    ahead: int,
    now: int,
    floor: int,
    pane: I8,
    late: Flags,
    refused: Flags,
) -> int:
    """Go through the events in log order; returns the clock after them."""
    for i in range(len(event_ns)):
        at = event_ns[i]
        if at == 0:
            at = now if now != NEVER else received_ns[i]
        elif at > received_ns[i] + ahead or at < 0:
            refused[i] = True
            pane[i] = max(floor + 1, NEVER if now == NEVER else (now - 1) // base)
            continue
        open_from = max(floor + 1, NEVER if now == NEVER else (now - lateness) // base)
        pane[i] = (at - 1) // base
        if pane[i] < open_from:
            pane[i] = open_from
            late[i] = event_ns[i] != 0
        if event_ns[i] != 0:
            now = max(now, at)
    return now


def assign(clock: Clock, event_ns: I8, received_ns: I8) -> Assigned:
    """Assign events, in log order, and move the clock.

    An event without a time (0) is put where the clock stands, and does not move it.

    >>> clock = Clock(base_ns=10, lateness_ns=5, ahead_ns=100)
    >>> got = assign(clock, np.array([10, 11, 26, 9, 500]), np.array([12, 12, 26, 27, 28]))
    >>> got.pane.tolist()[:4], got.late.tolist(), got.ahead.tolist(), clock.closed
    ([0, 1, 2, 2], [False, False, False, True, False], [False, False, False, False, True], 1)
    """
    n = len(event_ns)
    out = Assigned(np.empty(n, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_))
    clock.now_ns = _assign(
        event_ns,
        received_ns,
        clock.base_ns,
        clock.lateness_ns,
        clock.ahead_ns,
        clock.now_ns,
        clock.floor,
        out.pane,
        out.late,
        out.ahead,
    )
    return out


@kernel
def never_back(instrument: I4, pane: I8, last: I8, out: I8) -> None:
    """The pane of each message, but never one before that of the instrument's message before it.

    A book takes messages in log order whatever their times say. `last` (by instrument) is moved along.
    """
    for i in range(len(pane)):
        k = instrument[i]
        last[k] = max(last[k], pane[i])
        out[i] = last[k]
