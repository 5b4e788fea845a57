"""Advance: the compiled loop that takes the messages of a log through its books, one after the other.

It stops, and is called again for the same message, where something is needed that only its caller can give: more room,
or the diffs that were held until a snapshot came.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.book.closings import (
    APPLIED_NS,
    BEFORE,
    BEFORE_NS,
    CEILING,
    CROSSED_NS,
    DOUBTED,
    DUE,
    EVENT_NS,
    FLOOR,
    HELD,
    LAST,
    OPEN,
    PANE,
    PREVIOUS,
    SEQUENCED,
    STATE,
    close,
    fits,
    trusted_now,
)
from operators.book.continuity import (
    APPLY,
    DROP,
    EMPTY,
    GAP,
    HOLD,
    JOINING,
    LIVE,
    NO_ID,
    REPLACE,
    UNTOLD,
    continues,
    counts,
    lost,
    missed,
    verdict,
)
from operators.book.pages import (
    CAPACITY,
    FAR,
    LEVELS,
    MOST_TICKS,
    TOP,
    USED,
    Tables,
    clear,
    foresee,
    pages_of,
    put,
    refresh,
)
from operators.book.prefetch import prefetch
from schemas.batches import ASKED, BESIDE
from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
U1 = NDArray[np.uint8]
Flags = NDArray[np.bool_]

DONE, ROOM, BUFFERS, JOIN, BACK = 0, 1, 2, 3, 4
"""Why it stopped: the end; a table is full; the closing buffers are; held diffs are due; a pane number went back."""

MARK_LIVE, MARK_FRESH, MARK_GAP, MARK_DROPPED, MARK_HELD, MARK_UNTOLD = 1, 2, 4, 8, 16, 32
"""Bits of a message's mark."""

AT, SIDE, PAGES = 3, 4, 5
"""The cursor, behind what `closings` counts in it: message to go on with, side that needs room, pages it needs."""

CROSSED_LIMIT_NS = 1_000_000_000
"""For how much event time a crossed or locked book is believed. Venues keep books crossed before they open and in call
auctions, so one whose chain of ids goes on is believed again once it is not crossed; one without ids begins anew."""

_NONE = -2


class Messages(NamedTuple):
    """Depth messages as columns, one argument of the loop; `pane` is the pane of each, the rest as in `Depth`."""

    instrument: I4
    event_ns: I8
    snapshot: Flags
    first_id: I8
    last_id: I8
    previous_id: I8
    starts: I8
    bids: I4
    ticks: I8
    lots: I8
    pane: I8


class Done(NamedTuple):
    """What each message did: the bits of its mark, time not trusted before it and updates that are missing there, best
    levels after it (4, n, TOP)."""

    marks: U1
    untrusted_ns: I8
    missed: I8
    touch: I8


