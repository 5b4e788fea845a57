"""Walls: levels of a side that are far larger than those around them and stay, as events of their own.

    z_i = 0.6745 (n_i - med) / MAD        n_i: notional of level i
    MAD = 0:  z_i = (n_i - med) / (1.253314 * mean |n - med|);  that 0 too: no wall

The levels are those of a side that are known exactly and within 100 bps of mid, if there are at least 8; of more than
256 only some count for med, MAD and F, a fixed step apart, so that a deep book costs no more than a thin one. Large is
one with z >= 3.5 whose notional is at least the 0.95 quantile of the levels of its instrument; a wall is one that was
large for 2 s or longer, as seen at the ends of panes. The quantile follows the books with a time constant of an hour:
each closing multiplies it by exp((0.95 - F) dt / 1 h), F the share of levels below it; at first it is that of the first
book, of both its sides. Four levels a side are watched, the largest: a larger one takes the place of one that is no
wall yet, or, if it is larger by more than a quarter, of a wall.

What happens to a wall is a row: it `appeared` (is 2 s old), `grew` by more than a quarter since it appeared or last
grew, was `consumed` (less than half is left of that, and its side's best price is worse now), `pulled` (less than half
is left, and the market has not passed it), or `outgrown` (its place is taken). It is `hit` when it is its side's best
price after it stood behind another, and has `absorbed` what came when it stands behind another once more, half of it or
more left. A book that is not live, or was not trusted meanwhile, forgets them without a row, as it does those that are
more than 100 bps away or not known exactly any more. Level data do not tell whose orders these are, nor whether one was
filled or taken back.

A wall that was pulled says how much that looks like spoofing (`operators/book/spoofing`), by the z of the size last
told of, among the levels there are now.

Modified z-score: Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers; the quantile: Robbins & Monro (1951).
"""

import numpy as np
from numpy.typing import NDArray

from operators import quality, units
from operators.book.level_sizes import LEAST_LEVELS, SAMPLE, SAMPLED, WITHIN_BPS, sample, select, sizes_of, spread
from operators.book.midpoint import LADDER
from operators.book.scans import Scan, Scans
from operators.book.sides import Ladders, is_known, ladders, longest, side_of
from operators.book.spoofing import suspicion
from operators.contract import I8, Array, Columns, EventTable, Field, Operator, State
from schemas.column import Column
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
WATCHED = 4
LEAST_Z = 3.5
LEAST_AGE_NS = 2_000_000_000
GROWTH, LEFT = 1.25, 0.5
QUANTILE = 0.95
TIME_CONSTANT_NS = 3_600_000_000_000
_SOURCE = "Gould et al. (2013)"
_WHAT = np.array(["appeared", "grew", "consumed", "pulled", "outgrown", "hit", "absorbed"])
APPEARED, GREW, CONSUMED, PULLED, OUTGROWN, HIT, ABSORBED = range(7)
BEHIND, MET = 1, 2
"""Where a large level was seen so far: behind its side's best price, then at it; 0: only ever at it."""


@inner
def _find(ticks: I8, at: int, s: int) -> int:
    """Where a price stands among the levels of a side, best first; -1 if nothing stands there."""
    low, high = 0, len(ticks)
    while low < high:
        half_way = (low + high) // 2
        if (ticks[half_way] > at) == (s == 0) and ticks[half_way] != at:
            low = half_way + 1
        else:
            high = half_way
    return low if low < len(ticks) and ticks[low] == at else -1


@inner
def _weakest(wall_ticks: I8, wall_told: NDArray[np.bool_], wall_lots: I8) -> tuple[int, float]:
    """The slot, of one side, that a large level takes, and how many lots it must exceed for that."""
    found, least = -1, np.inf
    for w in range(len(wall_ticks)):
        its = -1.0 if wall_ticks[w] < 0 else (GROWTH if wall_told[w] else 1.0) * wall_lots[w]
        if its < least:
            found, least = w, its
    return found, least


