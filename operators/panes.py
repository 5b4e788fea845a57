"""Panes: the statistics of every open (instrument, pane) of a log, and their joining across logs.

The key packs pane and instrument, panes first, so that the closed panes are always the first keys. Rows that are closed
stand in the order of their keys; open ones as they were opened, for a thousand instruments never send in that order,
and every row that came between others would move all behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array, Columns, Statistic
from operators.evolving import Part, begun, fingerprint, marks, taken_up
from operators.pack import pack, unpack
from operators.watermark import NEVER
from schemas.kernels import kernel

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]
INSTRUMENT_BITS = 20
ABSENT_INT, ABSENT_FLOAT = -(2**62), -np.inf


def keys(instrument: Array, pane: Array) -> I8:
    """One number per (pane, instrument), in the order of panes first; instruments stay below 2**20."""
    return (pane.astype(np.int64) << INSTRUMENT_BITS) | instrument.astype(np.int64)


@kernel
def _locate(held: I8, rows: I8, key: I8, slot: I8, fresh: I8) -> int:
    """Find the row of each key among the keys held, which ascend; how many, in `fresh`, are not there."""
    last, n = 0, 0
    for i in range(len(key)):
        if last == len(held) or held[last] != key[i]:
            last, high = 0, len(held)
            while last < high:
                middle = (last + high) // 2
                if held[middle] < key[i]:
                    last = middle + 1
                else:
                    high = middle
            if (last == len(held) or held[last] != key[i]) and (n == 0 or fresh[n - 1] != key[i]):
                fresh[n] = key[i]
                n += 1
        if last < len(held):
            slot[i] = rows[last]
    return n


@dataclass(frozen=True, eq=False)
class Layout:
    """Where statistics stand: a row each of one matrix of whole numbers and one of floats, so that all move at once."""

    statistics: tuple[Statistic, ...]
    ints: tuple[Statistic, ...]
    floats: tuple[Statistic, ...]
    int_empty: I8
    float_empty: F8

    @cached_property
    def parts(self) -> tuple[list[Part], list[Part]]:
        """The statistics of both matrices as pieces of recovered state."""
        return [part(s) for s in self.ints], [part(s) for s in self.floats]

    @cached_property
    def marks(self) -> tuple[Array, Array]:
        """The same as they stand in `pack`."""
        return marks(self.parts[0]), marks(self.parts[1])

    def columns(self, ints: I8, floats: F8) -> dict[str, Array]:
        """The rows of both matrices by name."""
        rows = [*zip(self.ints, ints, strict=True), *zip(self.floats, floats, strict=True)]
        return {s.name: row for s, row in rows}

    def empty(self, size: int) -> tuple[I8, F8]:
        """The matrices of `size` panes without events."""
        return np.repeat(self.int_empty[:, None], size, axis=1), np.repeat(self.float_empty[:, None], size, axis=1)


@cache
def part(statistic: Statistic) -> Part:
    """A statistic as a piece of recovered state: what is half done is worth nothing under another rule."""
    s = statistic
    return Part(s.name, fingerprint(s.dtype, s.merge, float(s.empty), s.ticks, s.lots))


@cache
def layout(statistics: tuple[Statistic, ...]) -> Layout:
    """The layout of statistics, each kind in their order; ValueError if two have one name."""
    names = [s.name for s in statistics]
    for name in (n for n in names if names.count(n) > 1):
        raise ValueError(f"the statistic {name} is kept twice")
    ints = tuple(s for s in statistics if s.dtype == "i8")
    floats = tuple(s for s in statistics if s.dtype == "f8")
    empty = np.array([s.empty for s in ints], np.int64), np.array([s.empty for s in floats], np.float64)
    return Layout(statistics, ints, floats, *empty)


@cache
def _side_by_side(layouts: tuple[Layout, ...]) -> tuple[Layout, I8, F8]:
    """The layout of all their statistics, and what it says of a pane that a part has no row of."""
    both = layout(tuple(s for of in layouts for s in of.statistics))
    absent = both.int_empty.copy(), both.float_empty.copy()
    absent[0][[s.merge == "asof" for s in both.ints]] = ABSENT_INT
    absent[1][[s.merge == "asof" for s in both.floats]] = ABSENT_FLOAT
    return both, *absent


@cache
def _chosen(held: Layout, wanted: Layout) -> tuple[list[int], list[int]]:
    """In which rows of the matrices of a layout the statistics of another stand."""
    return [held.ints.index(s) for s in wanted.ints], [held.floats.index(s) for s in wanted.floats]


class Panes:
    """Rows of statistics by key."""

    __slots__ = ("_columns", "_order", "_room", "floats", "ints", "key", "layout")
    _columns: dict[str, Array] | None

    def __init__(self, of: Layout, key: I8, ints: I8, floats: F8) -> None:
        """Columns of the two matrices of a layout, one a key."""
        self.layout = of
        self.key, self.ints, self.floats = self._room = key, ints, floats
        self._columns = None
        self._order: tuple[I8, I8] | None = None

    @property
    def columns(self) -> dict[str, Array]:
        """A statistic's name to its values, parallel to `key`: views, until `slots` or `close` lay new ones."""
        if self._columns is None:
            self._columns = self.layout.columns(self.ints, self.floats)
        return self._columns

    @property
    def _in_order(self) -> tuple[I8, I8]:
        """The keys ascending, and the row of each."""
        if self._order is None:
            rows = np.argsort(self.key)
            self._order = self.key[rows], rows
        return self._order

    @classmethod
    def of(cls, statistics: Sequence[Statistic]) -> "Panes":
        """No panes yet."""
        mine = layout(tuple(statistics))
        return cls(mine, np.empty(0, np.int64), *mine.empty(0))

    @classmethod
    def filled(cls, of: Layout, key: I8, columns: Columns) -> "Panes":
        """The panes of `key`, with all their columns."""
        panes = cls(of, key, np.empty((len(of.ints), len(key)), np.int64), np.empty((len(of.floats), len(key))))
        for name, column in panes.columns.items():
            column[:] = columns[name]
        return panes

    @property
    def instrument(self) -> I8:
        """The instrument of each row."""
        return self.key & ((1 << INSTRUMENT_BITS) - 1)

    @property
    def pane(self) -> I8:
        """The pane of each row."""
        return self.key >> INSTRUMENT_BITS

    @property
    def last(self) -> int:
        """The last pane with a row; `NEVER` when there is none."""
        return int(self.key.max()) >> INSTRUMENT_BITS if len(self.key) else NEVER

    def __len__(self) -> int:
        """How many rows."""
        return len(self.key)

    def slots(self, key: I8) -> I8:
        """The row of each key; rows that are not there yet are opened, empty.

        >>> panes = Panes.of([Statistic("trades", "i8", "sum")])
        >>> panes.slots(keys(np.array([1, 0, 1]), np.array([7, 7, 6]))).tolist()
        [2, 1, 0]
        """
        slot, fresh = np.empty(len(key), np.int64), np.empty(len(key), np.int64)
        if n := _locate(*self._in_order, key, slot, fresh):
            self._open(np.unique(fresh[:n]))
            _locate(*self._in_order, key, slot, fresh)
        return slot

    def _open(self, fresh: I8) -> None:
        """Lay empty rows of keys that ascend and are not there yet behind the others, where there may be room."""
        held, n = len(self.key), len(self.key) + len(fresh)
        keys, rows = (np.append(a, b) for a, b in zip(self._in_order, (fresh, np.arange(held, n)), strict=True))
        order = np.argsort(keys, kind="stable")
        self._order = keys[order], rows[order]
        key, ints, floats = self._room
        if n > len(key):
            room = 2 * n
            key, ints, floats = (np.empty((*a.shape[:-1], room), a.dtype) for a in self._room)
            key[:held], ints[:, :held], floats[:, :held] = self.key, self.ints, self.floats
            self._room = key, ints, floats
        key[held:n] = fresh
        ints[:, held:n], floats[:, held:n] = self.layout.int_empty[:, None], self.layout.float_empty[:, None]
        self.key, self.ints, self.floats, self._columns = key[:n], ints[:, :n], floats[:, :n], None

    def close(self, closed: int) -> "Panes":
        """Take out the rows of all panes up to `closed`."""
        keys, rows = self._in_order
        upto = int(np.searchsorted(keys, (closed + 1) << INSTRUMENT_BITS)) if closed < 1 << 42 else len(keys)
        if closed < 0:
            upto = 0
        taken = self._at(rows[:upto])
        if upto:  # the room stays: as many will be opened again
            left = self._at(rows[upto:])
            n = len(left)
            key, ints, floats = self._room
            key[:n], ints[:, :n], floats[:, :n] = left.key, left.ints, left.floats
            self.key, self.ints, self.floats, self._columns = key[:n], ints[:, :n], floats[:, :n], None
            self._order = keys[upto:], np.arange(n)
        return taken

    def _at(self, rows: I8) -> "Panes":
        """Some rows, in this order."""
        return Panes(self.layout, self.key[rows], self.ints.take(rows, axis=1), self.floats.take(rows, axis=1))

    def only(self, wanted: Layout) -> "Panes":
        """The same rows with some of their statistics, as they are laid there."""
        if wanted is self.layout:
            return self
        ints, floats = _chosen(self.layout, wanted)
        return Panes(wanted, self.key, self.ints[ints], self.floats[floats])

    def renumber(self, numbers: I8) -> "Panes":
        """The same rows with instrument i called `numbers[i]`, in the order of the new keys."""
        renumbered = Panes(self.layout, keys(numbers[self.instrument], self.pane), self.ints, self.floats)
        ascends = bool((renumbered.key[1:] > renumbered.key[:-1]).all())
        return renumbered if ascends else renumbered._at(np.argsort(renumbered.key))

    def rescale(self, instrument: int, tick_factor: int, lot_factor: int) -> None:
        """An inferred tick or lot was refined: the same quantities in the finer unit."""
        rows = self.instrument == instrument
        for s in self.layout.statistics:
            if s.ticks or s.lots:
                values, power = self.columns[s.name], float(tick_factor) ** s.ticks * float(lot_factor) ** s.lots
                moved = rows & (values != s.empty) if s.empty else rows
                values[moved] = values[moved] * (int(power) if s.dtype == "i8" else power)

    def freeze(self) -> bytes:
        """All rows."""
        ints, floats = self.layout.marks
        rows = self._at(self._in_order[1])
        there = {"ints": rows.ints.T, "floats": rows.floats.T, "int_marks": ints, "float_marks": floats}
        return pack({"key": rows.key, **there})

    @classmethod
    def thaw(cls, statistics: Sequence[Statistic], data: bytes, fresh: frozenset[str] = frozenset()) -> "Panes":
        """The rows as they were frozen; a statistic that is new, or of `fresh`, is empty. Changed if one goes by
        another rule.
        """
        of, was = layout(tuple(statistics)), unpack(data)
        ints = taken_up(was["ints"], was["int_marks"], begun(of.parts[0], fresh), of.int_empty)
        floats = taken_up(was["floats"], was["float_marks"], begun(of.parts[1], fresh), of.float_empty)
        return cls(of, was["key"].astype(np.int64), np.ascontiguousarray(ints.T), np.ascontiguousarray(floats.T))


