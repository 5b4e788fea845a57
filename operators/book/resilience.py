"""Resilience: how long depth and spread take to come back half way after a shock.

    shock    depth:  D(t0) < 0.5 D*         D: USD within 10 bps of mid, a side; D*: its median over the minute before
             spread: S(t0) > 2 S* and S(t0) - S* >= 1 tick
    x(t)     = (D* - D(t)) / (D* - D(t0))   what is left of it; of the spread (S(t) - S*) / (S(t0) - S*)
    half-life: from t0 until x <= 0.5 first, linear within the pane in which it does; 120 s at most

As seen at the ends of panes; the median is of six values, the first of each 10 s, of silence those in force, and all
six from after the last shock. The number in force
is the mean over shocks, each counting a fifth (an exponential average), null before the first; a shock that has not
come back after 120 s counts as 120 s. A book that is not live, or was not trusted meanwhile, forgets the minute and the
shock under way: what happened through a gap is not known. A shock is seen at the end of its pane, so what comes back
within one is not, and what is back at the end of the next counts about half a pane: no half-life is told finer than
panes are.

Large (2007), J. Financial Markets 10(1), 1-25; Kempf, Mayston, Gehde-Trapp & Yadav (2015), Resiliency: a dynamic view
of liquidity.

>>> float(passage(1_000, 2_000, 0.512, 0.4096))  # x falls through 0.5 within this pane, at
1117.1875
"""

import numpy as np
from numpy.typing import NDArray

from operators.book.midpoint import NO_MID
from operators.contract import I8, Columns, Field, Operator, State
from schemas.column import Column
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
MEASURES = ("bid_depth", "ask_depth", "spread")
SPREAD = 2
SAMPLES = 6
SAMPLE_NS = 10_000_000_000
LONGEST_NS = 120_000_000_000
WEIGHT = 0.2
DEPTH_SHOCK, SPREAD_SHOCK = 0.5, 2.0


@kernel
def passage(before_ns: int, now_ns: int, before: float, now: float) -> float:
    """When what is left of a shock fell through a half, linear between two moments."""
    return before_ns + (now_ns - before_ns) * (before - 0.5) / (before - now)


