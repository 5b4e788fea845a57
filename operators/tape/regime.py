"""Regime: a label of how prices move now, with the numbers that it was read off in the same row.

    volatility   quiet: rank <= 0.2    volatile: rank >= 0.8    usual: between
                 rank: of sqrt(EWMA variance) among the minutes of the last 12 to 24 hours (`operators/composite`)
    prices       random: p >= 0.05, a random walk is not refused    else reverting: VR(q) < 1, trending: VR(q) > 1
                 p: of all variance ratios together; q: that with the largest |VR(q) - 1| / sqrt(2 (2q - 1)(q - 1) / 3q)

The label is both words, as in `quiet random` and `volatile trending`, and empty where one is not known. It describes
what was, by the last 42 min 40 s of prices and a day of volatility, and advises nothing: of markets that are random
walks one in twenty is called something else, and 5 s prices of trades bounce between bid and ask, which reads as
reverting where the tick is wide.

Variance ratios: Lo & MacKinlay (1988), Review of Financial Studies 1(1), and together Chow & Denning (1993), J. of
Econometrics 58(3); variance: RiskMetrics (1996). The words and their bounds are a convention of this project.

>>> of = {"regime_rank": [0.9, 0.1, 0.5, np.nan], "trailing_p": [0.01, 0.5, 0.01, 0.5], "ewma_end_ns": [0, 0, 0, 0]}
>>> of |= {"window_end_ns": [1, 1, 1, 1]} | {f"trailing_vr_{q}": [1.5, 1.0, 0.5, 1.0] for q in RATIOS}
>>> REGIME.compute({name: np.array(values) for name, values in of.items()})["regime"].tolist()
['volatile trending', 'quiet random', 'usual reverting', '']
"""

import numpy as np

from operators import composite
from operators.composite import Part
from operators.contract import Columns, Operator, State, Statistic
from operators.tape.ewma import FRESH_NS
from operators.tape.trailing import RATIOS
from schemas.column import Column

VOLATILITY = Part("volatility", 1.0, 1, 1e-7)
"""The scale of ranks: of a minute, from 0.001 bps on."""
QUIET, VOLATILE, REFUSED = 0.2, 0.8, 0.05
WORDS = tuple(f"{v} {p}" for v in ("quiet", "usual", "volatile") for p in ("reverting", "random", "trending"))
_Q = np.array(RATIOS, np.float64)[:, None]
_DEVIATION = np.sqrt(2 * (2 * _Q - 1) * (_Q - 1) / (3 * _Q))
_NAMES = np.array(["", *WORDS])


def _step(state: State, rows: Columns) -> Columns:
    volatility = np.sqrt(rows["ewma_variance_last"])[None]
    return {
        "regime_rank": composite.ranked(state, (VOLATILITY,), rows["instrument"], rows["pane_end_ns"], volatility)[0]
    }


def _compute(windows: Columns) -> Columns:
    fresh = windows["window_end_ns"] - windows["ewma_end_ns"] < FRESH_NS
    rank = np.where(fresh, windows["regime_rank"], np.nan)
    away = (np.stack([windows[f"trailing_vr_{q}"] for q in RATIOS]) - 1) / _DEVIATION
    known = np.isfinite(rank) & np.isfinite(windows["trailing_p"]) & np.isfinite(away).all(axis=0)
    away = np.where(known, away, 0.0)
    furthest = np.take_along_axis(away, np.abs(away).argmax(axis=0)[None], axis=0)[0]
    with np.errstate(invalid="ignore"):
        volatility = 1 + (rank >= VOLATILE).astype(np.int64) - (rank <= QUIET)
        prices = 1 + np.where(windows["trailing_p"] < REFUSED, np.sign(furthest), 0).astype(np.int64)
    return {"volatility_rank": rank, "regime": _NAMES[np.where(known, 1 + 3 * volatility + prices, 0)]}


REGIME = Operator(
    "regime",
    "pane",
    ("instrument", "pane_end_ns", "ewma_variance_last"),
    table="features_efficiency",
    state=composite.fields((VOLATILITY,)),
    statistics=(Statistic("regime_rank", "f8", "asof", np.nan),),
    step=_step,
    uses=("window_end_ns", "ewma_end_ns", "trailing_p", *(f"trailing_vr_{q}" for q in RATIOS)),
    compute=_compute,
    columns=(
        Column(
            "volatility_rank",
            "f8",
            "rank of the EWMA volatility among its last 12 to 24 hours",
            "1",
            composite.share(VOLATILITY.low, "shortest window with trades"),
            "percentile rank",
            "more volatile: larger",
            "ewma_variance is null; fewer than 30 minutes of it known in the last day",
            0,
            1,
        ),
        Column(
            "regime",
            "str",
            "quiet, usual or volatile, and reverting, random or trending; empty: one of the two not known",
            formula="volatility_rank <= 0.2, >= 0.8; variance_ratio_p < 0.05 and VR(q) < 1, > 1,"
            " q: that of the largest |VR(q) - 1| / sqrt(2 (2q - 1) (q - 1) / 3q)",
            source="Lo & MacKinlay (1988); convention of our own",
        ),
    ),
)
