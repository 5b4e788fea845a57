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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array, Statistic
from operators.evolving import Changed, Part, begun, marks, taken_up
from operators.pack import pack, unpack
from operators.panes import ABSENT_FLOAT, ABSENT_INT, Panes, layout, part
from operators.watermark import ENDED
from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]
Flags = NDArray[np.bool_]
_MERGES = {"sum": 0, "min": 1, "max": 2, "first": 3, "last": 4, "asof": 5, "held": 6}
_ONCE = ("asof", "held")
_STANDING = 5
"""Merges from this code on are kept once an instrument."""
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


class Held(NamedTuple):
    """What a kernel knows of statistics of one dtype: how each merges, its empty value, and where it is kept.

    Statistic c stands in column `at[c]`: of `sums`, one row an instrument and window length; `asof` and `held`, which
    say the same for every length, of `standing`, one row an instrument.
    """

    merge: I8
    empty: Array
    at: I8
    sums: Array
    standing: Array


class Awake(NamedTuple):
    """Instruments ever seen; and by window length those with an event in the window, and in the one before."""

    seen: Flags
    active: Flags
    before: Flags


class Finished(NamedTuple):
    """Room for finished windows, one a row."""

    length: I8
    end: I8
    instrument: I8
    ints: I8
    floats: F8


@inner
def _take_in(held: Held, lengths: int, i: int, values: Array, absent: float) -> None:
    """One pane's statistics of instrument i into all windows that hold it."""
    for c in range(len(held.merge)):
        code, at = held.merge[c], held.at[c]
        if code < 5:
            for w in range(lengths):
                held.sums[i, w, at] = _merge(code, held.empty[c], absent, held.sums[i, w, at], values[c])
        else:
            held.standing[i, at] = _merge(code, held.empty[c], absent, held.standing[i, at], values[c])


@inner
def _give(held: Held, w: int, i: int, out: Array) -> None:
    """What a finished window says, whose sums start again."""
    for c in range(len(held.merge)):
        at = held.at[c]
        if held.merge[c] < 5:
            out[c] = held.sums[i, w, at]
            held.sums[i, w, at] = held.empty[c]
        else:
            out[c] = held.standing[i, at]


