"""Scan: the usual Binance depth and trade frames of a whole batch, headers and digits in one compiled pass.

Strict on purpose. A frame is taken only if it is an object, perhaps in a combined-stream wrapper, of known keys each
once, other keys of one or two letters with plain values, no escape, no blank, a known symbol, and numbers on its steps.
Everything else is left to the general path, which alone decides about it; so the two cannot disagree.
"""

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import kernel
from schemas.venues.binance_words import (
    AGGREGATE,
    COMMA,
    END,
    FALSE,
    FIRST_MS,
    LAST_MS,
    MARKET,
    QUOTE,
    RPI,
    TRADE,
    TRUE,
    UPDATE,
    enter,
    find_name,
    follows,
    full_book,
    index_names,
    read_integer,
    read_key,
    read_side,
    read_steps,
    skip_plain,
    skip_scalar,
)
from schemas.venues.unchecked import byte

MERGED = 115 + 256 * 116
"""The key `st`: which venue's contract it is, on streams that carry those of both."""

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
I1 = NDArray[np.int8]
U1 = NDArray[np.uint8]


@kernel
def scan_depth(
    data: U1,
    frame_starts: I8,
    which: I4,
    futures: int,
    names: U1,
    name_starts: I8,
    slots: I4,
    scales: I8,
    frame: I4,
    instrument: I4,
    columns: I8,
    starts: I8,
    bids: I4,
    ticks: I8,
    lots: I8,
    left: I4,
) -> tuple[int, int]:
    """The frames `which` as depth; how many rows, and how many frames are left.

    `slots` is room for a table of the names, `columns` are event_ns, first_id, last_id, previous_id.
    """
    index_names(names, name_starts, slots)
    rows, lefts, k, symbol = 0, 0, int(np.int64(0)), int(np.int64(-1))
    needed = 1 | 2 | 8 | 16 | 64 | 128 | (4 | 32 if futures else 256)
    for i in which:
        at, end, stream = enter(data, frame_starts[i], frame_starts[i + 1])
        if stream >= 0 and not full_book(data, stream, end):
            at = -1
        first, middle, seen, now = k, k, 0, int(np.int64(-1))
        sent, engine, first_id, last_id, previous_id = 0, 0, 0, 0, -1
        while at >= 0 and at < end:
            key, at = read_key(data, at)
            if at < 0:
                break
            bit = 0
            if key in (98, 97):
                bit = 64 if key == 98 else 128
                if now < 0 or (key == 97 and not seen & 64):
                    at = -1
                    break
                k, at = read_side(data, at, scales, now, ticks, lots, k)
                if key == 98:
                    middle = k
            elif key == 69:
                bit = 256
                sent, at = read_integer(data, at)
            elif key == 84:
                bit = 4
                engine, at = read_integer(data, at)
            elif key == 85:
                bit = 8
                first_id, at = read_integer(data, at)
            elif key == 117:
                bit = 16
                last_id, at = read_integer(data, at)
            elif key == 112 + 256 * 117:
                bit = 32
                previous_id, at = read_integer(data, at)
            elif key == 101:
                bit = 1
                at = at + len(UPDATE) if follows(data, at, end, UPDATE) else -1
            elif key == 115:
                bit = 2
                behind = skip_plain(data, at, end) if byte(data, at) == QUOTE else -1
                if behind > 0:
                    symbol = now = find_name(data, at + 1, behind - 1, names, name_starts, slots, symbol)
                at = behind if now >= 0 else -1
            elif key == MERGED and futures:
                bit = 512
                at = at + 1 if byte(data, at) == 48 + futures else -1
            else:
                at = skip_scalar(data, at, end)
            if at < 0 or seen & bit:
                at = -1
                break
            seen |= bit
            if byte(data, at) == COMMA:
                at += 1
            elif byte(data, at) == END and at == end - 1:
                break
            else:
                at = -1
        ms = engine if futures else sent
        if at < 0 or seen & needed != needed or ms < FIRST_MS or ms > LAST_MS:
            k = first
            left[lefts] = i
            lefts += 1
            continue
        frame[rows], instrument[rows], bids[rows] = i, now, middle - first
        columns[0, rows], columns[1, rows], columns[2, rows] = ms * 1_000_000, first_id, last_id
        columns[3, rows] = previous_id if futures else -1
        rows += 1
        starts[rows] = k
    return rows, lefts


