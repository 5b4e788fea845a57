"""Hysteresis: raise and clear by two thresholds in event time, per subject, with levels, holds and a cooldown.

A value stays in force until the next row of its subject, so a hold may run out between two rows: the transition then
carries the instant at which it ran out, whichever row or `advance` brings it to light. `level` of a value is how many
of `raise_at` it has reached; all thresholds are in the direction of harm (negate both for "below").
Clear -> raised: level >= 1 for `hold_ns`, not before the last clear plus `cooldown_ns`. Raised -> higher: at once; a
level is only given up by clearing. Raised -> clear: value < `clear_at` for `clear_hold_ns`.
An unknown value (NaN) breaks a hold that is running and changes nothing else: what was raised stays raised.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

RAISE, HIGHER, CLEAR = 1, 2, 3
LEVEL, SINCE, CLEARING, RAISED, CLEARED, SEEN, TRUSTED = range(7)
NEVER = -(2**63)
_NEW = np.array([0, NEVER, NEVER, NEVER, NEVER, NEVER, 1], np.int64)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """In the direction of harm; times in event nanoseconds."""

    raise_at: F8
    clear_at: float
    hold_ns: int = 0
    clear_hold_ns: int = 0
    cooldown_ns: int = 0


@dataclass(slots=True)
class Latches:
    """One row a subject: integers by the names above, the value in force beside them."""

    marks: I8
    value: F8


@dataclass(frozen=True, slots=True)
class Transitions:
    """What happened, in order. `row` is the row of the batch whose value was in force, -1: one of an earlier batch."""

    subject: I8
    kind: I8
    at_ns: I8
    raised_ns: I8
    level: I8
    value: F8
    trusted: Flags
    row: I8
    in_force: I8
    """By subject, not by transition: the row of the batch whose value is now in force, -1: none of this batch."""


def latches(subjects: int = 0) -> Latches:
    """`subjects` latches that have seen nothing."""
    return Latches(np.tile(_NEW, (subjects, 1)), np.full(subjects, np.nan))


def widen(state: Latches, subjects: int) -> None:
    """Make room for subjects seen for the first time."""
    more = latches(max(subjects - len(state.value), 0))
    state.marks = np.concatenate((state.marks, more.marks))
    state.value = np.concatenate((state.value, more.value))


def follow(state: Latches, by: Thresholds, subject: I8, value: F8, event_ns: I8, trusted: Flags) -> Transitions:
    """Take rows in order. A row older than the newest of its subject is passed over.

    >>> state = latches(1)
    >>> by = Thresholds(np.array([0.8]), 0.7, hold_ns=5)
    >>> rows = np.zeros(3, np.int64), np.array([0.9, 0.9, 0.6]), np.array([10, 20, 30]), np.ones(3, bool)
    >>> out = follow(state, by, *rows)
    >>> out.kind.tolist(), out.at_ns.tolist()
    ([1, 3], [15, 30])
    """
    in_force = np.full(len(state.value), -1, np.int64)
    out = np.empty((3 * len(subject), 7), np.int64)
    values = np.empty(len(out))
    n = _follow(
        state.marks,
        state.value,
        by.raise_at,
        float(by.clear_at),
        _times(by),
        np.asarray(subject, np.int64),
        np.asarray(value, np.float64),
        np.asarray(event_ns, np.int64),
        np.asarray(trusted, np.bool_),
        in_force,
        out,
        values,
    )
    return _transitions(out[:n], values[:n], in_force)


def advance(state: Latches, by: Thresholds, now_ns: int) -> Transitions:
    """The holds that have run out by `now_ns` of event time, without a row; by time, then subject."""
    out = np.empty((len(state.value), 7), np.int64)
    values = np.empty(len(out))
    n = _advance(state.marks, state.value, by.raise_at, _times(by), now_ns, out, values)
    order = np.argsort(out[:n, 2], kind="stable")
    return _transitions(out[:n][order], values[:n][order], np.full(len(state.value), -1, np.int64))


def _times(by: Thresholds) -> I8:
    return np.array([by.hold_ns, by.clear_hold_ns, by.cooldown_ns], np.int64)


def _transitions(out: I8, values: F8, in_force: I8) -> Transitions:
    subject, kind, at, raised, level, trusted, row = (c.copy() for c in out.T)
    return Transitions(subject, kind, at, raised, level, values.copy(), trusted.astype(np.bool_), row, in_force)


@inner
def _level(raise_at: F8, value: float) -> int:
    level = 0
    while level < len(raise_at) and value >= raise_at[level]:
        level += 1
    return level


@inner
def _note(out: I8, values: F8, n: int, s: int, kind: int, at: int, marks: I8, value: float, row: int) -> int:
    out[n, 0] = s
    out[n, 1] = kind
    out[n, 2] = at
    out[n, 3] = marks[s, RAISED]
    out[n, 4] = marks[s, LEVEL]
    out[n, 5] = marks[s, TRUSTED]
    out[n, 6] = row
    values[n] = value
    return n + 1


@inner
def _settle(
    marks: I8, value: F8, raise_at: F8, times: I8, s: int, now_ns: int, row: int, out: I8, values: F8, n: int
) -> int:
    """The transition of subject s that is due by `now_ns`, if any; `times` are hold, clear hold and cooldown."""
    if marks[s, LEVEL] == 0 and marks[s, SINCE] != NEVER:
        due = marks[s, SINCE] + times[0]
        if marks[s, CLEARED] != NEVER:
            due = max(due, marks[s, CLEARED] + times[2])
        if due <= now_ns:
            marks[s, LEVEL] = _level(raise_at, value[s])
            marks[s, SINCE] = NEVER
            marks[s, RAISED] = due
            return _note(out, values, n, s, RAISE, due, marks, value[s], row)
    elif marks[s, LEVEL] > 0 and marks[s, CLEARING] != NEVER:
        due = marks[s, CLEARING] + times[1]
        if due <= now_ns:
            n = _note(out, values, n, s, CLEAR, due, marks, value[s], row)
            marks[s, LEVEL] = 0
            marks[s, CLEARING] = NEVER
            marks[s, CLEARED] = due
    return n


@kernel
def _follow(
    marks: I8,
    value: F8,
    raise_at: F8,
    clear_at: float,
    times: I8,
    subject: I8,
    rows: F8,
    event_ns: I8,
    trusted: Flags,
    in_force: I8,
    out: I8,
    values: F8,
) -> int:
    n = 0
    for i in range(len(subject)):
        s, now, v = subject[i], event_ns[i], rows[i]
        if now < marks[s, SEEN]:
            continue
        n = _settle(marks, value, raise_at, times, s, now, in_force[s], out, values, n)
        marks[s, SEEN] = now
        if np.isnan(v):
            marks[s, SINCE] = NEVER
            marks[s, CLEARING] = NEVER
            continue
        value[s] = v
        marks[s, TRUSTED] = 1 if trusted[i] else 0
        in_force[s] = i
        level = _level(raise_at, v)
        if marks[s, LEVEL] == 0:
            if level == 0:
                marks[s, SINCE] = NEVER
            elif marks[s, SINCE] == NEVER:
                marks[s, SINCE] = now
        else:
            if level > marks[s, LEVEL]:
                marks[s, LEVEL] = level
                n = _note(out, values, n, s, HIGHER, now, marks, v, i)
            if not v < clear_at:
                marks[s, CLEARING] = NEVER
            elif marks[s, CLEARING] == NEVER:
                marks[s, CLEARING] = now
        n = _settle(marks, value, raise_at, times, s, now, i, out, values, n)
    return n


@kernel
def _advance(marks: I8, value: F8, raise_at: F8, times: I8, now_ns: int, out: I8, values: F8) -> int:
    n = 0
    for s in range(len(value)):
        n = _settle(marks, value, raise_at, times, s, now_ns, -1, out, values, n)
    return n
