"""Spreads and impacts from bars of a minute: Roll, Corwin-Schultz, Amihud, Hasbrouck and Kyle, last 30 minutes.

    Roll             2 sqrt(max(-cov(D_t, D_{t-1}), 0)),  D_t = C_t - C_{t-1}                   as bps of the last close
    Corwin-Schultz   2 (e^a - 1) / (1 + e^a),  a = max(0, (sqrt(2 b) - sqrt(b)) / k - sqrt(g / k)),  k = 3 - 2 sqrt 2
                     b = mean of ln^2(H_t / L_t) + ln^2(H_{t-1} / L_{t-1}),  g = ln^2 of the range of the last two bars
    Amihud           mean |r_t| / V_t,  r_t = ln(C_t / C_{t-1}),  V: 1e6 USD                     per 1e6 USD
    Hasbrouck        mean |r_t| / sqrt(V_t),  V: USD                                             per sqrt USD
    Kyle of bars     mean |D_t| / V_t,  V: base units                                            quote per base

A bar is a minute with trades; it counts when a trade of a later minute comes. The covariance is that of the sample
(n - 1), and a positive one gives 0, not its root. In the last two the sign of the bar, that of its D (of a zero D: the
one before), cancels against that of the return. The 30 minutes are six stretches of five; null with fewer than 20 bars,
and when no trade came for 30 minutes.

Roll (1984), J. of Finance 39(4); Corwin & Schultz (2012), J. of Finance 67(2), as in Lopez de Prado (2018), Advances in
Financial Machine Learning, ch. 19; Amihud (2002), J. of Financial Markets 5(1); Hasbrouck (2009), J. of Finance 64(3);
Kyle (1985), Econometrica 53(6).
"""

import math

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import I8, Columns, Field, History, Operator, State, Statistic
from operators.history import moved_on, total
from operators.tape.bars import base_volume, rounds
from schemas.column import Column
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
MINUTE_NS = 60_000_000_000
STRETCH_NS, STRETCHES = 5 * MINUTE_NS, 6
LEAST = 20
SUMS = ("bars", "amihud", "hasbrouck", "kyle", "pairs", "x", "y", "xy", "beta")
OUT = ("roll", "corwin_schultz", "amihud", "hasbrouck", "kyle_bars")
(_CLOSE, _LAST_CLOSE, _HIGH, _LOW, _LAST_HIGH, _LAST_LOW) = range(6)
"""Of a bar and the one before it, in ticks; a close of 0: there is none."""
_NO_CHANGE = 2**62
_K = 3 - 2 * math.sqrt(2)


@inner
def _counted(sums: F8, bar: I8, volume: F8, change: I8, k: int, tick: float) -> None:
    """The bar that has ended, into the last stretch."""
    last = sums.shape[1] - 1
    close, before = np.float64(bar[k, _CLOSE]), np.float64(bar[k, _LAST_CLOSE])
    if before > 0:
        r, usd, base = abs(math.log(close / before)), volume[k, 0], volume[k, 1]
        moved = bar[k, _CLOSE] - bar[k, _LAST_CLOSE]
        sums[k, last, 0] += 1
        if usd > 0 and base > 0:
            sums[k, last, 1] += r / usd
            sums[k, last, 2] += r / math.sqrt(usd)
            sums[k, last, 3] += abs(moved) * tick / base
        if change[k] != _NO_CHANGE:
            x, y = moved * tick, change[k] * tick
            sums[k, last, 4] += 1
            sums[k, last, 5] += x
            sums[k, last, 6] += y
            sums[k, last, 7] += x * y
        change[k] = moved
        high, low = math.log(bar[k, _HIGH] / bar[k, _LOW]), math.log(bar[k, _LAST_HIGH] / bar[k, _LAST_LOW])
        sums[k, last, 8] += high * high + low * low
    bar[k, _LAST_CLOSE], bar[k, _LAST_HIGH], bar[k, _LAST_LOW] = bar[k, _CLOSE], bar[k, _HIGH], bar[k, _LOW]