@kernel
def _median(samples: F8, room: F8) -> float:
    """Of the values that are there; NaN unless all are."""
    n = len(samples)
    for i in range(n):
        if np.isnan(samples[i]):
            return np.nan
        v, j = samples[i], i - 1
        while j >= 0 and room[j] > v:
            room[j + 1] = room[j]
            j -= 1
        room[j + 1] = v
    return float((room[(n - 1) // 2] + room[n // 2]) / 2)


@inner
def _push(samples: F8, value: float) -> None:
    for b in range(len(samples) - 1):
        samples[b] = samples[b + 1]
    samples[-1] = value


@kernel
def _watch(
    samples: F8,
    sampled: I8,
    shock_ns: I8,
    usual: F8,
    depth: F8,
    left: F8,
    half_life: F8,
    last: F8,
    room: F8,
    instrument: I8,
    start_ns: I8,
    end_ns: I8,
    gap: NDArray[np.bool_],
    values: F8,
    tick_bps: F8,
    out: F8,
) -> None:
    """`values`, f8[3, m]: the measures at the ends of panes; `out`, f8[3, m]: the half-lives in force, s."""
    for i in range(len(instrument)):
        k, now = instrument[i], end_ns[i]
        if gap[i] or np.isnan(values[SPREAD, i]):
            samples[k], last[k] = np.nan, np.nan
            shock_ns[k] = 0
        stretch = (now - 1) // SAMPLE_NS
        moved = stretch > sampled[k]
        silent = min(stretch - sampled[k] - 1, SAMPLES) if sampled[k] >= 0 else 0
        for c in range(3):
            value = values[c, i]
            if np.isnan(value):
                shock_ns[k, c] = 0
                samples[k, c] = np.nan
            elif shock_ns[k, c] > 0:
                x = (value - usual[k, c]) / (depth[k, c] - usual[k, c])
                lasted = -1.0
                if x <= 0.5:
                    lasted = passage(start_ns[i], now, left[k, c], x) - shock_ns[k, c]
                elif now - shock_ns[k, c] >= LONGEST_NS:
                    lasted = np.float64(LONGEST_NS)
                left[k, c] = x
                if lasted >= 0:
                    lasted = min(lasted, np.float64(LONGEST_NS)) / 1e9
                    was = half_life[k, c]
                    half_life[k, c] = lasted if np.isnan(was) else was + WEIGHT * (lasted - was)
                    shock_ns[k, c] = 0
                    samples[k, c] = np.nan
            else:
                for _ in range(silent):
                    _push(samples[k, c], last[k, c])
                middle = _median(samples[k, c], room)
                if c == SPREAD:
                    shocked = value > SPREAD_SHOCK * middle and value - middle >= 0.999 * tick_bps[i]
                else:
                    shocked = value < DEPTH_SHOCK * middle
                if shocked:
                    shock_ns[k, c], usual[k, c], depth[k, c], left[k, c] = now, middle, value, 1.0
            if moved and shock_ns[k, c] == 0:
                _push(samples[k, c], value)
            last[k, c] = value
            out[c, i] = half_life[k, c]
        if moved:
            sampled[k] = stretch


def _step(state: State, rows: Columns) -> Columns:
    values = np.stack([rows["bid_depth_10bps_usd"], rows["ask_depth_10bps_usd"], rows["spread_bps"]])
    out = np.empty_like(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        tick_bps = 1e4 * rows["tick_mantissa"] / rows["tick_scale"] / rows["mid"]
    _watch(
        state["samples"],
        state["sampled"],
        state["shock_ns"],
        state["usual"],
        state["shocked_to"],
        state["left"],
        state["half_life_s"],
        state["last"],
        np.empty(SAMPLES),
        rows["instrument"].astype(np.int64),
        rows["pane_start_ns"],
        rows["pane_end_ns"],
        rows["gap"],
        values,
        tick_bps,
        out,
    )
    return {f"{name}_half_life_s": out[c] for c, name in enumerate(MEASURES)}


_STATE = (
    Field("samples", "f8", np.nan, (3, SAMPLES)),
    Field("sampled", "i8", -1),
    Field("shock_ns", "i8", 0, (3,)),
    Field("usual", "f8", np.nan, (3,)),
    Field("shocked_to", "f8", np.nan, (3,)),
    Field("left", "f8", np.nan, (3,)),
    Field("half_life_s", "f8", np.nan, (3,)),
    Field("last", "f8", np.nan, (3,)),
)


def _column(name: str, meaning: str, formula: str, null_when: str, *, dollars: bool) -> Column:
    return Column(
        f"{name}_half_life_s",
        "f8",
        f"how long {meaning} takes to come back half way after a shock, mean over shocks, each counting a fifth",
        "s",
        formula,
        "Large (2007)",
        "slower: larger",
        null_when,
        0,
        LONGEST_NS / 1e9,
        dollars=dollars,
    )


_FIRST = (
    "first t - t0 with (D* - D(t)) / (D* - D(t0)) <= 0.5, by the ends of panes, linear within the last, 120 s at"
    " most; D*:"
    " median of the minute before, of the first value of each 10 s, all six since the last shock was over; at t0 "
)
_DEPTH, _SPREAD = f"{_FIRST}D < D* / 2", f"{_FIRST}D > 2 D* and D - D* >= a tick"
_NULL = f"no shock seen yet since the start ({NO_MID}: none is seen)"

RESILIENCE = Operator(
    "resilience",
    "close",
    (
        *("instrument", "pane_start_ns", "pane_end_ns", "gap", "mid", "spread_bps"),
        *("bid_depth_10bps_usd", "ask_depth_10bps_usd", "tick_mantissa", "tick_scale"),
    ),
    columns=(
        _column("bid_depth", "bid depth within 10 bps", _DEPTH, f"{_NULL}; contract unknown", dollars=True),
        _column("ask_depth", "ask depth within 10 bps", _DEPTH, f"{_NULL}; contract unknown", dollars=True),
        _column("spread", "the spread", _SPREAD, _NULL, dollars=False),
    ),
    table="features_liquidity",
    state=_STATE,
    step=_step,
    anew=True,
)
