"""Trailing returns: variance and its jumps, variance ratios and Hurst exponent of the last 512 returns of 5 s.

    r_i = ln(p_i / p_{i-1})            p: the last trade price at the end of each 5 s of event time (previous tick)

    RV    = sum r^2                    BPV = (pi / 2) sum |r_i| |r_{i-1}|
    MinRV = pi / (pi - 2) n / (n - 1) sum min(|r_i|, |r_{i-1}|)^2
    MedRV = pi / (6 - 4 sqrt 3 + pi) n / (n - 2) sum med(|r_i|, |r_{i-1}|, |r_{i-2}|)^2
    jump share = max(RV - BPV, 0) / RV

    VR(q) = variance of q-returns / (q variance of returns), overlapping and unbiased; 1 for a random walk, below:
            prices come back, above: they run on;  z*(q): its test, robust to changing variance
    p     = 1 - (1 - p_max)^4          of the largest |z*| of q = 2, 4, 8, 16 (Chow & Denning)
    efficiency = 100 (1 - min(1, mean |VR(q) - 1| / 0.5))

    H     = half the slope of ln mean (ln p_{i+m} - ln p_i)^2 on ln m, m = 1, 2, 4, ..., 64 (aggregated variance)
    its standard error: the deviation of the slopes of the four quarters (m to 16) over 2

All of the last 42 min 40 s, as of the last 5 s that ended before a trade; null until 512 returns are known, where no
price changed, once no trade came for that long, and where 5 s are not whole panes (`windows.base_ms`), whose ends
alone tell prices. H is a description: no decision should hang on it.

Barndorff-Nielsen & Shephard (2004), J. Financial Econometrics 2(1); Andersen, Dobrev & Schaumburg (2012), J. of
Econometrics 169(1); Lo & MacKinlay (1988), Review of Financial Studies 1(1); Chow & Denning (1993), J. of Econometrics
58(3); Taqqu, Teverovsky & Willinger (1995), Fractals 3(4).
"""

import math

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, Operator, State, Statistic
from schemas.column import Column
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
RETURNS = 512
GRID_NS = 5_000_000_000
RATIOS = (2, 4, 8, 16)
SCALES = 7
"""Of H: the longest is 2**6 returns; of a quarter of them two less."""
OUT = ("rv", "bipower", "min", "med", *(f"vr_{q}" for q in RATIOS), "p", "hurst", "hurst_error")
_MIN = math.pi / (math.pi - 2)
_MED = math.pi / (6 - 4 * math.sqrt(3) + math.pi)
_RATIOS = np.array(RATIOS)


@kernel
def variation(r: F8, out: F8) -> None:
    """RV, BPV, MinRV and MedRV of returns."""
    n = len(r)
    out[:4] = 0.0
    for i in range(n):
        a = abs(r[i])
        out[0] += a * a
        if i > 0:
            b = abs(r[i - 1])
            out[1] += a * b
            low = min(a, b)
            out[2] += low * low
            if i > 1:
                c = abs(r[i - 2])
                middle = max(low, min(max(a, b), c))
                out[3] += middle * middle
    out[1] *= math.pi / 2
    out[2] *= _MIN * n / (n - 1)
    out[3] *= _MED * n / (n - 2)


@kernel
def ratio(r: F8, q: int, out: F8) -> None:
    """VR(q) and z*(q) of returns, which must not all be equal."""
    n = len(r)
    mean = 0.0
    for i in range(n):
        mean += r[i] / n
    one, many, held = 0.0, 0.0, 0.0
    for i in range(n):
        one += (r[i] - mean) ** 2
        held += r[i] - mean
        if i >= q:
            held -= r[i - q] - mean
        if i >= q - 1:
            many += held * held
    unbiased = q * (n - q + 1) * (1 - q / n)
    out[0] = many / unbiased / (one / (n - 1))
    theta = 0.0
    for k in range(1, q):
        delta = 0.0
        for i in range(k, n):
            delta += (r[i] - mean) ** 2 * (r[i - k] - mean) ** 2
        theta += 4 * (1 - k / q) ** 2 * n * delta / (one * one)
    out[1] = math.sqrt(n) * (out[0] - 1) / math.sqrt(theta) if theta > 0 else np.nan


