"""The forecaster: a checked model version in, burst probabilities out, for every instrument, side and horizon at once.

    confidence = (1 - (p_burst_high - p_burst_low)) F,  F = share of fed feature families that are fresh
    expected_notional_usd = Q (p E[V / Q | burst] + (1 - p) E[V / Q | calm]), means of the span the model was fitted on

V: USD liquidated within the horizon, Q: its threshold of a burst. A model is of instruments of all sizes, and V / Q is
what they have in common: a mean of V itself, mostly Bitcoin's, would be told of each of them.

Abstains, with its reason and nulls, when the book is not to be trusted or too little is fresh: a forecast of stale
numbers looks like any other. Factors are contributions to the uncalibrated log-odds, summed by family (`models.trees`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibrator import interval, probability
from models.model_registry import Card, Version
from models.risk_levels import LEVELS, level
from models.trees import Trees, parse, walk
from models.vector_items import ITEMS, NAMES, seen_by
from operators.contract import Array, Columns
from schemas.column import Column

F8 = NDArray[np.float64]

STALE_S = {"book_age_s": 5.0, "tape_age_s": 120.0, "derivatives_age_s": 30.0}
LEAST_FRESH = 0.5
LEAST_KNOWN = 0.5
TOP = 5
_FAMILIES = tuple(dict.fromkeys(item.family for item in ITEMS))
_FED_BY = {
    "book_age_s": ("book",),
    "tape_age_s": ("tape", "variance", "momentum", "liquidations", "levels", "threshold"),
    "derivatives_age_s": ("derivatives",),
}
_FACTORS = "{" + ",".join(TOP * ['"%s":%.4f']) + "}"
_FAMILY_OF = np.array([_FAMILIES.index(item.family) for item in ITEMS], np.int64)

NULL = "the forecast abstains, see abstain_reason"
WRITES = (
    Column("position_side", "str", "Whose liquidations: long or short"),
    Column("horizon_min", "i8", "Horizon", "minutes", low=1),
    Column(
        "p_burst",
        "f8",
        "Calibrated probability of a liquidation burst",
        "1",
        null_when=NULL,
        low=0.0,
        high=1.0,
        formula="1 / (1 + exp(-(a logit(s) + b))), or isotonic in s; within [1e-4, 1 - 1e-4]; s = 1 / (1 + exp(-sum of"
        " the trees' leaves)) of the vector, of shorts as they see it: long and short features have changed places, and"
        " those that say so their sign",
        source="Platt (1999); Vovk, Petej & Fedorova (2015)",
    ),
    Column(
        "p_burst_low",
        "f8",
        "Lower end of its interval, by the same calibrator",
        "1",
        null_when=NULL,
        low=0.0,
        high=1.0,
        formula="the same of z - 1.645 sd(z), z = a logit(s) + b",
        source="MacKay (1992); isotonic: Vovk, Petej & Fedorova (2015)",
    ),
    Column(
        "p_burst_high",
        "f8",
        "Upper end of its interval, by the same calibrator",
        "1",
        null_when=NULL,
        low=0.0,
        high=1.0,
        formula="the same of z + 1.645 sd(z)",
        source="MacKay (1992); isotonic: Vovk, Petej & Fedorova (2015)",
    ),
    Column(
        "base_rate",
        "f8",
        "Share of bursts in the span the model was fitted on",
        "1",
        low=0.0,
        high=1.0,
        formula="bursts / cases",
        source="definition of our own",
    ),
    Column(
        "expected_notional_usd",
        "f8",
        "Expected liquidations within the horizon; a lower bound where the venue is throttled",
        "USD",
        "threshold_usd (p E[V / Q | burst] + (1 - p) E[V / Q | calm]), V: USD liquidated within the horizon, Q: the"
        " threshold then; means of the fitted span, all its instruments",
        null_when=NULL,
        low=0.0,
        source="definition of our own",
    ),
    Column(
        "confidence",
        "f8",
        "How far the probability is to be trusted; not the probability itself",
        "1",
        "(1 - (p_burst_high - p_burst_low)) (book + 6 tape + derivatives) / 8, each 1 while book_age_s <= 5, tape_age_s"
        " <= 120, derivatives_age_s <= 30 of the vector, else 0: the share of feature families that are fresh",
        null_when=NULL,
        low=0.0,
        high=1.0,
        source="definition of our own",
    ),
    Column(
        "risk_level",
        "str",
        "low, medium from p_burst of 2 base rates, high from 5, critical from 10 where expected_notional_usd is half of"
        " threshold_usd times the 99 % quantile of V / Q in the fitted span; up at once, down after 3 minutes below .8"
        " of that; empty when the forecast abstains",
    ),
    Column(
        "top_factors",
        "str",
        f"JSON: the {TOP} families with the most log-odds in the uncalibrated score, signed, largest first",
        formula="of a family: sum of value(child) - value(parent) over the splits on its features on the vector's way",
        source="Saabas (2014)",
    ),
    Column("model_version", "str", "Which model version; empty where there is none, and of a spot market"),
    Column(
        "abstain_reason",
        "str",
        "Why there is no forecast, empty when there is one; the first of: a spot market; no model; none of this side"
        f" and horizon; book_ok false; under {100 * LEAST_FRESH:.0f} % of the families fresh, as in confidence;"
        f" threshold_usd null; over {100 - 100 * LEAST_KNOWN:.0f} % of the features null",
    ),
)


@dataclass(frozen=True, slots=True)
class Forecaster:
    """A version with its boosters read."""

    version: Version
    boosters: dict[tuple[str, int], Trees]


def build(version: Version) -> Forecaster:
    """A forecaster; ValueError when a booster cannot be read, or expects other features."""
    boosters = {}
    for key, text in version.boosters.items():
        try:
            booster = parse(text)
        except ValueError as error:
            raise ValueError(f"model {version.version}: booster {key}: {error}") from None
        if booster.names != NAMES:
            raise ValueError(f"model {version.version}: booster {key} expects other features")
        boosters[key] = booster
    return Forecaster(version, boosters)


def confidence(low: Array, high: Array, fresh: Array) -> Array:
    """The formula above.

    >>> float(confidence(np.array(0.31), np.array(0.37), np.array(0.9)).round(4))
    0.846
    """
    return np.asarray((1 - (high - low)) * fresh)


def freshness(x: F8) -> F8:
    """Share of the fed feature families that are not stale, one a vector; an unknown age is stale."""
    stale = np.zeros(len(x))
    for name, limit in STALE_S.items():
        stale += len(_FED_BY[name]) * ~(x[:, NAMES.index(name)] <= limit)
    return 1 - stale / sum(len(families) for families in _FED_BY.values())


def forecast(by: Forecaster, x: F8, book_ok: NDArray[np.bool_], threshold_usd: F8) -> Columns:
    """The columns of `WRITES` for vectors `x`, and `row`, the number of the vector; by vector, then model.

    `threshold_usd`: what a burst of each vector and model is, in the order of the version's models; NaN: not known.
    """
    fresh = freshness(x)
    reason = np.where(
        ~book_ok, "the book is not to be trusted", np.where(fresh < LEAST_FRESH, "features are stale", "")
    )
    used = reason == ""
    seen = {side: seen_by(side, x) for side in {card.position_side for card in by.version.metadata.models}}
    cards = by.version.metadata.models
    parts = [_model(by, c, seen[c.position_side], used, fresh, threshold_usd[:, i]) for i, c in enumerate(cards)]
    names = parts[0].keys() if parts else ()
    columns: dict[str, Array] = {name: np.stack([p[name] for p in parts], axis=1).reshape(-1) for name in names}
    columns["row"] = np.repeat(np.arange(len(x)), len(parts))
    columns["model_version"] = np.full(len(columns["row"]), by.version.version)
    columns["abstain_reason"] = np.repeat(reason, len(parts))
    return columns


def _model(
    by: Forecaster, card: Card, x: F8, used: NDArray[np.bool_], fresh: F8, threshold_usd: F8
) -> dict[str, Array]:
    n, calibrator = len(x), by.version.calibrators[card.key]
    raw = np.full(n, np.nan)
    factors = np.full(n, "{}", object)
    if used.any():
        score, contributions = walk(by.boosters[card.key], x[used], _FAMILY_OF, len(_FAMILIES))
        raw[used] = 1 / (1 + np.exp(-score))
        factors[used] = _factors(contributions)
    p = probability(calibrator, raw)
    low, high = interval(calibrator, raw)
    expected = threshold_usd * (p * card.mean_burst_ratio + (1 - p) * card.mean_calm_ratio)
    levels = LEVELS[level(p, np.full(n, card.base_rate), expected, card.q99_ratio * threshold_usd)]
    return {
        "position_side": np.full(n, card.position_side),
        "horizon_min": np.full(n, card.horizon_min),
        "p_burst": p,
        "p_burst_low": low,
        "p_burst_high": high,
        "base_rate": np.full(n, card.base_rate),
        "expected_notional_usd": expected,
        "confidence": confidence(low, high, fresh),
        "risk_level": np.where(used, levels, ""),
        "top_factors": factors.astype(np.str_),
    }


def _factors(by_family: F8) -> list[str]:
    top = np.argsort(-np.abs(by_family), axis=1, kind="stable")[:, :TOP]
    values = np.take_along_axis(by_family, top, axis=1).tolist()
    return [
        _FACTORS % (f[a], v, f[b], w, f[c], x, f[d], y, f[e], z)
        for f in (_FAMILIES,)
        for (a, b, c, d, e), (v, w, x, y, z) in zip(top.tolist(), values, strict=True)
    ]
