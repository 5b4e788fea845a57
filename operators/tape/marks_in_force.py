"""Mark, index, funding and open interest in force at a window's end, as the venue states them.

    basis_bps = 1e4 (mark - index) / index

In force is what the latest message by event time said of each, of one time the one that came last: over two sockets an
older one may come after a newer. Open interest comes in the venue's quantity units: base = quantity * contract; for
inverse products the quantity counts dollars, so base = quantity * contract / mark. Null until the venue has said it
once; `mark_age_ms` says how old it is.

>>> got = MARKS.compute({"mark": np.array([101.0]), "index": np.array([100.0]), "funding_rate": np.array([1e-4]),
...     "open_interest": np.array([5.0]), "next_funding_ns": np.array([60_000_000_000]), "mark_ns": np.array([10**9]),
...     "window_end_ns": np.array([3 * 10**9]), "mark_contract": np.array([0.1]), "mark_inverse": np.array([False])})
>>> [round(float(got[n][0]), 6) for n in ("basis_bps", "open_interest_base", "open_interest_usd", "mark_age_ms")]
[100.0, 0.5, 50.5, 2000.0]
"""

import numpy as np

from operators import quality
from operators.contract import I8, Columns, Operator, State, Statistic
from schemas.column import Column

_VENUE = "as the venue states it"
_NOT_YET = "the venue has not sent it yet"
_NO_INDEX = (
    f"{_NOT_YET}; of options and combinations, which it does not price; of all that OKX trades but the swap that is"
    " named as the index, which names a pair alone"
)
_AGE = float("inf")
_FIELDS = ("mark", "index", "funding_rate", "open_interest")
_TIMES = {name: f"{name}_ns" for name in _FIELDS} | {"next_funding_ns": "next_told_ns"}


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    event_ns = events["event_ns"]
    by_time = np.argsort(event_ns, kind="stable")[::-1]
    for name, time in _TIMES.items():
        values = events[name]
        there = by_time[values[by_time] > 0 if name == "next_funding_ns" else ~np.isnan(values[by_time])]
        rows, latest = np.unique(slot[there], return_index=True)
        told = there[latest]
        newer = event_ns[told] >= panes[time][rows]
        panes[name][rows[newer]], panes[time][rows[newer]] = values[told[newer]], event_ns[told[newer]]


def _marks(rows: Columns) -> Columns:
    """One value a window; see the module."""
    mark, index, interest = rows["mark"], rows["index"], rows["open_interest"]
    counted = interest * rows["mark_contract"]
    with np.errstate(divide="ignore", invalid="ignore"):
        base = np.where(rows["mark_inverse"], counted / mark, counted)
        basis = np.where(index > 0, 1e4 * (mark - index) / index, np.nan)
        usd = np.where(rows["mark_inverse"], counted, counted * mark)
    return {
        "mark_price": mark,
        "index_price": index,
        "basis_bps": basis,
        "funding_rate": rows["funding_rate"],
        "next_funding_time": rows["next_funding_ns"],
        "open_interest_base": base,
        "open_interest_usd": usd,
        "mark_age_ms": np.where(rows["mark_ns"] > 0, (rows["window_end_ns"] - rows["mark_ns"]) / 1e6, np.nan),
    }


MARKS = Operator(
    "marks",
    "mark",
    (*_FIELDS, "next_funding_ns", "event_ns"),
    table="features_tape",
    statistics=(
        *(Statistic(n, "f8", "held", np.nan) for n in _FIELDS),
        Statistic("next_funding_ns", "i8", "held"),
        *(Statistic(n, "i8", "held") for n in _TIMES.values()),
    ),
    fold=_fold,
    uses=("window_end_ns", "mark_contract", "mark_inverse"),
    compute=_marks,
    columns=(
        Column("mark_price", "f8", "the venue's mark price", "quote", "", _VENUE, low=0.0, null_when=_NOT_YET),
        Column("index_price", "f8", "the venue's index price", "quote", "", _VENUE, low=0.0, null_when=_NO_INDEX),
        Column(
            "basis_bps",
            "f8",
            "mark above index",
            unit="bps",
            formula="1e4 * (mark - index) / index",
            source=quality.OURS,
            sign="positive: the contract is dear",
            null_when="mark or index is null, or the index 0",
        ),
        Column(
            "funding_rate",
            "f8",
            "predicted rate of the running funding interval",
            unit="fraction",
            source=_VENUE,
            sign="positive: longs pay",
            null_when=_NOT_YET,
        ),
        Column("next_funding_time", "time", "when funding is next exchanged; 1970 when not known"),
        Column(
            "open_interest_base",
            "f8",
            "open interest in base units",
            "base",
            "quantity * contract; inverse: quantity * contract / mark",
            _VENUE,
            low=0.0,
            null_when=f"{_NOT_YET}, or what it needs: contract, of inverse contracts a mark",
        ),
        Column(
            "open_interest_usd",
            "f8",
            "open interest at mark, in USD",
            "USD",
            "base * mark",
            _VENUE,
            low=0.0,
            null_when=f"{_NOT_YET}, or what it needs: contract, of linear contracts a mark",
        ),
        Column(
            "mark_age_ms",
            "f8",
            "age of the mark at the window's end",
            unit="ms",
            formula="end of the window - t of the mark",
            source=quality.OURS,
            null_when=_NOT_YET,
            tolerance=_AGE,
        ),
    ),
)
"""Within a pane the last message in log order that carries a field has the say."""
