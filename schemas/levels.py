"""Levels: `[[price, quantity], ...]` as bytes -> exact decimals -> integer ticks and lots."""

import numpy as np
from numpy.typing import NDArray

from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]
I1 = NDArray[np.int8]
U1 = NDArray[np.uint8]

OK, WRONG_TYPE, OUT_OF_RANGE, OFF_TICK, UNKNOWN_ACTION = range(5)
REASONS = ("", "wrong_type", "out_of_range", "off_tick", "unknown_action")
LIMIT = 2**50
"""Ticks and lots stay below it: sums of a thousand of them, and their doubles, are exact."""

_POWERS = 10 ** np.arange(19, dtype=np.int64)
_NEW, _CHANGE, _DELETE = (np.frombuffer(word, np.uint8).copy() for word in (b"new", b"change", b"delete"))


@inner
def _number(data: U1, at: int, end: int) -> tuple[int, int, int, int]:
    """Mantissa (no trailing zero), decimals (negative for whole tens), position behind it, status."""
    quoted = at < end and data[at] == 34
    if quoted:
        at += 1
    negative = at < end and data[at] == 45
    if negative:
        at += 1
    mantissa, digits, zeros, decimals, seen = 0, 0, 0, 0, 0
    point, long = False, False
    while at < end:
        c = data[at]
        if 48 <= c <= 57:
            seen += 1
            decimals += point
            if c == 48:
                zeros += mantissa > 0
            elif digits + zeros >= 18:
                long = True
            else:
                mantissa = int(mantissa * _POWERS[zeros + 1]) + int(c - 48)
                digits += zeros + 1
                zeros = 0
        elif c == 46 and seen and not point:
            point, seen = True, 0
        else:
            break
        at += 1
    if not seen:
        return 0, 0, at, WRONG_TYPE
    if at < end and (data[at] | 32) == 101:
        at += 1
        sign = 1
        if at < end and (data[at] == 43 or data[at] == 45):
            sign = 44 - int(data[at])
            at += 1
        exponent, seen = 0, 0
        while at < end and 48 <= data[at] <= 57:
            exponent = min(exponent * 10 + int(data[at] - 48), 1000)
            seen += 1
            at += 1
        if not seen:
            return 0, 0, at, WRONG_TYPE
        decimals -= sign * exponent
    if quoted:
        if at >= end or data[at] != 34:
            return 0, 0, at, WRONG_TYPE
        at += 1
    if negative or long:
        return 0, 0, at, OUT_OF_RANGE
    if mantissa == 0:
        return 0, 0, at, OK
    return mantissa, decimals - zeros, at, OK


@inner
def _blank(data: U1, at: int, end: int) -> int:
    """The position of the next byte that is not JSON whitespace."""
    while at < end and (data[at] == 32 or data[at] == 10 or data[at] == 13 or data[at] == 9):
        at += 1
    return at


@inner
def _text(data: U1, at: int, end: int) -> int:
    """The position behind a string or another scalar that starts at `at`; `end` when there is none."""
    if at < end and data[at] == 34:
        at += 1
        while at < end and data[at] != 34:
            at += 2 if data[at] == 92 else 1
        return min(at + 1, end)
    while at < end and data[at] != 44 and data[at] != 93 and data[at] != 91 and data[at] != 123:
        at += 1
    return at


@inner
def _is(data: U1, at: int, behind: int, word: U1) -> bool:
    """Whether the string from its opening quote at `at` to `behind` is `word`."""
    if behind - at != len(word) + 2:
        return False
    same = True
    for k in range(len(word)):
        same &= data[at + 1 + k] == word[k]
    return same


