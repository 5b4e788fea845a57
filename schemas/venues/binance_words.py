"""Words: what the Binance scan reads a frame with: keys, integers, decimals in steps, sides of a book, symbols.

No read needs a bound of its own: a frame is known to end in `}`, where every comparison and every run of digits stops.
"""

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import inlined, inner
from schemas.levels import LIMIT
from schemas.venues.unchecked import byte

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
U1 = NDArray[np.uint8]

FIRST_MS = 10**10
LAST_MS = (2**63 - 1) // 1_000_000
POWERS: I8 = 10 ** np.arange(19, dtype=np.int64)
MOST = np.int64(LIMIT)
QUOTE, COMMA, COLON, OPEN, CLOSE, BEGIN, END = (np.uint8(c) for c in b'",:[]{}')


def word(text: bytes) -> U1:
    """A text as an array of its bytes."""
    return np.frombuffer(text, np.uint8).copy()


STREAM, DATA, DEPTH = word(b'{"stream":"'), word(b',"data":{'), word(b"depth")
UPDATE, TRADE, AGGREGATE = (word(b'"%b"' % w) for w in (b"depthUpdate", b"trade", b"aggTrade"))
MARKET, RPI = word(b'"MARKET"'), word(b'"RPI"')
TRUE, FALSE, NULL = word(b"true"), word(b"false"), word(b"null")


@inner
def follows(data: U1, at: int, end: int, word: U1) -> bool:
    """Whether `word` stands at a position."""
    if at + len(word) > end:
        return False
    same = True
    for k in range(len(word)):
        same &= byte(data, at + k) == word[k]
    return same


@inner
def skip_plain(data: U1, at: int, end: int) -> int:
    """Behind a string of printable ASCII without escapes that opens at `at`; -1 if it is not one."""
    at += 1
    while at < end:
        c = byte(data, at)
        if c == QUOTE:
            return at + 1
        if c < 32 or c > 126 or c == 92:
            return -1
        at += 1
    return -1


@inlined
def read_digits(data: U1, at: int) -> tuple[int, int]:
    """The number that the digits from `at` on write, which wraps beyond 18 of them, and the position behind them."""
    value = 0
    c = np.uint8(byte(data, at) - 48)
    while c <= 9:
        value = value * 10 + int(c)
        at += 1
        c = np.uint8(byte(data, at) - 48)
    return value, at


@inlined
def read_integer(data: U1, at: int) -> tuple[int, int]:
    """A JSON integer of at most 18 digits, not negative, and the position behind it; -1 if it is not one."""
    first = at
    value, at = read_digits(data, at)
    digits = at - first
    if digits == 0 or digits > 18 or (digits > 1 and byte(data, first) == 48):
        return 0, -1
    return value, at


@inner
def skip_scalar(data: U1, at: int, end: int) -> int:
    """Behind a plain string, an integer or a literal; -1 if it is none."""
    c = byte(data, at)
    if c == QUOTE:
        return skip_plain(data, at, end)
    if 48 <= c <= 57:
        return read_integer(data, at)[1]
    if follows(data, at, end, TRUE) or follows(data, at, end, NULL):
        return at + 4
    return at + 5 if follows(data, at, end, FALSE) else -1


@inlined
def read_steps(data: U1, at: int, step: int, decimals: int) -> tuple[int, int]:
    """Behind the opening quote of a decimal: how many steps it is, and the position behind its closing quote, or -1."""
    first = at
    value, at = read_digits(data, at)
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
    if byte(data, at) != QUOTE or whole == 0 or whole + decimals > 17:
        return 0, -1
    value *= POWERS[missing]
    if step != 1:
        if value % step:
            return 0, -1
        value //= step
    return value, (at + 1 if value < MOST else -1)


