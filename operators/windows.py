"""Windows: closed panes merged into windows of several lengths, in the order in which the windows end.

A window of length L (in panes) ends at every multiple of L since 1970. A row comes out for an instrument

- that had an event in the window,
- that had one in the window before (its sums have gone back to nothing, which is news), or
- at a keyframe: when the window ends at a multiple of `keyframe` panes, for every instrument ever seen;

but no longer than twice the longest window after the log last had an event at all: silence makes no rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array, Statistic
from operators.evolving import Changed, marks, taken_up
from operators.pack import pack, unpack
from operators.panes import ABSENT_FLOAT, ABSENT_INT, Panes, layout
from operators.watermark import ENDED
from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]
Flags = NDArray[np.bool_]
_MERGES = {"sum": 0, "min": 1, "max": 2, "first": 3, "last": 4, "asof": 5, "held": 6}
_NONE = ABSENT_INT


@dataclass(slots=True)
class Rows:
    """Finished windows: `length` in panes, `end` the pane number at which it ends (exclusive), in order of `end`."""

    length: I8
    end: I8
    instrument: I8
    columns: dict[str, Array]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.end)


@inner
def _merge(code: int, empty: float, absent: float, held: float, value: float) -> float:
    """What two adjoining parts of a window say together. A NaN that does not mean empty stays."""
    if code == 0:
        return held + value
    if code == 5:
        return held if value == absent else value
    if value == empty or (math.isnan(value) and math.isnan(empty)):
        return held
    if code in (4, 6) or held == empty or (math.isnan(held) and math.isnan(empty)):
        return value
    if code == 3 or math.isnan(held):
        return held
    if math.isnan(value) or (value < held) == (code == 1):
        return value
    return held


@kernel
def _roll(
    pane: I8,
    instrument: I8,
    ints: I8,
    floats: F8,
    int_merge: I8,
    float_merge: I8,
    int_empty: I8,
    float_empty: F8,
    lengths: I8,
    keyframe: int,
    silence: int,
    at: int,
    row: int,
    last_event: int,
    closed: int,
    final: int,
    seen: Flags,
    active: Flags,
    before: Flags,
    int_held: I8,
    float_held: F8,
    out_length: I8,
    out_end: I8,
    out_instrument: I8,
    out_ints: I8,
    out_floats: F8,
) -> tuple[int, int, int]:
    """From pane `at` to `closed`, or until the output is full; returns (next pane, next row, rows written)."""
    written = 0
    known = len(seen)
    room = len(out_end) - known * len(lengths)
    while at <= closed:
        if written > room:
            break
        if row >= len(pane) and (last_event == _NONE or at > last_event + silence):
            at = closed + 1
            break
        if row < len(pane) and at < pane[row] and (last_event == _NONE or at > last_event + silence):
            at = pane[row]
        while row < len(pane) and pane[row] == at:
            i = instrument[row]
            seen[i] = True
            last_event = at
            for w in range(len(lengths)):
                active[w, i] = True
                for c in range(len(int_merge)):
                    int_held[w, i, c] = _merge(int_merge[c], int_empty[c], _NONE, int_held[w, i, c], ints[row, c])
                for c in range(len(float_merge)):
                    float_held[w, i, c] = _merge(
                        float_merge[c], float_empty[c], ABSENT_FLOAT, float_held[w, i, c], floats[row, c]
                    )
            row += 1
        at += 1
        for w in range(len(lengths)):
            if at % lengths[w]:
                continue
            goes_on = at <= final
            key = goes_on and at % keyframe == 0
            for i in range(known):
                if not (active[w, i] or (goes_on and before[w, i]) or (key and seen[i])):
                    continue
                out_length[written] = lengths[w]
                out_end[written] = at
                out_instrument[written] = i
                for c in range(len(int_merge)):
                    out_ints[written, c] = int_held[w, i, c]
                    if int_merge[c] < 5:
                        int_held[w, i, c] = int_empty[c]
                for c in range(len(float_merge)):
                    out_floats[written, c] = float_held[w, i, c]
                    if float_merge[c] < 5:
                        float_held[w, i, c] = float_empty[c]
                written += 1
                before[w, i] = active[w, i]
                active[w, i] = False
    return at, row, written


class Windows:
    """The windows of one table and venue that are not finished yet."""

    def __init__(self, statistics: Sequence[Statistic], lengths: Sequence[int], keyframe: int) -> None:
        """`lengths` and `keyframe` are counted in panes."""
        self.statistics = tuple(statistics)
        self.lengths = np.array(sorted(lengths), np.int64)
        self.keyframe = keyframe
        self.silence = 2 * int(self.lengths[-1])
        self.at = _NONE
        self.last_event = _NONE
        self.layout = layout(self.statistics)
        self.ints, self.floats = self.layout.ints, self.layout.floats
        self.int_merge = np.array([_MERGES[s.merge] for s in self.ints], np.int64)
        self.float_merge = np.array([_MERGES[s.merge] for s in self.floats], np.int64)
        shape = (len(self.lengths), 0)
        self.seen = np.zeros(0, np.bool_)
        self.active, self.before = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        self.int_held = np.zeros((*shape, len(self.ints)), np.int64)
        self.float_held = np.zeros((*shape, len(self.floats)), np.float64)

    def _grow(self, instruments: int) -> None:
        more = instruments - len(self.seen)
        if more <= 0:
            return
        self.seen = np.append(self.seen, np.zeros(more, np.bool_))
        pad = np.zeros((len(self.lengths), more), np.bool_)
        self.active, self.before = np.hstack([self.active, pad]), np.hstack([self.before, pad])
        shape = (len(self.lengths), more, 1)
        ints, floats = np.tile(self.layout.int_empty, shape), np.tile(self.layout.float_empty, shape)
        self.int_held = np.concatenate([self.int_held, ints], axis=1)
        self.float_held = np.concatenate([self.float_held, floats], axis=1)

    def roll(self, panes: Panes, closed: int, to_come: int | None = None) -> Rows:
        """Take in closed panes, in order, and give the windows that end by pane `closed` (inclusive).

        At the end of the log the windows that hold its last events are finished, and no others. The end is known when
        `closed` is `ENDED`, or before that, when others still hold up the closing: `to_come` is then the last pane
        that is not taken in yet, `NEVER` when there is none.
        """
        n, ended = len(panes), closed >= ENDED or to_come is not None
        pane, instrument = panes.pane, panes.instrument
        if self.at == _NONE:
            if not n:
                return self._rows(0, *self._buffers(0))
            self.at = int(pane[0])
        final = ENDED
        if n:
            self._grow(int(instrument.max()) + 1)
            closed = min(closed, max(int(pane[-1]), self.last_event) + self.silence + 1)
        elif self.last_event != _NONE:
            closed = min(closed, self.last_event + self.silence + 1)
        if ended:
            final = max(int(pane[-1]) if n else _NONE, self.last_event, _NONE if to_come is None else to_come) + 1
        ints, floats = np.ascontiguousarray(panes.ints.T), np.ascontiguousarray(panes.floats.T)
        parts, row = [], 0
        size = 4 * (n + 1) + 2 * len(self.lengths) * (len(self.seen) + 1)
        while True:
            out = self._buffers(size)
            start = row
            self.at, row, written = _roll(
                pane,
                instrument,
                ints,
                floats,
                self.int_merge,
                self.float_merge,
                self.layout.int_empty,
                self.layout.float_empty,
                self.lengths,
                self.keyframe,
                self.silence,
                self.at,
                row,
                self.last_event,
                closed,
                final,
                self.seen,
                self.active,
                self.before,
                self.int_held,
                self.float_held,
                *out,
            )
            if row > start:
                self.last_event = int(pane[row - 1])
            parts.append(self._rows(written, *out))
            if self.at > closed:
                break
            size *= 2
        if len(parts) == 1:
            return parts[0]
        names = parts[0].columns
        return Rows(
            np.concatenate([p.length for p in parts]),
            np.concatenate([p.end for p in parts]),
            np.concatenate([p.instrument for p in parts]),
            {name: np.concatenate([p.columns[name] for p in parts]) for name in names},
        )

    def _buffers(self, size: int) -> tuple[I8, I8, I8, I8, F8]:
        return (
            np.empty(size, np.int64),
            np.empty(size, np.int64),
            np.empty(size, np.int64),
            np.empty((size, len(self.ints)), np.int64),
            np.empty((size, len(self.floats)), np.float64),
        )

    def _rows(self, n: int, length: I8, end: I8, instrument: I8, ints: I8, floats: F8) -> Rows:
        columns = self.layout.columns(ints[:n].T.copy(), floats[:n].T.copy())
        return Rows(length[:n].copy(), end[:n].copy(), instrument[:n].copy(), columns)

    def rescale(self, instrument: int, tick_factor: int, lot_factor: int) -> None:
        """An inferred tick or lot was refined: the same quantities in the finer unit."""
        if instrument >= len(self.seen):
            return
        for group, held in ((self.ints, self.int_held), (self.floats, self.float_held)):
            for c, s in enumerate(group):
                if s.ticks or s.lots:
                    power = float(tick_factor) ** s.ticks * float(lot_factor) ** s.lots
                    values = held[:, instrument, c]
                    moved = values != s.empty
                    values[moved] = values[moved] * (int(power) if s.dtype == "i8" else power)

    def freeze(self) -> bytes:
        """Everything that is not a setting."""
        ints, floats = self.layout.parts
        return pack(
            {
                "at": np.array([self.at, self.last_event], np.int64),
                "seen": self.seen,
                "active": self.active,
                "before": self.before,
                "ints": self.int_held,
                "floats": self.float_held,
                "int_marks": marks(ints),
                "float_marks": marks(floats),
            }
        )

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen; a statistic that is new is empty.

        Changed if one goes by another rule, or if the windows are of other lengths: the kernel checks no bounds.
        """
        was = unpack(data)
        shape = len(self.lengths), len(was["seen"])
        if other := [n for n in ("active", "before", "ints", "floats") if was[n].shape[:2] != shape]:
            raise Changed(f"{other[0]} of unfinished windows are {was[other[0]].shape[:2]} and not {shape}")
        ints, floats = self.layout.parts
        self.int_held = taken_up(was["ints"], was["int_marks"], ints, self.layout.int_empty)
        self.float_held = taken_up(was["floats"], was["float_marks"], floats, self.layout.float_empty)
        self.at, self.last_event = (int(v) for v in was["at"])
        self.seen, self.active, self.before = (was[n].astype(np.bool_) for n in ("seen", "active", "before"))
