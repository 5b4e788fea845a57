"""Watermark: which pane an event belongs to, which events are late, and which panes of a log are closed.

A log has one clock: the greatest event time it has shown. Pane p holds the events of (p * base, (p + 1) * base]. It
closes when the clock is `lateness` past its end; so lateness is decided by the order of the log alone.

    closed = floor((max event time - lateness) / base) - 1

An event time that is more than `ahead` after the receipt of its message is refused before it can move the clock.

A log that has nothing to say is moved on by marks, which say up to what time of receipt it has come. While its clock
moves, a mark changes nothing: a feed that lags is waited for. Once the clock has not moved for `idle` of the times of
receipt, a mark counts as an event of its time, less the shortest delay from event to receipt that the log has shown. So
does one after an event that came alone, `idle` or more after the one before: else each liquidation of a calm market
would hold up every window of its shard. And so does one in a log of which nothing can be used. Marks stand in the log:
what they close, they close in every replay.

Times of receipt are a writer's clock, and a clock that was ahead is set back one day. At a time of receipt that lies
more than `ahead` before one in front of it, all that was learnt of silence and delay is forgotten: else no mark would
say anything until the clock has come to where it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.frames import NO_MARKS, Marks
from schemas.kernels import kernel

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
Flags = NDArray[np.bool_]
NEVER = -(2**62)
"""No pane is closed yet, no event has been seen."""
ENDED = 2**62
"""Every pane is closed: the log is at its end."""


class Clock(msgspec.Struct):
    """The clock of one log; times in nanoseconds. `now_ns` last moved at `moved_ns` of the times of receipt."""

    base_ns: int
    lateness_ns: int
    ahead_ns: int
    idle_ns: int = 2_000_000_000
    now_ns: int = NEVER
    moved_ns: int = NEVER
    delay_ns: int = ENDED
    """The shortest time from event to receipt; `ENDED` before the first event."""
    floor: int = NEVER
    """The last pane that a mark closed."""
    marked_ns: int = NEVER
    """The latest mark; one that is not later says nothing."""
    guessed: list[tuple[int, int]] = []
    """Panes (after, up to) that a guessed mark closed, until they are forgotten."""
    alone: bool = False
    """Whether the clock had not moved for `idle` when it last moved."""
    passed: int = 0
    """So many marks of the frames at hand came before the last event."""

    @property
    def closed(self) -> int:
        """The last closed pane; `NEVER` before the first event."""
        reached = NEVER if self.now_ns == NEVER else (self.now_ns - self.lateness_ns) // self.base_ns - 1
        return max(reached, self.floor)

    def forget(self, pane: int) -> None:
        """Panes up to this one are published."""
        if self.guessed:
            self.guessed = [(after, to) for after, to in self.guessed if to > pane]


@dataclass(frozen=True, slots=True)
class Assigned:
    """Per event: its pane, whether it is late (the pane is then the first open one), whether it is refused as ahead.

    The pane of a refused one is that in which the clock stands. `open_from`: the first pane that was open when it came.
    """

    pane: I8
    late: Flags
    ahead: Flags
    open_from: I8

    def keep(self, wanted: Flags | I8 | slice) -> "Assigned":
        """Only the events that are wanted, by flag, by index or as a stretch."""
        return Assigned(self.pane[wanted], self.late[wanted], self.ahead[wanted], self.open_from[wanted])


@kernel
def _assign(
    event_ns: I8,
    received_ns: I8,
    frame: I4,
    mark_at: I8,
    mark_ns: I8,
    since: int,
    rest: bool,
    base: int,
    lateness: int,
    ahead: int,
    idle: int,
    state: I8,
    pane: I8,
    late: Flags,
    refused: Flags,
    open_from: I8,
    closed_from: I8,
    closed_to: I8,
) -> None:
    """Go through events and the marks from `since` on in log order; `state` is the clock, and how many marks passed."""
    now, moved, delay, floor, marked, alone = state[0], state[1], state[2], state[3], state[4], state[5]
    m = since
    for i in range(len(event_ns) + rest):
        while m < len(mark_at) and (i == len(event_ns) or mark_at[m] <= frame[i]):
            if 0 < mark_ns[m] < max(marked, moved) - ahead:
                marked, moved, delay, alone = NEVER, NEVER, ENDED, 0
            if mark_ns[m] > marked and (moved == NEVER or alone or mark_ns[m] - moved >= idle):
                to = (mark_ns[m] - (0 if delay == ENDED else delay) - lateness) // base - 1
                reached = max(floor, NEVER if now == NEVER else (now - lateness) // base - 1)
                if to > reached:
                    floor, closed_from[m], closed_to[m] = to, reached, to
            marked = max(marked, mark_ns[m])
            m += 1
        if i == len(event_ns):
            break
        at = event_ns[i]
        open_from[i] = max(floor + 1, NEVER if now == NEVER else (now - lateness) // base)
        if at == 0:
            at = now if now != NEVER else received_ns[i]
        elif at > received_ns[i] + ahead or at < 0:
            refused[i] = True
            pane[i] = max(floor + 1, NEVER if now == NEVER else (now - 1) // base)
            continue
        if 0 < received_ns[i] < max(marked, moved) - ahead:
            marked, moved, delay, alone = received_ns[i], NEVER if moved == NEVER else received_ns[i], ENDED, 0
        pane[i] = (at - 1) // base
        if pane[i] < open_from[i]:
            pane[i] = open_from[i]
            late[i] = event_ns[i] != 0
        if event_ns[i] != 0 and at > now:
            now = at
            alone = moved != NEVER and received_ns[i] - moved >= idle
            moved = max(moved, received_ns[i])
            delay = min(delay, max(0, received_ns[i] - at))
    state[0], state[1], state[2], state[3], state[4], state[5], state[6] = now, moved, delay, floor, marked, alone, m


def assign(clock: Clock, event_ns: I8, received_ns: I8, frame: I4 | None = None, marks: Marks = NO_MARKS) -> Assigned:
    """Assign events, in log order, and move the clock; `frame` of each event says which marks came before it.

    An event without a time (0) is put where the clock stands, and does not move it. Marks after the last event are
    left to `pass_marks`.

    >>> clock = Clock(base_ns=10, lateness_ns=5, ahead_ns=100)
    >>> got = assign(clock, np.array([10, 11, 26, 9, 500]), np.array([12, 12, 26, 27, 28]))
    >>> got.pane.tolist()[:4], got.late.tolist(), got.ahead.tolist(), clock.closed
    ([0, 1, 2, 2], [False, False, False, True, False], [False, False, False, False, True], 1)
    """
    return _go(
        clock, event_ns, received_ns, np.zeros(len(event_ns), np.int32) if frame is None else frame, marks, False
    )


def pass_marks(clock: Clock, marks: Marks) -> None:
    """Move the clock by the marks after the last event of frames; by all of them where none was assigned.

    >>> clock = Clock(base_ns=10, lateness_ns=5, ahead_ns=100, idle_ns=30)
    >>> pass_marks(clock, Marks(np.array([0]), np.array([65]), np.array([False])))
    >>> clock.closed
    5
    """
    if len(marks):
        _go(clock, _NONE, _NONE, _NONE.astype(np.int32), marks, True)
    clock.passed = 0


_NONE = np.empty(0, np.int64)


def _go(clock: Clock, event_ns: I8, received_ns: I8, frame: I4, marks: Marks, rest: bool) -> Assigned:
    n = len(event_ns)
    out = Assigned(np.empty(n, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.empty(n, np.int64))
    of = (clock.now_ns, clock.moved_ns, clock.delay_ns, clock.floor, clock.marked_ns, clock.alone, 0)
    state = np.array(of, np.int64)
    after, to = np.zeros(len(marks), np.int64), np.full(len(marks), NEVER)
    _assign(
        event_ns,
        received_ns,
        frame,
        marks.at,
        marks.time_ns,
        clock.passed if rest else 0,
        rest,
        clock.base_ns,
        clock.lateness_ns,
        clock.ahead_ns,
        clock.idle_ns,
        state,
        out.pane,
        out.late,
        out.ahead,
        out.open_from,
        after,
        to,
    )
    clock.now_ns, clock.moved_ns, clock.delay_ns, clock.floor, clock.marked_ns, alone, clock.passed = state.tolist()
    clock.alone = bool(alone)
    for i in np.flatnonzero(marks.guessed & (to != NEVER)).tolist():
        clock.guessed.append((int(after[i]), int(to[i])))
    return out


def by_guess(clock: Clock, pane: I8) -> Flags:
    """Which of the panes a guessed mark closed.

    >>> by_guess(Clock(1, 0, 0, guessed=[(3, 5)]), np.array([3, 4, 5, 6])).tolist()
    [False, True, True, False]
    """
    return within(clock.guessed, pane)


def within(stretches: Iterable[tuple[int, int]], pane: I8) -> Flags:
    """Which of the panes lie in some stretch (after, up to)."""
    found = np.zeros(len(pane), np.bool_)
    for after, to in stretches:
        found |= (pane > after) & (pane <= to)
    return found


@kernel
def never_back(instrument: I4, pane: I8, last: I8, out: I8) -> None:
    """The pane of each message, but never one before that of the instrument's message before it.

    A book takes messages in log order whatever their times say. `last` (by instrument) is moved along.
    """
    for i in range(len(pane)):
        k = instrument[i]
        last[k] = max(last[k], pane[i])
        out[i] = last[k]
