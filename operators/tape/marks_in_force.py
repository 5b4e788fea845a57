"""Mark, index, funding and open interest in force at a window's end, as the venue states them.

    basis_bps = 1e4 (mark - index) / index

Open interest comes in the venue's quantity units: base = quantity * contract; for inverse products the quantity counts
dollars, so base = quantity * contract / mark. Null until the venue has said it once; `mark_age_ms` says how old it is.

>>> got = MARKS.compute({"mark": np.array([101.0]), "index": np.array([100.0]), "funding_rate": np.array([1e-4]),
...     "open_interest": np.array([5.0]), "next_funding_ns": np.array([60_000_000_000]), "mark_ns": np.array([10**9]),
...     "window_end_ns": np.array([3 * 10**9]), "mark_contract": np.array([0.1]), "mark_inverse": np.array([False])})
>>> [round(float(got[n][0]), 6) for n in ("basis_bps", "open_interest_base", "open_interest_usd", "mark_age_ms")]
[100.0, 0.5, 50.5, 2000.0]
"""

import numpy as np

from operators import quality
from operators.contract import I8, Array, Columns, Operator, State, Statistic
from schemas.column import Column

_VENUE = "as the venue states it"
_NOT_YET = "the venue has not sent it yet"
_AGE = float("inf")
_FIELDS = ("mark", "index", "funding_rate", "open_interest")


def _hold(held: Array, slot: I8, values: Array) -> None:
    """Later values of a slot replace earlier ones; NaN replaces nothing."""
    there = np.flatnonzero(~np.isnan(values.astype(np.float64)))
    last, first_from_end = np.unique(slot[there][::-1], return_index=True)
    held[last] = values[there][::-1][first_from_end]


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    for name in _FIELDS:
        _hold(panes[name], slot, events[name])
    next_ns, has_mark = events["next_funding_ns"], np.isfinite(events["mark"])
    _hold(panes["next_funding_ns"], slot[next_ns > 0], next_ns[next_ns > 0])
    _hold(panes["mark_ns"], slot[has_mark], events["event_ns"][has_mark])


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
        Statistic("mark_ns", "i8", "held"),
    ),
    fold=_fold,
    uses=("window_end_ns", "mark_contract", "mark_inverse"),
    compute=_marks,
    columns=(
        Column("mark_price", "f8", "the venue's mark price", "quote", "", _VENUE, low=0.0, null_when=_NOT_YET),
        Column("index_price", "f8", "the venue's index price", "quote", "", _VENUE, low=0.0, null_when=_NOT_YET),
        Column(
            "basis_bps",
            "f8",
            "mark above index",
            unit="bps",
            formula="1e4 * (mark - index) / index",
            source=quality.OURS,
            sign="positive: the perpetual is dear",
            null_when=_NOT_YET,
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
            "quantity * contract",
            _VENUE,
            low=0.0,
            null_when=_NOT_YET,
        ),
        Column(
            "open_interest_usd",
            "f8",
            "open interest at mark, in USD",
            "USD",
            "base * mark",
            _VENUE,
            low=0.0,
            null_when=_NOT_YET,
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
