"""Held: diffs that came while their book was not trusted, kept for the next snapshot, the oldest given up first."""

import numpy as np
from numpy.typing import NDArray

from operators.book.continuity import SET_BACK_NS
from schemas.batches import Depth

I8 = NDArray[np.int64]

MOST_MESSAGES = 2_000
"""Messages held for an instrument."""

MOST_LEVELS = 200_000
"""Levels held for an instrument."""


def gather(depth: Depth, rows: I8) -> Depth:
    """The messages at `rows`, copied.

    >>> one = np.array([0])
    >>> d = Depth(one, one, one, one > 0, one, one, one, np.array([0, 2]), one + 1, np.array([7, 9]), np.array([1, 2]))
    >>> gather(d, np.array([0, 0])).ticks
    array([7, 9, 7, 9])
    """
    counts = np.diff(depth.starts)[rows]
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    levels = np.arange(starts[-1]) + np.repeat(depth.starts[rows] - starts[:-1], counts)
    return Depth(
        depth.frame[rows],
        depth.instrument[rows],
        depth.event_ns[rows],
        depth.snapshot[rows],
        depth.first_id[rows],
        depth.last_id[rows],
        depth.previous_id[rows],
        starts,
        depth.bids[rows],
        depth.ticks[levels],
        depth.lots[levels],
    )


def of_one_count(depth: Depth) -> Depth:
    """One instrument's messages since the last whose ids were set back: smaller, much later (`SET_BACK_NS`).

    Those before it are of another count: on the snapshot of this one they would be a gap, each time.
    """
    if len(depth) < 2:
        return depth
    most, latest = np.maximum.accumulate(depth.last_id), np.maximum.accumulate(depth.event_ns)
    back = (depth.last_id[1:] < most[:-1]) & (depth.event_ns[1:] - latest[:-1] > SET_BACK_NS)
    return depth.part(int(np.flatnonzero(back)[-1]) + 1, len(depth)) if back.any() else depth


def newest(depth: Depth) -> Depth:
    """Of each instrument the longest run of last messages within both bounds, in the order in which they came.

    What that run is depends on the messages only, not on when older ones were given up before.
    """
    if len(depth) <= MOST_MESSAGES and len(depth.ticks) <= MOST_LEVELS:
        return depth
    order = np.argsort(depth.instrument, kind="stable")
    _, first = np.unique(depth.instrument[order], return_index=True)
    sizes = np.diff(np.append(first, len(order)))
    levels = np.cumsum(np.diff(depth.starts)[order])
    at_end = np.repeat(levels[first + sizes - 1], sizes)
    levels_after = at_end - levels + np.diff(depth.starts)[order]
    messages_after = np.repeat(first + sizes, sizes) - np.arange(len(order))
    kept = (messages_after <= MOST_MESSAGES) & (levels_after <= MOST_LEVELS)
    return gather(depth, np.sort(order[kept]))
