"""Versions: what is published of a model: when it came into force, and how it scored on time it had not seen."""

from schemas.column import Column

VERSIONS = (
    Column("version", "str", "model version, named by the hash of what it is"),
    Column("in_force_from", "time", "first minute for which forecasts are made with it"),
    Column("feature_version", "str", "fingerprint of the features it reads"),
    Column("label_version", "str", "what it was taught to call a burst"),
    Column("trained_from", "time", "first minute of the data it was made of, its held-out test included"),
    Column("trained_to", "time", "last minute of these"),
    Column("forecasts", "str", "sides and horizons it has a model for, such as long 5, short 5"),
    Column("data_hash", "str", "hash of the cases it was made of"),
)
_ONE_CLASS = "only bursts, or only calm, in the test"
SCORES = (
    Column("version", "str", "model version"),
    Column("position_side", "str", "whose liquidations: long or short"),
    Column("horizon_min", "i8", "horizon", "minutes", low=1),
    Column("baseline", "str", "what it is compared with: climatology, persistence or volatility"),
    Column("scored_from", "time", "first minute of the held-out test"),
    Column("scored_to", "time", "last minute of it"),
    Column("cases", "i8", "instruments times minutes", "count", low=1),
    Column("days", "i8", "days of them, the unit of the bootstrap", "days", low=1),
    Column("prevalence", "f8", "share of bursts: the precision of a forecast without skill", "1", low=0.0, high=1.0),
    Column("pr_auc", "f8", "average precision", "1", null_when=_ONE_CLASS, low=0.0, high=1.0),
    Column("brier", "f8", "mean squared error of the probability", "1", low=0.0, high=1.0),
    Column("calibration_error", "f8", "mean distance of forecast and observed share, 15 bins", "1", low=0.0, high=1.0),
    Column(
        "skill", "f8", "Brier skill against the baseline", "1", "1 - Brier / Brier of the baseline", sign="better: > 0"
    ),
    Column("skill_low", "f8", "2.5 % of the bootstrap over days", "1", null_when="fewer than two days"),
    Column("skill_high", "f8", "97.5 % of it", "1", null_when="fewer than two days"),
    Column("beaten", "bool", "the whole interval lies above 0"),
)