@kernel
def hurst(r: F8, start: int, end: int, scales: int) -> float:
    """Half the slope of the logarithm of the mean square on that of the scale; NaN where nothing changed."""
    sx, sy, sxx, sxy = 0.0, 0.0, 0.0, 0.0
    for s in range(scales):
        m = 1 << s
        held, total = 0.0, 0.0
        for i in range(start, end):
            held += r[i]
            if i - start >= m:
                held -= r[i - m]
            if i - start >= m - 1:
                total += held * held
        mean = total / (end - start - m + 1)
        if not mean > 1e-30:
            return np.nan
        y = math.log(mean)
        sx, sy, sxx, sxy = sx + s, sy + y, sxx + s * s, sxy + s * y
    return (scales * sxy - sx * sy) / (scales * sxx - sx * sx) / math.log(2.0) / 2


@kernel
def _describe(r: F8, pair: F8, ratios: I8, out: F8) -> None:
    """All numbers of `OUT`."""
    n = len(r)
    out[:] = np.nan
    variation(r, out)
    low, high = r[0], r[0]
    for i in range(n):
        low, high = min(low, r[i]), max(high, r[i])
    if not high > low:
        return
    largest = -1.0
    for j in range(len(ratios)):
        ratio(r, ratios[j], pair)
        out[4 + j] = pair[0]
        largest = max(largest, abs(pair[1]))
    at = 4 + len(ratios)
    out[at] = 1 - (1 - math.erfc(largest / math.sqrt(2.0))) ** len(ratios) if largest >= 0 else np.nan
    out[at + 1] = hurst(r, 0, n, SCALES)
    total, squares = 0.0, 0.0
    for j in range(4):
        h = hurst(r, j * n // 4, (j + 1) * n // 4, SCALES - 2)
        total += h
        squares += h * h
    out[at + 2] = math.sqrt(max(squares - total * total / 4, 0.0) / 3) / 2


@inner
def _pushed(changes: I8, at: I8, k: int, change: int) -> None:
    changes[k, at[k] % changes.shape[1]] = change
    at[k] += 1


@kernel
def _follow(
    changes: I8,
    count: I8,
    step: I8,
    grid_ticks: I8,
    close_ticks: I8,
    said: F8,
    r: F8,
    pair: F8,
    ratios: I8,
    instrument: I8,
    end_ns: I8,
    closes: I8,
    out: F8,
) -> None:
    n = changes.shape[1]
    for i in range(len(instrument)):
        k, now = instrument[i], (end_ns[i] - 1) // GRID_NS
        if closes[i] != 0:
            if close_ticks[k] != 0 and now > step[k]:
                # The 5 s in which the trade before this one was has ended, and so have those without any since.
                if grid_ticks[k] != 0:
                    _pushed(changes, count, k, close_ticks[k] - grid_ticks[k])
                for _ in range(min(now - step[k] - 1, n)):
                    _pushed(changes, count, k, 0)
                grid_ticks[k] = close_ticks[k]
                if count[k] >= n:
                    p = grid_ticks[k]
                    for j in range(n):
                        change = changes[k, (count[k] - 1 - j) % n]
                        r[n - 1 - j] = math.log(p / (p - change)) if change != 0 else 0.0
                        p -= change
                    _describe(r, pair, ratios, said[k])
            step[k], close_ticks[k] = max(step[k], now), closes[i]
        for c in range(said.shape[1]):
            out[c, i] = said[k, c]


def _step(state: State, rows: Columns) -> Columns:
    out = np.empty((len(OUT), len(rows["instrument"])))
    told = GRID_NS % (rows["pane_end_ns"] - rows["pane_start_ns"]) == 0
    _follow(
        state["changes_ticks"],
        state["changes"],
        state["step"],
        state["grid_ticks"],
        state["close_ticks"],
        state["said"],
        np.empty(RETURNS),
        np.empty(2),
        _RATIOS,
        rows["instrument"].astype(np.int64),
        rows["pane_end_ns"],
        np.where(told, rows["close_ticks"], 0),
        out,
    )
    return {f"trailing_{n}": out[c] for c, n in enumerate(OUT)} | {"trailing_end_ns": rows["pane_end_ns"]}


def _compute(windows: Columns) -> Columns:
    fresh = windows["window_end_ns"] - windows["trailing_end_ns"] < RETURNS * GRID_NS
    rv, bipower, low, middle, *ratios, p, h, error = (np.where(fresh, windows[f"trailing_{n}"], np.nan) for n in OUT)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(rv > 0, np.maximum(rv - bipower, 0.0) / rv, np.nan)
    away = sum(np.abs(v - 1) for v in ratios) / len(ratios)
    return {
        "trailing_realised_variance": rv,
        "trailing_bipower_variation": bipower,
        "trailing_min_variance": low,
        "trailing_med_variance": middle,
        "jump_share": share,
        **{f"variance_ratio_{q}": v for q, v in zip(RATIOS, ratios, strict=True)},
        "variance_ratio_p": p,
        "efficiency": 100 * (1 - np.minimum(1.0, away / 0.5)),
        "hurst": h,
        "hurst_error": error,
    }


_STATE = (
    Field("changes_ticks", "i8", 0, (RETURNS,), ticks=1),
    Field("changes", "i8"),
    Field("step", "i8", -1),
    Field("grid_ticks", "i8", ticks=1),
    Field("close_ticks", "i8", ticks=1),
    Field("said", "f8", np.nan, (len(OUT),)),
)
_SPAN = "last 512 returns of 5 s, up to the last 5 s that ended before a trade"
_SHORT = "fewer than 512 returns of 5 s known, no trade for as long, or windows.base_ms does not divide 5 s"
_FLAT = f"{_SHORT}; no price changed"


def _column(
    name: str,
    meaning: str,
    formula: str,
    source: str,
    null_when: str = _SHORT,
    low: float | None = 0,
    high: float | None = None,
    sign: str = "",
) -> Column:
    return Column(name, "f8", f"{meaning}, {_SPAN}", "1", formula, source, sign, null_when, low, high)


_LO = "Lo & MacKinlay (1988)"

TRAILING = Operator(
    "trailing",
    "pane",
    ("instrument", "pane_start_ns", "pane_end_ns", "close_ticks"),
    table="features_efficiency",
    state=_STATE,
    statistics=(
        *(Statistic(f"trailing_{n}", "f8", "asof", np.nan) for n in OUT),
        Statistic("trailing_end_ns", "i8", "asof"),
    ),
    step=_step,
    anew=True,
    uses=("window_end_ns",),
    compute=_compute,
    columns=(
        _column(
            "trailing_realised_variance",
            "sum of squared log returns",
            "sum r^2, r: of the last trade price at the end of each 5 s against that at its start",
            "Andersen & Bollerslev (1998)",
        ),
        _column(
            "trailing_bipower_variation",
            "realised variance without its jumps",
            "(pi / 2) sum |r_i| |r_{i-1}|",
            "Barndorff-Nielsen & Shephard (2004)",
        ),
        _column(
            "trailing_min_variance",
            "realised variance from the smaller of two neighbours, robust to jumps",
            "pi / (pi - 2) n / (n - 1) sum min(|r_i|, |r_{i-1}|)^2",
            "Andersen, Dobrev & Schaumburg (2012)",
        ),
        _column(
            "trailing_med_variance",
            "realised variance from the median of three neighbours, robust to jumps and zeros",
            "pi / (6 - 4 sqrt 3 + pi) n / (n - 2) sum med(|r_i|, |r_{i-1}|, |r_{i-2}|)^2",
            "Andersen, Dobrev & Schaumburg (2012)",
        ),
        _column(
            "jump_share",
            "share of realised variance that came in jumps",
            "max(RV - BPV, 0) / RV",
            "Barndorff-Nielsen & Shephard (2004)",
            _FLAT,
            0,
            1,
        ),
        *(
            _column(
                f"variance_ratio_{q}",
                f"variance of {q}-step returns relative to {q} times that of returns",
                f"sum (ln p_i - ln p_(i-{q}) - {q} mean r)^2 / m / var r, m = {q} (n - {q - 1}) (1 - {q} / n)",
                _LO,
                _FLAT,
                sign="above 1: prices run on, below: they come back",
            )
            for q in RATIOS
        ),
        _column(
            "variance_ratio_p",
            "probability of a variance ratio as far from 1 if prices were a random walk",
            "1 - (1 - p_max)^4, p_max: two-sided, of the largest |z*| of q = 2, 4, 8, 16, robust to changing variance",
            "Chow & Denning (1993)",
            _FLAT,
            0,
            1,
        ),
        _column(
            "efficiency",
            "how like a random walk prices are, 0 to 100",
            "100 (1 - min(1, mean |VR(q) - 1| / 0.5)), q = 2, 4, 8, 16",
            _LO,
            _FLAT,
            0,
            100,
            "more efficient: larger",
        ),
        _column(
            "hurst",
            "exponent with which the distance that prices cover grows with time",
            "slope / 2 of ln mean (ln p_{i+m} - ln p_i)^2 on ln m, m = 1, 2, 4, ..., 64",
            "Taqqu, Teverovsky & Willinger (1995)",
            _FLAT,
            None,
            None,
            "above 0.5: prices run on, below: they come back",
        ),
        _column(
            "hurst_error",
            "standard error of the Hurst exponent",
            "deviation (n - 1) of H of four quarters (m to 16) / 2",
            "batch means: Law & Kelton (2000)",
            f"{_FLAT} in one of the quarters",
        ),
    ),
)
