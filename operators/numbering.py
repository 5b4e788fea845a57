"""Numbering: the instruments of a venue under one number each, over all the logs that name them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import Array
from schemas.instrument import Instrument, InstrumentTable

I8 = NDArray[np.int64]


class Numbering:
    """The venue's instruments as one numbering over all its lanes."""

    def __init__(self, symbols: Iterable[str] = ()) -> None:
        self.index: dict[str, int] = {}
        self._of: dict[int, I8] = {}
        self._who: dict[tuple[int, ...], Numbered] = {}
        for s in symbols:
            self.index[s] = len(self.index)

    def of(self, table: InstrumentTable) -> I8:
        """The venue's number of each instrument of a lane, which never changes."""
        known = self._of.get(id(table), np.empty(0, np.int64))
        if len(known) < len(table.rows):
            new = [self.index.setdefault(r.symbol, len(self.index)) for r in table.rows[len(known) :]]
            known = self._of[id(table)] = np.append(known, np.array(new, np.int64))
        return known

    def who(self, tables: Sequence[InstrumentTable]) -> "Numbered":
        """What is known of the instruments, one by number, from the first of `tables` that knows it.

        An instrument that a lane has not seen is scaled as another lane does: it counts nothing yet, and whether that
        is 0 or null must not depend on how far ahead the lane has been read.
        """
        key = tuple(id(t) for t in tables)
        state = (len(self.index), *(t.version for t in tables))
        held = self._who.get(key)
        if held is None or held.state != state:
            found: dict[str, Instrument] = {}
            for table in tables:
                for row in table.rows:
                    found.setdefault(row.symbol, row)
            rows = [found[s] for s in self.index]
            symbol, base = (np.array([getattr(r, n) for r in rows], object) for n in ("symbol", "base"))
            rank = np.argsort(np.argsort(symbol)) if rows else np.empty(0, np.int64)
            inferred = np.array([r.inferred for r in rows], np.bool_)
            dollars = np.array([r.in_dollars for r in rows], np.bool_)
            scales = units.columns(rows)
            rank = np.asarray(rank, np.int64)
            held = self._who[key] = Numbered(state, rows, scales, rank, inferred, dollars, symbol, base)
        return held


@dataclass(frozen=True, slots=True)
class Numbered:
    """The instruments of a venue by number: rows, scales, order of symbols, whether inferred, whether in US dollars;
    and what keys are made of, as objects, to be taken by number.
    """

    state: tuple[int, ...]
    rows: list[Instrument]
    scales: dict[str, Array]
    rank: I8
    inferred: Array
    dollars: Array
    symbol: Array
    base: Array
    _naturals: dict[tuple[str, int | None], Array] = field(default_factory=dict)

    def naturals(self, venue: str, window_ms: int | None = None) -> Array:
        """The natural keys of their windows of one length, or of their single events."""
        found = self._naturals.get((venue, window_ms))
        if found is None:
            window = "" if window_ms is None else f"|{window_ms}"
            keys = [f"{venue}|{symbol}{window}" for symbol in self.symbol.tolist()]
            found = self._naturals[venue, window_ms] = np.array(keys, object)
        return found
