"""Cumulative volume delta: signed volume since 00:00 UTC, over closed panes.

    CVD = sum s q        s = +1 aggressive buy, -1 aggressive sell; q: base units

Linear and spot: an integer number of lots, exact. Inverse: a float sum of quantity / price, continued pane by pane.
A pane belongs to the day in which it begins, so a trade at 00:00:00.000 sharp is the last of the old day. Pane rows are
those with trades; a day without a trade so far has a CVD of 0; an instrument that never traded has none (null). On the
first day of a log the sum begins with the log.

>>> rows = {"instrument": np.zeros(2, np.int32), "pane": np.array([86_399, 86_400]), "base_ms": np.array([1000]),
...         "lots": np.array([10, 4]), "buy_lots": np.array([9, 1]), "per_price": np.zeros(2),
...         "buy_per_price": np.zeros(2)}
>>> state = {f.name: np.full(1, f.empty, f.dtype) for f in CVD.fields}
>>> CVD.step(state, rows)["cvd_lots"]
array([ 8, -2])
"""

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import I8, Columns, Field, Operator, State, Statistic
from operators.tape.bars import F8, base_volume
from schemas.column import Column
from schemas.kernels import kernel

DAY_MS = 86_400_000
NEVER = -(2**62)


@kernel
def _run(
    day: I8,
    lots: I8,
    per_price: F8,
    instrument: NDArray[np.int32],
    today: I8,
    signed: I8,
    signed_per_price: F8,
    out_lots: I8,
    out_per_price: F8,
) -> None:
    for i in range(len(instrument)):
        k = instrument[i]
        if day[k] != today[i]:
            day[k], lots[k], per_price[k] = today[i], 0, 0.0
        lots[k] += signed[i]
        per_price[k] += signed_per_price[i]
        out_lots[i], out_per_price[i] = lots[k], per_price[k]


def _step(state: State, rows: Columns) -> Columns:
    instrument = rows["instrument"]
    today = rows["pane"] * rows["base_ms"] // DAY_MS
    signed = 2 * rows["buy_lots"] - rows["lots"]
    per_price = 2 * rows["buy_per_price"] - rows["per_price"]
    out_lots, out_per_price = np.zeros(len(instrument), np.int64), np.zeros(len(instrument))
    _run(
        state["day"],
        state["lots"],
        state["per_price"],
        instrument,
        today,
        signed,
        per_price,
        out_lots,
        out_per_price,
    )
    return {"cvd_lots": out_lots, "cvd_per_price": out_per_price, "cvd_day": today}


def _cvd(windows: Columns) -> Columns:
    value = base_volume(windows["cvd_lots"], windows["cvd_per_price"], windows)
    today = (windows["window_end_ns"] - 1) // (DAY_MS * 1_000_000)
    value = np.where(windows["cvd_day"] == today, value, 0.0)
    return {"cvd": np.where(windows["cvd_day"] == NEVER, np.nan, value)}


CVD = Operator(
    "cvd",
    "pane",
    ("instrument", "pane", "base_ms", "lots", "buy_lots", "per_price", "buy_per_price"),
    table="features_tape",
    state=(Field("day", "i8", NEVER), Field("lots", "i8", lots=1), Field("per_price", "f8")),
    statistics=(
        Statistic("cvd_lots", "i8", "asof", lots=1),
        Statistic("cvd_per_price", "f8", "asof"),
        Statistic("cvd_day", "i8", "asof", NEVER),
    ),
    step=_step,
    uses=("window_end_ns", *units.READS),
    compute=_cvd,
    columns=(
        Column(
            "cvd",
            "f8",
            "signed volume since 00:00 UTC, at the window's end",
            "base",
            "sum s q",
            "tardis-node computeTradeBars, summed from 00:00 UTC",
            sign="net buying: positive",
            null_when="no trade yet, or contract unknown",
        ),
    ),
)
"""The running day (days since 1970) and its sums so far; the last pane with trades says, also for windows without."""