@kernel
def _roll(
    pane: I8,
    instrument: I8,
    ints: I8,
    floats: F8,
    int_held: Held,
    float_held: Held,
    awake: Awake,
    lengths: I8,
    keyframe: int,
    silence: int,
    at: int,
    row: int,
    last_event: int,
    closed: int,
    final: int,
    out: Finished,
) -> tuple[int, int, int]:
    """From pane `at` to `closed`, or until the output is full; returns (next pane, next row, rows written)."""
    seen, active, before = awake
    written = 0
    known = len(seen)
    room = len(out.end) - known * len(lengths)
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
            _take_in(int_held, len(lengths), i, ints[row], _NONE)
            _take_in(float_held, len(lengths), i, floats[row], ABSENT_FLOAT)
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
                out.length[written] = lengths[w]
                out.end[written] = at
                out.instrument[written] = i
                _give(int_held, w, i, out.ints[written])
                _give(float_held, w, i, out.floats[written])
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
        none = np.zeros((len(self.lengths), 0), np.bool_)
        self.awake = Awake(np.zeros(0, np.bool_), none, none)
        self.held = {
            "ints": _held(self.ints, self.layout.int_empty, len(self.lengths)),
            "floats": _held(self.floats, self.layout.float_empty, len(self.lengths)),
        }

    def _grow(self, instruments: int) -> None:
        more = instruments - len(self.awake.seen)
        if more <= 0:
            return
        self.awake = Awake(*(np.concatenate([a, np.zeros((*a.shape[:-1], more), np.bool_)], -1) for a in self.awake))
        for name, held in self.held.items():
            standing = held.merge >= _STANDING
            sums = np.tile(held.empty[~standing], (more, len(self.lengths), 1))
            self.held[name] = held._replace(
                sums=np.concatenate([held.sums, sums]),
                standing=np.concatenate([held.standing, np.tile(held.empty[standing], (more, 1))]),
            )

    def roll(self, panes: Panes, closed: int, to_come: int | None = None) -> Rows:
        """Take in closed panes, in order, and give the windows that end by pane `closed` (inclusive).

        At the end of the log the windows that hold its last events are finished, and no others. The end is known when
        `closed` is `ENDED`, or before that, when others still hold up the closing: `to_come` is then the last pane
        that is not taken in yet, `NEVER` when there is none.
        """
        if panes.layout is not self.layout and panes.layout.statistics != self.statistics:
            raise ValueError("the panes do not hold the statistics of these windows")
        n, ended = len(panes), closed >= ENDED or to_come is not None
        pane, instrument = panes.pane, panes.instrument
        if self.at == _NONE:
            if not n:
                return self._rows(0, self._buffers(0))
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
        size = 4 * (n + 1) + 2 * len(self.lengths) * (len(self.awake.seen) + 1)
        while True:
            out = self._buffers(size)
            start = row
            self.at, row, written = _roll(
                pane,
                instrument,
                ints,
                floats,
                self.held["ints"],
                self.held["floats"],
                self.awake,
                self.lengths,
                self.keyframe,
                self.silence,
                self.at,
                row,
                self.last_event,
                closed,
                final,
                out,
            )
            if row > start:
                self.last_event = int(pane[row - 1])
            parts.append(self._rows(written, out))
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

    def _buffers(self, size: int) -> Finished:
        return Finished(
            np.empty(size, np.int64),
            np.empty(size, np.int64),
            np.empty(size, np.int64),
            np.empty((size, len(self.ints)), np.int64),
            np.empty((size, len(self.floats)), np.float64),
        )

    def _rows(self, n: int, out: Finished) -> Rows:
        columns = self.layout.columns(out.ints[:n].T.copy(), out.floats[:n].T.copy())
        return Rows(out.length[:n].copy(), out.end[:n].copy(), out.instrument[:n].copy(), columns)

    def rescale(self, instrument: int, tick_factor: int, lot_factor: int) -> None:
        """An inferred tick or lot was refined: the same quantities in the finer unit."""
        if instrument >= len(self.awake.seen):
            return
        for held, statistics in zip(self.held.values(), (self.ints, self.floats), strict=True):
            for c, s in enumerate(statistics):
                if s.ticks or s.lots:
                    power = float(tick_factor) ** s.ticks * float(lot_factor) ** s.lots
                    at = held.at[c]
                    values = (
                        held.standing[instrument, at : at + 1] if s.merge in _ONCE else held.sums[instrument, :, at]
                    )
                    moved = values != s.empty
                    values[moved] = values[moved] * (int(power) if s.dtype == "i8" else power)

    def freeze(self) -> bytes:
        """Everything that is not a setting."""
        arrays: dict[str, Array] = {"at": np.array([self.at, self.last_event], np.int64), **self.awake._asdict()}
        for kind, held in self.held.items():
            for name, parts, values, _ in self._pieces(kind, held):
                arrays |= {name: values, f"{name}_marks": marks(parts)}
        return pack(arrays)

    def _pieces(self, kind: str, held: Held) -> list[tuple[str, list[Part], Array, Array]]:
        """The sums and what stands, of one dtype: name, parts of recovered state, values, empty values."""
        standing = held.merge >= _STANDING
        parts = np.array([part(s) for s in (self.ints if kind == "ints" else self.floats)], object)
        both = (("sums", held.sums, ~standing), ("standing", held.standing, standing))
        return [(f"{kind}_{name}", parts[mine].tolist(), v, held.empty[mine]) for name, v, mine in both]

    def thaw(self, data: bytes, fresh: frozenset[str] = frozenset()) -> None:
        """Take up what was frozen; a statistic that is new, or of `fresh`, is empty.

        Changed if one goes by another rule, or if the windows are of other lengths: the kernel checks no bounds.
        """
        was = unpack(data)
        awake = Awake(*(was[n].astype(np.bool_) for n in Awake._fields))
        shape = len(self.lengths), len(awake.seen)
        if awake.active.shape != shape:
            raise Changed(f"active of unfinished windows are {awake.active.shape} and not {shape}")
        for kind, held in self.held.items():
            taken = []
            for name, parts, values, empty in self._pieces(kind, held):
                if was[name].shape[:-1] != shape[::-1][: values.ndim - 1]:
                    raise Changed(f"{name} of unfinished windows are {was[name].shape[:-1]}, of windows {shape[::-1]}")
                taken.append(taken_up(was[name].astype(values.dtype), was[f"{name}_marks"], begun(parts, fresh), empty))
            self.held[kind] = held._replace(sums=taken[0], standing=taken[1])
        self.awake = awake
        self.at, self.last_event = (int(v) for v in was["at"])


def _held(statistics: tuple[Statistic, ...], empty: Array, lengths: int) -> Held:
    """Of no instruments yet."""
    merge = np.array([_MERGES[s.merge] for s in statistics], np.int64)
    standing = merge >= _STANDING
    at = np.where(standing, np.cumsum(standing), np.cumsum(~standing)) - 1
    sums = np.zeros((0, lengths, int((~standing).sum())), empty.dtype)
    return Held(merge, empty, at.astype(np.int64), sums, np.zeros((0, int(standing.sum())), empty.dtype))
