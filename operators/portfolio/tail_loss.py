r"""Tail loss of a portfolio by filtered historical simulation, and by EWMA volatility alone. Losses are positive.

    z_t = r_t / s_t     VaR = -quantile_a(z) s_T, type 7 (linear)     ES = -mean(z | z <= quantile_a(z)) s_T
    s_(t+1)^2 = L s_t^2 + (1 - L) r_t^2     EWMA VaR = -z_a s,  s^2 = sum_k L^k r_(T-k)^2 / sum_k L^k

r: hourly returns of the portfolio, today's weights s N / E, of positions and of collateral that is no dollar, on past
returns of their marks; no two overlap. A past hour at which one of the marks is unknown is left out. s_t: volatility as
it was known before hour t, begun with that of the first `BURN_IN` hours, which give no z. a: tail size, .01. L: .97 an
hour. With fewer than `LEAST` z all is null, and `tail_reason` says so.
Source: Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998); Hyndman & Fan (1996), definition 7; RiskMetrics
(1996).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

TAIL = 0.01
Z_01 = -2.3263478740408408
HOURLY_DECAY = 0.97
BURN_IN = 100
LEAST = 500
REASONS = np.array(
    [
        "",
        "no positions",
        "insolvent",
        "a position has no mark",
        "not enough history",
        "equity is not known",
        "collateral has no mark",
    ],
    np.object_,
)

NULL = "see tail_reason"
SOURCE = "Barone-Adesi, Giannopoulos & Vosper (1999); Hull & White (1998)"
WRITES = (
    Column(
        "var_99_1h",
        "f8",
        "Loss over one hour that is exceeded in 1 % of hours: the tail of past hours at the volatility of now",
        "share of equity",
        "-quantile_.01(r_t / s_t) s_T, type 7; r_t = sum over positions, and collateral that is no dollar (wallet and"
        " profit), of its dollars, as they count in equity, / E (P_t / P_t-1 - 1), of the last 1,000 whole hours, until"
        " the last mark, those at both ends of which all marks are known; P: the last mark of an hour's last five"
        " minutes, or risk.candles; s^2: mean r^2 of the first 100, of which no z is taken, then .97 s^2 + .03 r^2"
        " after each",
        SOURCE,
        sign="+ loss",
        null_when=NULL,
        tolerance=1e-6,
    ),
    Column(
        "es_99_1h",
        "f8",
        "Mean loss over one hour in the worst 1 % of hours, at the volatility of now",
        "share of equity",
        "-mean(z | z <= quantile_.01(z)) s_T, z = r_t / s_t as in var_99_1h",
        SOURCE,
        sign="+ loss",
        null_when=NULL,
        tolerance=1e-6,
    ),
    Column(
        "var_ewma_99_1h",
        "f8",
        "Value at risk over one hour with EWMA volatility",
        "share of equity",
        "2.32635 s, s^2 = sum .97^k r_T-k^2 / sum .97^k over the hours known, k: hours ago",
        "RiskMetrics (1996)",
        sign="+ loss",
        null_when=NULL,
        low=0.0,
        tolerance=1e-6,
    ),
    Column(
        "var_99_1h_usd",
        "f8",
        "var_99_1h in dollars",
        "USD",
        "VaR E",
        sign="+ loss",
        null_when=NULL,
        tolerance=0.01,
        source=SOURCE,
    ),
    Column(
        "es_99_1h_usd",
        "f8",
        "es_99_1h in dollars",
        "USD",
        "ES E",
        sign="+ loss",
        null_when=NULL,
        tolerance=0.01,
        source=SOURCE,
    ),
    Column(
        "tail_returns",
        "i8",
        "Past hours, none overlapping, that the tail numbers rest on, without the first 100; 500 are needed",
        "count",
        low=0.0,
    ),
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


@dataclass(frozen=True, slots=True)
class Exposures:
    """What of each account moves with which market, in signed US dollars; NaN: it is not known.

    Positions of account a are rows `starts[a]` to `starts[a + 1]`, what it owns of assets that are no dollars
    likewise; a market of -1 moves nothing.
    """

    starts: I8
    market: I8
    usd: F8
    purse_starts: I8
    purse_market: I8
    purse_usd: F8


def portfolio(of: Exposures, accounts: I8, equity: F8, returns: F8, least: int = LEAST) -> dict[str, Array]:
    """The columns of `WRITES` for `accounts` with their `equity`; `returns` by market and hour, oldest first."""
    most = max(int(of.market.max(initial=-1)), int(of.purse_market.max(initial=-1)))
    unseen = max(most + 1 - len(returns), 0)
    returns = np.concatenate((returns, np.full((unseen, returns.shape[1]), np.nan)))
    numbers = np.full((3, len(accounts)), np.nan)
    count, reason = np.zeros(len(accounts), np.int64), np.zeros(len(accounts), np.int64)
    _tails(
        of.starts,
        of.market,
        of.usd,
        of.purse_starts,
        of.purse_market,
        of.purse_usd,
        accounts,
        equity,
        returns,
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
    usd: F8,
    purse_starts: I8,
    purse_market: I8,
    purse_usd: F8,
    accounts: I8,
    equity: F8,
    returns: F8,
    least: int,
    numbers: F8,
    count: I8,
    reason: I8,
    room: F8,
) -> None:
    hours = returns.shape[1]
    path, scaled, smallest = room
    for k in range(len(accounts)):
        begin, end = starts[accounts[k]], starts[accounts[k] + 1]
        if begin == end:
            reason[k] = 1
            continue
        if np.isnan(equity[k]):
            reason[k] = 5
            continue
        if equity[k] <= 0:
            reason[k] = 2
            continue
        path[:] = 0.0
        for i in range(begin, end):
            m = market[i]
            weight = usd[i] / equity[k]
            if np.isnan(weight):
                reason[k] = 3
                break
            for t in range(hours):
                path[t] += weight * returns[m, t]
        for u in range(purse_starts[accounts[k]], purse_starts[accounts[k] + 1]):
            m = purse_market[u]
            if np.isnan(purse_usd[u]) and reason[k] == 0:
                reason[k] = 6
            if m >= 0:
                weight = purse_usd[u] / equity[k]
                for t in range(hours):
                    path[t] += weight * returns[m, t]
        if reason[k] > 0:
            continue
        square, weights, decay = 0.0, 0.0, 1.0
        for t in range(hours - 1, -1, -1):
            if not np.isnan(path[t]):
                square += decay * path[t] * path[t]
                weights += decay
            decay *= HOURLY_DECAY
        seen, n, variance = 0, 0, 0.0
        for t in range(hours):
            r = path[t]
            if np.isnan(r):
                continue
            if seen < BURN_IN:
                variance += r * r / BURN_IN
                seen += 1
                continue
            scaled[n] = r / np.sqrt(variance) if variance > 0 else 0.0
            n += 1
            variance = HOURLY_DECAY * variance + (1 - HOURLY_DECAY) * r * r
        count[k] = n
        if n < least:
            reason[k] = 4
            continue
        at = (n - 1) * TAIL
        low = int(at)
        keep = min(low + 2, n)
        held = 0
        for t in range(n):
            if held < keep or scaled[t] < smallest[held - 1]:
                j = held if held < keep else keep - 1
                held = min(held + 1, keep)
                while j > 0 and smallest[j - 1] > scaled[t]:
                    smallest[j] = smallest[j - 1]
                    j -= 1
                smallest[j] = scaled[t]
        quantile = smallest[low]
        if keep > low + 1:
            quantile += (at - low) * (smallest[low + 1] - smallest[low])
        below, total = 0, 0.0
        for t in range(n):
            if scaled[t] <= quantile:
                below += 1
                total += scaled[t]
        now = np.sqrt(variance)
        numbers[0, k] = 0.0 - quantile * now
        numbers[1, k] = 0.0 - total / below * now
        numbers[2, k] = -Z_01 * np.sqrt(square / weights)
