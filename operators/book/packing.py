"""Packing: the books of a log as compact bytes and back; about 14 bits a level.

A side is its levels, best first: the step from the rank before and the lots, each in Golomb codes that follow their own
sizes. The bytes depend on the levels only, not on how their table came about. Tables are rebuilt, and the best levels
read anew, by `thaw`, which believes nothing of what it reads: it is refused in one line.
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from operators import golomb
from operators.book import pages
from operators.book.books import Books, init, lay_tables, open_books, tidy
from operators.book.pages import CAPACITY, FAR, FIFTH, LEVELS, MOST_TICKS, NEAREST, OFFSET, USED, Tables
from operators.evolving import Changed
from operators.pack import pack, unpack
from schemas.batches import Depth, Sequencing
from schemas.kernels import kernel

I8 = NDArray[np.int64]
U8 = NDArray[np.uint64]

_UNREADABLE = "the books of the recovered state cannot be read: it was altered since it was written"
_HELD = [f.name for f in fields(Depth)]


def freeze(books: Books) -> bytes:
    """The books as bytes; `books` may be used on.

    >>> len(freeze(init(Sequencing.BYBIT))) < 400
    True
    """
    tidy(books)
    counts = np.zeros((3, len(books.sides)), np.int64)
    words = golomb.room(2 * int(books.sides[:, LEVELS].sum()))
    bits = _write_sides(books.tables, counts, words)
    state: dict[str, NDArray[np.generic]] = {
        "sequencing": np.array([books.sequencing], np.int64),
        "heads": books.heads,
        "counts": counts,
        "sides": np.frombuffer(golomb.taken(words, bits), np.uint8),
    }
    if books.waiting:
        chunk = books.waiting[0]
        state |= {f"held_{name}": getattr(chunk, name).astype(np.int64) for name in _HELD}
    return pack(state)


def thaw(data: bytes) -> Books:
    """The books as they were frozen. Changed where they cannot be read."""
    state = unpack(data)
    books = init(Sequencing(int(state["sequencing"][0])))
    heads, counts, sides = state["heads"].astype(np.int64), state["counts"].astype(np.int64), state["sides"].tobytes()
    open_books(books, len(heads))
    levels, held, _ = counts if counts.shape == (3, len(books.sides)) else np.full((3, 1), -1)
    # A level takes two bits at least: no more room is made than what is there can fill.
    whole = heads.shape == books.heads.shape and counts.min(initial=0) >= 0 and bool((held <= levels).all())
    if not whole or 2 * levels.sum() > 8 * len(sides):
        raise Changed(_UNREADABLE)
    books.heads = heads
    lay_tables(books, held)
    if not _read_sides(golomb.opened(sides), 8 * len(sides), counts, books.tables):
        raise Changed(_UNREADABLE)
    if "held_starts" in state:
        frame, instrument, event_ns, snapshot, first_id, last_id, previous_id, starts, bids, ticks, lots = (
            state[f"held_{name}"].astype(np.int64) for name in _HELD
        )
        numbers = frame.astype(np.int32), instrument.astype(np.int32), event_ns, snapshot != 0
        ids = first_id, last_id, previous_id
        books.waiting = [Depth(*numbers, *ids, starts, bids.astype(np.int32), ticks, lots)]
    return books


@kernel
def _write_sides(tables: Tables, counts: I8, words: U8) -> int:
    """Write all sides; how many bits. `counts`: by side its levels, its pages that hold any, its best rank."""
    at, gaps, sizes = int(np.int64(0)), int(np.int64(golomb.START)), int(np.int64(golomb.START))
    far = int(np.int64(FAR))
    for side in range(len(tables.sides)):
        n = pages.pages_until(tables, side, far)
        counts[0, side] = tables.sides[side, LEVELS]
        counts[1, side] = n
        last = int(np.int64(-1))
        for page in range(n):
            key, slot = tables.scratch[0, page], tables.scratch[1, page]
            for bit in range(8):
                if key >> bit & 1:
                    rank = (key >> 8 << 3) + bit
                    if last < 0:
                        counts[2, side] = rank
                    else:
                        at, gaps = golomb.write(words, at, gaps, np.uint64(rank - last - 1))
                    at, sizes = golomb.write(words, at, sizes, np.uint64(tables.pool[8 * slot + bit] - 1))
                    last = rank
    return at


@kernel
def _read_sides(words: U8, bits: int, counts: I8, tables: Tables) -> bool:
    """Fill the tables, which are laid and free, and read the best levels; whether all was as `_write_sides` writes."""
    sides, keys, pool = tables.sides, tables.keys, tables.pool
    at, gaps, sizes = int(np.int64(0)), int(np.int64(golomb.START)), int(np.int64(golomb.START))
    for side in range(len(sides)):
        rank = counts[2, side]
        page, slot = -1, -1
        for level in range(counts[0, side]):
            gap = np.uint64(0)
            if level > 0:
                gap, at, gaps = golomb.read(words, at, gaps)
                if at < 0 or at > bits or gap > np.uint64(MOST_TICKS):
                    return False
                rank += 1 + np.int64(gap)
            less, at, sizes = golomb.read(words, at, sizes)
            if at < 0 or at > bits or less >= np.uint64(MOST_TICKS) or rank > MOST_TICKS:
                return False
            if rank >> 3 != page:
                if sides[side, USED] == counts[1, side]:
                    return False
                page = rank >> 3
                slot = -1 - pages.find(keys, sides[side, OFFSET], sides[side, CAPACITY], page)
                keys[slot] = page << 8
                sides[side, USED] += 1
                sides[side, NEAREST] = min(sides[side, NEAREST], page)
            keys[slot] |= 1 << (rank & 7)
            pool[8 * slot + (rank & 7)] = np.int64(less) + 1
        sides[side, LEVELS] = counts[0, side]
        sides[side, FIFTH] = FAR
        pages.refresh(tables, side)
    return True
