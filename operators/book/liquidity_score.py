"""Liquidity score: how liquid a book is now against its own last day, and on one scale for all instruments.

    score    = 100 sum w_k r_k / sum w_k            r_k: rank of the good direction among the last 12 to 24 hours
    absolute = 100 sum w_k a_k / sum w_k            a_k = ln(v / worst) / ln(best / worst), within [0, 1]

| part | weight | worst | best |
| --- | --- | --- | --- |
| spread, bps | 0.30 | 100 | 0.1 |
| the lesser depth of the sides within 10 bps, USD | 0.35 | 1 k | 10 M |
| the worse impact of the sides of 100 k USD, bps | 0.25 | 100 | 0.1 |
| the longer half-life of depth of the sides, s | 0.10 | 120 | 0.5 |

Parts that are null are left out and the weights of the others scaled up; null with fewer than two. How ranks are kept:
`operators/composite`. The score compares a market with itself, the absolute one markets with each other.

The weights are a convention of this project; the ranks in the row can be weighed in other ways.
"""

import numpy as np

from operators import composite
from operators.composite import Part
from operators.contract import Array, Columns, Operator, State
from schemas.column import Column

PARTS = (
    Part("spread", 0.30, -1, 0.005, "spread_bps"),
    Part("depth", 0.35, 1, 1.0, "the lesser of bid_depth_10bps_usd and ask_depth_10bps_usd"),
    Part("impact", 0.25, -1, 0.01, "the worse of buy_impact_100k_bps and sell_impact_100k_bps"),
    Part("half_life", 0.10, -1, 0.05, "the longer known of bid_depth_half_life_s and ask_depth_half_life_s"),
)
_WORST = np.array([100.0, 1e3, 100.0, 120.0])[:, None]
_BEST = np.array([0.1, 1e7, 0.1, 0.5])[:, None]


def _values(rows: Columns) -> Array:
    """The parts as numbers, f8[4, m]."""
    depth = np.minimum(rows["bid_depth_10bps_usd"], rows["ask_depth_10bps_usd"])
    impact = np.maximum(rows["buy_impact_100k_bps"], rows["sell_impact_100k_bps"])
    half_life = np.fmax(rows["bid_depth_half_life_s"], rows["ask_depth_half_life_s"])
    half_life = np.where(np.isnan(rows["spread_bps"]), np.nan, half_life)
    return np.stack([rows["spread_bps"], depth, impact, half_life])


def absolute(values: Array) -> Array:
    """The score on the one scale, of f8[4, m]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.log(np.maximum(values, 1e-12) / _WORST) / np.log(_BEST / _WORST)
    return composite.weighted(np.clip(share, 0.0, 1.0), PARTS)


def _step(state: State, rows: Columns) -> Columns:
    values = _values(rows)
    found = composite.ranked(state, PARTS, rows["instrument"], rows["pane_end_ns"], values)
    out: dict[str, Array] = {
        "liquidity_score": composite.weighted(found, PARTS),
        "liquidity_absolute": absolute(values),
    }
    return out | {f"{p.name}_rank": found[n] for n, p in enumerate(PARTS)}


_NULL = "fewer than two of its parts known"


def _column(name: str, meaning: str, formula: str, null_when: str) -> Column:
    source = "weights over ranks (composite of our own)"
    return Column(name, "f8", meaning, "1", formula, source, "more liquid: larger", null_when, 0, 100, dollars=True)


LIQUIDITY_SCORE = Operator(
    "liquidity_score",
    "close",
    (
        *("instrument", "pane_end_ns", "spread_bps", "bid_depth_10bps_usd", "ask_depth_10bps_usd"),
        *("buy_impact_100k_bps", "sell_impact_100k_bps", "bid_depth_half_life_s", "ask_depth_half_life_s"),
    ),
    table="features_liquidity",
    state=composite.fields(PARTS),
    step=_step,
    columns=(
        _column(
            "liquidity_score",
            "liquidity against the instrument's own last day, 0 to 100",
            composite.score(PARTS),
            f"{_NULL} and ranked: about half an hour of minutes",
        ),
        _column(
            "liquidity_absolute",
            "liquidity on one scale for all instruments, 0 to 100",
            "100 sum w a / sum w, a = ln(v / worst) / ln(best / worst) in [0, 1]; worst, best: spread 100, 0.1 bps,"
            " lesser depth in 10 bps 1e3, 1e7 USD, worse impact of 100k USD 100, 0.1 bps, longer half-life of the"
            " depth of a side 120, 0.5 s; w as of liquidity_score, both sums over the parts that are known",
            _NULL,
        ),
        *composite.columns(PARTS, "the part or spread_bps is null", "shortest window with a message", dollars=True),
    ),
)
