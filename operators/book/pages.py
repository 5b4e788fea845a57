"""Pages: price levels of one side as a hash table of pages of eight neighbouring prices; exact at any price.

A side counts its prices so that better is smaller: `rank = ticks` for asks, `MOST_TICKS - ticks` for bids. Page `p`
holds ranks `8 p .. 8 p + 7`: one cache line of lots, and a key `p << 8 | mask` whose mask says which are levels.
Keys sit in an open-addressing table: the eight pages of a block share a cache line of keys, and blocks are scattered,
so that neither dense nor regular prices pile up; a search goes on in the next line. A page that was emptied keeps its
slot until the table is rebuilt. Memory follows the number of levels, never their range.

All sides of a log share `keys` and `pool` (their lots); row `side` of `sides` (below) says where its table lies.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.book.prefetch import prefetch
from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]

TOP = 5
"""Best levels kept ready for each side."""

MOST_TICKS = (1 << 50) - 1
"""The highest price, in ticks, and the largest quantity, in lots."""

FREE = -1
"""The key of a slot that was never used."""

FAR = 1 << 60
"""A rank or page worse than any."""

OFFSET, CAPACITY, USED, LEVELS, NEAREST, FIFTH = 0, 1, 2, 3, 4, 5
"""Columns of `sides`: first slot, slots, slots used, levels, a page not worse than the best, rank of level `TOP`."""
SIDE_COLUMNS = 8

SPREAD = 4
"""Up to so many times as many pages as a table has slots are laid out by their numbers, not sorted."""

SCRATCH = 3, 257
"""The least room, int64, that `refresh` and `pages_until` need; and `SPREAD` columns a slot of the largest table."""

_AHEAD = 32
"""Pages between the one that is looked up and the one whose key is fetched into the cache meanwhile."""

_SCATTER = 0x9E3779B97F4A7C15 - (1 << 64)
"""2**64 over the golden ratio: blocks in a row land far from each other, evenly."""


class Tables(NamedTuple):
    """All tables of a log as one argument of a kernel; `tops` are the best levels, `scratch` is room."""

    sides: I8
    keys: I8
    pool: I8
    tops: I8
    scratch: I8


@inner
def home(page: int, capacity: int) -> int:
    """The slot at which the search for a page begins."""
    block = ((page >> 3) * _SCATTER) >> 32 & 0xFFFFFFFF
    return (block * (capacity >> 3)) >> 32 << 3 | (page + block) & 7


@inner
def find(keys: I8, offset: int, capacity: int, page: int) -> int:
    """The slot of a page; where it is absent, `-1 - slot` of the free slot that it would take."""
    at = home(page, capacity)
    while True:
        key = keys[offset + at]
        if key >> 8 == page:
            return offset + at
        if key == FREE:
            return -1 - (offset + at)
        at += 8
        if at >= capacity:
            at = (at + 1) & 7


@kernel
def clear(tables: Tables, side: int) -> None:
    """Forget all levels of a side."""
    sides, keys = tables.sides, tables.keys
    if sides[side, USED]:
        for slot in range(sides[side, OFFSET], sides[side, OFFSET] + sides[side, CAPACITY]):
            keys[slot] = FREE
    sides[side, USED] = 0
    sides[side, LEVELS] = 0
    sides[side, NEAREST] = FAR
    sides[side, FIFTH] = FAR


@inner
def pages_of(ticks: I8, start: int, end: int, bid: bool) -> int:
    """How many pages the levels of a message may need: changes of page from one to the next."""
    pages = 0
    last = -1
    for j in range(start, end):
        page = (MOST_TICKS - ticks[j] if bid else ticks[j]) >> 3
        if page != last:
            pages += 1
            last = page
    return pages


@kernel
def put(tables: Tables, side: int, ticks: I8, lots: I8, start: int, end: int) -> bool:
    """Set levels `start..end` of a message (0 lots delete), and say whether one at or inside the fifth best changed.

    The table must have a free slot for each new page. Side 2 i is the bids of instrument i, 2 i + 1 its asks.
    """
    sides, keys, pool = tables.sides, tables.keys, tables.pool
    offset, capacity = sides[side, OFFSET], sides[side, CAPACITY]
    fifth, nearest = sides[side, FIFTH], sides[side, NEAREST]
    used, levels = sides[side, USED], sides[side, LEVELS]
    bid = side & 1 == 0
    touched = False
    page, slot = -1, -1
    for j in range(start, end):
        rank = MOST_TICKS - ticks[j] if bid else ticks[j]
        if rank >> 3 != page:
            page = rank >> 3
            slot = find(keys, offset, capacity, page)
        has = int(lots[j] != 0)
        if slot < 0:
            if not has:
                continue
            slot = -1 - slot
            keys[slot] = page << 8
            used += 1
        # No branch on what is hard to predict: whether a level is set or deleted, and whether it was there.
        at = rank & 7
        had = keys[slot] >> at & 1
        keys[slot] ^= (had ^ has) << at
        pool[8 * slot + at] = lots[j]
        levels += has - had
        nearest = min(nearest, page if has else FAR)
        touched |= (rank <= fifth) & ((had | has) != 0)
    sides[side, NEAREST] = nearest
    sides[side, USED] = used
    sides[side, LEVELS] = levels
    return touched


@kernel
def refresh(tables: Tables, side: int) -> None:
    """Read the best `TOP` levels into `tops[side]`: ranks, then lots.

    Walks from page to page; when a table's worth of pages was absent, looks through the table instead, so that prices
    far apart cost no more than twice that.
    """
    sides, keys = tables.sides, tables.keys
    offset, capacity = sides[side, OFFSET], sides[side, CAPACITY]
    wanted = min(TOP, sides[side, LEVELS])
    page = sides[side, NEAREST]
    n = int(np.int64(0))
    steps = capacity
    while n < wanted and steps > 0:
        slot = find(keys, offset, capacity, page)
        if slot >= 0 and keys[slot] & 255:
            if n == 0:
                sides[side, NEAREST] = page
            n = _take(tables, keys[slot], slot, side, n, wanted)
        page += 1
        steps -= 1
    if n < wanted:
        n = _search(tables, side, page, n, wanted)
    sides[side, FIFTH] = tables.tops[side, TOP - 1] if n == TOP else FAR
    if n == 0:
        sides[side, NEAREST] = FAR


@inner
def _take(tables: Tables, key: int, slot: int, side: int, n: int, wanted: int) -> int:
    """Add the levels of a page to the best until `wanted` are there."""
    pool, tops = tables.pool, tables.tops
    for at in range(8):
        if n < wanted and key >> at & 1:
            tops[side, n] = (key >> 8 << 3) + at
            tops[side, TOP + n] = pool[8 * slot + at]
            n += 1
    return n


@inner
def _search(tables: Tables, side: int, page: int, n: int, wanted: int) -> int:
    """The best levels on pages from `page` on, by one pass over the table."""
    sides, keys, best = tables.sides, tables.keys, tables.scratch[0]
    offset, capacity = sides[side, OFFSET], sides[side, CAPACITY]
    for at in range(TOP):
        best[at] = FAR
    for slot in range(offset, offset + capacity):
        key = keys[slot]
        if key != FREE and key & 255 and key >> 8 >= page and key < best[TOP - 1]:
            at = TOP - 1
            while at > 0 and best[at - 1] > key:
                best[at] = best[at - 1]
                at -= 1
            best[at] = key
    for at in range(TOP):
        if best[at] < FAR and n < wanted:
            if n == 0:
                sides[side, NEAREST] = best[at] >> 8
            n = _take(tables, best[at], find(keys, offset, capacity, best[at] >> 8), side, n, wanted)
    return n


@kernel
def pages_until(tables: Tables, side: int, limit: int) -> int:
    """Write the n pages up to page `limit` that hold levels into `scratch[:2, :n]`, best first: keys and slots.

    Looks up page after page if they are fewer than the table has slots; else reads the table from end to end, and lays
    out by number what it holds, or sorts it where that lies too far apart. Lots are on the way into the cache then.
    """
    sides, keys, out = tables.sides, tables.keys, tables.scratch
    offset, capacity = sides[side, OFFSET], sides[side, CAPACITY]
    n = int(np.int64(0))
    if sides[side, LEVELS] == 0:
        return n
    nearest = sides[side, NEAREST]
    span = limit + 1 - nearest
    if span <= capacity:
        for page in range(nearest, limit + 1):
            if page & 7 == 0:
                prefetch(keys, offset + home(page + _AHEAD, capacity))
            slot = find(keys, offset, capacity, page)
            if slot >= 0 and keys[slot] & 255:
                prefetch(tables.pool, 8 * slot)
                out[0, n] = keys[slot]
                out[1, n] = slot
                n += 1
        return n
    if span <= SPREAD * capacity:
        lies = out[2]
        for page in range(span):
            lies[page] = FREE
        for slot in range(offset, offset + capacity):
            page = (keys[slot] >> 8) - nearest
            if 0 <= page < span and keys[slot] & 255:
                lies[page] = slot
                prefetch(tables.pool, 8 * slot)
        # no branch on what is hard to predict: the next page that holds levels is written over one that does not
        for page in range(span):
            slot = lies[page]
            out[0, n] = keys[max(slot, offset)]
            out[1, n] = slot
            n += slot >= 0
        return n
    for slot in range(offset, offset + capacity):
        key = keys[slot]
        out[0, n] = key
        n += (key > 0) & (key & 255 != 0) & (key >> 8 <= limit)
    _ascend(out, n, nearest)
    for page in range(n):
        slot = find(keys, offset, capacity, out[0, page] >> 8)
        prefetch(tables.pool, 8 * slot)
        out[1, page] = slot
    return n


@inner
def foresee(tables: Tables, side: int, ticks: I8, start: int, end: int) -> None:
    """Have fetched what `put` will most likely touch for levels `start..end` of a message."""
    sides, keys = tables.sides, tables.keys
    offset, capacity = sides[side, OFFSET], sides[side, CAPACITY]
    if capacity == 0:
        return
    last = -1
    for j in range(start, end):
        page = (MOST_TICKS - ticks[j] if side & 1 == 0 else ticks[j]) >> 3
        if page != last:
            slot = offset + home(page, capacity)
            prefetch(keys, slot)
            prefetch(tables.pool, 8 * slot)
            last = page


@inner
def worst_rank(tables: Tables, side: int) -> int:
    """The rank of the worst level of a side that is not empty."""
    sides, keys = tables.sides, tables.keys
    worst = -1
    for slot in range(sides[side, OFFSET], sides[side, OFFSET] + sides[side, CAPACITY]):
        if keys[slot] & 255:
            worst = max(worst, keys[slot])
    rank = (worst >> 8 << 3) + 7
    while not worst >> (rank & 7) & 1:
        rank -= 1
    return rank


@kernel
def held_pages(tables: Tables, side: int) -> int:
    """How many pages of a side hold levels."""
    sides, keys = tables.sides, tables.keys
    n = 0
    for slot in range(sides[side, OFFSET], sides[side, OFFSET] + sides[side, CAPACITY]):
        n += keys[slot] != FREE and keys[slot] & 255 != 0
    return n


@inner
def _ascend(pages: I8, n: int, least: int) -> None:
    """Sort the keys of n pages (row 0; other rows are room), none below `least`, by the bytes of the page's number."""
    starts = pages[2]
    widest = 0
    for i in range(n):
        widest = max(widest, (pages[0, i] >> 8) - least)
    shift = 0
    while widest >> shift:
        for digit in range(257):
            starts[digit] = 0
        for i in range(n):
            starts[(((pages[0, i] >> 8) - least) >> shift & 255) + 1] += 1
        for digit in range(256):
            starts[digit + 1] += starts[digit]
        for i in range(n):
            pages[1, i] = pages[0, i]
        for i in range(n):
            digit = ((pages[1, i] >> 8) - least) >> shift & 255
            pages[0, starts[digit]] = pages[1, i]
            starts[digit] += 1
        shift += 8


@kernel
def move(tables: Tables, side: int, offset: int, capacity: int) -> None:
    """Rebuild the table of a side in fresh slots, leaving emptied pages behind."""
    sides, keys, pool = tables.sides, tables.keys, tables.pool
    for slot in range(offset, offset + capacity):
        keys[slot] = FREE
    used = 0
    old = sides[side, OFFSET]
    for slot in range(old, old + sides[side, CAPACITY]):
        key = keys[slot]
        if key != FREE and key & 255:
            to = -1 - find(keys, offset, capacity, key >> 8)
            keys[to] = key
            for at in range(8):
                pool[8 * to + at] = pool[8 * slot + at]
            used += 1
    sides[side, OFFSET] = offset
    sides[side, CAPACITY] = capacity
    sides[side, USED] = used
