"""Packing: the books of a log as compact bytes and back; about three bytes a level.

A side is its levels, best first: the step from the rank before and the lots, each as a variable-length integer of seven
bits a byte. The bytes depend on the levels only, not on how their table came about. Tables are rebuilt, and the best
levels read anew, by `thaw`.
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from operators.book import pages
from operators.book.books import Books, init, lay_tables, open_books, tidy
from operators.book.pages import CAPACITY, FAR, FIFTH, LEVELS, NEAREST, OFFSET, USED, Tables
from operators.pack import pack, unpack
from operators.varints import MOST_BYTES, read, write
from schemas.batches import Depth, Sequencing
from schemas.kernels import kernel

I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]

_HELD = [f.name for f in fields(Depth)]


def freeze(books: Books) -> bytes:
    """The books as bytes; `books` may be used on.

    >>> len(freeze(init(Sequencing.BYBIT))) < 400
    True
    """
    tidy(books)
    counts = np.zeros((2, len(books.sides)), np.int64)
    room = int(books.sides[:, LEVELS].sum()) * 16
    data = np.empty(room + MOST_BYTES, np.uint8)
    size = _write_sides(books.tables, counts, data)
    state: dict[str, NDArray[np.generic]] = {
        "sequencing": np.array([books.sequencing], np.int64),
        "heads": books.heads,
        "counts": counts,
        "sides": data[:size],
    }
    if books.waiting:
        chunk = books.waiting[0]
        state |= {f"held_{name}": getattr(chunk, name).astype(np.int64) for name in _HELD}
    return pack(state)


def thaw(data: bytes) -> Books:
    """The books as they were frozen."""
    state = unpack(data)
    books = init(Sequencing(int(state["sequencing"][0])))
    open_books(books, len(state["heads"]))
    books.heads = state["heads"].astype(np.int64)
    levels, counts = state["counts"].astype(np.int64)
    lay_tables(books, counts)
    sides = state["sides"].view(np.uint8)
    _read_sides(sides, levels, books.tables)
    if "held_starts" in state:
        frame, instrument, event_ns, snapshot, first_id, last_id, previous_id, starts, bids, ticks, lots = (
            state[f"held_{name}"].astype(np.int64) for name in _HELD
        )
        numbers = frame.astype(np.int32), instrument.astype(np.int32), event_ns, snapshot != 0
        ids = first_id, last_id, previous_id
        books.waiting = [Depth(*numbers, *ids, starts, bids.astype(np.int32), ticks, lots)]
    return books


@kernel
def _write_sides(tables: Tables, counts: I8, data: U1) -> int:
    """Write all levels of all sides, and into `counts` the levels and pages of each; the bytes written."""
    at, far = int(np.int64(0)), int(np.int64(FAR))
    for side in range(len(tables.sides)):
        n = pages.pages_until(tables, side, far)
        counts[0, side] = tables.sides[side, LEVELS]
        counts[1, side] = n
        last = 0
        for page in range(n):
            key, slot = tables.scratch[0, page], tables.scratch[1, page]
            for bit in range(8):
                if key >> bit & 1:
                    rank = (key >> 8 << 3) + bit
                    at = write(data, at, rank - last)
                    at = write(data, at, tables.pool[8 * slot + bit])
                    last = rank
    return at


@kernel
def _read_sides(data: U1, levels: I8, tables: Tables) -> None:
    """Fill the tables, which are laid and free, and read the best levels."""
    sides, keys, pool = tables.sides, tables.keys, tables.pool
    at = int(np.int64(0))
    for side in range(len(sides)):
        rank = 0
        page, slot = -1, -1
        for _ in range(levels[side]):
            step, at = read(data, at)
            lots, at = read(data, at)
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
        pages.refresh(tables, side)
