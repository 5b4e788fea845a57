"""Realised variance and bipower variation of trade prices, on the grid of base panes.

    RV  = sum_p r_p^2                       r_p = ln(close of pane p / close before it)
    BPV = (pi / 2) sum_p |r_p| |r_{p-1}|    robust to jumps

Dimensionless, per window, not annualised. Previous tick: a pane without a trade keeps the last price, so its return is
0 and so are the two products it stands in. The first pane with a trade has no return; null until one is known.

Andersen & Bollerslev (1998), Int. Economic Review 39(4); Barndorff-Nielsen & Shephard (2004), J. Financial
Econometrics 2(1).

>>> rows = {"instrument": np.zeros(3, np.int32), "pane": np.arange(3), "close_ticks": np.array([100, 110, 99])}
>>> state = {f.name: np.full(1, f.empty, f.dtype) for f in VARIANCE.fields}
>>> [float(x) for x in VARIANCE.step(state, rows)["squared_return"].round(6)]  # ln(1.1)^2, ln(0.9)^2
[0.0, 0.009084, 0.011101]
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]


@kernel
def _returns(
    last_close: I8,
    last_pane: I8,
    last_return: F8,
    instrument: NDArray[np.int32],
    pane: I8,
    close: I8,
    squared: F8,
    bipower: F8,
    known: I8,
) -> None:
    for i in range(len(instrument)):
        k = instrument[i]
        if close[i] != 0:
            r = np.nan
            if last_close[k] != 0:
                r = abs(np.log(close[i] / last_close[k]))
                squared[i] = r * r
                if last_pane[k] == pane[i] - 1 and not np.isnan(last_return[k]):
                    bipower[i] = r * last_return[k]
            last_close[k], last_pane[k], last_return[k] = close[i], pane[i], r
        known[i] = 0 if last_close[k] == 0 or np.isnan(last_return[k]) else 1


def _step(state: State, rows: Columns) -> Columns:
    instrument = rows["instrument"]
    squared, bipower = np.zeros((2, len(instrument)))
    known = np.zeros(len(instrument), np.int64)
    _returns(
        state["last_close_ticks"],
        state["last_pane"],
        state["absolute_return"],
        instrument,
        rows["pane"],
        rows["close_ticks"],
        squared,
        bipower,
        known,
    )
    return {"squared_return": squared, "bipower": bipower, "return_known": known}


def _variation(windows: Columns) -> Columns:
    known = windows["return_known"] > 0
    return {
        "realised_variance": np.where(known, windows["squared_return"], np.nan),
        "bipower_variation": np.where(known, np.pi / 2 * windows["bipower"], np.nan),
    }


_NULL = "no return known yet: fewer than two panes with a trade"

VARIANCE = Operator(
    "variance",
    "pane",
    ("instrument", "pane", "close_ticks"),
    table="features_tape",
    state=(
        Field("last_close_ticks", "i8", ticks=1),
        Field("last_pane", "i8"),
        Field("absolute_return", "f8", np.nan),
    ),
    statistics=(
        Statistic("squared_return", "f8", "sum"),
        Statistic("bipower", "f8", "sum"),
        Statistic("return_known", "i8", "asof"),
    ),
    step=_step,
    compute=_variation,
    columns=(
        Column(
            "realised_variance",
            "f8",
            "sum of squared log returns of the last trade prices of panes, 0 where there is none, not annualised",
            "1",
            "sum r_p^2",
            "Andersen & Bollerslev (1998)",
            null_when=_NULL,
            low=0,
        ),
        Column(
            "bipower_variation",
            "f8",
            "realised variance without its jumps, not annualised",
            "1",
            "(pi / 2) sum |r_p| |r_{p-1}|",
            "Barndorff-Nielsen & Shephard (2004)",
            null_when=_NULL,
            low=0,
        ),
    ),
)
"""Close (0 before the first trade), pane and absolute return (NaN: not known) of the last pane with a trade.

`return_known` stays in force, for a quiet window's returns are known to be 0.
"""