@kernel
def _read(
    data: U1,
    bounds: I8,
    actions: bool,
    counts: I8,
    finest_price: I8,
    finest_size: I8,
    status: I1,
    prices: I8,
    price_decimals: I8,
    sizes: I8,
    size_decimals: I8,
) -> None:
    n = len(bounds) - 1
    k = 0
    for i in range(n):
        end = bounds[i + 1]
        first = k
        at = _blank(data, bounds[i], end)
        outcome = OK
        if at >= end or data[at] != 91:
            outcome = WRONG_TYPE
        at = _blank(data, at + 1, end)
        more = outcome == OK and not (at < end and data[at] == 93)
        while more:
            outcome = WRONG_TYPE
            if at >= end or data[at] != 91:
                break
            at = _blank(data, at + 1, end)
            delete = False
            if actions and at < end and data[at] == 34:
                behind = _text(data, at, end)
                delete = _is(data, at, behind, _DELETE)
                if not (delete or _is(data, at, behind, _NEW) or _is(data, at, behind, _CHANGE)):
                    outcome = UNKNOWN_ACTION
                    break
                at = _blank(data, behind, end)
                if at >= end or data[at] != 44:
                    break
                at = _blank(data, at + 1, end)
            price, price_places, at, bad = _number(data, at, end)
            if bad:
                outcome = bad
                break
            at = _blank(data, at, end)
            if at >= end or data[at] != 44:
                break
            size, size_places, at, bad = _number(data, _blank(data, at + 1, end), end)
            if bad:
                outcome = bad
                break
            if price == 0:
                outcome = OUT_OF_RANGE
                break
            at = _blank(data, at, end)
            while at < end and data[at] == 44:
                at = _blank(data, _text(data, _blank(data, at + 1, end), end), end)
            if at >= end or data[at] != 93:
                break
            prices[k], price_decimals[k] = price, price_places
            sizes[k], size_decimals[k] = (0, 0) if delete else (size, size_places)
            finest_price[i] = max(finest_price[i], price_places)
            finest_size[i] = max(finest_size[i], size_decimals[k])
            k += 1
            outcome = OK
            at = _blank(data, at + 1, end)
            more = at < end and data[at] == 44
            if more:
                at = _blank(data, at + 1, end)
        if outcome == OK and (at >= end or data[at] != 93 or _blank(data, at + 1, end) != end):
            outcome = WRONG_TYPE
        if outcome != OK:
            k = first
        counts[i] = k - first
        status[i] = outcome


class Levels:
    """Levels of many arrays: array i holds rows `starts[i]:starts[i + 1]`; value = mantissa / 10**decimals.

    `status[i]` is not OK, and the array has no rows, when any of its levels is bad. `finest_price` and `finest_size`
    are the most decimals in the array, trailing zeros apart.
    """

    __slots__ = (
        "finest_price",
        "finest_size",
        "price_decimals",
        "prices",
        "size_decimals",
        "sizes",
        "starts",
        "status",
    )

    def __init__(self, arrays: list[bytes], *, actions: bool = False) -> None:
        """Parse JSON arrays of levels; with `actions`, a level may begin with "new", "change" or "delete" (size 0).

        >>> read = Levels([b'[["61773.60","10"]]', b"[]", b'[["-1","2"]]'])
        >>> read.prices, read.price_decimals, read.sizes, read.size_decimals, read.status
        (array([617736]), array([1]), array([1]), array([-1]), array([0, 0, 2], dtype=int8))
        """
        data = np.frombuffer(b"".join(arrays) or b" ", np.uint8)
        bounds = np.zeros(len(arrays) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, arrays), np.int64, len(arrays)), out=bounds[1:])
        room = len(data) // 5 + 1
        columns = [np.empty(room, np.int64) for _ in range(4)]
        counts, self.finest_price, self.finest_size = (np.zeros(len(arrays), np.int64) for _ in range(3))
        self.status = np.zeros(len(arrays), np.int8)
        _read(data, bounds, actions, counts, self.finest_price, self.finest_size, self.status, *columns)
        self.starts = np.zeros(len(arrays) + 1, np.int64)
        np.cumsum(counts, out=self.starts[1:])
        rows = int(self.starts[-1])
        self.prices, self.price_decimals, self.sizes, self.size_decimals = (c[:rows] for c in columns)


@kernel
def _steps(mantissa: int, decimals: int, step: int, step_decimals: int) -> tuple[int, int]:
    """How many steps of step / 10**step_decimals a number is, and the status."""
    if mantissa == 0:
        return 0, OK
    shift = step_decimals - decimals
    if shift < 0:
        return 0, OFF_TICK
    if shift > 18 or mantissa > (2**62) // _POWERS[shift]:
        return 0, OUT_OF_RANGE
    value = mantissa * _POWERS[shift]
    if value % step:
        return 0, OFF_TICK
    value //= step
    return value, OUT_OF_RANGE if value >= LIMIT else OK


@kernel
def to_steps(
    prices: I8,
    price_decimals: I8,
    sizes: I8,
    size_decimals: I8,
    starts: I8,
    scales: I8,
    ticks: I8,
    lots: I8,
    status: I1,
) -> None:
    """Fill `ticks`, `lots` and the `status` (OK beforehand) of each group of levels; its scale is its row of `scales`.

    A scale is tick mantissa, tick decimals, lot mantissa, lot decimals.
    """
    for i in range(len(starts) - 1):
        for k in range(starts[i], starts[i + 1]):
            ticks[k], bad = _steps(prices[k], price_decimals[k], scales[i, 0], scales[i, 1])
            lots[k], worse = _steps(sizes[k], size_decimals[k], scales[i, 2], scales[i, 3])
            if status[i] == OK:
                status[i] = bad if bad != OK else worse
