"""Publishing: which rows of a venue go out, in which order, and under which keys."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from operators import quality
from operators.contract import Array, Columns
from operators.numbering import Numbered
from operators.published_rows import Published, listed
from operators.windows import Rows
from schemas.column import Column

ClosedBy = Callable[[Array], list[str]]


def of_windows(
    table: str,
    venue: str,
    rows: Rows,
    chosen: Array,
    values: Columns,
    columns: Sequence[Column],
    known: Numbered,
    base_ms: int,
    closed_by: ClosedBy,
) -> Published:
    """The chosen rows of closed windows, by end, length and symbol."""
    end_ms, length_ms = rows.end * base_ms, rows.length * base_ms
    chosen = chosen[np.lexsort((known.rank[rows.instrument[chosen]], rows.length[chosen], rows.end[chosen]))]
    who, window_ms = rows.instrument[chosen], length_ms[chosen]
    start_ms = (end_ms - length_ms)[chosen]
    out: dict[str, Array | list[str]] = {
        "venue": [venue] * len(who),
        "symbol": known.symbol[who].tolist(),
        "window_ms": window_ms,
        "window_start": start_ms * 1_000_000,
    }
    every = len(chosen) == len(rows) and bool((chosen[:-1] < chosen[1:]).all())
    for c in columns:
        if c is quality.CLOSED:
            out[c.name] = closed_by(rows.end[chosen] - 1)
        else:
            out[c.name] = listed(values[c.name] if every else values[c.name].take(chosen))
    natural = np.empty(len(who), object)
    for length in np.unique(window_ms).tolist():
        mine = window_ms == length
        natural[mine] = known.naturals(venue, length)[who[mine]]
    base = known.base[who].tolist()
    return Published(table, base, natural.tolist(), start_ms.tolist(), end_ms[chosen].tolist(), out)


def of_events(
    table: str,
    venue: str,
    rows: Mapping[str, Array],
    who: Array,
    columns: Sequence[Column],
    known: Numbered,
    closed_by: ClosedBy,
) -> Published:
    """Single events of the instruments numbered `who`, in the order in which they stand.

    Times go up to whole milliseconds: a pane ends with one, inclusive, so all events of one are of one pane.
    """
    at_ms = -(-rows["event_time"] // 1_000_000)
    nth = _nth(who, at_ms)
    given: dict[str, Array | list[str]] = {
        "venue": [venue] * len(who),
        "symbol": known.symbol[who].tolist(),
        "nth": nth,
        "closed_by": closed_by(rows["pane"]),
        "inferred": known.inferred[who],
    }
    names = ("venue", "symbol", *(c.name for c in columns))
    rows = {**rows, "event_time": at_ms * 1_000_000}
    out = {n: given[n] if n in given else listed(rows[n]) for n in names}
    natural, order = known.naturals(venue)[who], at_ms * 1_000_000 + nth
    return Published(table, known.base[who].tolist(), natural.tolist(), order.tolist(), at_ms.tolist(), out)


def _nth(who: Array, at_ms: Array) -> Array:
    """Which event of its instrument and millisecond each is, in the order in which they stand.

    Events of one millisecond stand in log order, and all of them are released together, so the count is the log's.

    >>> _nth(np.array([4, 2, 4, 4, 2]), np.array([7, 7, 7, 8, 8])).tolist()
    [0, 0, 1, 0, 0]
    """
    order = np.lexsort((who, at_ms))  # stable
    of, at = who[order], at_ms[order]
    place = np.arange(len(order))
    first = np.ones(len(order), np.bool_)
    first[1:] = (of[1:] != of[:-1]) | (at[1:] != at[:-1])
    nth = np.empty(len(order), np.int64)
    nth[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return nth
