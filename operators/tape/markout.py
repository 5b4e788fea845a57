"""Markout: what aggressors' trades were worth 1, 5 and 60 s later, by side, volume-weighted over those of a window.

    markout_h = 1e4 D (m_h - p) / m        bps; positive: the aggressor had gained by then, and the maker lost

D: +1 aggressive buy, -1 aggressive sell; p: price; m: mid in force just before the trade; m_h: mid h seconds after it.
Averages weighted by base volume over the trades of one side for which all mids are known; null without one. That volume
stands beside them, for a mean over several windows weighs by it: it differs from side to side. The same trades as those
of `costs`: over both sides, the realised spread at h is -2 times the volume-weighted mean of both.
The markout curve of makers is this one with the other sign.

Hasbrouck (2007), Empirical Market Microstructure, ch. 8; relative to the mid as in Huang & Stoll (1996).

>>> one = {"markout_buy_volume": [2.0], "markout_sell_volume": [0.0], "markout_buy_1s": [2 * -0.9995],
...        "markout_buy_5s": [0.0], "markout_buy_60s": [4.0], **{f"markout_sell_{h}s": [0.0] for h in (1, 5, 60)},
...        "contract": [1.0]}
>>> got = MARKOUT.compute({k: np.array(v) for k, v in one.items()})
>>> float(got["buy_markout_1s_bps"][0]), float(got["buy_markout_60s_bps"][0]), float(got["sell_markout_1s_bps"][0])
(-0.9995, 2.0, nan)
"""

import numpy as np
from numpy.typing import NDArray

from operators import quality
from operators.contract import I8, Array, Columns, Operator, State, Statistic
from operators.tape.costs import HORIZONS_S, in_base
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
SIDES = ("buy", "sell")
_VOLUMES = tuple(f"markout_{side}_volume" for side in SIDES)
_SUMS = tuple(f"markout_{side}_{h}s" for side in SIDES for h in HORIZONS_S)


@kernel
def _sum(
    slot: I8,
    price: F8,
    volume: F8,
    sign: I8,
    before: F8,
    after: F8,
    volumes: tuple[F8, ...],
    sums: tuple[F8, ...],
) -> None:
    horizons = after.shape[1]
    for i in range(len(slot)):
        m = before[i]
        known = m > 0 and volume[i] > 0
        for h in range(horizons):
            known = known and after[i, h] > 0
        if known:
            p, side, weight = slot[i], 0 if sign[i] > 0 else 1, 1e4 * sign[i] * volume[i] / m
            volumes[side][p] += volume[i]
            for h in range(horizons):
                sums[horizons * side + h][p] += weight * (after[i, h] - price[i])


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    _sum(
        slot,
        events["price"],
        events["qty_base"],
        events["sign"],
        events["mid_before"],
        events["mid_after"],
        tuple(panes[n] for n in _VOLUMES),
        tuple(panes[n] for n in _SUMS),
    )


def _compute(windows: Columns) -> Columns:
    out: dict[str, Array] = {}
    for side, total in zip(SIDES, _VOLUMES, strict=True):
        volume = windows[total]
        out[f"measured_{side}_volume_base"] = in_base(volume, windows)
        for h in HORIZONS_S:
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = windows[f"markout_{side}_{h}s"] / volume
            out[f"{side}_markout_{h}s_bps"] = np.where(volume > 0, mean, np.nan)
    return out


MARKOUT = Operator(
    "markout",
    "meeting",
    ("price", "qty_base", "sign", "mid_before", "mid_after"),
    table="features_costs",
    statistics=tuple(Statistic(name, "f8", "sum") for name in (*_VOLUMES, *_SUMS)),
    fold=_fold,
    compute=_compute,
    uses=("contract",),
    horizons_ns=tuple(h * 1_000_000_000 for h in HORIZONS_S),
    columns=(
        *(
            Column(
                f"measured_{side}_volume_base",
                "f8",
                f"volume of the aggressive {side}s that count",
                "base",
                f"sum q of {side}s",
                "Hasbrouck (2007), ch. 8",
                null_when="contract unknown",
                low=0,
            )
            for side in SIDES
        ),
        *(
            Column(
                f"{side}_markout_{h}s_bps",
                "f8",
                f"what aggressive {side}s were worth {h} s later, against their price",
                "bps",
                f"sum q 1e4 D (m' - p) / m / sum q; m: mid just before, m': {h} s later",
                "Hasbrouck (2007), ch. 8",
                "the aggressor gained: positive",
                f"no aggressive {side} of the window of which all mids are known ({quality.MID_UNKNOWN})",
            )
            for side in SIDES
            for h in HORIZONS_S
        ),
    ),
)
