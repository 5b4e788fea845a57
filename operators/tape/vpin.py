"""VPIN: volume-synchronised probability of informed trading, over the last 50 buckets of equal volume.

    VPIN = mean over the last n buckets of |Vb - Vs| / V        n = 50; Vb, Vs: aggressive buys and sells of a bucket

Buckets are those of `operators/tape/buckets`; V is in the venue's own quantity, and all sums are whole numbers of
fiftieths of lots, so nothing is rounded until the ratio of a bucket. Dimensionless, in [0, 1]; null until a day is over
and 50 buckets are full. Aggressors are known, so no volume need be classified in bulk.

Easley, Lopez de Prado & O'Hara (2012), Review of Financial Studies 25(5), 1457-1493.
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, Operator, State, Statistic
from operators.tape import buckets
from operators.tape.buckets import BUCKETS
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]


@kernel
def _fill(
    day: I8,
    day_lots: I8,
    size: I8,
    filled: I8,
    signed: I8,
    full: I8,
    ratios: F8,
    vpin: F8,
    slot: I8,
    instrument: NDArray[np.int32],
    event_ns: I8,
    lots: I8,
    sign: NDArray[np.int8],
) -> None:
    for i in range(len(slot)):
        k = instrument[i]
        left = buckets.counted(day, day_lots, size, k, event_ns[i], lots[i])
        buckets.fill(size, filled, signed, full, ratios, 1.0, k, left, sign[i])
        vpin[slot[i]] = buckets.mean(full, ratios, 1.0, k)


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    _fill(
        state["day"],
        state["day_lots"],
        state["bucket_lots"],
        state["filled_lots"],
        state["signed_lots"],
        state["full"],
        state["imbalances"],
        panes["vpin_last"],
        slot,
        *(events[n] for n in _READS),
    )


def _compute(windows: Columns) -> Columns:
    return {"vpin": windows["vpin_last"]}


_READS = ("instrument", "event_ns", "lots", "sign")

VPIN = Operator(
    "vpin",
    "trade",
    _READS,
    table="features_tape",
    state=(
        Field("day", "i8", -1),
        Field("day_lots", "i8", lots=1),
        Field("bucket_lots", "i8", lots=1),
        Field("filled_lots", "i8", lots=1),
        Field("signed_lots", "i8", lots=1),
        Field("full", "i8"),
        Field("imbalances", "f8", np.nan, (BUCKETS,)),
    ),
    statistics=(Statistic("vpin_last", "f8", "asof", np.nan),),
    fold=_fold,
    compute=_compute,
    columns=(
        Column(
            "vpin",
            "f8",
            "imbalance of aggressive volume over the last 50 buckets of a fiftieth of the known volume of the last day"
            " with trades before, UTC; a trade is split where one is full, and one goes on over midnight",
            "1",
            "mean |Vb - Vs| / V",
            "Easley, Lopez de Prado & O'Hara (2012)",
            null_when="no day is over yet, or fewer than 50 buckets are full",
            low=0,
            high=1,
        ),
    ),
)
"""`bucket_lots`, `filled_lots`, `signed_lots` count fiftieths of lots: in them a bucket is the size of a day's lots."""