@inner
def read_side(data: U1, at: int, scales: I8, s: int, ticks: I8, lots: I8, k: int) -> tuple[int, int]:
    """Levels of one side from its opening bracket, stored from row k; the next row, and the position behind or -1."""
    tick, tick_decimals, lot, lot_decimals = scales[0, s], scales[1, s], scales[2, s], scales[3, s]
    if byte(data, at) != OPEN:
        return k, -1
    if byte(data, at + 1) == CLOSE:
        return k, at + 2
    while True:
        if byte(data, at + 1) != OPEN or byte(data, at + 2) != QUOTE:
            return k, -1
        price, at = read_steps(data, at + 3, tick, tick_decimals)
        if price == 0 or at < 0 or byte(data, at) != COMMA or byte(data, at + 1) != QUOTE:
            return k, -1
        size, at = read_steps(data, at + 2, lot, lot_decimals)
        if at < 0 or byte(data, at) != CLOSE:
            return k, -1
        ticks[k], lots[k] = price, size
        k += 1
        at += 1
        if byte(data, at) != COMMA:
            return k, (at + 1 if byte(data, at) == CLOSE else -1)


@inner
def name_hash(data: U1, at: int, end: int) -> int:
    """FNV-1a of the bytes from `at` to `end`."""
    h = np.uint32(2166136261)
    for k in range(at, end):
        h = np.uint32((h ^ np.uint32(byte(data, k))) * np.uint32(16777619))
    return int(h)


@inner
def index_names(names: U1, starts: I8, slots: I4) -> None:
    """Fill a hash table of names: slot -> number + 1."""
    size = len(slots)
    for i in range(len(starts) - 1):
        at = name_hash(names, starts[i], starts[i + 1]) & (size - 1)
        while slots[at]:
            at = (at + 1) & (size - 1)
        slots[at] = i + 1


@inner
def same_name(data: U1, at: int, length: int, names: U1, starts: I8, i: int) -> bool:
    """Whether name i is the one at `at`."""
    if starts[i + 1] - starts[i] != length:
        return False
    same = True
    for k in range(length):
        same &= byte(data, at + k) == names[starts[i] + k]
    return same


@inner
def find_name(data: U1, at: int, end: int, names: U1, starts: I8, slots: I4, last: int) -> int:
    """The number of a name, which is often the last one again; -1 if it is unknown."""
    if last >= 0 and same_name(data, at, end - at, names, starts, last):
        return last
    slot = name_hash(data, at, end) & (len(slots) - 1)
    while slots[slot]:
        if same_name(data, at, end - at, names, starts, slots[slot] - 1):
            return int(slots[slot] - 1)
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@inner
def enter(data: U1, at: int, end: int) -> tuple[int, int, int]:
    """Behind the brace that opens the payload, its end, and where the stream's name stands (-1: none); -1 if odd."""
    if end - at < 2 or byte(data, end - 1) != END:
        return -1, end, -1
    if not follows(data, at, end, STREAM):
        return (at + 1 if byte(data, at) == BEGIN else -1), end, -1
    name = at + len(STREAM)
    behind = skip_plain(data, name - 1, end)
    if behind < 0 or not follows(data, behind, end, DATA) or byte(data, end - 2) != END:
        return -1, end, name
    return behind + len(DATA), end - 1, name


@inner
def full_book(data: U1, at: int, end: int) -> bool:
    """Whether the stream named at a position is `<symbol>@depth` or `<symbol>@depth@<speed>`."""
    while at < end and byte(data, at) != 64 and byte(data, at) != QUOTE:
        at += 1
    if not follows(data, at + 1, end, DEPTH):
        return False
    return bool(byte(data, at) == 64 and (byte(data, at + 6) == 64 or byte(data, at + 6) == QUOTE))


@inlined
def read_key(data: U1, at: int) -> tuple[int, int]:
    """A key of one or two letters (its letters as a number) and the position of its value, or -1."""
    if byte(data, at) != QUOTE:
        return 0, -1
    a = byte(data, at + 1)
    if not (48 <= a <= 57 or 65 <= a <= 90 or 97 <= a <= 122):
        return 0, -1
    b = byte(data, at + 2)
    if b == QUOTE:
        return int(a), (at + 4 if byte(data, at + 3) == COLON else -1)
    if not (48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122):
        return 0, -1
    return int(a) + 256 * int(b), (at + 5 if byte(data, at + 3) == QUOTE and byte(data, at + 4) == COLON else -1)