@kernel
def scan_trades(
    data: U1,
    frame_starts: I8,
    which: I4,
    futures: int,
    names: U1,
    name_starts: I8,
    slots: I4,
    scales: I8,
    frame: I4,
    instrument: I4,
    columns: I8,
    sign: I1,
    feeds: I1,
    left: I4,
) -> tuple[int, int]:
    """The frames `which` as trades; how many rows, and how many frames are left.

    `slots` is room for a table of the names, `columns` are event_ns, ticks, lots, id, first_id, last_id.
    """
    index_names(names, name_starts, slots)
    rows, lefts, symbol = 0, 0, int(np.int64(-1))
    needed = 1 | 2 | 4 | 8 | 16 | 32
    for i in which:
        at, end, _ = enter(data, frame_starts[i], frame_starts[i + 1])
        seen, now, feed, traded, price, size, side = 0, int(np.int64(-1)), 0, 0, 0, 0, 0
        single, merged, first_id, last_id = -1, -1, -1, -1
        while at >= 0 and at < end:
            key, at = read_key(data, at)
            if at < 0:
                break
            bit = 0
            if key in (112, 113):
                bit = 8 if key == 112 else 16
                if now < 0 or byte(data, at) != QUOTE:
                    at = -1
                elif key == 112:
                    price, at = read_steps(data, at + 1, scales[0, now], scales[1, now])
                else:
                    size, at = read_steps(data, at + 1, scales[2, now], scales[3, now])
            elif key == 101:
                bit = 1
                if follows(data, at, end, TRADE):
                    feed, at = 1, at + len(TRADE)
                elif follows(data, at, end, AGGREGATE):
                    feed, at = 2, at + len(AGGREGATE)
                else:
                    at = -1
            elif key == 115:
                bit = 2
                behind = skip_plain(data, at, end) if byte(data, at) == QUOTE else -1
                if behind > 0:
                    symbol = now = find_name(data, at + 1, behind - 1, names, name_starts, slots, symbol)
                at = behind if now >= 0 else -1
            elif key == 84:
                bit = 4
                traded, at = read_integer(data, at)
            elif key == 116:
                bit = 128
                single, at = read_integer(data, at)
            elif key == 97:
                bit = 256
                merged, at = read_integer(data, at)
            elif key == 102:
                bit = 512
                first_id, at = read_integer(data, at)
            elif key == 108:
                bit = 1024
                last_id, at = read_integer(data, at)
            elif key == 109:
                bit = 32
                if follows(data, at, end, TRUE):
                    side, at = -1, at + 4
                elif follows(data, at, end, FALSE):
                    side, at = 1, at + 5
                else:
                    at = -1
            elif key == 88:
                bit = 64
                if follows(data, at, end, MARKET):
                    at += len(MARKET)
                else:
                    at = at + len(RPI) if follows(data, at, end, RPI) else -1
            elif key == MERGED and futures:
                bit = 2048
                at = at + 1 if byte(data, at) == 48 + futures else -1
            else:
                at = skip_scalar(data, at, end)
            if at < 0 or seen & bit:
                at = -1
                break
            seen |= bit
            if byte(data, at) == COMMA:
                at += 1
            elif byte(data, at) == END and at == end - 1:
                break
            else:
                at = -1
        whole = at >= 0 and seen & needed == needed and FIRST_MS <= traded <= LAST_MS and price > 0 and size > 0
        if not whole:
            left[lefts] = i
            lefts += 1
            continue
        frame[rows], instrument[rows], sign[rows], feeds[rows] = i, now, side, feed
        columns[0, rows], columns[1, rows], columns[2, rows] = traded * 1_000_000, price, size
        if feed == 1:
            merged, first_id, last_id = single, single, single
        columns[3, rows], columns[4, rows], columns[5, rows] = merged, first_id, last_id
        rows += 1
    return rows, lefts