@inner
def _next(wall_ticks: I8, ticks: I8, lots: I8, sizes: F8, j: int, n: int, least: float, large: float) -> int:
    """From level j on the first of n that is large, takes a slot and is not watched; n: there is none."""
    while j < n:
        if lots[j] > least and sizes[j] >= large:
            for w in range(len(wall_ticks)):
                if wall_ticks[w] == ticks[j]:
                    break
            else:
                return j
        j += 1
    return n


@inner
def _write(
    whole: I8,
    real: F8,
    n: int,
    row: int,
    what: int,
    side: int,
    ticks: int,
    lots: int,
    age_ns: int,
    z: float,
    suspicion: float,
) -> int:
    whole[n, 0], whole[n, 1], whole[n, 2], whole[n, 3], whole[n, 4] = row, what, side, ticks, lots
    whole[n, 5] = age_ns
    real[n, 0] = z if z > 0 else np.nan
    real[n, 1] = suspicion
    return n + 1


@inner
def _first(books: Ladders, i: int, sizes: F8, some: F8, room: F8) -> float:
    """The quantile of the levels of a book, both sides together; NaN where neither has enough."""
    m = 0
    for s in range(2):
        n = sizes_of(books, i, s, sizes)
        if n >= LEAST_LEVELS:
            m += sample(sizes, n, some[m:])
    return select(some, room, m, int(QUANTILE * (m - 1))) if m > 0 else np.nan


@kernel
def _watch(
    books: Ladders,
    begin: int,
    end: int,
    written: int,
    instrument: I8,
    now_ns: I8,
    gap: NDArray[np.bool_],
    floors: F8,
    floor_lots: F8,
    floor_ns: I8,
    wall_ticks: I8,
    wall_since: I8,
    wall_lots: I8,
    wall_told: NDArray[np.bool_],
    wall_met: I8,
    sizes: F8,
    some: F8,
    away: F8,
    room: F8,
    median: F8,
    scale: F8,
    whole: I8,
    real: F8,
) -> int:
    """Write what happens behind the rows `written`: `whole` row, what, side, ticks, lots, age; `real` z, suspicion.

    The rows written by then.
    """
    for i in range(begin, end):
        k, now, half = instrument[i], now_ns[i], books.half[i]
        floor = floor_lots if books.inverse[i] else floors
        below, seen, quantile = 0, 0, floor[k]
        if half > 0 and np.isnan(quantile):
            quantile = _first(books, i, sizes, some, room)
        for s in range(2):
            first, last = s * WATCHED, (s + 1) * WATCHED
            mine, since = wall_ticks[k, first:last], wall_since[k, first:last]
            told, told_lots, met = wall_told[k, first:last], wall_lots[k, first:last], wall_met[k, first:last]
            if half == 0 or gap[i]:
                mine[:] = -1
            if half == 0:
                continue
            ticks, lots, _ = side_of(books, i, s)
            n = sizes_of(books, i, s, sizes)
            large = np.inf
            if n >= LEAST_LEVELS:
                m = sample(sizes, n, some)
                spread(some, away, room, m, median, scale)
                seen += m
                for j in range(m):
                    below += some[j] < quantile
                if scale[0] > 0:
                    large = max(quantile, median[0] + LEAST_Z * scale[0])
            for w in range(WATCHED):
                at = mine[w]
                if at < 0:
                    continue
                if 10_000 * abs(2 * at - half) > WITHIN_BPS * half or not is_known(books, i, s, at):
                    mine[w] = -1
                    continue
                j = _find(ticks, at, s)
                here, what = lots[j] if j >= 0 else 0, -1
                if not told[w]:
                    if j < 0 or j >= n or sizes[j] < large:
                        mine[w] = -1
                        continue
                    told_lots[w] = here
                    if now - since[w] >= LEAST_AGE_NS:
                        what = APPEARED
                elif here > GROWTH * told_lots[w]:
                    what = GREW
                elif here < LEFT * told_lots[w]:
                    what = CONSUMED if (ticks[0] < at if s == 0 else ticks[0] > at) else PULLED
                    mine[w] = -1
                elif at == ticks[0] and met[w] == BEHIND:
                    what, met[w] = HIT, MET
                elif at != ticks[0] and met[w] == MET:
                    what, met[w] = ABSORBED, BEHIND
                if j > 0 and met[w] == 0:
                    met[w] = BEHIND
                if what >= 0:
                    z = (sizes[j] - median[0]) / scale[0] if 0 <= j < n and large < np.inf else np.nan
                    looks = np.nan
                    if what == PULLED:
                        worth = 1.0 if books.inverse[i] else np.float64(at)
                        was_z = np.nan
                        if n >= LEAST_LEVELS:  # among levels that are all alike it stands out without end
                            above = told_lots[w] * worth - median[0]
                            was_z = above / scale[0] if scale[0] > 0 else np.inf if above > 0 else 0.0
                        best, gone = ticks[0] if len(ticks) else -1, (told_lots[w] - here) * worth
                        looks = suspicion(books, i, s, at, best, gone, now - since[w], was_z)
                    written = _write(whole, real, written, i, what, s, at, here, now - since[w], z, looks)
                    if what <= GREW:
                        told[w], told_lots[w] = True, here
            w, least = _weakest(mine, told, told_lots)
            j = _next(mine, ticks, lots, sizes, 0, n, least, large)
            while j < n:
                if mine[w] >= 0 and told[w]:
                    was = _find(ticks, mine[w], s)
                    z = (sizes[was] - median[0]) / scale[0] if 0 <= was < n else np.nan
                    here = lots[was] if was >= 0 else 0
                    age = now - since[w]
                    written = _write(whole, real, written, i, OUTGROWN, s, mine[w], here, age, z, np.nan)
                mine[w], since[w], told_lots[w], told[w], met[w] = ticks[j], now, lots[j], False, 0
                w, least = _weakest(mine, told, told_lots)
                j = _next(mine, ticks, lots, sizes, j + 1, n, least, large)
        if seen > 0:
            if not np.isnan(floor[k]):
                passed = min(1.0, (now - floor_ns[k]) / TIME_CONSTANT_NS)
                quantile *= np.exp((QUANTILE - below / seen) * passed)
            floor[k], floor_ns[k] = quantile, now
    return written


