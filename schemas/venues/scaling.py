"""Scaling: which instrument a message belongs to and in which steps it counts; unknown ones are inferred.

An inferred step is 10**-decimals with the most decimals seen so far (trailing zeros apart). A known step holds until a
number lies off it, which is how a venue's change of tick or lot shows in mid-stream: from then on the step is the
finer 10**-decimals, which counts the old grid too. Steps change only between two frames, and only by a frame that is
then used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.instrument import Instrument, InstrumentTable, scale
from schemas.levels import OFF_TICK, OK, REASONS, to_steps
from schemas.venues.reading import Refused, element

I8 = NDArray[np.int64]
Infer = Callable[[str], Instrument]
Steps = tuple[int, int, int, int]
MOST_DECIMALS = 12
FINER = 8
"""A step is refined by so many decimals at most: a garbled number must not move the scale of a book."""


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


def _finer(row: Instrument, fresh: bool, off: bool, price: int, size: int) -> Instrument:
    """The row with steps as fine as the decimals of a price and a size, if it was inferred or they lie `off` them."""
    if not (row.inferred or off):
        return row
    _, tick, _, lot = (0, 0, 0, 0) if fresh and row.inferred else _steps(row)
    first = (max(price, 0), max(size, 0)) if fresh and row.inferred else row.first_decimals
    return msgspec.structs.replace(row, tick=_step(max(price, tick)), lot=_step(max(size, lot)), first_decimals=first)


class _Frame(NamedTuple):
    """What became of the messages of a frame."""

    used: list[int]
    instruments: list[int]
    scales: list[Steps]
    refused: dict[int, str]


class _Resolver:
    """Resolves the frames of one batch, in log order."""

    def __init__(self, table: InstrumentTable, infer: Infer, numbers: Quantities, symbols: Sequence[str]) -> None:
        self.table, self.infer, self.numbers = table, infer, numbers
        self.price, self.size = numbers.finest_price.tolist(), numbers.finest_size.tolist()
        self.cache: dict[str, tuple[int, Steps, bool]] = {}
        self.refined: list[tuple[int, int, int, int]] = []
        self.off = self._off(symbols)

    def _off(self, symbols: Sequence[str]) -> list[bool]:
        """Which messages lie off the known steps of their instruments, as these are before the batch."""
        steps = {s: _steps(row) for s in set(symbols) if (row := self._row(s)) is not None and not row.inferred}
        if not steps:
            return [False] * len(symbols)
        scales = np.array([steps.get(s, (1, 0, 1, 0)) for s in symbols], np.int64)
        known = np.array([s in steps for s in symbols], np.bool_)
        off: list[bool] = (known & (self.numbers.scaled(0, len(symbols), scales)[2] == OFF_TICK)).tolist()
        return off

    def _row(self, symbol: str) -> Instrument | None:
        at = self.table.index.get(symbol)
        return self.table.known.get(symbol) if at is None else self.table.rows[at]

    def known(self, symbol: str) -> tuple[int, Steps, bool] | None:
        """Number, steps and whether inferred, of an instrument in the table."""
        found = self.cache.get(symbol)
        if found is None and (at := self.table.index.get(symbol)) is not None:
            row = self.table.rows[at]
            found = self.cache[symbol] = at, _steps(row), row.inferred
        return found

    def _most(self, row: Instrument, fresh: bool) -> tuple[int, int]:
        """The most decimals of a price and a size by which the steps of an instrument may be refined."""
        if row.inferred:
            return (
                (MOST_DECIMALS, MOST_DECIMALS)
                if fresh
                else (row.first_decimals[0] + FINER, row.first_decimals[1] + FINER)
            )
        _, tick, _, lot = _steps(self.table.known.get(row.symbol, row))
        return tick + FINER, lot + FINER

    def frame(self, i: int, members: list[int], symbols: list[str], whole: bool) -> "_Frame":
        """Which of the messages `members` of frame i are used, with instruments and scales, and why others are not.

        Of a frame with several instruments, those of other shards are passed over. `whole`: it is all or none.
        """
        if len(members) == 1 and (found := self.known(symbols[members[0]])):
            lo = members[0]
            at, steps, inferred = found
            if not self.off[lo] and not (inferred and (self.price[lo] > steps[1] or self.size[lo] > steps[3])):
                return _Frame(members, [at], [steps], {})
        refused: dict[int, str] = {}
        left = members
        while True:
            rows, own, bad, foreign = self._rows(left, symbols)
            steps_of = {symbol: _steps(row) for symbol, row in rows.items()}
            scales = [steps_of[symbols[k]] for k in own]
            if own:
                every = np.ones((own[-1] + 1 - own[0], 4), np.int64)
                every[[k - own[0] for k in own]] = scales
                status = self.numbers.scaled(own[0], own[-1] + 1, every)[2]
                bad |= {k: REASONS[s] for k in own if (s := int(status[k - own[0]])) != OK}
            if not bad:
                break
            refused |= bad
            left = [k for k in left if k not in bad]
        if not own and not refused:
            refused = foreign
        if not own or (whole and refused):
            return _Frame([], [], [], refused)
        for symbol, row in rows.items():
            self.commit(i, symbol, row)
        return _Frame(own, [self.table.index[symbols[k]] for k in own], scales, refused)

    def _rows(
        self, members: list[int], symbols: list[str]
    ) -> tuple[dict[str, Instrument], list[int], dict[int, str], dict[int, str]]:
        """Instruments as fine as the messages need; which of these are of this shard, which too fine, one foreign."""
        rows: dict[str, Instrument] = {}
        own: list[int] = []
        bad: dict[int, str] = {}
        foreign: dict[int, str] = {}
        for k in members:
            symbol = symbols[k]
            at_or_none = self.table.index.get(symbol)
            fresh = at_or_none is None and symbol not in rows
            row = rows.get(symbol) or (
                (self.table.known.get(symbol) or self.infer(symbol))
                if at_or_none is None
                else self.table.rows[at_or_none]
            )
            if fresh and not self.table.here(row.base):
                foreign = foreign or {k: f"misplaced {row.base}"}
                continue
            most_price, most_size = self._most(row, fresh)
            if (row.inferred or self.off[k]) and (
                max(self.price[k], self.size[k]) > MOST_DECIMALS
                or self.price[k] > most_price
                or self.size[k] > most_size
            ):
                bad[k] = "out_of_range decimals"
                continue
            own.append(k)
            rows[symbol] = _finer(row, fresh, self.off[k], self.price[k], self.size[k])
        return rows, own, bad, foreign

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
                tick = old[0] * 10 ** (new[1] - old[1]) // new[0]
                self.refined.append((i, at, tick, old[2] * 10 ** (new[3] - old[3]) // new[2]))


def scaled(
    frames: list[int],
    symbols: list[str],
    numbers: Quantities,
    table: InstrumentTable,
    infer: Infer,
    refused: Refused,
    numbered: Sequence[int] | None = None,
) -> Scaled:
    """Messages in steps of their instruments; those that cannot be used are added to `refused`.

    By `numbered` they are elements of their frames (0: the only one), each used or refused by itself; without, a frame
    is used whole or not at all.
    """
    n = len(frames)
    resolver = _Resolver(table, infer, numbers, symbols)
    instruments, scales = np.zeros(n, np.int64), np.ones((n, 4), np.int64)
    keep = np.zeros(n, np.bool_)
    status = numbers.status.tolist()
    found: list[int] = []
    of: list[Steps] = []
    used: list[int] = []
    said: set[tuple[int, str]] = set()

    def refuse(i: int, bad: dict[int, str]) -> None:
        for k, reason in bad.items():
            number = 0 if numbered is None else numbered[k]
            if not number:
                refused.frames.setdefault(i, reason)
            elif (told := (i, element(reason, number))) not in said:
                said.add(told)
                refused.elements.append(told)

    for i, group in groupby(enumerate(frames), itemgetter(1)):
        members = [k for k, _ in group]
        bad = {k: REASONS[status[k]] for k in members if status[k] != OK}
        refuse(i, bad)
        if bad and numbered is None:
            continue
        if bad:
            members = [k for k in members if k not in bad]
        if not members:
            continue
        answer = resolver.frame(i, members, symbols, numbered is None)
        refuse(i, answer.refused)
        used += answer.used
        found += answer.instruments
        of += answer.scales
    if used:
        instruments[used], scales[used], keep[used] = found, of, True
    ticks, lots, late = numbers.scaled(0, n, scales)
    for k in np.flatnonzero(keep & (late != OK)).tolist():
        refuse(frames[k], {k: REASONS[int(late[k])]})
    keep &= late == OK
    if refused.frames:
        keep &= ~np.isin(frames, list(refused.frames))
    return Scaled(instruments, keep, ticks, lots, resolver.refined)
