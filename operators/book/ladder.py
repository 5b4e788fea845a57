"""Ladder: the books of all instruments of one log, taken from message to message.

After each message: whether its book is trusted, and the best levels. At the end of each pane of each instrument: the
ladder around mid. A book that is not trusted shows nothing; nothing is ever interpolated. How a message is judged
stands in `continuity`, how levels are kept in `pages`. Cutting the messages into batches anywhere, with
`freeze` and `thaw` between, changes no number.

>>> from schemas.batches import Depth, Sequencing
>>> i4, i8 = (lambda *x: np.array(x, np.int32)), (lambda *x: np.array(x, np.int64))
>>> depth = Depth(
...     frame=i4(0, 1), instrument=i4(0, 0), event_ns=i8(10, 20), snapshot=np.array([True, False]),
...     first_id=i8(-1, 101), last_id=i8(100, 110), previous_id=i8(-1, 100),
...     starts=i8(0, 3, 5), bids=i4(2, 1), ticks=i8(99, 98, 101, 99, 100), lots=i8(5, 6, 7, 0, 3),
... )
>>> (applied,) = apply(init(Sequencing.BINANCE_FUTURES), depth, pane=i8(0, 1), closed_pane=0)
>>> applied.bid_ticks[:, 0], applied.ask_ticks[:, 0], applied.fresh
(array([99, 98]), array([101, 100]), array([ True, False]))
>>> applied.close_pane, applied.close_last_id, applied.close_bid_ticks, applied.close_ask_ticks
(array([0]), array([100]), array([99, 98]), array([101]))
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from operators.book import advance as loop
from operators.book import closings, held, pages
from operators.book.applied import Applied, assemble
from operators.book.books import Books, init, levels, open_books, table_for, tidy
from operators.book.finer_steps import forget, rescale
from operators.book.packing import freeze, thaw
from schemas.batches import Depth, Sequencing

__all__ = ["TOP", "Applied", "Books", "apply", "forget", "freeze", "init", "levels", "rescale", "thaw"]

I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]

TOP = pages.TOP


def apply(books: Books, depth: Depth, pane: I8, closed_pane: int) -> Iterator[Applied]:
    """Take a batch of messages through the books; message i falls in pane `pane[i]`.

    No later message will have a pane <= `closed_pane`, so all of those are closed at the end. The batch comes back in
    parts, one after the other, each with as many closings as there is room for; a part is good until the next one is
    asked for, and all must be asked for. Raises ValueError for a price or quantity outside 0..2**50 - 1 (before
    anything has changed), and for a pane that was closed already.
    """
    n = len(depth)
    if n:
        _check(depth)
        open_books(books, int(depth.instrument.max()) + 1)
    done = loop.Done(
        np.zeros(n, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros((4, n, TOP), np.int64)
    )
    cursor = np.zeros(8, np.int64)
    start = 0
    for stop in _run(books, depth, pane, done, cursor, replay=False):
        yield _part(books, done, start, stop, cursor)
        start = stop
    begin = 0
    while True:
        begin = closings.close_until(
            closed_pane, _by_snapshot(books), begin, books.heads, books.tables, books.rows, books.ladder, cursor
        )
        if begin == len(books.heads):
            break
        if cursor[closings.CLOSED]:
            yield _part(books, done, start, n, cursor)
            start = n
        else:
            _lengthen(books, begin)
    yield _part(books, done, start, n, cursor)


def _part(books: Books, done: loop.Done, start: int, stop: int, cursor: I8) -> Applied:
    """What messages `start..stop` did, and the closings since the part before; those that follow begin anew."""
    closed = int(cursor[closings.CLOSED])
    cursor[: closings.WRITTEN + 2] = 0
    return assemble(done, start, stop, books.rows[:closed], books.ladder)


def _run(books: Books, depth: Depth, pane: I8, done: loop.Done, cursor: I8, *, replay: bool) -> Iterator[int]:
    """Call the loop until it is through, giving it what it stops for; up to which message, when closings must go."""
    messages = loop.Messages(
        depth.instrument,
        depth.event_ns,
        depth.snapshot,
        depth.first_id,
        depth.last_id,
        depth.previous_id,
        depth.starts,
        depth.bids,
        depth.ticks,
        depth.lots,
        pane,
    )
    joined = False
    collected = 0
    while True:
        status = loop.advance(
            int(books.sequencing),
            _by_snapshot(books),
            replay,
            joined,
            messages,
            books.heads,
            books.tables,
            done,
            books.rows,
            books.ladder,
            cursor,
        )
        joined = False
        if status == loop.DONE:
            break
        at = int(cursor[loop.AT])
        if status == loop.ROOM:
            side, count = int(cursor[loop.SIDE]), int(cursor[loop.PAGES])
            kept = int(pages.held_pages(books.tables, side))
            table_for(books, side, max(kept, count) if depth.snapshot[at] else kept + count)
        elif status == loop.BUFFERS:
            if cursor[closings.CLOSED]:
                yield at
            else:
                _lengthen(books, int(depth.instrument[at]))
        elif status == loop.JOIN:
            _hold(books, depth, done.marks, collected, at)
            collected = at
            _replay(books, int(depth.instrument[at]))
            joined = True
        else:
            raise ValueError(
                f"instrument {depth.instrument[at]}: pane {pane[at]} comes after pane "
                f"{books.heads[depth.instrument[at], closings.PANE]} was begun or closed"
            )
    _hold(books, depth, done.marks, collected, len(depth))


def _replay(books: Books, instrument: int) -> None:
    """Try the held diffs of an instrument on the snapshot that its book now is; those after a gap are held again."""
    if not books.waiting:
        return
    chunk = Depth.joined(books.waiting)
    mine = np.flatnonzero(chunk.instrument == instrument)
    depth = held.newest(held.gather(chunk, mine))
    depth = held.of_one_count(depth) if _by_snapshot(books) else depth
    chunk.instrument[mine] = -1
    books.waiting = [chunk]
    nothing = np.empty(0, np.int64)
    done = loop.Done(np.zeros(len(depth), np.uint8), nothing, nothing, np.empty((4, 0, TOP), np.int64))
    for _ in _run(books, depth, nothing, done, np.zeros(8, np.int64), replay=True):
        raise AssertionError("held diffs close nothing")


def _hold(books: Books, depth: Depth, marks: U1, start: int, end: int) -> None:
    """Keep the diffs of `start..end` that were marked; now and then give up what is beyond the bounds."""
    rows = start + np.flatnonzero(marks[start:end] & loop.MARK_HELD)
    if not len(rows):
        return
    books.waiting.append(held.gather(depth, rows))
    if (
        sum(map(len, books.waiting)) > books.waiting_limit
        or sum(len(c.ticks) for c in books.waiting) > 100 * books.waiting_limit
    ):
        tidy(books)
        size = max(sum(map(len, books.waiting)), sum(len(c.ticks) for c in books.waiting) // 100)
        books.waiting_limit = max(4 * held.MOST_MESSAGES, 2 * size)


def _by_snapshot(books: Books) -> bool:
    """Whether levels are known as far as the last snapshot went, and not as far as they are held."""
    return books.sequencing in (Sequencing.BINANCE_FUTURES, Sequencing.BINANCE_SPOT)


def _lengthen(books: Books, instrument: int) -> None:
    """Make room for the ladder of a book that alone does not fit."""
    longest = int(books.sides[2 * instrument : 2 * instrument + 2, pages.LEVELS].max())
    books.ladder = np.empty((2, 2, 2 * longest), np.int64)


def _check(depth: Depth) -> None:
    """Prices and quantities lie on the scale: the bits of all of them together tell."""
    for name, values in (("price", depth.ticks), ("quantity", depth.lots)):
        if np.bitwise_or.reduce(values) >> 50:
            raise ValueError(f"a {name} of the depth messages lies outside 0..2**50 - 1")
    if depth.instrument.min() < 0:
        raise ValueError("an instrument number is negative")
