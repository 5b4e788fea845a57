"""Panes: the statistics of every open (instrument, pane) of a log, and their joining across logs.

Rows stand in the order of (pane, instrument), which the key packs, so the closed panes are always the first rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array, Statistic
from operators.pack import pack, unpack
from operators.watermark import NEVER

I8 = NDArray[np.int64]
INSTRUMENT_BITS = 20
ABSENT_INT, ABSENT_FLOAT = -(2**62), -np.inf


def keys(instrument: Array, pane: Array) -> I8:
    """One number per (pane, instrument), in the order of panes first; instruments stay below 2**20."""
    return (pane.astype(np.int64) << INSTRUMENT_BITS) | instrument.astype(np.int64)


@dataclass(slots=True)
class Panes:
    """Rows of statistics by key; `columns` maps a statistic's name to its values, parallel to `key`."""

    statistics: tuple[Statistic, ...]
    key: I8
    columns: dict[str, Array]

    @classmethod
    def of(cls, statistics: Sequence[Statistic], size: int = 0) -> "Panes":
        """No panes yet, or `size` empty rows whose keys are still to be set."""
        columns: dict[str, Array] = {s.name: np.full(size, s.empty, s.dtype) for s in statistics}
        return cls(tuple(statistics), np.empty(size, np.int64), columns)

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
        return int(self.key[-1]) >> INSTRUMENT_BITS if len(self.key) else NEVER

    def __len__(self) -> int:
        """How many rows."""
        return len(self.key)

    def slots(self, key: I8) -> I8:
        """The row of each key; rows that are not there yet are opened, empty.

        >>> panes = Panes.of([Statistic("trades", "i8", "sum")])
        >>> panes.slots(keys(np.array([1, 0, 1]), np.array([7, 7, 6]))).tolist()
        [2, 1, 0]
        """
        held = len(self.key)
        merged, where = np.unique(np.concatenate([self.key, key]), return_inverse=True)
        if len(merged) != held:
            for s in self.statistics:
                grown = np.full(len(merged), s.empty, s.dtype)
                grown[where[:held]] = self.columns[s.name]
                self.columns[s.name] = grown
            self.key = merged
        return np.asarray(where[held:], np.int64)

    def close(self, closed: int) -> "Panes":
        """Take out the rows of all panes up to `closed`."""
        upto = int(np.searchsorted(self.key, (closed + 1) << INSTRUMENT_BITS)) if closed < 1 << 42 else len(self.key)
        if closed < 0:
            upto = 0
        taken = Panes(self.statistics, self.key[:upto].copy(), {n: c[:upto].copy() for n, c in self.columns.items()})
        if upto:
            self.key = self.key[upto:].copy()
            self.columns = {n: c[upto:].copy() for n, c in self.columns.items()}
        return taken

    def renumber(self, numbers: I8) -> "Panes":
        """The same rows with instrument i called `numbers[i]`, in the order of the new keys."""
        key = keys(numbers[self.instrument], self.pane)
        order = np.argsort(key, kind="stable")
        return Panes(self.statistics, key[order], {n: c[order] for n, c in self.columns.items()})

    def rescale(self, instrument: int, tick_factor: int, lot_factor: int) -> None:
        """An inferred tick or lot was refined: the same quantities in the finer unit."""
        rows = self.instrument == instrument
        for s in self.statistics:
            if s.ticks or s.lots:
                values, power = self.columns[s.name], float(tick_factor) ** s.ticks * float(lot_factor) ** s.lots
                moved = rows & (values != s.empty) if s.empty else rows
                values[moved] = values[moved] * (int(power) if s.dtype == "i8" else power)

    def freeze(self) -> bytes:
        """All rows."""
        return pack({"key": self.key, **{f"_{n}": c for n, c in self.columns.items()}})

    @classmethod
    def thaw(cls, statistics: Sequence[Statistic], data: bytes) -> "Panes":
        """The rows as they were frozen."""
        arrays = unpack(data)
        key = arrays.pop("key").astype(np.int64)
        return cls(tuple(statistics), key, {n[1:]: a for n, a in arrays.items()})


def join(parts: Sequence[Panes]) -> Panes:
    """One row per key that any part has; the parts' statistics are disjoint, a part without the key leaves them empty.

    What a part would say `asof` a pane that it has no row of is `ABSENT`, which changes nothing.

    >>> a, b = Panes.of([Statistic("x", "i8", "sum")]), Panes.of([Statistic("y", "f8", "held", np.nan)])
    >>> a.columns["x"][:] = a.slots(np.array([3])) + 5
    >>> _ = b.slots(np.array([3, 4]))
    >>> a.columns["x"] = np.array([5]); both = join([a, b]); both.key.tolist(), both.columns["x"].tolist()
    ([3, 4], [5, 0])
    """
    key = np.unique(np.concatenate([p.key for p in parts]))
    out = Panes.of([s for p in parts for s in p.statistics], len(key))
    out.key = key
    for p in parts:
        at = np.searchsorted(key, p.key)
        for s in p.statistics:
            if s.merge == "asof":
                out.columns[s.name][:] = ABSENT_INT if s.dtype == "i8" else ABSENT_FLOAT
            out.columns[s.name][at] = p.columns[s.name]
    return out