@kernel
def advance(
    sequencing: int,
    by_snapshot: bool,
    replay: bool,
    joined: bool,
    messages: Messages,
    heads: I8,
    tables: Tables,
    done: Done,
    rows: I8,
    ladder: I8,
    cursor: I8,
) -> int:
    """Go on from message `cursor[AT]`; `joined`: that one is a snapshot already in force, its held diffs are tried.

    `replay`: the messages are held diffs: no panes, no touch, marks only.
    """
    instrument, event_ns, snapshot, first_id, last_id, previous_id, starts, bids, ticks, lots, pane = messages
    marks, untrusted_ns, missing, touch = done
    sides, tops = tables.sides, tables.tops
    for i in range(cursor[AT], len(instrument)):
        cursor[AT] = i
        book = int(np.int64(instrument[i]))
        bid, ask = 2 * book, 2 * book + 1
        if i + 2 < len(instrument) and instrument[i + 2] != book:
            _foresee(heads, tables, int(np.int64(instrument[i + 2])))
        if i + 1 < len(instrument) and instrument[i + 1] != book:
            following, middle = 2 * int(np.int64(instrument[i + 1])), starts[i + 1] + bids[i + 1]
            foresee(tables, following, ticks, starts[i + 1], middle)
            foresee(tables, following + 1, ticks, middle, starts[i + 2])
        head = heads[book]
        u = last_id[i]
        what = REPLACE
        trusted = False
        since_ns = -1
        if not joined:
            if not replay and (pane[i] != head[PANE] or not head[OPEN]):
                if pane[i] <= head[PANE]:
                    return BACK
                if head[OPEN]:
                    if not fits(tables, rows, ladder, cursor, book):
                        return BUFFERS
                    close(by_snapshot, book, heads, tables, rows, ladder, cursor)
                head[PANE] = pane[i]
                head[OPEN] = 1
            trusted = trusted_now(head)
            newer = snapshot[i] and u > head[LAST]
            what = verdict(
                sequencing,
                EMPTY if head[CROSSED_NS] == DOUBTED and newer else head[STATE],
                head[LAST],
                head[PREVIOUS],
                snapshot[i],
                first_id[i],
                u,
                previous_id[i],
                replay,
                event_ns[i] - head[APPLIED_NS] if event_ns[i] > 0 and head[APPLIED_NS] > 0 else 1,
            )
            if what == GAP and trusted and u >= NO_ID:
                since_ns = head[EVENT_NS]
            after = head[BEFORE] > 0 and not snapshot[i] and u >= head[BEFORE]
            if after and not continues(sequencing, head[BEFORE] - 1, first_id[i], u, previous_id[i]):
                since_ns = head[BEFORE_NS]
            if what in (APPLY, REPLACE):
                middle = starts[i] + bids[i]
                for side in range(bid, ask + 1):
                    start, end = (starts[i], middle) if side == bid else (middle, starts[i + 1])
                    if not _has_room(sides, ticks, side, start, end, what, cursor):
                        return ROOM
            # not before: a message that found no room is read again
            if after:
                head[BEFORE] = 0
            if what in (APPLY, REPLACE):
                head[APPLIED_NS] = event_ns[i] if what == REPLACE else max(head[APPLIED_NS], event_ns[i])
                if what == REPLACE:
                    if not trusted:
                        head[BEFORE] = 0
                    elif not by_snapshot:
                        since_ns = head[EVENT_NS] if missed(sequencing, head[LAST], u, previous_id[i]) else -1
                    elif head[BEFORE] == 0:
                        head[BEFORE], head[BEFORE_NS] = head[LAST] + 1, head[EVENT_NS]
                    head[STATE] = JOINING
                    head[PREVIOUS] = ASKED if previous_id[i] == ASKED else _NONE
                    head[SEQUENCED] = u != NO_ID
                    head[CROSSED_NS] = -1
                    head[FLOOR], head[CEILING] = _ends(ticks, lots, starts[i], middle, starts[i + 1])
                else:
                    head[STATE] = LIVE
                    if previous_id[i] != u:
                        head[PREVIOUS] = previous_id[i]
                    head[SEQUENCED] &= u != NO_ID
                head[LAST] = u
                for side in range(bid, ask + 1):
                    start, end = (starts[i], middle) if side == bid else (middle, starts[i + 1])
                    if what == REPLACE:
                        clear(tables, side)
                    if put(tables, side, ticks, lots, start, end) or what == REPLACE:
                        refresh(tables, side)
                if what == REPLACE and head[HELD]:
                    head[HELD] = 0
                    return JOIN
        joined = False
        doubted = head[CROSSED_NS] == DOUBTED
        before_ns = head[EVENT_NS]
        head[EVENT_NS] = max(before_ns, event_ns[i])
        if head[STATE] != EMPTY and what in (APPLY, REPLACE):
            if sides[bid, LEVELS] == 0 or sides[ask, LEVELS] == 0 or MOST_TICKS - tops[bid, 0] < tops[ask, 0]:
                head[CROSSED_NS] = -1
            elif doubted:
                pass
            elif head[CROSSED_NS] <= 0:
                head[CROSSED_NS] = head[EVENT_NS]
            elif head[EVENT_NS] - head[CROSSED_NS] > CROSSED_LIMIT_NS:
                if head[SEQUENCED]:
                    head[CROSSED_NS] = DOUBTED
                else:
                    what = GAP
        mark = 0
        if what == GAP:
            for side in range(bid, ask + 1):
                clear(tables, side)
            head[STATE] = EMPTY
            head[CROSSED_NS] = -1
        elif what == DROP:
            mark |= MARK_DROPPED
            if head[APPLIED_NS] == 0 and head[STATE] == JOINING and not replay and not snapshot[i]:
                head[APPLIED_NS] = event_ns[i]  # of a snapshot that tells no time: ids set back are told by it
        live = trusted_now(head)
        if since_ns >= 0 or (trusted and not live):
            mark |= MARK_GAP
        if what in (GAP, HOLD) and not snapshot[i] and u >= NO_ID:
            mark |= MARK_HELD
            head[HELD] = 1
        if live:
            # by REST, a book that takes over has all of the changes from the one before; a streamed one may be another
            # view, with fewer levels
            begun = doubted or (what == REPLACE and not (trusted and by_snapshot))
            mark |= MARK_LIVE | (MARK_FRESH if begun else 0)
        if not replay and u != BESIDE:
            if counts(sequencing):
                repeated = what == DROP or event_ns[i] <= before_ns
                told, head[DUE] = lost(
                    sequencing, head[DUE], what, snapshot[i], first_id[i], u, previous_id[i], repeated
                )
                missing[i] = max(told, 0)
            else:
                told = UNTOLD if mark & MARK_GAP or (not trusted and before_ns > 0) or u == NO_ID else 0
            mark |= MARK_UNTOLD if told == UNTOLD else 0
        marks[i] = mark
        if not replay:
            if not trusted and before_ns > 0:
                untrusted_ns[i] = head[EVENT_NS] - before_ns
            elif since_ns > 0:
                untrusted_ns[i] = head[EVENT_NS] - since_ns
            if live:
                _report(tables, touch, i, bid, ask)
    return DONE


