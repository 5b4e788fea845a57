"""Hysteresis: raise, heighten, lower and clear in event time, per subject, with holds, a cooldown and a floor of rate.

A value stays in force until the next row of its subject, so a hold may run out between two rows: the transition then
carries the instant at which it ran out, whichever row or moment brings it to light. All thresholds are in the
direction of harm (negate them for "below"). The level of a value is how many of `raise_at` it has reached; a level is
held until the value is below its own threshold by `raise_at[0] - clear_at`. The grade of a level is told; while the
value in force is not trusted it is one lower.

Clear -> raised: level >= 1 for `hold_ns`, and not before the last clear plus `cooldown_ns`, unless graver than all that
was told before that clear. Raised -> higher: at once, when the grade grows, by the value or by its trust. Raised ->
lower: when the grade has been lower for `clear_hold_ns`. Raised -> clear: value < `clear_at` for `clear_hold_ns`, or no
known value for `forget_ns` (0: never), or at once by the value -inf: the subject is no more, and no row of it will
bring the end of a hold to light. A rise within `flap_ns` of a fall is a flap: each one in a row doubles the clear hold,
up to `flap_ns`, so what swings through the whole band ends up raised, not in a stream of transitions.
An unknown value (NaN) breaks a hold that is running and changes nothing else: what was raised stays raised. So does the
want of any for `forget_ns` while nothing is raised.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

RAISE, HIGHER, CLEAR, LOWER = 1, 2, 3, 4
LEVEL, SINCE, CLEARING, RAISED, CLEARED, SEEN, TRUSTED, GRADE, LOWERING, PEAK, FLAPS, FELL, KNOWN = range(13)
NEVER = -(2**63)
_NEW = np.array([0, NEVER, NEVER, NEVER, NEVER, NEVER, 1, 0, NEVER, -1, 0, NEVER, NEVER], np.int64)
LEAST_FLAP_NS = 1_000_000_000
"""What is doubled where a rule has no clear hold."""
_HOLD, _CLEAR_HOLD, _COOLDOWN, _FLAP, _FORGET = range(5)
_AT, _PLACE, _MOMENT = 2, 8, 9
_PER_ROW, _PER_SUBJECT = 8, 3
"""Transitions that a row may bring to light: a lower and a clear before it, a higher at it, two at once after it; and
that time may, before the next row of the subject: a raise, a lower and a clear."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """In the direction of harm; times in event nanoseconds."""

    raise_at: F8
    clear_at: float
    hold_ns: int = 0
    clear_hold_ns: int = 0
    cooldown_ns: int = 0
    flap_ns: int = 0
    forget_ns: int = 0
    grades: tuple[int, ...] = ()
    """What each level is told as; empty: 0, 1, 2..."""

    def held_at(self) -> F8:
        """Below which value a level is no longer held."""
        held: F8 = self.raise_at - (self.raise_at[0] - self.clear_at)
        held[0] = self.clear_at
        return held

    def grade_of(self) -> I8:
        """The grade of each level above 0."""
        return np.array(self.grades or range(len(self.raise_at)), np.int64)

    def limits(self) -> "_Limits":
        """For the kernels."""
        times = self.hold_ns, self.clear_hold_ns, self.cooldown_ns, self.flap_ns, self.forget_ns
        return _Limits(self.raise_at, self.held_at(), self.grade_of(), np.array(times, np.int64))


class _Limits(NamedTuple):
    """Thresholds as the kernels take them; `times` by the names above."""

    raise_at: F8
    held_at: F8
    grades: I8
    times: I8


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
    grade: I8
    forgotten: Flags
    """Cleared for want of a known value."""
    value: F8
    trusted: Flags
    row: I8
    place: I8
    """The row that brought it to light, -1: none did, but time before the first row of the moment."""
    moment: I8
    in_force: I8
    """By subject, not by transition: the row of the batch whose value is now in force, -1: none of this batch."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Rows that are judged together: those of moment m begin at `starts[m]`, one more than moments saying where the end
    is. Before them time has come to `until_ns[m]`, and holds that no row brings to light run out; `NEVER`: it has not.
    """

    starts: I8
    until_ns: I8


def latches(subjects: int = 0) -> Latches:
    """`subjects` latches that have seen nothing."""
    return Latches(np.tile(_NEW, (subjects, 1)), np.full(subjects, np.nan))


def widen(state: Latches, subjects: int) -> None:
    """Make room for subjects seen for the first time."""
    more = latches(max(subjects - len(state.value), 0))
    state.marks = np.concatenate((state.marks, more.marks))
    state.value = np.concatenate((state.value, more.value))


def follow(
    state: Latches,
    by: Thresholds,
    subject: I8,
    value: F8,
    event_ns: I8,
    trusted: Flags,
    moments: Moments | None = None,
) -> Transitions:
    """Take rows in order, moment by moment. A row older than the newest of its subject is passed over.

    What time alone brings to light comes before the rows of its moment: by time, then subject.

    >>> state = latches(1)
    >>> by = Thresholds(np.array([0.8]), 0.7, hold_ns=5)
    >>> rows = np.zeros(3, np.int64), np.array([0.9, 0.9, 0.6]), np.array([10, 20, 30]), np.ones(3, bool)
    >>> out = follow(state, by, *rows)
    >>> out.kind.tolist(), out.at_ns.tolist()
    ([1, 3], [15, 30])
    """
    if moments is None:
        moments = Moments(np.array([0, len(subject)]), np.array([NEVER]))
    in_force = np.full(len(state.value), -1, np.int64)
    out = np.empty((_PER_ROW * len(subject) + _PER_SUBJECT * len(state.value), 10), np.int64)
    values = np.empty(len(out))
    n = _follow(
        state.marks,
        state.value,
        by.limits(),
        np.asarray(moments.starts, np.int64),
        np.asarray(moments.until_ns, np.int64),
        np.asarray(subject, np.int64),
        np.asarray(value, np.float64),
        np.asarray(event_ns, np.int64),
        np.asarray(trusted, np.bool_),
        in_force,
        out,
        values,
    )
    timely = out[:n, _PLACE] < 0
    order = np.lexsort((np.where(timely, out[:n, _AT], 0), ~timely, out[:n, _MOMENT]))
    return _transitions(out[:n][order], values[:n][order], in_force)


def _transitions(out: I8, values: F8, in_force: I8) -> Transitions:
    subject, kind, at, raised, grade, trusted, row, forgotten, place, moment = (c.copy() for c in out.T)
    told = trusted.astype(np.bool_), row, place, moment
    return Transitions(subject, kind, at, raised, grade, forgotten.astype(np.bool_), values.copy(), *told, in_force)


@inner
def _level(raise_at: F8, value: float) -> int:
    level = 0
    while level < len(raise_at) and value >= raise_at[level]:
        level += 1
    return level


@inner
def _held(held_at: F8, value: float, level: int) -> int:
    while level > 1 and value < held_at[level - 1]:
        level -= 1
    return level


@inner
def _grade(grades: I8, level: int, trusted: int) -> int:
    return max(int(grades[level - 1]) - 1 + trusted, 0)


@inner
def _rose(marks: I8, s: int, at: int, times: I8) -> None:
    if marks[s, FELL] != NEVER:
        marks[s, FLAPS] = marks[s, FLAPS] + 1 if at - marks[s, FELL] <= times[_FLAP] else 0
    marks[s, PEAK] = max(marks[s, PEAK], marks[s, GRADE])


@inner
def _clear_hold(marks: I8, value: float, s: int, times: I8) -> int:
    hold = int(times[_CLEAR_HOLD])
    if value == -np.inf:
        hold = 0
    elif marks[s, FLAPS] > 0:
        doubled = max(hold, LEAST_FLAP_NS) << min(marks[s, FLAPS], 20)
        hold = max(hold, min(doubled, int(times[_FLAP])))
    return hold


@inner
def _note(
    out: I8, values: F8, n: int, s: int, kind: int, at: int, marks: I8, value: float, row: int, forgotten: int
) -> int:
    out[n, 0] = s
    out[n, 1] = kind
    out[n, 2] = at
    out[n, 3] = marks[s, RAISED]
    out[n, 4] = marks[s, GRADE]
    out[n, 5] = marks[s, TRUSTED]
    out[n, 6] = row
    out[n, 7] = forgotten
    values[n] = value
    return n + 1


@inner
def _settle(
    marks: I8,
    value: F8,
    by: _Limits,
    s: int,
    now_ns: int,
    row: int,
    out: I8,
    values: F8,
    n: int,
) -> int:
    """The transitions of subject s that are due by `now_ns`, in order."""
    if marks[s, LEVEL] == 0:
        if marks[s, SINCE] == NEVER:
            return n
        level = _level(by.raise_at, value[s])
        grade = _grade(by.grades, level, marks[s, TRUSTED])
        due = marks[s, SINCE] + by.times[_HOLD]
        if marks[s, CLEARED] != NEVER and grade <= marks[s, PEAK]:
            due = max(due, marks[s, CLEARED] + by.times[_COOLDOWN])
        forgotten = marks[s, KNOWN] + by.times[_FORGET]
        if by.times[_FORGET] > 0 and forgotten <= min(due, now_ns):
            marks[s, SINCE] = NEVER  # as any unknown value does: what is forgotten may not be raised
        elif due <= now_ns:
            due = max(due, marks[s, SEEN])
            marks[s, LEVEL] = level
            marks[s, GRADE] = marks[s, PEAK] = grade
            marks[s, SINCE] = NEVER
            marks[s, RAISED] = due
            _rose(marks, s, due, by.times)
            n = _note(out, values, n, s, RAISE, due, marks, value[s], row, 0)
        return n
    hold = _clear_hold(marks, value[s], s, by.times)
    clear, cleared = marks[s, CLEARING] != NEVER, marks[s, CLEARING] + hold
    lower, lowered = marks[s, LOWERING] != NEVER, marks[s, LOWERING] + hold
    forget, forgotten = by.times[_FORGET] > 0, marks[s, KNOWN] + by.times[_FORGET]
    forget = forget and (not clear or forgotten < cleared)
    if forget:
        clear, cleared = True, forgotten
    if lower and lowered <= now_ns and (not clear or lowered < cleared):
        marks[s, LEVEL] = _held(by.held_at, value[s], marks[s, LEVEL])
        marks[s, GRADE] = _grade(by.grades, marks[s, LEVEL], marks[s, TRUSTED])
        marks[s, LOWERING] = NEVER
        marks[s, FELL] = lowered
        n = _note(out, values, n, s, LOWER, lowered, marks, value[s], row, 0)
    if clear and cleared <= now_ns:
        marks[s, GRADE] = marks[s, PEAK]
        n = _note(out, values, n, s, CLEAR, cleared, marks, value[s], row, 1 if forget else 0)
        marks[s, LEVEL] = 0
        marks[s, CLEARING] = marks[s, LOWERING] = NEVER
        marks[s, CLEARED] = marks[s, FELL] = cleared
    return n


@inner
def _take(
    marks: I8,
    value: F8,
    by: _Limits,
    s: int,
    now: int,
    v: float,
    trusted: bool,
    i: int,
    in_force: I8,
    out: I8,
    values: F8,
    n: int,
) -> int:
    """Row i: the value v of subject s, in force from `now` on."""
    if now < marks[s, SEEN]:
        return n
    n = _settle(marks, value, by, s, now, in_force[s], out, values, n)
    marks[s, SEEN] = now
    if np.isnan(v):
        marks[s, SINCE] = marks[s, CLEARING] = marks[s, LOWERING] = NEVER
        return n
    value[s] = v
    marks[s, KNOWN] = now
    marks[s, TRUSTED] = 1 if trusted else 0
    in_force[s] = i
    level = _level(by.raise_at, v)
    if marks[s, LEVEL] == 0:
        if level == 0:
            marks[s, SINCE] = NEVER
        elif marks[s, SINCE] == NEVER:
            marks[s, SINCE] = now
    else:
        level = max(level, _held(by.held_at, v, marks[s, LEVEL]))
        grade = _grade(by.grades, level, marks[s, TRUSTED])
        if grade < marks[s, GRADE]:
            marks[s, LEVEL] = max(level, marks[s, LEVEL])
            if marks[s, LOWERING] == NEVER:
                marks[s, LOWERING] = now
        else:
            marks[s, LEVEL] = level
            marks[s, LOWERING] = NEVER
            if grade > marks[s, GRADE]:
                marks[s, GRADE] = grade
                _rose(marks, s, now, by.times)
                n = _note(out, values, n, s, HIGHER, now, marks, v, i, 0)
        if v == -np.inf:
            marks[s, CLEARING], marks[s, LOWERING] = now, NEVER
        elif not v < by.held_at[0]:
            marks[s, CLEARING] = NEVER
        elif marks[s, CLEARING] == NEVER:
            marks[s, CLEARING] = now
    return _settle(marks, value, by, s, now, i, out, values, n)


@kernel
def _follow(
    marks: I8,
    value: F8,
    by: _Limits,
    starts: I8,
    until_ns: I8,
    subject: I8,
    rows: F8,
    event_ns: I8,
    trusted: Flags,
    in_force: I8,
    out: I8,
    values: F8,
) -> int:
    n = 0
    for m in range(len(until_ns)):
        first = n
        if until_ns[m] != NEVER:
            for s in range(len(value)):
                n = _settle(marks, value, by, s, until_ns[m], in_force[s], out, values, n)
            out[first:n, _PLACE] = -1
        for i in range(starts[m], starts[m + 1]):
            before, s = n, subject[i]
            n = _take(marks, value, by, s, event_ns[i], rows[i], trusted[i], i, in_force, out, values, n)
            out[before:n, _PLACE] = i
        out[first:n, _MOMENT] = m
    return n
