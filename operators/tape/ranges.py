"""Range variances: the variance of a window from its open, high, low and close alone.

    Parkinson        ln^2(H / L) / (4 ln 2)
    Garman-Klass     ln^2(H / L) / 2 - (2 ln 2 - 1) ln^2(C / O)
    Rogers-Satchell  ln(H / C) ln(H / O) + ln(L / C) ln(L / O)        needs no absence of drift

Dimensionless, per window, not annualised. Prices jump by ticks and are seen at trades only, so short windows with few
trades understate. Null without a trade.

Parkinson (1980), J. of Business 53(1); Garman & Klass (1980), J. of Business 53(1); Rogers & Satchell (1991), Annals of
Applied Probability 1(4).

>>> one = {"range_open": [100], "range_high": [103], "range_low": [99], "range_close": [102]}
>>> [f"{v[0]:.6e}" for v in RANGES.compute({k: np.array(v) for k, v in one.items()}).values()]
['5.658552e-04', '6.329589e-04', '5.884132e-04']
"""

import math

import numpy as np

from operators.contract import Columns, Operator, State, Statistic
from schemas.column import Column

_MAX = 2**63 - 1
_OF = {"range_open": "open_ticks", "range_high": "high_ticks", "range_low": "low_ticks", "range_close": "close_ticks"}


def _step(state: State, rows: Columns) -> Columns:
    return {name: rows[of].copy() for name, of in _OF.items()}


def _compute(windows: Columns) -> Columns:
    o, h, low, c = (np.log(np.where(windows[n] > 0, windows[n], np.nan)) for n in _OF)
    return {
        "parkinson_variance": (h - low) ** 2 / (4 * math.log(2)),
        "garman_klass_variance": np.maximum((h - low) ** 2 / 2 - (2 * math.log(2) - 1) * (c - o) ** 2, 0.0),
        "rogers_satchell_variance": np.maximum((h - c) * (h - o) + (low - c) * (low - o), 0.0),
    }


def _column(name: str, formula: str, source: str) -> Column:
    meaning = "variance of the window from its price range, not annualised"
    return Column(name, "f8", meaning, "1", formula, source, null_when="no trade in the window", low=0)


RANGES = Operator(
    "ranges",
    "pane",
    (*_OF.values(),),
    table="features_efficiency",
    statistics=(
        Statistic("range_open", "i8", "first", ticks=1),
        Statistic("range_high", "i8", "max", ticks=1),
        Statistic("range_low", "i8", "min", _MAX, ticks=1),
        Statistic("range_close", "i8", "last", ticks=1),
    ),
    step=_step,
    compute=_compute,
    columns=(
        _column("parkinson_variance", "ln^2(H / L) / (4 ln 2)", "Parkinson (1980)"),
        _column("garman_klass_variance", "ln^2(H / L) / 2 - (2 ln 2 - 1) ln^2(C / O)", "Garman & Klass (1980)"),
        _column("rogers_satchell_variance", "ln(H / C) ln(H / O) + ln(L / C) ln(L / O)", "Rogers & Satchell (1991)"),
    ),
)