@inner
def _described(sums: F8, k: int, gamma: float, price: float, least: int, out: F8) -> None:
    """All numbers of `OUT`, NaN with too few bars."""
    out[:] = np.nan
    n, pairs = total(sums, k, 0), total(sums, k, 4)
    if n < least:
        return
    if pairs > 1:
        covariance = (total(sums, k, 7) - total(sums, k, 5) * total(sums, k, 6) / pairs) / (pairs - 1)
        out[0] = 2e4 * math.sqrt(-covariance) / price if covariance < 0 else 0.0
    beta = total(sums, k, 8) / n
    alpha = max((math.sqrt(2 * beta) - math.sqrt(beta)) / _K - math.sqrt(gamma / _K), 0.0)
    out[1] = 2e4 * (math.exp(alpha) - 1) / (1 + math.exp(alpha))
    out[2] = 1e6 * total(sums, k, 1) / n
    out[3] = total(sums, k, 2) / n
    out[4] = total(sums, k, 3) / n


@kernel
def follow(
    sums: F8,
    at: I8,
    bar: I8,
    bar_minute: I8,
    volume: F8,
    change: I8,
    said: F8,
    stretch_ns: int,
    least: int,
    instrument: I8,
    end_ns: I8,
    high: I8,
    low: I8,
    close: I8,
    usd: F8,
    base: F8,
    tick: F8,
    out: F8,
) -> None:
    """Panes with trades into bars of a minute, and what the last stretches say after each; f8[5, m]."""
    for i in range(len(instrument)):
        k, minute = instrument[i], (end_ns[i] - 1) // MINUTE_NS
        if close[i] > 0:
            if bar[k, _CLOSE] > 0 and minute > bar_minute[k]:
                moved_on(sums, at, k, bar_minute[k] * MINUTE_NS // stretch_ns)
                top, bottom = max(bar[k, _HIGH], bar[k, _LAST_HIGH]), bar[k, _LOW]
                if bar[k, _LAST_LOW] > 0:
                    bottom = min(bottom, bar[k, _LAST_LOW])
                _counted(sums, bar, volume, change, k, tick[i])
                gamma = math.log(top / bottom)
                _described(sums, k, gamma * gamma, bar[k, _CLOSE] * tick[i], least, said[k])
                bar[k, _CLOSE] = 0
            if bar[k, _CLOSE] == 0:
                bar[k, _HIGH], bar[k, _LOW], bar_minute[k] = high[i], low[i], minute
                volume[k] = 0.0
            bar[k, _HIGH], bar[k, _LOW] = max(bar[k, _HIGH], high[i]), min(bar[k, _LOW], low[i])
            bar[k, _CLOSE] = close[i]
            volume[k, 0] += usd[i]
            volume[k, 1] += base[i]
        for c in range(said.shape[1]):
            out[c, i] = said[k, c]


def _step(state: State, rows: Columns) -> Columns:
    n = len(rows["instrument"])
    base = base_volume(rows["lots"], rows["per_price"], rows)
    dollars = units.quantity(rows["lots"], rows) * rows["contract"]
    tick = rows["tick_mantissa"] / rows["tick_scale"]
    high, low = rows["turnover_hi"], rows["turnover_lo"]
    turnover = rounds(high, low, rows["lots"], rows) * 2.0**84 + high * 2.0**20 + low
    linear = units.quantity(turnover, rows) * tick * rows["contract"]
    out = np.empty((len(OUT), n))
    follow(
        state["bars"],
        state["bars_at"],
        state["bar_ticks"],
        state["bar_minute"],
        state["volume"],
        state["change"],
        state["said"],
        STRETCH_NS,
        LEAST,
        rows["instrument"].astype(np.int64),
        rows["pane_end_ns"],
        rows["high_ticks"],
        rows["low_ticks"],
        rows["close_ticks"],
        np.where(rows["inverse"], dollars, linear),
        np.ascontiguousarray(base, np.float64),
        tick,
        out,
    )
    return {f"bars_{n}": out[c] for c, n in enumerate(OUT)} | {"bars_end_ns": rows["pane_end_ns"]}


def _compute(windows: Columns) -> Columns:
    fresh = windows["window_end_ns"] - windows["bars_end_ns"] < STRETCHES * STRETCH_NS
    valued = np.isfinite(windows["contract"])
    return {
        c.name: np.where(fresh & (valued | (c.unit == "bps")), windows[f"bars_{n}"], np.nan)
        for c, n in zip(_COLUMNS, OUT, strict=True)
    }


_SPAN = "from bars of minutes with trades, of the 25 to 30 minutes before that of the last trade"
"""In stretches of five minutes; a bar counts when a trade of a later minute comes."""


def _column(name: str, meaning: str, unit: str, formula: str, source: str, sign: str = "") -> Column:
    return Column(
        name,
        "f8",
        f"{meaning}, {_SPAN}",
        unit,
        formula,
        source,
        sign,
        "fewer than 20 such minutes of which an earlier one is known, or no trade for 30 minutes"
        + ("" if unit == "bps" else "; contract unknown"),
        0,
        dollars="USD" in unit,
    )


_COLUMNS = (
    _column(
        "roll_spread_bps",
        "spread implied by prices that bounce",
        "bps",
        "2e4 sqrt(max(-cov(D_t, D_{t-1}), 0)) / C, cov of a sample (n - 1), D: change from close to close, C: the last",
        "Roll (1984)",
    ),
    _column(
        "corwin_schultz_spread_bps",
        "spread implied by highs and lows",
        "bps",
        "2e4 (e^a - 1) / (1 + e^a), a = max(0, (sqrt(2 b) - sqrt(b)) / k - sqrt(g / k)), k = 3 - 2 sqrt 2; b: mean of"
        " ln^2(H / L) of a bar and the one before, summed, g: ln^2 of the range of the last two",
        "Corwin & Schultz (2012)",
    ),
    _column(
        "amihud_per_musd",
        "illiquidity: absolute return of a million USD traded",
        "1/1e6 USD",
        "1e6 mean |r| / V, r: logarithm of close to close",
        "Amihud (2002)",
        "less liquid: larger",
    ),
    _column(
        "hasbrouck_lambda",
        "absolute return of a square root of a USD traded",
        "1/sqrt(USD)",
        "mean |r| / sqrt(V), r: logarithm of close to close, V: USD",
        "Hasbrouck (2009)",
        "less liquid: larger",
    ),
    _column(
        "kyle_lambda_bars",
        "absolute change of price of a base unit traded",
        "quote/base",
        "mean |D| / V, D: change from close to close",
        "Kyle (1985); Lopez de Prado (2018)",
        "less liquid: larger",
    ),
)

LAMBDAS = Operator(
    "lambdas",
    "pane",
    (
        *("instrument", "pane_end_ns", "high_ticks", "low_ticks", "close_ticks"),
        *("lots", "per_price", "turnover_hi", "turnover_lo"),
        *units.READS,
    ),
    table="features_efficiency",
    state=(
        History("bars", SUMS, STRETCHES, STRETCH_NS),
        Field("bar_ticks", "i8", 0, (6,), ticks=1),
        Field("bar_minute", "i8"),
        Field("volume", "f8", 0, (2,)),
        Field("change", "i8", _NO_CHANGE, ticks=1),
        Field("said", "f8", np.nan, (len(OUT),)),
    ),
    statistics=(
        *(Statistic(f"bars_{n}", "f8", "asof", np.nan) for n in OUT),
        Statistic("bars_end_ns", "i8", "asof"),
    ),
    step=_step,
    anew=True,
    uses=("window_end_ns", "contract"),
    compute=_compute,
    columns=_COLUMNS,
)
