"""Publishing: which rows of a venue go out, in which order, and under which keys."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from operators import quality
from operators.contract import Array, Columns
from operators.numbering import Numbered
from operators.published_rows import Published, listed
from operators.windows import Rows
from schemas.column import Column
from schemas.instrument import Instrument

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
    who: list[Instrument],
    columns: Sequence[Column],
    closed_by: ClosedBy,
) -> Published:
    """Single events, in the order in which they stand."""
    natural, order = _event_orders(venue, who, rows["event_time"])
    given: dict[str, Array | list[str]] = {
        "venue": [venue] * len(who),
        "symbol": [r.symbol for r in who],
        "nth": np.array(order, np.int64) % 1_000_000,
        "closed_by": closed_by(rows["pane"]),
        "inferred": np.array([r.inferred for r in who], np.bool_),
    }
    made: dict[str, Array | list[str]] = {n: listed(c) for n, c in rows.items()}
    names = ("venue", "symbol", *(c.name for c in columns))
    at_ms = (rows["event_time"] // 1_000_000).tolist()
    out = {n: given[n] if n in given else made[n] for n in names}
    return Published(table, [r.base for r in who], natural, order, at_ms, out)


def _event_orders(venue: str, who: list[Instrument], event_ns: Array) -> tuple[list[str], list[int]]:
    """Natural key and strictly increasing order of single events: the millisecond, then which of that millisecond.

    Events of one millisecond stand in log order, and all of them are released together, so the count is the log's.
    """
    natural = [f"{venue}|{r.symbol}" for r in who]
    order, count = [], dict[tuple[str, int], int]()
    for name, at_ns in zip(natural, event_ns.tolist(), strict=True):
        ms = at_ns // 1_000_000
        nth = count[name, ms] = count.get((name, ms), -1) + 1
        order.append(ms * 1_000_000 + nth)
    return natural, order
