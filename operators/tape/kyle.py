"""Kyle's lambda: how far a unit of signed volume moves the mid, by regression over the last 30 minutes.

    dM_i = alpha + lambda V_i + e_i        over the panes with trades of the last 30 minutes, by least squares
    lambda = Sxy / Sxx;  95 % interval: lambda -+ t(0.975, n - 2) sqrt(s^2 / Sxx),  s^2 = (Syy - lambda Sxy) / (n - 2)

dM: mid in force at the pane's end less that at its start (trades and book meet there), quote units; V: aggressive buys
less sells of the pane, base units. So lambda is quote per base. The 30 minutes are the minute of the last trade and the
29 before it; panes on whose edges the book had no mid, or that show a gap of it, do not count, nor do those whose last
trade came 5 s or more after the book's last message: it would have told of them, so its feed is away, and its mid would
say that nothing moves. Null with fewer than 30 observations, when V did not vary, and when no trade came for 30
minutes. The quantile of t is that of Cornish and Fisher's expansion, good to 1e-4.

Kyle (1985), Econometrica 53(6), 1315-1335; as a regression: Hasbrouck (2007), Empirical Market Microstructure, ch. 9.
"""

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import I8, Array, Columns, History, Operator, State, Statistic
from operators.history import moved_on, total
from operators.tape.bars import base_volume
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
MINUTE_NS = 60_000_000_000
MINUTES = 30
LEAST = 30
_Z = 1.959963984540054
"""The 0.975 quantile of the normal distribution."""


@kernel
def _sum(sums: F8, at: I8, instrument: I8, end_ns: I8, x: F8, y: F8, out: F8) -> None:
    """Add observations and write the sums of the last 30 minutes after each: n, x, y, xx, xy, yy."""
    for i in range(len(instrument)):
        k = instrument[i]
        moved_on(sums, at, k, (end_ns[i] - 1) // MINUTE_NS)
        if not (np.isnan(x[i]) or np.isnan(y[i])):
            last = sums.shape[1] - 1
            sums[k, last, 0] += 1
            sums[k, last, 1] += x[i]
            sums[k, last, 2] += y[i]
            sums[k, last, 3] += x[i] * x[i]
            sums[k, last, 4] += x[i] * y[i]
            sums[k, last, 5] += y[i] * y[i]
        for c in range(6):
            out[c, i] = total(sums, k, c)


_SUMS = tuple(f"kyle_{n}" for n in ("n", "x", "y", "xx", "xy", "yy"))


def _step(state: State, rows: Columns) -> Columns:
    signed = 2 * rows["buy_lots"] - rows["lots"]
    per_price = 2 * rows["buy_per_price"] - rows["per_price"]
    volume = np.ascontiguousarray(base_volume(signed, per_price, rows), np.float64)
    moved = rows["mid"] - rows["mid_before"]
    found = np.zeros((len(_SUMS), len(moved)))
    instrument = rows["instrument"].astype(np.int64)
    _sum(state["kyle"], state["kyle_at"], instrument, rows["pane_end_ns"], volume, moved, found)
    return dict(zip(_SUMS, found, strict=True)) | {"kyle_end_ns": rows["pane_end_ns"]}


def _quantile(freedom: Array) -> Array:
    """The 0.975 quantile of Student's t, from that of the normal distribution."""
    z = _Z
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return np.asarray(z + first + second + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3))


def _compute(windows: Columns) -> Columns:
    n, x, y, xx, xy, yy = (windows[name] for name in _SUMS)
    fresh = windows["window_end_ns"] - windows["kyle_end_ns"] < MINUTES * MINUTE_NS
    with np.errstate(divide="ignore", invalid="ignore"):
        sxx, sxy, syy = xx - x * x / n, xy - x * y / n, yy - y * y / n
        known = (n >= LEAST) & fresh & (sxx > 1e-12 * xx)
        slope = np.where(known, sxy / sxx, np.nan)
        residual = np.maximum(syy - slope * sxy, 0.0) / (n - 2)
        half = _quantile(n - 2) * np.sqrt(residual / sxx)
    return {
        "kyle_lambda": slope,
        "kyle_lambda_low": np.where(known, slope - half, np.nan),
        "kyle_lambda_high": np.where(known, slope + half, np.nan),
    }


def _column(name: str, meaning: str, formula: str) -> Column:
    return Column(
        name,
        "f8",
        meaning,
        "quote/base",
        formula,
        "Kyle (1985); Hasbrouck (2007)",
        "buying moves the mid up: positive",
        "fewer than 30 panes with trades and mids in these 30 minutes (none counts whose last trade came 5 s or more"
        " after the last message of the book), signed volume that did not vary, or no trade for 30"
        " minutes; contract unknown",
    )


KYLE = Operator(
    "kyle",
    "pane",
    (
        *("instrument", "pane_end_ns", "mid_before", "mid"),
        *("lots", "buy_lots", "per_price", "buy_per_price"),
        *units.READS,
    ),
    table="features_tape",
    state=(History("kyle", ("n", "x", "y", "xx", "xy", "yy"), MINUTES, MINUTE_NS),),
    statistics=(
        *(Statistic(name, "f8", "asof") for name in _SUMS),
        Statistic("kyle_end_ns", "i8", "asof"),
    ),
    step=_step,
    uses=("window_end_ns",),
    compute=_compute,
    columns=(
        _column(
            "kyle_lambda",
            "how far the mid moves with a unit of signed volume, in the minute of the last trade and the 29 before it",
            "Sxy / Sxx; of panes with trades, x: signed volume, y: change of mid from edge to edge",
        ),
        _column("kyle_lambda_low", "lower end of the 95 % interval of lambda", "lambda - t sqrt(s^2 / Sxx)"),
        _column("kyle_lambda_high", "upper end of the 95 % interval of lambda", "lambda + t sqrt(s^2 / Sxx)"),
    ),
)
