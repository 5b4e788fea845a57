"""Order clusters: the largest group of large levels that stand close together, a side.

    kept:    levels with notional n_i >= 2 median(n)
    merged:  neighbours among the kept whose prices are at most max(3 ticks, min(2 bps of mid, g / 2)) apart
    cluster: the group with the largest sum of notional; of equals the one nearest to mid

g: mean distance between neighbours among the kept. Where many levels are large, those merge that stand closer than is
usual; 2 bps alone would join all of a dense book. The levels are those of a side that are known exactly and within
100 bps of mid, if there are at least 8 (`operators/book/level_sizes`: of more than 256 some count for the median); null
with fewer, and where none stands out. One-dimensional single-linkage clustering (Sneath 1957).

>>> ticks, sizes, kept = np.array([1000, 999, 998, 997, 980]), np.array([10.0, 9, 1, 8, 12]), np.array([0, 1, 3, 4])
>>> [round(float(x), 2) for x in largest(ticks, sizes, kept, 4, 3.0, np.zeros(5))]  # size, levels, near, far, mean
[27.0, 3.0, 1000.0, 997.0, 998.78]
"""

import numpy as np

from operators import units
from operators.book.level_sizes import LEAST_LEVELS, SAMPLE, SAMPLED, WITHIN_BPS, middle, sample, sizes_of
from operators.book.midpoint import LADDER, NO_MID
from operators.book.scans import Scan, Scans
from operators.book.sides import F8, I8, Ladders, ladders, longest, side_of
from operators.contract import Array, Columns, Operator
from schemas.column import Column
from schemas.kernels import inner, kernel

FACTOR = 2.0
GAP_TICKS, GAP_BPS = 3.0, 2.0


@inner
def _kept(sizes: F8, n: int, least: float, kept: I8) -> int:
    """Which of n levels are large, best first; how many. Without a branch: which they are cannot be foreseen."""
    count = 0
    for i in range(n):
        kept[count] = i
        count += sizes[i] >= least
    return count


@kernel
def largest(ticks: I8, sizes: F8, kept: I8, count: int, gap: float, out: F8) -> F8:
    """Of the levels `kept[:count]` the heaviest group: size, levels, nearest, farthest and size-weighted price."""
    out[:] = 0.0
    size, levels, near, moment, last = 0.0, 0, 0, 0.0, 0
    for at in range(count):
        i = kept[at]
        if levels == 0 or abs(ticks[i] - last) > gap:
            size, levels, near, moment = 0.0, 0, ticks[i], 0.0
        last = ticks[i]
        size += sizes[i]
        levels += 1
        moment += sizes[i] * last
        if size > out[0]:
            out[0], out[1], out[2], out[3], out[4] = size, levels, near, last, moment
    if out[0] > 0:
        out[4] /= out[0]
    return out


@kernel
def _find(books: Ladders, begin: int, end: int, sizes: F8, kept: I8, some: F8, room: F8, one: F8, out: F8) -> None:
    """Per side and book what `largest` says, f8[2, m, 5]; size NaN where there is none."""
    for i in range(begin, end):
        half = books.half[i]
        for s in range(2):
            out[s, i, 0] = np.nan
            if half == 0:
                continue
            ticks, _, _ = side_of(books, i, s)
            n = sizes_of(books, i, s, sizes)
            if n < LEAST_LEVELS:
                continue
            m = sample(sizes, n, some)
            count = _kept(sizes, n, FACTOR * middle(some, room, m), kept)
            gap = GAP_BPS * half / 2e4
            if count > 1:
                gap = min(gap, abs(ticks[kept[count - 1]] - ticks[kept[0]]) / (count - 1) / 2)
            largest(ticks, sizes, kept, count, max(GAP_TICKS, gap), one)
            if one[0] > 0:
                for c in range(len(one)):
                    out[s, i, c] = one[c]


def _clusters(books: Columns) -> Scan:
    view = ladders(books)
    found = np.full((2, len(view.half), 5), np.nan)
    room = longest(view) + 1
    given = np.empty(room), np.empty(room, np.int64), np.empty(SAMPLE), np.empty(SAMPLE), np.empty(5), found

    def some(begin: int, end: int) -> None:
        _find(view, begin, end, *given)

    return Scan(some, lambda: _said(books, view.half, found))


def _said(books: Columns, half_ticks: I8, found: F8) -> Columns:
    unit = books["lot_mantissa"] / books["lot_scale"] * books["contract"]
    unit = np.where(books["inverse"], unit, unit * books["tick_mantissa"] / books["tick_scale"])
    half = np.where(half_ticks > 0, half_ticks, np.nan)
    out: dict[str, Array] = {}
    for s, side in enumerate(("bid", "ask")):
        size, levels, near, far, mean = found[s].T
        none = np.isnan(size)
        out[f"{side}_cluster_usd"] = size * unit
        out[f"{side}_cluster_levels"] = np.where(none, np.nan, levels)
        out[f"{side}_cluster_distance_bps"] = np.where(none, np.nan, 1e4 * np.abs(2 * mean - half) / half)
        out[f"{side}_cluster_width_bps"] = np.where(none, np.nan, 2e4 * np.abs(far - near) / half)
    return out


def _columns(side: str) -> list[Column]:
    unknown = f"{NO_MID}; fewer than {LEAST_LEVELS} levels known within {WITHIN_BPS} bps; no level of twice the median"
    source = "Sneath (1957): single linkage"
    name = f"{side}_cluster"

    def column(
        what: str, meaning: str, unit: str, formula: str, null: str = unknown, high: float | None = None
    ) -> Column:
        of = f"of the {side} side's largest cluster of large levels"
        return Column(f"{name}_{what}", "f8", f"{meaning} {of}", unit, formula, source, "", null, 0, high)

    return [
        column(
            "usd",
            "notional",
            "USD",
            "sum p q over neighbours of 2 medians and more, max(3 ticks, min(2 bps, half the mean distance of all"
            f" such)) apart; median: {SAMPLED}",
            f"{unknown}; contract unknown",
        ),
        column("levels", "number of levels", "count", "count of i"),
        column("distance_bps", "distance from mid of the centre", "bps", "1e4 |sum p n / sum n - M| / M", high=1e4),
        column("width_bps", "distance between the ends", "bps", "1e4 |p_far - p_near| / M", high=1e4),
    ]


CLUSTERS = Operator(
    "clusters",
    "close",
    (*LADDER, *units.READS),
    columns=tuple(c for side in ("bid", "ask") for c in _columns(side)),
    table="features_liquidity",
    compute=Scans(_clusters),
)
