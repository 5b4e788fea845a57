"""Information asymmetry: how much trades look as if somebody knows, against the instrument's own last day, 0 to 100.

    score = 100 mean of the ranks of  VPIN,  Kyle's lambda in bps per 1e6 USD,  |autocorrelation of trade signs|

Parts that are null are left out, as lambda is once no trade came for 30 minutes; null with fewer than two
(`operators/composite`). The share of price impact in the
effective spread, which belongs here too, is known a minute later only and stands in `features_costs`.

VPIN: Easley, Lopez de Prado & O'Hara (2012); lambda: Kyle (1985); signs: Hasbrouck & Ho (1987).
"""

import numpy as np

from operators import composite
from operators.composite import Part
from operators.contract import Array, Columns, Operator, State, Statistic
from operators.tape.kyle import LEAST, MINUTE_NS, MINUTES
from schemas.column import Column

PARTS = (
    Part("vpin", 1.0, 1, 1e-3),
    Part("kyle", 1.0, 1, 0.005, "kyle_lambda in bps of the mid per 1e6 units of quote"),
    Part("sign_persistence", 1.0, 1, 1e-4, "|sign_autocorrelation|"),
)


def _values(rows: Columns) -> Array:
    n = rows["kyle_n"]
    with np.errstate(divide="ignore", invalid="ignore"):
        sxx = rows["kyle_xx"] - rows["kyle_x"] ** 2 / n
        slope = (rows["kyle_xy"] - rows["kyle_x"] * rows["kyle_y"] / n) / sxx
        impact = 1e10 * slope / rows["mid"] ** 2
    known = (n >= LEAST) & (sxx > 1e-12 * rows["kyle_xx"]) & np.isfinite(impact)
    persistence = np.abs(rows["sign_autocorrelation_last"])
    return np.stack([rows["vpin_last"], np.where(known, impact, np.nan), persistence])


def _step(state: State, rows: Columns) -> Columns:
    found = composite.ranked(state, PARTS, rows["instrument"], rows["pane_end_ns"], _values(rows))
    return {f"asymmetry_rank_{p.name}": of for p, of in zip(PARTS, found, strict=True)} | {
        "asymmetry_end_ns": rows["pane_end_ns"]
    }


def _compute(windows: Columns) -> Columns:
    silent = windows["window_end_ns"] - windows["asymmetry_end_ns"] >= MINUTES * MINUTE_NS
    found = np.stack(
        [np.where(silent & (p.name == "kyle"), np.nan, windows[f"asymmetry_rank_{p.name}"]) for p in PARTS]
    )
    return {"information_asymmetry": composite.weighted(found, PARTS)} | {
        f"{p.name}_rank": of for p, of in zip(PARTS, found, strict=True)
    }


ASYMMETRY = Operator(
    "asymmetry",
    "pane",
    (
        *("instrument", "pane_end_ns", "mid", "vpin_last", "sign_autocorrelation_last"),
        *("kyle_n", "kyle_x", "kyle_y", "kyle_xx", "kyle_xy"),
    ),
    table="features_efficiency",
    state=composite.fields(PARTS),
    statistics=(
        *(Statistic(f"asymmetry_rank_{p.name}", "f8", "asof", np.nan) for p in PARTS),
        Statistic("asymmetry_end_ns", "i8", "asof"),
    ),
    step=_step,
    uses=("window_end_ns",),
    compute=_compute,
    columns=(
        Column(
            "information_asymmetry",
            "f8",
            "how much trades look informed, against the instrument's own last day, 0 to 100",
            "1",
            "100 mean(r_vpin, r_kyle, r_sign_persistence)",
            "weights over ranks (composite of our own)",
            "more informed: larger",
            "fewer than two of its parts known and ranked: about half an hour of minutes",
            0,
            100,
        ),
        *composite.columns(PARTS, "the part is null", "shortest window with trades"),
    ),
)