def _step(state: State, books: Columns) -> Scan:
    view = ladders(books)
    m = len(view.half)
    whole, real = np.empty((4 * WATCHED * m, 6), np.int64), np.empty((4 * WATCHED * m, 2))
    given = (
        books["instrument"],
        books["pane_end_ns"],
        books["gap"],
        state["floor"],
        state["floor_lots"],
        state["floor_ns"],
        state["wall_ticks"],
        state["wall_since_ns"],
        state["wall_lots"],
        state["wall_told"],
        state["wall_met"],
        np.empty(longest(view)),
        np.empty(2 * SAMPLE),
        np.empty(SAMPLE),
        np.empty(2 * SAMPLE),
        np.empty(1),
        np.empty(1),
        whole,
        real,
    )
    n = 0

    def some(begin: int, end: int) -> None:
        nonlocal n
        n = _watch(view, begin, end, n, *given)

    return Scan(some, lambda: _said(books, view.half, whole[:n], real[:n]))


def _said(books: Columns, half: I8, whole: I8, real: F8) -> Columns:
    row, what, side, ticks, lots, age_ns = whole.T.copy()
    of: dict[str, Array] = {name: books[name][row] for name in units.READS}
    price = units.price(ticks, of)
    mid = units.price(half[row], of) / 2
    return {
        "row": row,
        "event_time": books["pane_end_ns"][row],
        "side": np.where(side == 0, "bid", "ask"),
        "what": _WHAT[what],
        "price": price,
        "qty_base": units.base(lots, price, of),
        "notional_usd": units.usd(lots, price, of),
        "modified_z": real[:, 0].copy(),
        "spoof_suspicion": real[:, 1].copy(),
        "age_ms": age_ns / 1e6,
        "distance_bps": 1e4 * np.abs(price - mid) / mid,
    }


