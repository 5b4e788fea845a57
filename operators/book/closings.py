"""Closings: a book as it stands when a pane of it ends, read off before the next pane's first message is applied."""

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros
from numpy.typing import NDArray

from operators.book.continuity import EMPTY, NO_ID
from operators.book.pages import FAR, LEVELS, MOST_TICKS, Tables, pages_until, worst_rank
from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]

REACH_BPS = 100
"""How far from mid a closing ladder is read."""

LEAST_LEVELS = 20
"""How many levels of a side a closing ladder has at least, if the side has them."""

(
    STATE,
    LAST,
    PREVIOUS,
    EVENT_NS,
    PANE,
    OPEN,
    CROSSED_NS,
    SEQUENCED,
    FLOOR,
    CEILING,
    HELD,
    APPLIED_NS,
    BEFORE,
    BEFORE_NS,
    DUE,
) = range(15)
"""Columns of `heads`, one row per instrument: the state, id and previous id of `continuity`; the latest event time;
the pane of the last message and whether it is still open; since when the book is crossed (-1: it is not; `DOUBTED`:
for too long to be believed, though its chain goes on); whether all ids since the snapshot were there; lowest bid and
highest ask of the last snapshot; whether diffs are held; event time of the message applied last; until the next diff
says whether anything was missed before a snapshot by REST, the id that the book stood at before it, plus 1 (0:
nothing to ask), and the event time then; the id that is due next in the stream (0: none came yet), where ids count."""
HEAD_COLUMNS = 16

DOUBTED = -2
"""In the place of `CROSSED_NS`, of a book that is not trusted until it is no longer crossed."""

(
    ROW_PANE,
    ROW_INSTRUMENT,
    ROW_LIVE,
    ROW_LAST_ID,
    ROW_EVENT_NS,
    ROW_SEQUENCED,
    ROW_CROSSED,
    ROW_LOW,
    ROW_HIGH,
    ROW_BID_LEVELS,
    ROW_ASK_LEVELS,
    ROW_BIDS,
    ROW_ASKS,
) = range(13)
"""Columns of a closing; its `ROW_BIDS` bids stand behind those of the closing before it in the ladder buffer."""
ROW_COLUMNS = 13

CLOSED, WRITTEN = 0, 1
"""The cursor: closings written; bids and, one further, asks written to `ladder`, int64[2, 2, n]: side, ticks and lots.
"""


@inner
def trusted_now(head: I8) -> bool:
    """Whether a book has its chain since its last snapshot, and is not crossed for too long to be believed."""
    return bool(head[STATE] != EMPTY and head[CROSSED_NS] != DOUBTED)


@inner
def fits(tables: Tables, rows: I8, ladder: I8, cursor: I8, instrument: int) -> bool:
    """Whether the buffers have room for the closing of an instrument."""
    bids, asks = tables.sides[2 * instrument, LEVELS], tables.sides[2 * instrument + 1, LEVELS]
    room = ladder.shape[2]
    return bool(cursor[CLOSED] < len(rows) and cursor[WRITTEN] + bids <= room and cursor[WRITTEN + 1] + asks <= room)


@inner
def close(
    by_snapshot: bool,
    instrument: int,
    heads: I8,
    tables: Tables,
    rows: I8,
    ladder: I8,
    cursor: I8,
) -> None:
    """Write the closing of an instrument's open pane.

    `by_snapshot`: levels are known between the last snapshot's worst prices (a diff stream after a snapshot of limited
    depth), not between the worst held (a view of fixed depth that the venue maintains).
    """
    row = rows[cursor[CLOSED]]
    cursor[CLOSED] += 1
    head = heads[instrument]
    head[OPEN] = 0
    for column in range(ROW_COLUMNS):
        row[column] = 0
    row[ROW_PANE] = head[PANE]
    row[ROW_INSTRUMENT] = instrument
    row[ROW_LAST_ID] = NO_ID
    row[ROW_EVENT_NS] = head[EVENT_NS]
    if not trusted_now(head):
        return
    bids, asks = 2 * instrument, 2 * instrument + 1
    sides, tops = tables.sides, tables.tops
    row[ROW_LIVE] = 1
    row[ROW_LAST_ID] = head[LAST]
    row[ROW_SEQUENCED] = head[SEQUENCED]
    row[ROW_CROSSED] = head[CROSSED_NS] >= 0
    row[ROW_BID_LEVELS] = sides[bids, LEVELS]
    row[ROW_ASK_LEVELS] = sides[asks, LEVELS]
    worst_bid, worst_ask = -1, -1
    if sides[bids, LEVELS] > 0 and sides[asks, LEVELS] > 0:
        twice_mid = MOST_TICKS - tops[bids, 0] + tops[asks, 0]
        reach = twice_mid * REACH_BPS // 10_000
        worst_bid = MOST_TICKS - (twice_mid - reach + 1) // 2
        worst_ask = (twice_mid + reach) // 2
    row[ROW_BIDS] = _read(tables, bids, worst_bid, ladder, cursor)
    row[ROW_ASKS] = _read(tables, asks, worst_ask, ladder, cursor)
    row[ROW_LOW] = head[FLOOR] if by_snapshot else _end(tables, bids)
    row[ROW_HIGH] = head[CEILING] if by_snapshot else _end(tables, asks)


@inner
def _end(tables: Tables, side: int) -> int:
    """The worst price held; an empty side is known in full, to the end of the scale."""
    rank = worst_rank(tables, side) if tables.sides[side, LEVELS] > 0 else MOST_TICKS
    return MOST_TICKS - rank if side & 1 == 0 else rank


@inner
def _read(tables: Tables, side: int, worst: int, ladder: I8, cursor: I8) -> int:
    """Write the levels of a side up to rank `worst`, and at least `LEAST_LEVELS`; their number."""
    limit = worst >> 3
    wanted = min(LEAST_LEVELS, tables.sides[side, LEVELS])
    written = cursor[WRITTEN + (side & 1)]
    while True:
        pages = pages_until(tables, side, limit)
        n = copy_levels(tables, side, worst, LEAST_LEVELS, pages, ladder, written)
        if n >= wanted:
            cursor[WRITTEN + (side & 1)] = written + n
            return n
        limit = FAR


@kernel
def copy_levels(tables: Tables, side: int, worst: int, least: int, pages: int, ladder: I8, written: int) -> int:
    """Write the levels of the first `pages` of `scratch` up to rank `worst`, and on until `least` are written."""
    own = side & 1
    n = 0
    for page in range(pages):
        key, slot = tables.scratch[0, page], tables.scratch[1, page]
        mask = key & 255
        while mask:
            at = int(trailing_zeros(mask))  # type: ignore[call-arg]
            mask &= mask - 1
            rank = (key >> 8 << 3) + at
            if rank <= worst or n < least:
                ladder[own, 0, written + n] = rank if own else MOST_TICKS - rank
                ladder[own, 1, written + n] = tables.pool[8 * slot + at]
                n += 1
    return n


@kernel
def close_until(
    closed_pane: int,
    by_snapshot: bool,
    begin: int,
    heads: I8,
    tables: Tables,
    rows: I8,
    ladder: I8,
    cursor: I8,
) -> int:
    """Close what is open up to a pane, from book `begin` on; where the buffers were full, else the number of books."""
    for instrument in range(begin, len(heads)):
        if heads[instrument, OPEN] and heads[instrument, PANE] <= closed_pane:
            if not fits(tables, rows, ladder, cursor, instrument):
                return instrument
            close(by_snapshot, instrument, heads, tables, rows, ladder, cursor)
    return len(heads)
