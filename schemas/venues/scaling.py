"""Scaling: which instrument a message belongs to and in which steps it counts; unknown ones are inferred.

An inferred step is 10**-decimals with the most decimals seen so far (trailing zeros apart). It changes only between
two frames, and only by a frame that is then used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.instrument import Instrument, InstrumentTable, scale
from schemas.levels import OK, REASONS, to_steps

I8 = NDArray[np.int64]
Infer = Callable[[str], Instrument]
Steps = tuple[int, int, int, int]
MOST_DECIMALS = 12
FINER = 8
"""An inference is refined by so many decimals at most: a garbled number must not move the scale of a book."""


@dataclass(frozen=True, slots=True)
class Quantities:
    """The numbers of messages: those of message i are rows `starts[i]:starts[i + 1]`; status and finest per message.

    Prices that need not lie on a tick are passed as zeros; `finest_price` tells of them nevertheless.
    """

    prices: I8
    price_decimals: I8
    sizes: I8
    size_decimals: I8
    starts: I8
    finest_price: I8
    finest_size: I8
    status: NDArray[np.int8]

    def scaled(self, lo: int, hi: int, scales: I8) -> tuple[I8, I8, NDArray[np.int8]]:
        """Ticks, lots and status of messages lo to hi."""
        a, b = int(self.starts[lo]), int(self.starts[hi])
        ticks, lots = np.empty(b - a, np.int64), np.empty(b - a, np.int64)
        levels = self.prices[a:b], self.price_decimals[a:b], self.sizes[a:b], self.size_decimals[a:b]
        status = np.zeros(hi - lo, np.int8)
        to_steps(*levels, self.starts[lo : hi + 1] - a, scales, ticks, lots, status)
        return ticks, lots, status


@dataclass(slots=True)
class Scaled:
    """Messages in ticks and lots; `keep` says which are used. `refined` holds (frame, instrument, factors)."""

    instruments: I8
    keep: NDArray[np.bool_]
    ticks: I8
    lots: I8
    refined: list[tuple[int, int, int, int]] = field(default_factory=list)


def _steps(row: Instrument) -> Steps:
    return *scale(row.tick), *scale(row.lot)


def _step(decimals: int) -> str:
    return "1" if decimals <= 0 else f"0.{'1'.rjust(decimals, '0')}"


def _finer(row: Instrument, fresh: bool, price: int, size: int) -> Instrument:
    """The row with steps as fine as the decimals of a price and a size, if it was inferred."""
    if not row.inferred:
        return row
    _, tick, _, lot = (0, 0, 0, 0) if fresh else _steps(row)
    first = (max(price, 0), max(size, 0)) if fresh else row.first_decimals
    return msgspec.structs.replace(row, tick=_step(max(price, tick)), lot=_step(max(size, lot)), first_decimals=first)


class _Resolver:
    """Resolves the frames of one batch, in log order."""

    def __init__(self, table: InstrumentTable, infer: Infer, numbers: Quantities) -> None:
        self.table, self.infer, self.numbers = table, infer, numbers
        self.price, self.size = numbers.finest_price.tolist(), numbers.finest_size.tolist()
        self.cache: dict[str, tuple[int, Steps, bool, str]] = {}
        self.refined: list[tuple[int, int, int, int]] = []

    def known(self, symbol: str) -> tuple[int, Steps, bool, str] | None:
        """Number, steps, whether inferred, and feed of an instrument in the table."""
        found = self.cache.get(symbol)
        if found is None and (at := self.table.index.get(symbol)) is not None:
            row = self.table.rows[at]
            found = self.cache[symbol] = at, _steps(row), row.inferred, row.prints
        return found

    def frame(self, i: int, lo: int, symbols: Sequence[str], feed: str) -> tuple[list[int], list[Steps]] | str:
        """Instruments and scales of the messages of frame i, which begin at `lo`; or why they cannot be used.

        Nothing, when they are of a feed that an instrument does not count.
        """
        if feed and any(found[3] not in ("", feed) for symbol in set(symbols) if (found := self.known(symbol))):
            return [], []
        if len(symbols) == 1 and (found := self.known(symbols[0])):
            at, steps, inferred, prints = found
            if prints == feed and not (inferred and (self.price[lo] > steps[1] or self.size[lo] > steps[3])):
                return [at], [steps]
        rows: dict[str, Instrument] = {}
        for k, symbol in enumerate(symbols, lo):
            at_or_none = self.table.index.get(symbol)
            fresh = at_or_none is None and symbol not in rows
            row = rows.get(symbol) or (
                (self.table.known.get(symbol) or self.infer(symbol))
                if at_or_none is None
                else self.table.rows[at_or_none]
            )
            if fresh and not self.table.here(row.base):
                return f"misplaced {row.base}"
            most_price, most_size = (MOST_DECIMALS, MOST_DECIMALS) if fresh else (d + FINER for d in row.first_decimals)
            if row.inferred and (
                max(self.price[k], self.size[k]) > MOST_DECIMALS
                or self.price[k] > most_price
                or self.size[k] > most_size
            ):
                return "out_of_range decimals"
            rows[symbol] = _finer(row, fresh, self.price[k], self.size[k])
        steps_of = {symbol: _steps(row) for symbol, row in rows.items()}
        scales = [steps_of[symbol] for symbol in symbols]
        bad = self.numbers.scaled(lo, lo + len(symbols), np.array(scales, np.int64))[2]
        if bad.any():
            return REASONS[int(bad[bad != OK][0])]
        for symbol, row in rows.items():
            self.commit(i, symbol, row if row.prints else msgspec.structs.replace(row, prints=feed))
        return [self.table.index[symbol] for symbol in symbols], scales

    def commit(self, i: int, symbol: str, row: Instrument) -> None:
        """Put a row into the table, and note by what its steps became finer."""
        before = self.known(symbol)
        if before is not None and row == self.table.rows[before[0]]:
            return
        at = self.table.add(row)
        self.cache.pop(symbol, None)
        if before is not None:
            old, new = before[1], _steps(row)
            if old != new:
                self.refined.append((i, at, 10 ** (new[1] - old[1]), 10 ** (new[3] - old[3])))


def scaled(
    frames: list[int],
    symbols: list[str],
    numbers: Quantities,
    table: InstrumentTable,
    infer: Infer,
    reasons: dict[int, str],
    feeds: list[str] | None = None,
) -> Scaled:
    """Messages in steps of their instruments; frames that cannot be used are added to `reasons`, whole.

    A message of the feed that its instrument does not count is left out without a reason.
    """
    n = len(frames)
    resolver = _Resolver(table, infer, numbers)
    instruments, scales = np.zeros(n, np.int64), np.ones((n, 4), np.int64)
    keep = np.zeros(n, np.bool_)
    status = numbers.status.tolist()
    found: list[int] = []
    of: list[Steps] = []
    used: list[int] = []
    for i, group in groupby(enumerate(frames), itemgetter(1)):
        members = [k for k, _ in group]
        lo, hi = members[0], members[-1] + 1
        worst = next((status[k] for k in members if status[k] != OK), OK)
        if worst != OK:
            reasons[i] = REASONS[worst]
            continue
        feed = feeds[lo] if feeds else ""
        answer = resolver.frame(i, lo, symbols[lo:hi], feed)
        if isinstance(answer, str):
            reasons[i] = answer
        elif answer[0]:
            found += answer[0]
            of += answer[1]
            used += members
    if used:
        instruments[used], scales[used], keep[used] = found, of, True
    ticks, lots, late = numbers.scaled(0, n, scales)
    for k in np.flatnonzero(keep & (late != OK)).tolist():
        reasons.setdefault(frames[k], REASONS[int(late[k])])
    if reasons:
        keep &= ~np.isin(frames, list(reasons))
    return Scaled(instruments, keep, ticks, lots, resolver.refined)
