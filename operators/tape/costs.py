"""Costs of trading: effective spread, realised spread and price impact, volume-weighted over the trades of a window.

    ES = 2 D (p - m) / m    RS = 2 D (p - m') / m    PI = 2 D (m' - m) / m    ES = RS + PI        bps

D: +1 aggressive buy, -1 aggressive sell; p: price; m: mid in force just before the trade; m': mid 1, 5 or 60 s after.
Averages weighted by base volume, over the trades for which all four mids are known. Rounded to 2**-32 bps, so that the
identity holds to the last digit of the doubles that are published. A row comes when the last trade of its window is
60 s old; a trade near the end of a log, whose 60 s nobody has seen, does not count. Null without such a trade. The
size of a contract cancels and need not be known, but for the volume.

Huang & Stoll (1996), Journal of Financial Economics 41(3), 313-357.

>>> one = {"cost_volume": [2.0], "cost_effective": [2 * 9.995], "cost_realised_1s": [2 * 1.999],
...        "cost_realised_5s": [0.0], "cost_realised_60s": [0.0], "cost_trades": [1], "contract": [1.0]}
>>> got = {n: float(v[0]) for n, v in COSTS.compute({k: np.array(v) for k, v in one.items()}).items()}
>>> got["effective_spread_bps"] == got["realised_spread_1s_bps"] + got["price_impact_1s_bps"]
True
"""

import numpy as np
from numpy.typing import NDArray

from operators import quality
from operators.contract import I8, Array, Columns, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
HORIZONS_S = (1, 5, 60)
_REALISED = tuple(f"cost_realised_{h}s" for h in HORIZONS_S)
_GRID = 2.0**32


@kernel
def _sum(
    slot: I8,
    price: F8,
    volume: F8,
    sign: I8,
    before: F8,
    after: F8,
    trades: I8,
    volumes: F8,
    effective: F8,
    realised: tuple[F8, ...],
) -> None:
    for i in range(len(slot)):
        m = before[i]
        known = m > 0 and volume[i] > 0
        for h in range(after.shape[1]):
            known = known and after[i, h] > 0
        if known:
            p, weight = slot[i], 2e4 * sign[i] * volume[i] / m
            trades[p] += 1
            volumes[p] += volume[i]
            effective[p] += weight * (price[i] - m)
            for h in range(len(realised)):
                realised[h][p] += weight * (price[i] - after[i, h])


def _fold(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    _sum(
        slot,
        events["price"],
        events["qty_base"],
        events["sign"],
        events["mid_before"],
        events["mid_after"],
        panes["cost_trades"],
        panes["cost_volume"],
        panes["cost_effective"],
        tuple(panes[n] for n in _REALISED),
    )


def _mean(sums: Array, volume: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(volume > 0, np.round(sums / volume * _GRID) / _GRID, np.nan))


def _compute(windows: Columns) -> Columns:
    volume = windows["cost_volume"]
    effective = _mean(windows["cost_effective"], volume)
    out: dict[str, Array] = {"effective_spread_bps": effective}
    for h, name in zip(HORIZONS_S, _REALISED, strict=True):
        out[f"realised_spread_{h}s_bps"] = _mean(windows[name], volume)
        out[f"price_impact_{h}s_bps"] = effective - out[f"realised_spread_{h}s_bps"]
    return out | {"measured_volume_base": in_base(volume, windows), "measured_trades": windows["cost_trades"]}


def in_base(volume: Array, windows: Columns) -> Array:
    """A volume in base units: null where the contract is not known."""
    return np.where(np.isnan(windows["contract"]), np.nan, volume)


_SOURCE = "Huang & Stoll (1996)"
_NULL = f"no trade of the window of which all mids are known ({quality.MID_UNKNOWN})"

COSTS = Operator(
    "costs",
    "meeting",
    ("price", "qty_base", "sign", "mid_before", "mid_after"),
    table="features_costs",
    statistics=(
        Statistic("cost_trades", "i8", "sum"),
        Statistic("cost_volume", "f8", "sum"),
        Statistic("cost_effective", "f8", "sum"),
        *(Statistic(name, "f8", "sum") for name in _REALISED),
    ),
    fold=_fold,
    compute=_compute,
    uses=("contract",),
    horizons_ns=tuple(h * 1_000_000_000 for h in HORIZONS_S),
    columns=(
        Column(
            "effective_spread_bps",
            "f8",
            "what aggressors paid, against the mid before the trade, both ways",
            "bps",
            "sum q 2e4 D (p - m) / m / sum q; m: mid just before the trade, without a message of its very time",
            _SOURCE,
            "dearer than mid: positive",
            _NULL,
        ),
        *(
            column
            for h in HORIZONS_S
            for column in (
                Column(
                    f"realised_spread_{h}s_bps",
                    "f8",
                    f"what makers kept of it, against the mid {h} s later",
                    "bps",
                    f"sum q 2e4 D (p - m') / m / sum q; m': mid {h} s later, with a message of that very time",
                    _SOURCE,
                    "kept: positive",
                    _NULL,
                ),
                Column(
                    f"price_impact_{h}s_bps",
                    "f8",
                    f"how far the mid went with the aggressor within {h} s, twice",
                    "bps",
                    f"sum q 2e4 D (m' - m) / m / sum q; m': mid {h} s later, with a message of that very time",
                    _SOURCE,
                    "with the aggressor: positive",
                    _NULL,
                ),
            )
        ),
        Column(
            "measured_volume_base",
            "f8",
            "volume of the trades that count: all mids are known",
            "base",
            "sum q",
            _SOURCE,
            null_when="contract unknown",
            low=0,
        ),
        Column("measured_trades", "i8", "number of the trades that count: all mids are known", "count", low=0),
    ),
)
