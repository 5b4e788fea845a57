"""Scan: the usual Binance depth and trade frames of a whole batch, headers and digits in one compiled pass.

Strict on purpose. A frame is taken only if it is an object, perhaps in a combined-stream wrapper, of known keys each
once, other keys of one or two letters with plain values, no escape, no blank, a known symbol, and numbers on its steps.
Everything else is left to the general path, which alone decides about it; so the two cannot disagree.

No read needs a bound of its own: a frame is known to end in `}`, where every comparison and every run of digits stops.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from schemas.inner import inner
from schemas.levels import LIMIT
from schemas.venues.unchecked import byte

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
I1 = NDArray[np.int8]
U1 = NDArray[np.uint8]

_LAST_MS = (2**63 - 1) // 1_000_000
_POWERS = 10 ** np.arange(19, dtype=np.int64)
_LIMIT = np.int64(LIMIT)
_QUOTE, _COMMA, _COLON, _OPEN, _CLOSE, _BEGIN, _END = (np.uint8(c) for c in b'",:[]{}')


def _word(text: bytes) -> U1:
    return np.frombuffer(text, np.uint8).copy()


_STREAM, _DATA, _DEPTH = _word(b'{"stream":"'), _word(b',"data":{'), _word(b"depth")
_UPDATE, _TRADE, _AGGREGATE, _MARKET = (_word(b'"%b"' % w) for w in (b"depthUpdate", b"trade", b"aggTrade", b"MARKET"))
_TRUE, _FALSE, _NULL = _word(b"true"), _word(b"false"), _word(b"null")


@inner
def _follows(data: U1, at: int, end: int, word: U1) -> bool:
    """Whether `word` stands at a position."""
    if at + len(word) > end:
        return False
    same = True
    for k in range(len(word)):
        same &= byte(data, at + k) == word[k]
    return same


@inner
def _plain(data: U1, at: int, end: int) -> int:
    """Behind a string of printable ASCII without escapes that opens at `at`; -1 if it is not one."""
    at += 1
    while at < end:
        c = byte(data, at)
        if c == _QUOTE:
            return at + 1
        if c < 32 or c > 126 or c == 92:
            return -1
        at += 1
    return -1


@inner
def _integer(data: U1, at: int) -> tuple[int, int]:
    """A JSON integer of at most 18 digits, not negative, and the position behind it; -1 if it is not one."""
    first = at
    value = 0
    c = np.uint8(byte(data, at) - 48)
    while c <= 9:
        value = value * 10 + int(c)
        at += 1
        c = np.uint8(byte(data, at) - 48)
    digits = at - first
    if digits == 0 or digits > 18 or (digits > 1 and byte(data, first) == 48):
        return 0, -1
    return value, at


@inner
def _scalar(data: U1, at: int, end: int) -> int:
    """Behind a plain string, an integer or a literal; -1 if it is none."""
    c = byte(data, at)
    if c == _QUOTE:
        return _plain(data, at, end)
    if 48 <= c <= 57:
        return _integer(data, at)[1]
    if _follows(data, at, end, _TRUE) or _follows(data, at, end, _NULL):
        return at + 4
    return at + 5 if _follows(data, at, end, _FALSE) else -1


@inner
def _steps(data: U1, at: int, step: int, decimals: int) -> tuple[int, int]:
    """Behind the opening quote of a decimal: how many steps it is, and the position behind its closing quote, or -1."""
    first = at
    value = 0
    c = np.uint8(byte(data, at) - 48)
    while c <= 9:
        value = value * 10 + int(c)
        at += 1
        c = np.uint8(byte(data, at) - 48)
    whole = at - first
    missing = decimals
    if byte(data, at) == 46:
        at += 1
        point = at
        c = np.uint8(byte(data, at) - 48)
        while c <= 9 and missing > 0:
            value = value * 10 + int(c)
            missing -= 1
            at += 1
            c = np.uint8(byte(data, at) - 48)
        while c == 0:
            at += 1
            c = np.uint8(byte(data, at) - 48)
        if at == point:
            return 0, -1
    if byte(data, at) != _QUOTE or whole == 0 or whole + decimals > 17:
        return 0, -1
    value *= _POWERS[missing]
    if step != 1:
        if value % step:
            return 0, -1
        value //= step
    return value, (at + 1 if value < _LIMIT else -1)


@inner
def _side(data: U1, at: int, scales: I8, s: int, ticks: I8, lots: I8, k: int) -> tuple[int, int]:
    """Levels of one side from its opening bracket, stored from row k; the next row, and the position behind or -1."""
    tick, tick_decimals, lot, lot_decimals = scales[0, s], scales[1, s], scales[2, s], scales[3, s]
    if byte(data, at) != _OPEN:
        return k, -1
    if byte(data, at + 1) == _CLOSE:
        return k, at + 2
    while True:
        if byte(data, at + 1) != _OPEN or byte(data, at + 2) != _QUOTE:
            return k, -1
        price, at = _steps(data, at + 3, tick, tick_decimals)
        if price == 0 or at < 0 or byte(data, at) != _COMMA or byte(data, at + 1) != _QUOTE:
            return k, -1
        size, at = _steps(data, at + 2, lot, lot_decimals)
        if at < 0 or byte(data, at) != _CLOSE:
            return k, -1
        ticks[k], lots[k] = price, size
        k += 1
        at += 1
        if byte(data, at) != _COMMA:
            return k, (at + 1 if byte(data, at) == _CLOSE else -1)


@inner
def _hash(data: U1, at: int, end: int) -> int:
    h = np.uint32(2166136261)
    for k in range(at, end):
        h = np.uint32((h ^ np.uint32(byte(data, k))) * np.uint32(16777619))
    return int(h)


@inner
def _index(names: U1, starts: I8, slots: I4) -> None:
    """Fill a hash table of names: slot -> number + 1."""
    size = len(slots)
    for i in range(len(starts) - 1):
        at = _hash(names, starts[i], starts[i + 1]) & (size - 1)
        while slots[at]:
            at = (at + 1) & (size - 1)
        slots[at] = i + 1


@inner
def _same(data: U1, at: int, length: int, names: U1, starts: I8, i: int) -> bool:
    if starts[i + 1] - starts[i] != length:
        return False
    same = True
    for k in range(length):
        same &= byte(data, at + k) == names[starts[i] + k]
    return same


@inner
def _find(data: U1, at: int, end: int, names: U1, starts: I8, slots: I4, last: int) -> int:
    """The number of a name, which is often the last one again; -1 if it is unknown."""
    if last >= 0 and _same(data, at, end - at, names, starts, last):
        return last
    slot = _hash(data, at, end) & (len(slots) - 1)
    while slots[slot]:
        if _same(data, at, end - at, names, starts, slots[slot] - 1):
            return int(slots[slot] - 1)
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@inner
def _enter(data: U1, at: int, end: int) -> tuple[int, int, int]:
    """Behind the brace that opens the payload, its end, and where the stream's name stands (-1: none); -1 if odd."""
    if end - at < 2 or byte(data, end - 1) != _END:
        return -1, end, -1
    if not _follows(data, at, end, _STREAM):
        return (at + 1 if byte(data, at) == _BEGIN else -1), end, -1
    name = at + len(_STREAM)
    behind = _plain(data, name - 1, end)
    if behind < 0 or not _follows(data, behind, end, _DATA) or byte(data, end - 2) != _END:
        return -1, end, name
    return behind + len(_DATA), end - 1, name