WALLS = Operator(
    "walls",
    "close",
    ("instrument", "pane_end_ns", "gap", *LADDER, *units.READS),
    table=EventTable("walls", "walls", ttl_days=90),
    state=(
        Field("floor", "f8", np.nan, ticks=1, lots=1),
        Field("floor_lots", "f8", np.nan, lots=1),
        Field("floor_ns", "i8"),
        Field("wall_ticks", "i8", -1, (2 * WATCHED,), ticks=1),
        Field("wall_since_ns", "i8", 0, (2 * WATCHED,)),
        Field("wall_lots", "i8", 0, (2 * WATCHED,), lots=1),
        Field("wall_told", "bool", 0, (2 * WATCHED,)),
        Field("wall_met", "i8", 0, (2 * WATCHED,)),
    ),
    step=Scans(_step),
    revision=3,
    anew=True,
    columns=(
        Column(
            "event_time",
            "time",
            "end of the shortest window with a message of the book after which it was seen",
            "ns since 1970 UTC",
            low=0,
        ),
        Column("side", "str", "bid or ask"),
        Column(
            "what",
            "str",
            "appeared: watched for 2 s, large at each look (event_time); grew: beyond 1.25 of its size when it appeared"
            " or last grew; less than half of that size left, and its side's best price is worse now: consumed, else"
            " pulled; hit: its side's best price after it stood behind another; absorbed: behind another once more;"
            " of several at once the first of these; outgrown: one of more than 1.25 of that size took its place."
            " Without a row ends what is no longer large before it is 2 s old, gives its place up before, is more than"
            " 100 bps from mid or not known exactly, and all when the book is not live, one-sided or crossed, or was"
            " not trusted meanwhile",
            formula="watched, four a side: from the best price on each large level takes a free place, else that of"
            " the smallest q (of one that appeared: 1.25 of that size), if its own is larger; large: z >= 3.5 and"
            " p q >= Q, of at least 8 levels; Q: the 0.95 quantile of its first book, from then on after each look"
            " times exp((0.95 - F) dt / 1 h), F: share below Q of the levels that z goes by; both of both sides",
        ),
        Column(
            "price", "f8", "price of the level: with its side what a wall is the same by", "quote", "p", _SOURCE, low=0
        ),
        Column(
            "qty_base", "f8", "size that stands there now", "base", "q", _SOURCE, null_when="contract unknown", low=0
        ),
        Column(
            "notional_usd",
            "f8",
            "size that stands there now",
            "USD",
            "p q",
            _SOURCE,
            null_when="contract unknown",
            low=0,
        ),
        Column(
            "modified_z",
            "f8",
            "how far its notional stands out of the levels of its side within 100 bps of mid",
            "1",
            f"0.6745 (n - med) / MAD, MAD 0: (n - med) / (1.253314 mean |n - med|); med, MAD, mean: {SAMPLED}",
            "Iglewicz & Hoaglin (1993)",
            null_when="nothing stands there, no more than is usual, or fewer than 8 levels to tell",
            low=0,
        ),
        Column(
            "age_ms",
            "f8",
            "since the look from which on it is watched",
            "ms",
            "t - t_0",
            quality.OURS,
            low=0,
        ),
        Column("distance_bps", "f8", "distance from mid", "bps", "1e4 |p - M| / M", _SOURCE, low=0),
        Column(
            "spoof_suspicion",
            "f8",
            "how much its pulling looks like spoofing, which level data cannot prove",
            "1",
            "min(1, z / 10) (1 + quick + leaning) / 3 from 1 to 50 bps off mid and behind the best price, else 0;"
            " z: of its size when it appeared or last grew, among the levels of now; quick: gone within 5 s; leaning:"
            " within 50 bps, or as far as both sides are known exactly, its side had more than the other with it, and"
            " has not now",
            "after Cartea, Jaimungal & Wang (2020)",
            "more suspicious: larger",
            "not pulled, or too few levels to tell how it stood out",
            0,
            1,
        ),
        Column("nth", "i8", "which of the instrument's of that millisecond", low=0),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
"""`floor` counts ticks times lots, as the sizes compared with it do; of inverse contracts `floor_lots` counts lots."""
