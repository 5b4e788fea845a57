"""Large trades: those of the largest percent of the last day's trades of their instrument, by size.

    large: q >= Q, the 0.99 quantile of the sizes of the trades of the last 12 to 24 hours before this one

Sizes are in the venue's own quantity (inverse: US dollars), counted in quarter octaves (`operators/ranks`), a factor of
two million up and down from the first trade's, within which they count as even: a trade is large when at least 0.99 of
the trades before it were smaller by its rank. Null until 1,000 trades are known. Volume in base units; a split order is
as many trades as the venue makes of it.

>>> one = {"large_buy_qty": [3.0], "large_sell_qty": [0.0], "large_trades_n": [2], "large_known": [1]}
>>> scales = {"contract": [1.0]}
>>> found = LARGE_TRADES.compute({k: np.array(v) for k, v in (one | scales).items()})
>>> float(found["large_buy_volume_base"][0]), float(found["large_trades"][0])
(3.0, 2.0)
"""

import numpy as np
from numpy.typing import NDArray

from operators import ranks, units
from operators.contract import I8, Columns, Field, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
QUANTILE = 0.99
LEAST = 1_000
OCTAVES = 21
BINS = 2 * 4 * OCTAVES
"""As many octaves below the first size as above: a coin has sizes of ten million lots, another of one."""


@kernel
def _mark(
    counts: I8,
    turn: I8,
    begins: F8,
    slot: I8,
    instrument: NDArray[np.int32],
    event_ns: I8,
    quantity: F8,
    counted: F8,
    sign: NDArray[np.int8],
    large: I8,
    known: I8,
    buys: F8,
    sells: F8,
) -> None:
    for i in range(len(slot)):
        k, p = instrument[i], slot[i]
        ranks.turned(counts, turn, k, event_ns[i])
        if begins[k] == 0:
            begins[k] = quantity[i] / 2.0**OCTAVES
        at = ranks.place(counts, quantity[i], begins[k])
        found = ranks.rank(counts, k, 0, at, at - int(at), LEAST)
        ranks.counted(counts, k, 0, at)
        if np.isnan(found):
            continue
        known[p] = 1
        if found >= QUANTILE:
            large[p] += 1
            if sign[i] > 0:
                buys[p] += counted[i]
            else:
                sells[p] += counted[i]


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    quantity = units.quantity(events["lots"], events)
    _mark(
        state["rank_counts"],
        state["rank_turn"],
        state["rank_begins"],
        slot,
        events["instrument"],
        events["event_ns"],
        quantity,
        np.where(events["inverse"], events["qty_per_price"], quantity),
        events["sign"],
        panes["large_trades_n"],
        panes["large_known"],
        panes["large_buy_qty"],
        panes["large_sell_qty"],
    )


def _compute(windows: Columns) -> Columns:
    known = windows["large_known"] > 0
    return {
        "large_trades": np.where(known, windows["large_trades_n"].astype(np.float64), np.nan),
        "large_buy_volume_base": np.where(known, windows["large_buy_qty"] * windows["contract"], np.nan),
        "large_sell_volume_base": np.where(known, windows["large_sell_qty"] * windows["contract"], np.nan),
    }


_NULL = "fewer than 1,000 trades known of the last 12 to 24 hours"


def _column(name: str, meaning: str, unit: str, null_when: str) -> Column:
    of = "trades not below the 0.99 quantile of the sizes of the last 12 to 24 hours before each"
    return Column(
        name,
        "f8",
        f"{meaning} {of}",
        unit,
        "0.99 of the trades before it were of a lower quarter octave of q; q: the venue's own quantity",
        "trailing quantile",
        "",
        null_when,
        0,
    )


LARGE_TRADES = Operator(
    "large_trades",
    "trade",
    (
        *("instrument", "event_ns", "lots", "sign", "qty_per_price"),
        *("lot_mantissa", "lot_scale", "inverse"),
    ),
    table="features_efficiency",
    state=(*ranks.fields("rank", 1, BINS), Field("rank_begins", "f8")),
    statistics=(
        Statistic("large_trades_n", "i8", "sum"),
        Statistic("large_known", "i8", "asof"),
        Statistic("large_buy_qty", "f8", "sum"),
        Statistic("large_sell_qty", "f8", "sum"),
    ),
    fold=_fold,
    anew=True,
    uses=("contract",),
    compute=_compute,
    columns=(
        _column("large_trades", "number of", "count", _NULL),
        _column("large_buy_volume_base", "volume of aggressive buys among", "base", f"{_NULL}; contract unknown"),
        _column("large_sell_volume_base", "volume of aggressive sells among", "base", f"{_NULL}; contract unknown"),
    ),
)