@inner
def _foresee(heads: I8, tables: Tables, book: int) -> None:
    """Have fetched what is kept of a book besides its levels."""
    sides, tops = tables.sides, tables.tops
    prefetch(heads, book * heads.shape[1])
    prefetch(heads, book * heads.shape[1] + 8)
    for side in range(2 * book, 2 * book + 2):
        prefetch(sides, side * sides.shape[1])
        prefetch(tops, side * tops.shape[1])
        prefetch(tops, side * tops.shape[1] + 8)


@inner
def _has_room(sides: I8, ticks: I8, side: int, start: int, end: int, what: int, cursor: I8) -> bool:
    """Whether the table of a side takes the levels of a message and stays a quarter free; if not, what it needs."""
    used = 0 if what == REPLACE else sides[side, USED]
    room = sides[side, CAPACITY] - (sides[side, CAPACITY] >> 2) - used
    if end - start <= room:
        return True
    pages = pages_of(ticks, start, end, side & 1 == 0)
    cursor[SIDE] = side
    cursor[PAGES] = pages
    return bool(pages <= room)


@inner
def _ends(ticks: I8, lots: I8, start: int, middle: int, end: int) -> tuple[int, int]:
    """The lowest bid and the highest ask of a snapshot; the ends of the scale for an empty side."""
    low, high = FAR, -1
    for j in range(start, middle):
        if lots[j]:
            low = min(low, int(ticks[j]))
    for j in range(middle, end):
        if lots[j]:
            high = max(high, int(ticks[j]))
    return (0 if low == FAR else low), (MOST_TICKS if high < 0 else high)


@inner
def _report(tables: Tables, touch: I8, i: int, bid: int, ask: int) -> None:
    """Write the best levels of both sides into row i of `touch`: bid ticks and lots, ask ticks and lots."""
    sides, tops = tables.sides, tables.tops
    for side in range(bid, ask + 1):
        column = 2 * (side - bid)
        for n in range(min(TOP, sides[side, LEVELS])):
            touch[column, i, n] = MOST_TICKS - tops[side, n] if side == bid else tops[side, n]
            touch[column + 1, i, n] = tops[side, TOP + n]
