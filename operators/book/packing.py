"""Packing: the books of a log as compact bytes and back; about three bytes a level.

A side is its levels, best first: the step from the rank before and the lots, each as a variable-length integer of seven
bits a byte. The bytes depend on the levels only, not on how their table came about. Tables are rebuilt, and the best
levels read anew, by `thaw`.
"""

from dataclasses import fields

import numpy as np
from numba import njit
from numpy.typing import NDArray

from operators.book import pages
from operators.book.books import Books, init, lay_tables, open_books, tidy
from operators.book.closings import HEAD_COLUMNS
from operators.book.pages import CAPACITY, FAR, FIFTH, LEVELS, NEAREST, OFFSET, USED
from operators.pack import pack, unpack
from schemas.batches import Depth, Sequencing

I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]

_HELD = [f.name for f in fields(Depth)]
_LOW_57 = (1 << 57) - 1
_MOST_BYTES = 10


def freeze(books: Books) -> bytes:
    """The books as bytes; `books` may be used on.

    >>> len(freeze(init(Sequencing.BYBIT))) < 400
    True
    """
    tidy(books)
    counts = np.zeros((2, len(books.sides)), np.int64)
    room = int(books.sides[:, LEVELS].sum()) * 16
    data = np.empty(room + _MOST_BYTES, np.uint8)
    size = _write_sides(books.sides, books.keys, books.pool, books.scratch, counts, data)
    state: dict[str, NDArray[np.generic]] = {
        "sequencing": np.array([books.sequencing], np.int64),
        "heads": _varints(books.heads.ravel(order="F")),
        "counts": _varints(counts.ravel()),
        "sides": data[:size],
    }
    if books.waiting:
        chunk = books.waiting[0]
        state |= {f"held_{name}": _varints(getattr(chunk, name).astype(np.int64)) for name in _HELD}
    return pack(state)


def thaw(data: bytes) -> Books:
    """The books as they were frozen."""
    state = unpack(data)
    books = init(Sequencing(int(state["sequencing"][0])))
    heads = _integers(state["heads"].view(np.uint8))
    count = len(heads) // HEAD_COLUMNS
    open_books(books, count)
    books.heads = np.ascontiguousarray(heads.reshape(HEAD_COLUMNS, count).T)
    levels, counts = _integers(state["counts"].view(np.uint8)).reshape(2, -1)
    lay_tables(books, counts)
    _read_sides(state["sides"].view(np.uint8), levels, books.sides, books.keys, books.pool, books.tops)
    if "held_starts" in state:
        frame, instrument, event_ns, snapshot, first_id, last_id, previous_id, starts, bids, ticks, lots = (
            _integers(state[f"held_{name}"].view(np.uint8)) for name in _HELD
        )
        numbers = frame.astype(np.int32), instrument.astype(np.int32), event_ns, snapshot != 0
        ids = first_id, last_id, previous_id
        books.waiting = [Depth(*numbers, *ids, starts, bids.astype(np.int32), ticks, lots)]
    return books


@njit(cache=True)
def _write(data: U1, at: int, value: int) -> int:
    """Append a 64-bit pattern, seven bits a byte, lowest first; where the next one goes."""
    while value >> 7 != 0:
        data[at] = value & 127 | 128
        value = value >> 7 & _LOW_57
        at += 1
    data[at] = value
    return at + 1


@njit(cache=True)
def _read(data: U1, at: int) -> tuple[int, int]:
    """The value at a place, and where the next one is."""
    value = 0
    shift = 0
    while data[at] > 127:
        value |= int(np.int64(data[at] & 127) << shift)
        shift += 7
        at += 1
    return value | int(np.int64(data[at]) << shift), at + 1


@njit(cache=True)
def _varints(values: I8) -> U1:
    """Steps between the values, small ones of either sign in one byte; led by their number."""
    data = np.empty(_MOST_BYTES * (len(values) + 1), np.uint8)
    at = _write(data, 0, len(values))
    last = 0
    for value in values:
        step = value - last
        at = _write(data, at, step << 1 ^ step >> 63)
        last = value
    return data[:at].copy()


@njit(cache=True)
def _integers(data: U1) -> I8:
    """The values that `_varints` was given."""
    count, at = _read(data, 0)
    values = np.empty(count, np.int64)
    last = 0
    for i in range(count):
        coded, at = _read(data, at)
        last += coded >> 1 & ((1 << 63) - 1) ^ -(coded & 1)
        values[i] = last
    return values


@njit(cache=True)
def _write_sides(sides: I8, keys: I8, pool: I8, scratch: I8, counts: I8, data: U1) -> int:
    """Write all levels of all sides, and into `counts` the levels and pages of each; the bytes written.

    The lots of a side are touched before they are written, so that the memory is waited for once and not page by page;
    the byte that takes their sum, lest the compiler leave the reading out, is overwritten.
    """
    at = 0
    slots = np.empty(len(scratch), np.int64)
    for side in range(len(sides)):
        n = pages.pages_until(sides, keys, side, FAR, scratch)
        counts[0, side] = sides[side, LEVELS]
        counts[1, side] = n
        ahead = 0
        for page in range(n):
            slots[page] = pages.find(keys, sides[side, OFFSET], sides[side, CAPACITY], scratch[page] >> 8)
            ahead += pool[8 * slots[page]]
        data[at] = ahead & 127
        last = 0
        for page in range(n):
            key = scratch[page]
            for bit in range(8):
                if key >> bit & 1:
                    rank = (key >> 8 << 3) + bit
                    at = _write(data, at, rank - last)
                    at = _write(data, at, pool[8 * slots[page] + bit])
                    last = rank
    return at


@njit(cache=True)
def _read_sides(data: U1, levels: I8, sides: I8, keys: I8, pool: I8, tops: I8) -> None:
    """Fill the tables, which are laid and free, and read the best levels."""
    at = 0
    for side in range(len(sides)):
        rank = 0
        page, slot = -1, -1
        for _ in range(levels[side]):
            step, at = _read(data, at)
            lots, at = _read(data, at)
            rank += step
            if rank >> 3 != page:
                page = rank >> 3
                slot = -1 - pages.find(keys, sides[side, OFFSET], sides[side, CAPACITY], page)
                keys[slot] = page << 8
                sides[side, USED] += 1
                sides[side, NEAREST] = min(sides[side, NEAREST], page)
            keys[slot] |= 1 << (rank & 7)
            pool[8 * slot + (rank & 7)] = lots
        sides[side, LEVELS] = levels[side]
        sides[side, FIFTH] = FAR
        pages.refresh(sides, keys, pool, tops, side)
