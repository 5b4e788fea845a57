"""Icebergs: volume traded at a best price beyond what was displayed there, and how much that looks like one order.

    hidden >= V - (q0 - q1)      base units; q0, q1: displayed at the price before and after, V: traded at it between
    suspicion = min(1, refills / 3) min(1, 0.25 / CV)

A pane is judged on a side if its best price is the same at both ends of the pane, all that the other side's aggressors
traded in it was traded at that price and nothing beyond it, and the book has told of something since the last trade of
the pane, for what was traded after its last message is still displayed there and would look refilled. If then more was
traded than went out of what was displayed, that much at least came anew meanwhile: a refill. Suspicion goes by the
refills at the price that stands, each within 60 s of the one before: how many, and how alike the sizes displayed after
them (q1) are, as those of one order that shows a fixed part of itself; CV: their standard deviation over their mean. 0
where there was none; null where no pane was judged yet, and 0 again once none came for 60 s.

What level data cannot prove: that it is one order, for others who join at the price look the same; that it was hidden,
for what was placed and filled between two messages was there to see for a moment; and of what was never filled nothing
is known. So hidden volume is of both kinds, and suspicion is no more than that.

Bound and refills after Christensen & Woodmansey (2013), Prediction of hidden liquidity in the limit order book of
GLOBEX futures, Journal of Trading 8(3); the thresholds are our own.

>>> one = {"iceberg_bid_hidden": [0.0], "iceberg_ask_hidden": [7.0], "iceberg_bid_score": [np.nan],
...        "iceberg_ask_score": [1 / 3], "iceberg_bid_last_ns": [0], "iceberg_ask_last_ns": [0], "window_end_ns": [9]}
>>> found = ICEBERG.compute({k: np.array(v) for k, v in one.items()})
>>> found["ask_hidden_volume_base"].tolist(), found["bid_hidden_volume_base"].tolist()
([7.0], [nan])
"""

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import I8, Array, Columns, Field, Operator, State, Statistic
from operators.tape.bars import base_volume
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
SIDES = ("bid", "ask")
REFILLS, ALIKE, WITHIN_NS = 3, 0.25, 60_000_000_000
_ROUNDING = 1e-9


@kernel
def _judge(
    instrument: I8,
    end_ns: I8,
    price: F8,
    judged: NDArray[np.bool_],
    hidden: F8,
    displayed: F8,
    at: F8,
    last_ns: I8,
    refills: I8,
    total: F8,
    squares: F8,
    score: F8,
    last: I8,
) -> None:
    """Of one side, panes in order: `score` after each."""
    for i in range(len(instrument)):
        k = instrument[i]
        # NaN is no price that stood before.
        if price[i] != at[k] or end_ns[i] - last_ns[k] > WITHIN_NS:
            refills[k], total[k], squares[k] = min(refills[k], 0), 0.0, 0.0
            last_ns[k] = end_ns[i]
        at[k] = price[i]
        if judged[i]:
            refills[k] = max(refills[k], 0)
        if judged[i] and hidden[i] > 0:
            refills[k] += 1
            total[k] += displayed[i]
            squares[k] += displayed[i] * displayed[i]
            last_ns[k] = end_ns[i]
        last[i], score[i] = last_ns[k], np.nan if refills[k] < 0 else 0.0
        if refills[k] > 0:
            mean = total[k] / refills[k]
            variance = max(squares[k] / refills[k] - mean * mean, 0.0)
            cv = np.sqrt(variance) / mean if mean > 0 else 0.0
            score[i] = min(1.0, refills[k] / REFILLS) * (1.0 if cv <= ALIKE else ALIKE / cv)


def _traded(rows: Columns, side: str, best: Array) -> tuple[Array, Array]:
    """What aggressors against a side traded, in base units, and whether all of it was at its best price."""
    whole = (rows["turnover_hi"] << 20) + rows["turnover_lo"]
    buys = (rows["buy_turnover_hi"] << 20) + rows["buy_turnover_lo"]
    if side == "ask":
        lots, per_price, turnover = rows["buy_lots"], rows["buy_per_price"], buys
        extreme = rows["high_ticks"] <= best
    else:
        lots, per_price = rows["lots"] - rows["buy_lots"], rows["per_price"] - rows["buy_per_price"]
        turnover, extreme = whole - buys, rows["low_ticks"] >= best
    # None was beyond the best price, so their mean is the best price only if each was.
    return base_volume(lots, per_price, rows), extreme & (turnover == best * lots)


