"""Versions: what is published of a model: when it came into force, and how it scored on time it had not seen."""

from schemas.column import Column

_IN_FORCE = (
    "as_of of the first forecasts that are made with it; told after that minute was forecast, it holds from the next on"
)
_BASELINES = (
    "what it is compared with, fitted where the model was: climatology: p = b, the share of bursts; persistence: p ="
    " (bursts + b) / (n + 1) of the n cases in the tenth of x, x = V / Q of the window that has just ended; volatility:"
    " the same, x = volatility_1m_bps; b where x is not known"
)
VERSIONS = (
    Column("version", "str", "model version, named by the hash of what it is"),
    Column("in_force_from", "time", _IN_FORCE),
    Column("feature_version", "str", "fingerprint of the features it reads"),
    Column("label_version", "str", "what it was taught to call a burst"),
    Column("trained_from", "time", "first minute of the data it was made of, its held-out test included"),
    Column("trained_to", "time", "last minute of these"),
    Column("forecasts", "str", "sides and horizons it has a model for, such as long 5, short 5"),
    Column("data_hash", "str", "hash of the cases it was made of"),
)
_QUANTILE = "quantile {} of 2000 resamples of the n days, a = Phi(-sqrt(n / (n - 1)) t(0.975, n - 1)): 2.5 % for many"
_ONE_CLASS = "only bursts, or only calm, in the test"
SCORES = (
    Column("version", "str", "model version"),
    Column("position_side", "str", "whose liquidations: long or short"),
    Column("horizon_min", "i8", "horizon", "minutes", low=1),
    Column("baseline", "str", _BASELINES),
    Column("scored_from", "time", "first minute of the held-out test"),
    Column("scored_to", "time", "last minute of it"),
    Column("cases", "i8", "instruments times minutes", "count", low=1),
    Column("days", "i8", "days of them, the unit of the bootstrap", "days", low=1),
    Column(
        "prevalence",
        "f8",
        "share of bursts: the precision of a forecast without skill",
        "1",
        low=0.0,
        high=1.0,
        formula="bursts / cases",
        source="definition of our own",
    ),
    Column(
        "pr_auc",
        "f8",
        "average precision",
        "1",
        null_when=_ONE_CLASS,
        low=0.0,
        high=1.0,
        formula="sum over thresholds of (recall_n - recall_n-1) precision_n",
        source="Davis & Goadrich (2006)",
    ),
    Column(
        "brier",
        "f8",
        "mean squared error of the probability",
        "1",
        low=0.0,
        high=1.0,
        formula="mean (p - y)^2",
        source="Brier (1950)",
    ),
    Column(
        "calibration_error",
        "f8",
        "mean distance of forecast and observed share, 15 bins of as many cases, equal forecasts in one",
        "1",
        low=0.0,
        high=1.0,
        formula="sum over bins of cases / all |mean p - share of bursts|",
        source="Naeini, Cooper & Hauskrecht (2015)",
    ),
    Column(
        "skill",
        "f8",
        "Brier skill against the baseline",
        "1",
        "1 - Brier / Brier of the baseline",
        sign="better: > 0",
        source="Murphy (1973)",
    ),
    Column(
        "skill_low",
        "f8",
        "lower end of its 95 % interval: a bootstrap over days",
        "1",
        null_when="fewer than six days",
        formula=_QUANTILE.format("a"),
        source="Efron (1979); Hesterberg (2015)",
    ),
    Column(
        "skill_high",
        "f8",
        "upper end of it",
        "1",
        null_when="fewer than six days",
        formula=_QUANTILE.format("1 - a"),
        source="Efron (1979); Hesterberg (2015)",
    ),
    Column("beaten", "bool", "the whole interval lies above 0; not where there is none"),
)
