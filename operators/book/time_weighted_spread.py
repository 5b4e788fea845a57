"""Time-weighted spread: the spread of a window, each value counted for as long as it was in force.

    TWS = int s(t) dt / int dt        over the part of (start, end] in which the book had both sides
    s   = 1e4 (Pa - Pb) / M           bps; M = (Pa + Pb) / 2

Exact: s changes at depth messages only, at their event times, and what was in force before the first message of the
window and after the last one counts to the window's edges, also through panes without a message. While the book is not
live or a side is empty there is no spread, nor from the last message before a gap to the one that shows it, for what
was missed is not known; null where that holds for the whole window. A message that comes late counts
from the start of its pane.

McInish & Wood (1992), Journal of Finance 47(2), 753-764: quotes weighted by the time they stand.

>>> one = {"tws_area": [30.0], "tws_known_ns": [3], "tws_first_ns": [12], "tws_from_ns": [9], "tws_before": [10.0],
...        "tws_last_ns": [14], "tws_after": [20.0], "window_start_ns": [10], "window_end_ns": [20]}
>>> got = TIME_WEIGHTED_SPREAD.compute({k: np.array(v) for k, v in one.items()})
>>> float(got["time_weighted_spread_bps"][0])  # 10 bps for 2 ns, 20 bps for 6 ns
17.5
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
Flags = NDArray[np.bool_]
_NONE = np.inf
"""In the place of the spread before a window's first message, where there was none: `first` passes over NaN."""


@kernel
def _integrate(
    last_ns: I8,
    last_spread: F8,
    area: F8,
    known_ns: I8,
    first_ns: I8,
    from_ns: I8,
    before: F8,
    after_ns: I8,
    after: F8,
    slot: I8,
    instrument: NDArray[np.int32],
    event_ns: I8,
    start_ns: I8,
    end_ns: I8,
    live: Flags,
    gap: Flags,
    bids: I8,
    asks: I8,
) -> None:
    for i in range(len(slot)):
        k, p = instrument[i], slot[i]
        at = min(max(event_ns[i], start_ns[i] + 1, last_ns[k]), end_ns[i])
        spread = last_spread[k]
        if not live[i] or gap[i]:
            spread = np.nan
        if first_ns[p] == 0:
            first_ns[p], from_ns[p] = at, last_ns[k]
            before[p] = _NONE if np.isnan(spread) else spread
        if not np.isnan(spread):
            area[p] += spread * (at - last_ns[k])
            known_ns[p] += at - last_ns[k]
        bid, ask = bids[i, 0], asks[i, 0]
        spread = 2e4 * (ask - bid) / (ask + bid) if live[i] and bid > 0 and ask > 0 else np.nan
        last_ns[k], last_spread[k] = at, spread
        after_ns[p], after[p] = at, spread


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    _integrate(
        state["last_ns"],
        state["last_spread_bps"],
        panes["tws_area"],
        panes["tws_known_ns"],
        panes["tws_first_ns"],
        panes["tws_from_ns"],
        panes["tws_before"],
        panes["tws_last_ns"],
        panes["tws_after"],
        slot,
        *(events[n] for n in _READS),
    )


def _compute(windows: Columns) -> Columns:
    start, end = windows["window_start_ns"], windows["window_end_ns"]
    some = windows["tws_first_ns"] > 0
    before, after = windows["tws_before"], windows["tws_after"]
    opened = some & np.isfinite(before)
    # The interval that ends with the first message began before the window: only its part inside counts.
    outside = np.where(opened, start - windows["tws_from_ns"], 0)
    area = windows["tws_area"] - np.where(opened, before, 0.0) * outside
    known = windows["tws_known_ns"] - outside
    tail = np.where(np.isnan(after), 0, end - np.where(some, windows["tws_last_ns"], start))
    area = area + np.nan_to_num(after) * tail
    known = known + tail
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(known > 0, area / known, np.nan)
    return {"time_weighted_spread_bps": np.clip(spread, -2e4, 2e4)}


_READS = ("instrument", "event_ns", "pane_start_ns", "pane_end_ns", "live", "gap", "bid_ticks", "ask_ticks")

TIME_WEIGHTED_SPREAD = Operator(
    "time_weighted_spread",
    "depth",
    _READS,
    table="features_book",
    state=(Field("last_ns", "i8"), Field("last_spread_bps", "f8", np.nan)),
    statistics=(
        Statistic("tws_area", "f8", "sum"),
        Statistic("tws_known_ns", "i8", "sum"),
        Statistic("tws_first_ns", "i8", "first"),
        Statistic("tws_from_ns", "i8", "first"),
        Statistic("tws_before", "f8", "first", np.nan),
        Statistic("tws_last_ns", "i8", "asof"),
        Statistic("tws_after", "f8", "asof", np.nan),
    ),
    fold=_fold,
    anew=True,
    uses=("window_start_ns", "window_end_ns"),
    compute=_compute,
    columns=(
        Column(
            "time_weighted_spread_bps",
            "f8",
            "best ask less best bid relative to mid, each value weighted by how long it was in force in the window",
            "bps",
            "int s dt / int dt, over the time with a live book of both sides; from the message before a gap to the"
            " one that shows it there is none",
            "McInish & Wood (1992)",
            sign="negative: crossed",
            null_when="the book was not live or one-sided during the whole window",
            low=-2e4,
            high=2e4,
        ),
    ),
)
