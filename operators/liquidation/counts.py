"""Liquidations of a window: how many, how much and how large, by the side of the victim.

    long_liquidated_usd = sum of notional_usd over forced sells;   short_...: over forced buys

Float sums, continued in log order. No liquidation: counts and sums are 0, the largest is null. A size that is not
known (contract unknown) makes the sum of its side null, not smaller. Where `throttled`, all are lower bounds.

>>> panes = COUNTS.empty(1)
>>> events = {"order_side": np.array([-1, 1], np.int8), "qty_base": np.array([0.014, 2.0]),
...           "notional_usd": np.array([138.74, 20.0]), "throttled": np.array([True, True])}
>>> COUNTS.fold({}, events, panes, np.array([0, 0]))
>>> row = COUNTS.compute(panes)
>>> float(row["long_liquidated_usd"][0]), float(row["largest_liquidation_usd"][0])
(138.74, 138.74)
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]


@kernel
def _count(
    slot: I8,
    order_side: NDArray[np.int8],
    qty_base: F8,
    notional_usd: F8,
    throttled: NDArray[np.bool_],
    longs: I8,
    shorts: I8,
    long_base: F8,
    short_base: F8,
    long_usd: F8,
    short_usd: F8,
    largest_usd: F8,
    lower_bounds: I8,
) -> None:
    for i in range(len(slot)):
        p = slot[i]
        if order_side[i] < 0:
            longs[p] += 1
            long_base[p] += qty_base[i]
            long_usd[p] += notional_usd[i]
        else:
            shorts[p] += 1
            short_base[p] += qty_base[i]
            short_usd[p] += notional_usd[i]
        # Not a number stays: the largest of sizes of which one is not known is not known.
        if np.isnan(notional_usd[i]) or notional_usd[i] > largest_usd[p]:
            largest_usd[p] = notional_usd[i]
        lower_bounds[p] += throttled[i]


_READS = ("order_side", "qty_base", "notional_usd", "throttled")
_STATISTICS = (
    Statistic("long_liquidations", "i8", "sum"),
    Statistic("short_liquidations", "i8", "sum"),
    Statistic("long_liquidated_base", "f8", "sum"),
    Statistic("short_liquidated_base", "f8", "sum"),
    Statistic("long_liquidated_usd", "f8", "sum"),
    Statistic("short_liquidated_usd", "f8", "sum"),
    Statistic("largest_liquidation_usd", "f8", "max"),
    Statistic("throttled_liquidations", "i8", "sum"),
)


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    _count(slot, *(events[n] for n in _READS), *(panes[s.name] for s in _STATISTICS))


def _liquidated(windows: Columns) -> Columns:
    some = windows["long_liquidations"] + windows["short_liquidations"] > 0
    columns = {s.name: windows[s.name] for s in _STATISTICS[:6]}
    largest = np.where(some, windows["largest_liquidation_usd"], np.nan)
    return columns | {"largest_liquidation_usd": largest, "throttled": windows["throttled_liquidations"] > 0}


_SOURCE = "sums of the table liquidations"
_UNKNOWN = "a size in it is not known (contract unknown or message without a price)"

COUNTS = Operator(
    "liquidation_counts",
    "liquidation",
    _READS,
    table="features_tape",
    statistics=_STATISTICS,
    fold=_fold,
    compute=_liquidated,
    columns=(
        Column("long_liquidations", "i8", "liquidations of longs", "count", low=0),
        Column("short_liquidations", "i8", "liquidations of shorts", "count", low=0),
        *(
            Column(
                f"{side}_liquidated_{unit.lower()}",
                "f8",
                f"size of the {side}s liquidated",
                unit,
                f"sum of {quantity}",
                _SOURCE,
                null_when=_UNKNOWN,
                low=0,
            )
            for unit, quantity in (("base", "qty_base"), ("USD", "notional_usd"))
            for side in ("long", "short")
        ),
        Column(
            "largest_liquidation_usd",
            "f8",
            "largest single liquidation",
            "USD",
            "max of notional_usd",
            _SOURCE,
            null_when="no liquidation in the window; " + _UNKNOWN,
            low=0,
        ),
        Column("throttled", "bool", "the venue sends at most one a second: counts and sums are lower bounds"),
    ),
)
