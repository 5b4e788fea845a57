"""Sides: what a kernel of a book feature reads, bids and asks alike: levels best first, and how far they are exact."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.book.midpoint import REACH, SIDES, half_ticks
from operators.contract import Columns
from schemas.kernels import inlined

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]


class Ladders(NamedTuple):
    """The sides of m books as one argument of a kernel."""

    half: I8
    inverse: NDArray[np.bool_]
    bid_starts: I8
    bid_ticks: I8
    bid_lots: I8
    ask_starts: I8
    ask_ticks: I8
    ask_lots: I8
    low: I8
    high: I8


def ladders(books: Columns) -> Ladders:
    """The ladder columns, and the mid from which a kernel measures."""
    return Ladders(half_ticks(books), books["inverse"], *(books[n] for n in (*SIDES, *REACH)))


def longest(books: Ladders) -> int:
    """How many levels the longest of all sides has."""
    return max(int(np.diff(starts).max(initial=0)) for starts in (books.bid_starts, books.ask_starts))


@inlined
def side_of(books: Ladders, i: int, s: int) -> tuple[I8, I8, int]:
    """Ticks and lots of side s (0: bids, 1: asks) of book i, and how far from mid it is exact, in half ticks."""
    half = books.half[i]
    if s == 0:
        start, end = books.bid_starts[i], books.bid_starts[i + 1]
        return books.bid_ticks[start:end], books.bid_lots[start:end], half - 2 * max(books.low[i], 0)
    start, end = books.ask_starts[i], books.ask_starts[i + 1]
    return books.ask_ticks[start:end], books.ask_lots[start:end], 2 * min(books.high[i], half) - half


@inlined
def is_known(books: Ladders, i: int, s: int, ticks: int) -> bool:
    """Whether a level of side s is known exactly."""
    return bool(ticks >= books.low[i] if s == 0 else ticks <= books.high[i])


@inlined
def known_within(books: Ladders, i: int, s: int, bps: int) -> int:
    """How many levels of side s, from the best on, are known exactly and at most `bps` from mid."""
    ticks, _, _ = side_of(books, i, s)
    half = books.half[i]
    within = bps * half // 10_000
    worst = max(books.low[i], (half - within + 1) // 2) if s == 0 else min(books.high[i], (half + within) // 2)
    low, n = 0, len(ticks)
    while low < n:
        at = (low + n) // 2
        if ticks[at] >= worst if s == 0 else ticks[at] <= worst:
            low = at + 1
        else:
            n = at
    return n
