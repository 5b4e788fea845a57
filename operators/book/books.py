"""Books: the state of all instruments of one log, and the room that their levels have."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.book import closings, held, pages
from schemas.batches import Depth, Sequencing

I8 = NDArray[np.int64]

_LEAST_CAPACITY = 16
_LINE = 8
"""Numbers to a cache line."""
_FULL = 0.6
"""How full a table is when it is built, at most."""


@dataclass(slots=True)
class Books:
    """The books of a log: owned by one caller, changed by `ladder.apply`, compact only as `packing.freeze` gives it.

    Instrument i is row i of `heads` (`closings`), rows 2 i and 2 i + 1 of `sides` and `tops` (`pages`).
    """

    sequencing: Sequencing
    heads: I8
    sides: I8
    tops: I8
    keys: I8
    pool: I8
    slots: int = 0
    """Slots of `keys` that were ever given to a table."""
    spare: dict[int, list[int]] = field(default_factory=dict)
    """By capacity, the offsets of tables that were left."""
    waiting: list[Depth] = field(default_factory=list)
    waiting_limit: int = 4 * held.MOST_MESSAGES
    scratch: I8 = field(default_factory=lambda: np.empty(pages.SCRATCH, np.int64))
    rows: I8 = field(default_factory=lambda: np.empty((1 << 12, closings.ROW_COLUMNS), np.int64))
    ladder: I8 = field(default_factory=lambda: np.empty((2, 2, 1 << 18), np.int64))

    @property
    def tables(self) -> pages.Tables:
        """As they lie now: `table_for` may lay longer ones."""
        return pages.Tables(self.sides, self.keys, self.pool, self.tops, self.scratch)


def init(sequencing: Sequencing) -> Books:
    """No books yet; an instrument's begins with the first message that names it."""
    empty = np.empty(0, np.int64)
    wide = np.empty((0, 2 * pages.SIDE_COLUMNS), np.int64)
    sides = np.empty((0, pages.SIDE_COLUMNS), np.int64)
    return Books(sequencing, np.empty((0, closings.HEAD_COLUMNS), np.int64), sides, wide, empty, empty)


def open_books(books: Books, count: int) -> None:
    """Have rows for `count` instruments."""
    have = len(books.heads)
    if count <= have:
        return
    head = np.zeros((count - have, closings.HEAD_COLUMNS), np.int64)
    head[:, [closings.LAST, closings.CROSSED_NS]] = -1
    head[:, closings.PANE] = -pages.FAR
    side = np.zeros((2 * (count - have), pages.SIDE_COLUMNS), np.int64)
    side[:, [pages.NEAREST, pages.FIFTH]] = pages.FAR
    books.heads = np.concatenate([books.heads, head])
    books.sides = np.concatenate([books.sides, side])
    books.tops = np.concatenate([books.tops, np.zeros((len(side), books.tops.shape[1]), np.int64)])


def lay_tables(books: Books, held_pages: I8) -> None:
    """Give all sides of new books free tables for so many pages each."""
    capacities = np.array([_capacity(count) if count else 0 for count in held_pages.tolist()], np.int64)
    books.slots = int(capacities.sum())
    books.keys = _longer(np.empty(0, np.int64), books.slots)
    books.keys[:] = pages.FREE
    books.pool = _longer(np.empty(0, np.int64), 8 * books.slots)
    books.sides[:, pages.OFFSET] = np.cumsum(capacities) - capacities
    books.sides[:, pages.CAPACITY] = capacities
    _widen(books, int(capacities.max(initial=0)))


def table_for(books: Books, side: int, count: int) -> None:
    """Give a side a table with room for `count` pages in all, and move there what it holds."""
    capacity = _capacity(count)
    waiting = books.spare.get(capacity)
    if waiting:
        offset = waiting.pop()
    else:
        offset = books.slots
        books.slots += capacity
        if books.slots > len(books.keys):
            size = max(len(books.keys) * 5 // 4, books.slots, 1 << 12)
            books.keys = _longer(books.keys, size)
            books.pool = _longer(books.pool, 8 * size)
    _widen(books, capacity)
    left = int(books.sides[side, pages.OFFSET]), int(books.sides[side, pages.CAPACITY])
    pages.move(books.tables, side, offset, capacity)
    if left[1]:
        books.spare.setdefault(left[1], []).append(left[0])


def levels(books: Books, side: int) -> tuple[I8, I8]:
    """All levels of a side (2 i: bids of instrument i, 2 i + 1: asks), best first: ticks and lots."""
    count = books.sides[side, pages.LEVELS]
    out = np.empty((2, 2, count), np.int64)
    n = pages.pages_until(books.tables, side, pages.FAR)
    closings.copy_levels(books.tables, side, pages.FAR, 0, n, out, 0)
    return out[side & 1, 0], out[side & 1, 1]


def tidy(books: Books) -> None:
    """Join the held diffs, without those that joined a book since or are beyond the bounds."""
    if books.waiting:
        chunk = Depth.joined(books.waiting)
        chunk = held.newest(held.gather(chunk, np.flatnonzero(chunk.instrument >= 0)))
        books.waiting = [chunk] if len(chunk) else []


def _capacity(count: int) -> int:
    """Slots of a table that is built for `count` pages: a power of two."""
    capacity = _LEAST_CAPACITY
    while capacity * _FULL < count:
        capacity *= 2
    return capacity


def _widen(books: Books, capacity: int) -> None:
    """Room to put the pages of a table of so many slots in order."""
    if books.scratch.shape[1] < pages.SPREAD * capacity:
        books.scratch = np.empty((pages.SCRATCH[0], pages.SPREAD * capacity), np.int64)


def _longer(array: I8, size: int) -> I8:
    """The same numbers with room for `size`, laid on a cache line; `array` itself must not be used again.

    Large memory is moved by its page table, not copied: at a thousand books a copy would take a sixth of a second and
    need both at once.
    """
    raw = np.empty(0, np.int64) if array.base is None else array.base
    assert isinstance(raw, np.ndarray)
    before = _first(raw)
    raw.resize(size + _LINE, refcheck=False)
    start = _first(raw)
    if start != before:
        raw[start : start + len(array)] = raw[before : before + len(array)]
    return raw[start : start + size]


def _first(raw: I8) -> int:
    """The first number of an array that begins a cache line."""
    return (-raw.ctypes.data // raw.itemsize) % _LINE