def join(parts: Sequence[Panes]) -> Panes:
    """One row per key that any part has; the parts' statistics are disjoint, a part without the key leaves them empty.

    What a part would say `asof` a pane that it has no row of is `ABSENT`, which changes nothing.

    >>> a, b = Panes.of([Statistic("x", "i8", "sum")]), Panes.of([Statistic("y", "f8", "held", np.nan)])
    >>> _ = a.slots(np.array([3])), b.slots(np.array([3, 4]))
    >>> a.columns["x"][:] = 5
    >>> both = join([a, b]); both.key.tolist(), both.columns["x"].tolist()
    ([3, 4], [5, 0])
    """
    key = np.unique(np.concatenate([p.key for p in parts]))
    both, ints, floats = _side_by_side(tuple(p.layout for p in parts))
    ints, floats = np.repeat(ints[:, None], len(key), axis=1), np.repeat(floats[:, None], len(key), axis=1)
    above_ints = above_floats = 0
    for p in parts:
        at = np.searchsorted(key, p.key)
        ints[above_ints : above_ints + len(p.ints), at] = p.ints
        floats[above_floats : above_floats + len(p.floats), at] = p.floats
        above_ints, above_floats = above_ints + len(p.ints), above_floats + len(p.floats)
    return Panes(both, key, ints, floats)
