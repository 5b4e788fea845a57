"""Sign autocorrelation: whether buys follow buys and sells sells, over the last few hundred trades.

    rho = (E[s_i s_{i-1}] - E[s]^2) / (1 - E[s]^2)        s: +1 aggressive buy, -1 aggressive sell

E is the exponential mean over trades with a weight of 1/200 for the newest. Orders that are split over time make it
positive. Null before 200 trades, and where all of them have one sign.

Hasbrouck & Ho (1987), J. of Finance 42(4); Lillo & Farmer (2004), Studies in Nonlinear Dynamics & Econometrics 8(3).
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
LEAST = 200


@kernel
def _fold_signs(
    trades: I8,
    last: I8,
    mean: F8,
    product: F8,
    slot: I8,
    instrument: NDArray[np.int32],
    sign: NDArray[np.int8],
    out: F8,
) -> None:
    for i in range(len(slot)):
        k, s = instrument[i], np.float64(sign[i])
        if trades[k] > 0:
            # At first the plain mean of as many as there are.
            weight = 1.0 / min(trades[k], LEAST)
            mean[k] += weight * (s - mean[k])
            product[k] += weight * (s * last[k] - product[k])
        trades[k] += 1
        last[k] = sign[i]
        rest = 1 - mean[k] * mean[k]
        known = trades[k] > LEAST and rest > 1e-9
        out[slot[i]] = max(-1.0, min((product[k] - mean[k] * mean[k]) / rest, 1.0)) if known else np.nan


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    _fold_signs(
        state["trades"],
        state["last_sign"],
        state["mean"],
        state["product"],
        slot,
        events["instrument"],
        events["sign"],
        panes["sign_autocorrelation_last"],
    )


def _compute(windows: Columns) -> Columns:
    return {"sign_autocorrelation": windows["sign_autocorrelation_last"]}


_STATE = (Field("trades", "i8"), Field("last_sign", "i8"), Field("mean", "f8"), Field("product", "f8"))

SIGN_AUTOCORRELATION = Operator(
    "sign_autocorrelation",
    "trade",
    ("instrument", "sign"),
    table="features_efficiency",
    state=_STATE,
    statistics=(Statistic("sign_autocorrelation_last", "f8", "asof", np.nan),),
    fold=_fold,
    compute=_compute,
    columns=(
        Column(
            "sign_autocorrelation",
            "f8",
            "correlation of a trade's side with that of the trade before it, last 200 trades or so",
            "1",
            "(E[s_i s_{i-1}] - E[s]^2) / (1 - E[s]^2), E: exponential mean over trades, 1/200 for the newest",
            "Hasbrouck & Ho (1987)",
            "buys follow buys: positive",
            "fewer than 200 trades yet, or all of one side",
            -1,
            1,
        ),
    ),
)
