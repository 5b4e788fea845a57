"""Walls: levels of a side that are far larger than those around them and stay, as events of their own.

    z_i = 0.6745 (n_i - med) / MAD        n_i: notional of level i
    MAD = 0:  z_i = (n_i - med) / (1.253314 * mean |n - med|);  that 0 too: no wall

The levels are the best 50 of a side that are known exactly and within 100 bps, if there are at least 8. A wall is one
with z >= 3.5 whose notional is at least the 0.95 quantile of the levels of its instrument, for 2 s or
longer, as seen at the ends of panes. The quantile follows the books with a time constant of an hour: each closing
multiplies it by exp((0.95 - F) dt / 1 h), F the share of levels below it; at first it is that of the first book. What
happens to a wall is a row: it `appeared` (is 2 s old), `grew` by more than a quarter since it was last told of, was
`consumed` (its side's best price is worse now), or `pulled` (it is no wall any more). Up to eight a side are watched;
a book that is not live forgets them without a row.

Modified z-score: Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers; the quantile: Robbins & Monro (1951).

>>> values = np.array([5.0, 6, 4, 5, 7, 5, 6, 60])
>>> median, scale = np.zeros(1), np.zeros(1)
>>> spread(values, np.empty(8), 8, median, scale)
>>> float(median[0]), round(float((60 - median[0]) / scale[0]), 4)
(5.5, 73.5205)
"""

import numpy as np
from numpy.typing import NDArray

from operators import quality, units
from operators.book.midpoint import LADDER
from operators.book.sides import Ladders, is_known, ladders, side_of
from operators.contract import I8, Array, Columns, EventTable, Field, Operator, State
from schemas.column import Column
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
LEVELS = 50
LEAST_LEVELS = 8
WATCHED = 8
LEAST_Z = 3.5
LEAST_AGE_NS = 2_000_000_000
GROWTH = 1.25
QUANTILE = 0.95
TIME_CONSTANT_NS = 3_600_000_000_000
_MAD, _MEAN = 1 / 0.6745, 1.253314
_WHAT = np.array(["appeared", "grew", "consumed", "pulled"])
APPEARED, GREW, CONSUMED, PULLED = range(4)


@inner
def _sort(values: F8, n: int) -> None:
    for i in range(1, n):
        v, j = values[i], i - 1
        while j >= 0 and values[j] > v:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = v