def _step(state: State, rows: Columns) -> Columns:
    instrument = rows["instrument"].astype(np.int64)
    out: dict[str, Array] = {}
    for side in SIDES:
        before, after = rows[f"best_{side}_before"], rows[f"best_{side}_after"]
        q0, q1 = rows[f"best_{side}_qty_base_before"], rows[f"best_{side}_qty_base_after"]
        ticks = np.where(np.isfinite(after), after * rows["tick_scale"] / rows["tick_mantissa"], 0.0)
        best = np.round(np.where(np.isfinite(ticks), ticks, 0.0)).astype(np.int64)
        volume, at_best = _traded(rows, side, best)
        told = rows["last_event_ns_after"] >= rows["last_ns"].astype(np.float64)
        judged = (before == after) & at_best & told & (volume > 0) & np.isfinite(q0 + q1)
        beyond = np.where(judged, volume - (q0 - q1), 0.0)
        hidden = np.where(beyond > _ROUNDING * (volume + q0 + q1), beyond, 0.0)
        score, last = np.empty(len(instrument)), np.empty(len(instrument), np.int64)
        _judge(
            instrument,
            rows["pane_end_ns"],
            after,
            judged,
            hidden,
            q1,
            state[f"{side}_at"],
            state[f"{side}_last_ns"],
            state[f"{side}_refills"],
            state[f"{side}_total"],
            state[f"{side}_squares"],
            score,
            last,
        )
        out[f"iceberg_{side}_hidden"], out[f"iceberg_{side}_score"] = hidden, score
        out[f"iceberg_{side}_last_ns"] = last
    return out


def _compute(windows: Columns) -> Columns:
    out: dict[str, Array] = {}
    for side in SIDES:
        score = windows[f"iceberg_{side}_score"]
        known, gone = np.isfinite(score), windows["window_end_ns"] - windows[f"iceberg_{side}_last_ns"] > WITHIN_NS
        out[f"{side}_hidden_volume_base"] = np.where(known, windows[f"iceberg_{side}_hidden"], np.nan)
        out[f"{side}_iceberg_suspicion"] = np.where(known & gone, 0.0, score)
    return out


_SOURCE = "after Christensen & Woodmansey (2013)"
_NULL = (
    "no shortest window was judged yet: its best price the same at both ends, all that was traded against the side"
    " traded at it and nothing at all beyond it, and a message of the book as late as the last trade; contract unknown"
)
_EDGES = tuple(f"best_{side}{what}_{at}" for side in SIDES for what in ("", "_qty_base") for at in ("before", "after"))

ICEBERG = Operator(
    "iceberg",
    "pane",
    (
        *("instrument", "pane_end_ns", "lots", "buy_lots", "per_price", "buy_per_price", "high_ticks", "low_ticks"),
        *("last_ns", "last_event_ns_after"),
        *("turnover_hi", "turnover_lo", "buy_turnover_hi", "buy_turnover_lo", *_EDGES, *units.READS),
    ),
    table="features_efficiency",
    state=tuple(
        field
        for side in SIDES
        for field in (
            Field(f"{side}_at", "f8", np.nan),
            Field(f"{side}_last_ns", "i8"),
            Field(f"{side}_refills", "i8", -1),
            Field(f"{side}_total", "f8"),
            Field(f"{side}_squares", "f8"),
        )
    ),
    statistics=tuple(
        statistic
        for side in SIDES
        for statistic in (
            Statistic(f"iceberg_{side}_hidden", "f8", "sum"),
            Statistic(f"iceberg_{side}_score", "f8", "asof", np.nan),
            Statistic(f"iceberg_{side}_last_ns", "i8", "asof"),
        )
    ),
    step=_step,
    anew=True,
    uses=("window_end_ns",),
    compute=_compute,
    columns=tuple(
        column
        for side in SIDES
        for column in (
            Column(
                f"{side}_hidden_volume_base",
                "f8",
                f"traded at the best {side} beyond what was displayed there, at the least",
                "base",
                "sum max(V - (q0 - q1), 0) over the windows judged; V: traded, q0, q1: displayed at their ends",
                _SOURCE,
                null_when=_NULL,
                low=0,
            ),
            Column(
                f"{side}_iceberg_suspicion",
                "f8",
                f"how much the refills at the best {side} look like one order's, which level data cannot prove",
                "1",
                "min(1, refills / 3) min(1, 0.25 / CV); refills: windows judged that add to the hidden volume, at the"
                " best price of the last shortest window with trades, each within 60 s of the one before; CV: deviation"
                " (n) over mean of their q1; 0 from 60 s after the last on",
                _SOURCE,
                "more suspicious: larger",
                _NULL,
                0,
                1,
            ),
        )
    ),
)
"""`refills` is -1 until a pane was judged."""
