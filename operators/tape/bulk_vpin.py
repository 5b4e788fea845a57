"""Bulk VPIN: VPIN with the aggressors guessed from price changes, beside the one with true sides.

    buy share of a pane = Phi(D / s)     D: change of its close; s: deviation (n - 1) of the last 20 changes, with D
    VPIN = mean over the last 50 buckets of |Vb - Vs| / V

Buckets are those of `operators/tape/buckets`; a pane that straddles a boundary is split, each part with the pane's
share. It says how far off the guess is where sides are known, and
compares with tapes that have none. Null until a day is over, 50 buckets are full and 20 changes are known. Shares of
buckets are kept to 2**-20.

Easley, Lopez de Prado & O'Hara (2012), Review of Financial Studies 25(5), 1457-1493.
"""

import math

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, Operator, State, Statistic
from operators.tape import buckets
from operators.tape.buckets import BUCKETS
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
CHANGES = 20
_ONE = 2.0**20


@kernel
def buy_share(changes: I8, last: int) -> float:
    """Share of buys after a change, of as many changes as there are; a half where all are equal, and no bounce is."""
    n, total, squares = len(changes), 0.0, 0.0
    for b in range(n):
        total += changes[b]
        squares += np.float64(changes[b]) * changes[b]
    variance = (squares - total * total / n) / (n - 1)
    if not variance > 0:
        return 1.0 if last > 0 else 0.0 if last < 0 else 0.5
    return 0.5 * math.erfc(-last / math.sqrt(2 * variance))


@kernel
def _fill(
    day: I8,
    day_lots: I8,
    size: I8,
    filled: I8,
    signed: F8,
    full: I8,
    shares: I8,
    close: I8,
    changes: I8,
    known: I8,
    instrument: I8,
    end_ns: I8,
    closes: I8,
    lots: I8,
    out: F8,
) -> None:
    for i in range(len(instrument)):
        k = instrument[i]
        left = buckets.counted(day, day_lots, size, k, end_ns[i], lots[i])
        share = np.nan
        if closes[i] > 0:
            if close[k] > 0:
                change = closes[i] - close[k]
                changes[k, known[k] % CHANGES] = change
                known[k] += 1
                if known[k] >= CHANGES:
                    share = buy_share(changes[k], change)
            close[k] = closes[i]
        if not np.isnan(share):
            buckets.fill(size, filled, signed, full, shares, _ONE, k, left, 2 * share - 1)
        out[i] = buckets.mean(full, shares, _ONE, k)


def _step(state: State, rows: Columns) -> Columns:
    out = np.empty(len(rows["instrument"]))
    _fill(
        state["day"],
        state["day_lots"],
        state["bucket_lots"],
        state["filled_lots"],
        state["signed_lots"],
        state["full"],
        state["shares"],
        state["close_ticks"],
        state["changes_ticks"],
        state["changes"],
        rows["instrument"].astype(np.int64),
        rows["pane_end_ns"],
        rows["close_ticks"],
        rows["lots"],
        out,
    )
    return {"vpin_bulk_last": out}


def _compute(windows: Columns) -> Columns:
    return {"vpin_bulk": windows["vpin_bulk_last"]}


_STATE = (
    Field("day", "i8", -1),
    Field("day_lots", "i8", lots=1),
    Field("bucket_lots", "i8", lots=1),
    Field("filled_lots", "i8", lots=1),
    Field("signed_lots", "f8", lots=1),
    Field("full", "i8"),
    Field("shares", "i8", 0, (BUCKETS,)),
    Field("close_ticks", "i8", ticks=1),
    Field("changes_ticks", "i8", 0, (CHANGES,), ticks=1),
    Field("changes", "i8"),
)

BULK_VPIN = Operator(
    "bulk_vpin",
    "pane",
    ("instrument", "pane_end_ns", "close_ticks", "lots"),
    table="features_efficiency",
    state=_STATE,
    statistics=(Statistic("vpin_bulk_last", "f8", "asof", np.nan),),
    step=_step,
    compute=_compute,
    anew=True,
    columns=(
        Column(
            "vpin_bulk",
            "f8",
            "VPIN with sides guessed from price changes (bulk volume classification), last 50 buckets",
            "1",
            "mean |2 Vb / V - 1|, to 2^-20 each, buckets as of vpin; Vb = sum v Phi(D / s), where s is 0 of 0, v / 2, v"
            " by the sign of D; of shortest windows with trades, v: volume, D: change of close, s: deviation (n - 1) of"
            " the last 20, with D; what was traded before counts in no bucket",
            "Easley, Lopez de Prado & O'Hara (2012)",
            null_when="no day is over yet, fewer than 50 buckets are full, or 20 changes of price known",
            low=0,
            high=1,
        ),
    ),
)