@inner
def _middle(values: F8, n: int) -> float:
    return float((values[(n - 1) // 2] + values[n // 2]) / 2)


@kernel
def spread(values: F8, room: F8, n: int, median: F8, scale: F8) -> None:
    """The median of n values, and what a distance from it is divided by to give z (0: nothing stands out).

    `room[:n]` holds the values in order afterwards.
    """
    for i in range(n):
        room[i] = values[i]
    _sort(room, n)
    median[0] = _middle(room, n)
    total = 0.0
    low, high, above = (n - 1) // 2, n // 2, np.int64(0)
    # The distances from the median ascend to both sides of it: the middle one of all is found by merging them.
    left, right, middle = low if room[low] <= median[0] else low - 1, low + 1, 0.0
    while above <= high:
        near = median[0] - room[left] if left >= 0 else np.inf
        far = room[right] - median[0] if right < n else np.inf
        if near <= far:
            left -= 1
        else:
            right += 1
        if above >= low:
            middle += min(near, far) / (2 if low != high else 1)
        above += 1
    for i in range(n):
        total += abs(room[i] - median[0])
    scale[0] = _MAD * middle if middle > 0 else _MEAN * total / n


@kernel
def _watch(
    books: Ladders,
    instrument: I8,
    now_ns: I8,
    floor: F8,
    floor_ns: I8,
    wall_ticks: I8,
    wall_since: I8,
    wall_lots: I8,
    wall_told: NDArray[np.bool_],
    sizes: F8,
    room: F8,
    median: F8,
    scale: F8,
    whole: I8,
    real: F8,
) -> int:
    """Write what happens: `whole` row, what, side, ticks, lots, age; `real` z. The rows written."""
    written = 0
    for i in range(len(books.half)):
        k, now, half = instrument[i], now_ns[i], books.half[i]
        below, seen, quantile = 0, 0, floor[k]
        for s in range(2):
            base = s * WATCHED
            if half == 0:
                for w in range(base, base + WATCHED):
                    wall_ticks[k, w] = -1
                continue
            ticks, lots, _ = side_of(books, i, s)
            n = 0
            while n < min(len(ticks), LEVELS) and is_known(books, i, s, ticks[n]):
                if 10_000 * abs(2 * ticks[n] - half) > 100 * half:
                    break
                sizes[n] = np.float64(lots[n]) * (1.0 if books.inverse[i] else np.float64(ticks[n]))
                n += 1
            if n < LEAST_LEVELS:
                n = 0
            if n > 0:
                spread(sizes, room, n, median, scale)
                if np.isnan(quantile):
                    quantile = room[int(QUANTILE * (n - 1))]
                seen += n
                for j in range(n):
                    below += sizes[j] < quantile
            for w in range(base, base + WATCHED):
                at = wall_ticks[k, w]
                if at < 0:
                    continue
                j = 0
                while j < n and ticks[j] != at:
                    j += 1
                z = (sizes[j] - median[0]) / scale[0] if j < n and scale[0] > 0 else 0.0
                what = -1
                if z >= LEAST_Z and sizes[j] >= quantile:
                    if not wall_told[k, w] and now - wall_since[k, w] >= LEAST_AGE_NS:
                        what = APPEARED
                    elif wall_told[k, w] and lots[j] > GROWTH * wall_lots[k, w]:
                        what = GREW
                else:
                    if wall_told[k, w]:
                        beyond = len(ticks) > 0 and (ticks[0] < at if s == 0 else ticks[0] > at)
                        what = CONSUMED if beyond else PULLED
                    wall_ticks[k, w] = -1
                if what >= 0:
                    whole[written, 0], whole[written, 1], whole[written, 2] = i, what, s
                    whole[written, 3], whole[written, 4] = at, lots[j] if j < n else 0
                    whole[written, 5] = now - wall_since[k, w]
                    real[written] = z if z > 0 else np.nan
                    written += 1
                    if what in (APPEARED, GREW):
                        wall_told[k, w], wall_lots[k, w] = True, lots[j]
            if n == 0 or not scale[0] > 0:
                continue
            for j in range(n):
                if sizes[j] < quantile or (sizes[j] - median[0]) / scale[0] < LEAST_Z:
                    continue
                free = -1
                for w in range(base, base + WATCHED):
                    if wall_ticks[k, w] == ticks[j]:
                        free = -2
                    elif wall_ticks[k, w] < 0 and free == -1:
                        free = w
                if free >= 0:
                    wall_ticks[k, free], wall_since[k, free], wall_told[k, free] = ticks[j], now, False
        if seen > 0:
            if not np.isnan(floor[k]):
                passed = min(1.0, (now - floor_ns[k]) / TIME_CONSTANT_NS)
                quantile *= np.exp((QUANTILE - below / seen) * passed)
            floor[k], floor_ns[k] = quantile, now
    return written


def _step(state: State, books: Columns) -> Columns:
    view = ladders(books)
    m = len(view.half)
    whole, real = np.empty((2 * WATCHED * m, 6), np.int64), np.empty(2 * WATCHED * m)
    n = _watch(
        view,
        books["instrument"],
        books["pane_end_ns"],
        state["floor"],
        state["floor_ns"],
        state["wall_ticks"],
        state["wall_since_ns"],
        state["wall_lots"],
        state["wall_told"],
        np.empty(LEVELS),
        np.empty(LEVELS),
        np.empty(1),
        np.empty(1),
        whole,
        real,
    )
    row, what, side, ticks, lots, age_ns = whole[:n].T.copy()
    of: dict[str, Array] = {name: books[name][row] for name in units.READS}
    price = units.price(ticks, of)
    mid = units.price(view.half[row], of) / 2
    return {
        "row": row,
        "event_time": books["pane_end_ns"][row],
        "side": np.where(side == 0, "bid", "ask"),
        "what": _WHAT[what],
        "price": price,
        "qty_base": units.base(lots, price, of),
        "notional_usd": units.usd(lots, price, of),
        "modified_z": real[:n].copy(),
        "age_ms": age_ns / 1e6,
        "distance_bps": 1e4 * np.abs(price - mid) / mid,
    }


WALLS = Operator(
    "walls",
    "close",
    ("instrument", "pane_end_ns", *LADDER, *units.READS),
    table=EventTable("walls", "walls", ttl_days=90),
    state=(
        Field("floor", "f8", np.nan, ticks=1, lots=1),
        Field("floor_ns", "i8"),
        Field("wall_ticks", "i8", -1, (2 * WATCHED,), ticks=1),
        Field("wall_since_ns", "i8", 0, (2 * WATCHED,)),
        Field("wall_lots", "i8", 0, (2 * WATCHED,), lots=1),
        Field("wall_told", "bool", 0, (2 * WATCHED,)),
    ),
    step=_step,
    columns=(
        Column("event_time", "time", "end of the pane after which it was seen", "ns since 1970 UTC", low=0),
        Column("side", "str", "bid or ask"),
        Column("what", "str", "appeared, grew, consumed or pulled"),
        Column("price", "f8", "price of the level", "quote", low=0),
        Column("qty_base", "f8", "size that stands there now", "base", null_when="contract unknown", low=0),
        Column("notional_usd", "f8", "size that stands there now", "USD", null_when="contract unknown", low=0),
        Column(
            "modified_z",
            "f8",
            "how far its notional stands out of the best 50 levels of its side",
            "1",
            "0.6745 (n - med) / MAD",
            "Iglewicz & Hoaglin (1993)",
            null_when="it is not larger than the others any more",
            low=0,
        ),
        Column("age_ms", "f8", "since it was first seen as large", "ms", low=0),
        Column("distance_bps", "f8", "distance from mid", "bps", "1e4 |p - M| / M", low=0),
        Column("nth", "i8", "which of the instrument's of that millisecond", low=0),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
"""`floor` counts ticks times lots (inverse: lots), as do the sizes that are compared with it."""
