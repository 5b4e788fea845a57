"""EWMA variance: of one-minute returns, the newer weighing more, as RiskMetrics has it.

    v <- lambda v + (1 - lambda) r^2        lambda = 0.94;  r = ln(close of a minute / close of the minute before)

Minutes are of event time; one without a trade keeps the price before it, so its return is 0. At first v is the plain
mean of the squares, until there are 1 / (1 - lambda) of them, some 17, before which it is null, as it is once no trade
came for 30 minutes. A minute counts when a trade of a later one comes. Dimensionless, not annualised.

J. P. Morgan / Reuters (1996), RiskMetrics Technical Document, 4th ed., ch. 5.

>>> v = 4e-4
>>> for r in (0.01, -0.02, 0.015):
...     v = renewed(v, 10**6, r)
>>> round(v, 10)
0.0003735952
"""

import math

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
LAMBDA = 0.94
MINUTE_NS = 60_000_000_000
LEAST = 17
FRESH_NS = 30 * MINUTE_NS
_LONGEST = 1_440
"""Minutes without a trade that count: what was before a day of them weighs nothing."""


@kernel
def renewed(v: float, returns: int, r: float) -> float:
    """The variance after one more return, the `returns`-th."""
    return float(v + max(1 - LAMBDA, 1.0 / returns) * (r * r - v))


@kernel
def _follow(
    minute: I8, close: I8, before: I8, returns: I8, v: F8, instrument: I8, end_ns: I8, closes: I8, out: F8
) -> None:
    for i in range(len(instrument)):
        k, now = instrument[i], (end_ns[i] - 1) // MINUTE_NS
        if closes[i] > 0:
            if close[k] > 0 and now > minute[k]:
                # The minute of the trade before this one has ended, and so have those without any since.
                if before[k] > 0:
                    returns[k] += 1
                    v[k] = renewed(v[k], returns[k], math.log(close[k] / before[k]))
                for _ in range(min(now - minute[k] - 1, _LONGEST)):
                    returns[k] += 1
                    v[k] = renewed(v[k], returns[k], 0.0)
                before[k] = close[k]
            minute[k], close[k] = max(minute[k], now), closes[i]
        out[i] = v[k] if returns[k] >= LEAST else np.nan


def _step(state: State, rows: Columns) -> Columns:
    out = np.empty(len(rows["instrument"]))
    _follow(
        state["minute"],
        state["close_ticks"],
        state["before_ticks"],
        state["returns"],
        state["variance"],
        rows["instrument"].astype(np.int64),
        rows["pane_end_ns"],
        rows["close_ticks"],
        out,
    )
    return {"ewma_variance_last": out, "ewma_end_ns": rows["pane_end_ns"]}


def _compute(windows: Columns) -> Columns:
    fresh = windows["window_end_ns"] - windows["ewma_end_ns"] < FRESH_NS
    return {"ewma_variance": np.where(fresh, windows["ewma_variance_last"], np.nan)}


EWMA = Operator(
    "ewma",
    "pane",
    ("instrument", "pane_end_ns", "close_ticks"),
    table="features_efficiency",
    state=(
        Field("minute", "i8", -1),
        Field("close_ticks", "i8", ticks=1),
        Field("before_ticks", "i8", ticks=1),
        Field("returns", "i8"),
        Field("variance", "f8"),
    ),
    statistics=(Statistic("ewma_variance_last", "f8", "asof", np.nan), Statistic("ewma_end_ns", "i8", "asof")),
    step=_step,
    uses=("window_end_ns",),
    compute=_compute,
    columns=(
        Column(
            "ewma_variance",
            "f8",
            "variance of one-minute log returns, the newer weighing more, up to the minute before that of the last"
            " trade, not annualised",
            "1",
            "v <- v + max(0.06, 1 / n) (r^2 - v), n: returns so far; r: 0 of a minute without a trade",
            "RiskMetrics (1996)",
            null_when="fewer than 17 returns of a minute known, or no trade for 30 minutes",
            low=0,
        ),
    ),
)