@inner
def _full_book(data: U1, at: int, end: int) -> bool:
    """Whether the stream named at a position is `<symbol>@depth` or `<symbol>@depth@<speed>`."""
    while at < end and byte(data, at) != 64 and byte(data, at) != _QUOTE:
        at += 1
    if not _follows(data, at + 1, end, _DEPTH):
        return False
    return bool(byte(data, at) == 64 and (byte(data, at + 6) == 64 or byte(data, at + 6) == _QUOTE))


@inner
def _key(data: U1, at: int) -> tuple[int, int]:
    """A key of one or two letters (its letters as a number) and the position of its value, or -1."""
    if byte(data, at) != _QUOTE:
        return 0, -1
    a = byte(data, at + 1)
    if not (48 <= a <= 57 or 65 <= a <= 90 or 97 <= a <= 122):
        return 0, -1
    b = byte(data, at + 2)
    if b == _QUOTE:
        return int(a), (at + 4 if byte(data, at + 3) == _COLON else -1)
    if not (48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122):
        return 0, -1
    return int(a) + 256 * int(b), (at + 5 if byte(data, at + 3) == _QUOTE and byte(data, at + 4) == _COLON else -1)


@njit(cache=True)
def scan_depth(
    data: U1,
    frame_starts: I8,
    which: I4,
    futures: bool,
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
    _index(names, name_starts, slots)
    rows, lefts, k, symbol = 0, 0, int(np.int64(0)), int(np.int64(-1))
    needed = 1 | 2 | 8 | 16 | 64 | 128 | (4 | 32 if futures else 256)
    for i in which:
        at, end, stream = _enter(data, frame_starts[i], frame_starts[i + 1])
        if stream >= 0 and not _full_book(data, stream, end):
            at = -1
        first, middle, seen, now = k, k, 0, int(np.int64(-1))
        sent, engine, first_id, last_id, previous_id = 0, 0, 0, 0, -1
        while at >= 0 and at < end:
            key, at = _key(data, at)
            if at < 0:
                break
            bit = 0
            if key in (98, 97):
                bit = 64 if key == 98 else 128
                if now < 0 or (key == 97 and not seen & 64):
                    at = -1
                    break
                k, at = _side(data, at, scales, now, ticks, lots, k)
                if key == 98:
                    middle = k
            elif key == 69:
                bit = 256
                sent, at = _integer(data, at)
            elif key == 84:
                bit = 4
                engine, at = _integer(data, at)
            elif key == 85:
                bit = 8
                first_id, at = _integer(data, at)
            elif key == 117:
                bit = 16
                last_id, at = _integer(data, at)
            elif key == 112 + 256 * 117:
                bit = 32
                previous_id, at = _integer(data, at)
            elif key == 101:
                bit = 1
                at = at + len(_UPDATE) if _follows(data, at, end, _UPDATE) else -1
            elif key == 115:
                bit = 2
                behind = _plain(data, at, end) if byte(data, at) == _QUOTE else -1
                if behind > 0:
                    symbol = now = _find(data, at + 1, behind - 1, names, name_starts, slots, symbol)
                at = behind if now >= 0 else -1
            else:
                at = _scalar(data, at, end)
            if at < 0 or seen & bit:
                at = -1
                break
            seen |= bit
            if byte(data, at) == _COMMA:
                at += 1
            elif byte(data, at) == _END and at == end - 1:
                break
            else:
                at = -1
        ms = engine if futures else sent
        if at < 0 or seen & needed != needed or ms == 0 or ms > _LAST_MS:
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


@njit(cache=True)
def scan_trades(
    data: U1,
    frame_starts: I8,
    which: I4,
    names: U1,
    name_starts: I8,
    slots: I4,
    scales: I8,
    feeds: I1,
    frame: I4,
    instrument: I4,
    columns: I8,
    sign: I1,
    left: I4,
) -> tuple[int, int]:
    """The frames `which` as trades; how many rows, and how many frames are left.

    `slots` is room for a table of the names, `columns` are event_ns, ticks, lots.
    """
    _index(names, name_starts, slots)
    rows, lefts, symbol = 0, 0, int(np.int64(-1))
    needed = 1 | 2 | 4 | 8 | 16 | 32
    for i in which:
        at, end, _ = _enter(data, frame_starts[i], frame_starts[i + 1])
        seen, now, feed, traded, price, size, side = 0, int(np.int64(-1)), 0, 0, 0, 0, 0
        while at >= 0 and at < end:
            key, at = _key(data, at)
            if at < 0:
                break
            bit = 0
            if key in (112, 113):
                bit = 8 if key == 112 else 16
                if now < 0 or byte(data, at) != _QUOTE:
                    at = -1
                elif key == 112:
                    price, at = _steps(data, at + 1, scales[0, now], scales[1, now])
                else:
                    size, at = _steps(data, at + 1, scales[2, now], scales[3, now])
            elif key == 101:
                bit = 1
                if _follows(data, at, end, _TRADE):
                    feed, at = 1, at + len(_TRADE)
                elif _follows(data, at, end, _AGGREGATE):
                    feed, at = 2, at + len(_AGGREGATE)
                else:
                    at = -1
            elif key == 115:
                bit = 2
                behind = _plain(data, at, end) if byte(data, at) == _QUOTE else -1
                if behind > 0:
                    symbol = now = _find(data, at + 1, behind - 1, names, name_starts, slots, symbol)
                at = behind if now >= 0 else -1
            elif key == 84:
                bit = 4
                traded, at = _integer(data, at)
            elif key == 109:
                bit = 32
                if _follows(data, at, end, _TRUE):
                    side, at = -1, at + 4
                elif _follows(data, at, end, _FALSE):
                    side, at = 1, at + 5
                else:
                    at = -1
            elif key == 88:
                bit = 64
                at = at + len(_MARKET) if _follows(data, at, end, _MARKET) else -1
            else:
                at = _scalar(data, at, end)
            if at < 0 or seen & bit:
                at = -1
                break
            seen |= bit
            if byte(data, at) == _COMMA:
                at += 1
            elif byte(data, at) == _END and at == end - 1:
                break
            else:
                at = -1
        whole = at >= 0 and seen & needed == needed and 0 < traded <= _LAST_MS and price > 0 and size > 0
        if not whole or feeds[now] == 0:
            left[lefts] = i
            lefts += 1
        elif feeds[now] == feed:
            frame[rows], instrument[rows], sign[rows] = i, now, side
            columns[0, rows], columns[1, rows], columns[2, rows] = traded * 1_000_000, price, size
            rows += 1
    return rows, lefts
