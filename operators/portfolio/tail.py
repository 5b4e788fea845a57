r"""Tail loss of a portfolio: historical and EWMA value at risk, and expected shortfall. Losses are positive.

    VaR = -quantile_a(r), type 7 (linear)     ES = -mean(r | r <= quantile_a(r))     EWMA VaR = -z_a s
    s^2 = sum_k (1 - L) L^k r_(T-k)^2 / sum_k (1 - L) L^k

r: returns of the portfolio over the horizon, today's weights s N / E on past returns of the marks. a: tail size, .01.
L: .97 on hourly returns that do not overlap, counted back from the newest. A past minute at which one of the marks is
unknown is left out; with fewer than `LEAST` of them all is null, and `tail_reason` says so.
Source: Hyndman & Fan (1996), definition 7; RiskMetrics (1996).
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array
from operators.portfolio.positions import Flat
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

TAIL = 0.01
Z_01 = -2.3263478740408408
HOURLY_DECAY = 0.97
LEAST = 500
EWMA_LEAST = 8
REASONS = np.array(["", "no positions", "insolvent", "a position has no mark", "not enough history"])

NULL = "see tail_reason"
WRITES = (
    Column(
        "var_99_1h",
        "f8",
        "Loss over one hour that 99 % of past hours did not exceed",
        "share of equity",
        "-quantile_.01(r), type 7",
        "Hyndman & Fan (1996), definition 7",
        sign="+ loss",
        null_when=NULL,
        tolerance=1e-6,
    ),
    Column(
        "es_99_1h",
        "f8",
        "Mean loss over one hour in the worst 1 % of past hours",
        "share of equity",
        "-mean(r | r <= quantile_.01(r))",
        sign="+ loss",
        null_when=NULL,
        tolerance=1e-6,
    ),
    Column(
        "var_ewma_99_1h",
        "f8",
        "Value at risk over one hour with EWMA volatility",
        "share of equity",
        "-z_.01 s, decay .97 an hour",
        "RiskMetrics (1996)",
        sign="+ loss",
        null_when=NULL + "; fewer than 8 hours of history",
        low=0.0,
        tolerance=1e-6,
    ),
    Column(
        "var_99_1h_usd", "f8", "var_99_1h in dollars", "USD", "VaR E", sign="+ loss", null_when=NULL, tolerance=0.01
    ),
    Column("es_99_1h_usd", "f8", "es_99_1h in dollars", "USD", "ES E", sign="+ loss", null_when=NULL, tolerance=0.01),
    Column("tail_returns", "i8", "Past returns that the tail numbers rest on", "count", low=0.0),
    Column("tail_reason", "str", "Why the tail numbers are null; empty when they are not"),
)


def historical(returns: F8, tail: float = TAIL) -> float:
    """Value at risk; NaN without returns.

    >>> historical(np.array([1.0, 2.0]), 0.3)
    -1.3
    """
    return -float(np.quantile(returns, tail)) if len(returns) else float("nan")


def shortfall(returns: F8, tail: float = TAIL) -> float:
    """Expected shortfall; NaN without returns.

    >>> shortfall(np.array([-3.0, -1.0, 1.0, 2.0]), 0.34)
    2.0
    """
    return -float(returns[returns <= np.quantile(returns, tail)].mean()) if len(returns) else float("nan")


def ewma(returns: F8, decay: float = HOURLY_DECAY, z: float = Z_01) -> float:
    """EWMA value at risk of returns that do not overlap, oldest first; NaN without returns.

    >>> round(ewma(np.array([0.0, 0.01, -0.01]), 0.5, -1.0), 12)
    0.009258200998
    """
    if len(returns) == 0:
        return float("nan")
    weight = decay ** np.arange(len(returns) - 1, -1, -1.0)
    return -z * float(np.sqrt((weight * returns**2).sum() / weight.sum()))


def portfolio(
    flat: Flat, accounts: I8, equity: F8, mark: F8, returns: F8, horizon: int, least: int = LEAST
) -> dict[str, Array]:
    """The columns of `WRITES` for `accounts` with their `equity`; `returns` by market and minute, oldest first."""
    unseen = max(int(flat.market.max(initial=-1)) + 1 - len(returns), 0)
    returns = np.concatenate((returns, np.full((unseen, returns.shape[1]), np.nan)))
    numbers = np.full((3, len(accounts)), np.nan)
    count, reason = np.zeros(len(accounts), np.int64), np.zeros(len(accounts), np.int64)
    _tails(
        flat.starts,
        flat.market,
        flat.qty,
        accounts,
        equity,
        mark,
        returns,
        horizon,
        least,
        numbers,
        count,
        reason,
        np.empty((3, returns.shape[1] + 2)),
    )
    return {
        "var_99_1h": numbers[0],
        "es_99_1h": numbers[1],
        "var_ewma_99_1h": numbers[2],
        "var_99_1h_usd": numbers[0] * equity,
        "es_99_1h_usd": numbers[1] * equity,
        "tail_returns": count,
        "tail_reason": REASONS[reason],
    }


@kernel
def _tails(
    starts: I8,
    market: I8,
    qty: F8,
    accounts: I8,
    equity: F8,
    mark: F8,
    returns: F8,
    horizon: int,
    least: int,
    numbers: F8,
    count: I8,
    reason: I8,
    room: F8,
) -> None:
    minutes = returns.shape[1]
    path, known, smallest = room
    for k in range(len(accounts)):
        begin, end = starts[accounts[k]], starts[accounts[k] + 1]
        if begin == end:
            reason[k] = 1
            continue
        if equity[k] <= 0:
            reason[k] = 2
            continue
        path[:] = 0.0
        for i in range(begin, end):
            m = market[i]
            weight = qty[i] * mark[m] / equity[k]
            if np.isnan(weight):
                reason[k] = 3
                break
            for t in range(minutes):
                path[t] += weight * returns[m, t]
        if reason[k] == 3:
            continue
        n = 0
        for t in range(minutes):
            if not np.isnan(path[t]):
                known[n] = path[t]
                n += 1
        count[k] = n
        if n < least:
            reason[k] = 4
            continue
        at = (n - 1) * TAIL
        low = int(at)
        keep = min(low + 2, n)
        held = 0
        for t in range(n):
            if held < keep or known[t] < smallest[held - 1]:
                j = held if held < keep else keep - 1
                held = min(held + 1, keep)
                while j > 0 and smallest[j - 1] > known[t]:
                    smallest[j] = smallest[j - 1]
                    j -= 1
                smallest[j] = known[t]
        quantile = smallest[low]
        if keep > low + 1:
            quantile += (at - low) * (smallest[low + 1] - smallest[low])
        below, total = 0, 0.0
        for t in range(n):
            if known[t] <= quantile:
                below += 1
                total += known[t]
        numbers[0, k] = -quantile
        numbers[1, k] = -total / below
        square, weights, decay, hours = 0.0, 0.0, 1.0, 0
        for t in range(minutes - 1, -1, -horizon):
            if not np.isnan(path[t]):
                square += decay * path[t] * path[t]
                weights += decay
                hours += 1
            decay *= HOURLY_DECAY
        if hours >= EWMA_LEAST:
            numbers[2, k] = -Z_01 * np.sqrt(square / weights)
