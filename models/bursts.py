"""Bursts: minutes in, rows of `forecast.vectors` and `forecasts.liquidation` out; the state of a shard's instruments.

A vector is published for every minute of every instrument, whether or not a model is there: what a replay leaves in
`forecast_vectors` is the training set, made by the same operators as the live features. There is no leader in it: BTC
is in another shard, and a feature that depends on how many partitions there are would not be the same in training.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import risk_levels
from models.forecaster import LEAST_KNOWN, WRITES, Forecaster, forecast
from models.minutes import CLOSED_BY, Minute, liquidates
from models.thresholds import Thresholds
from models.vector import LEVERAGES, MAINTENANCE, VECTOR, VectorState, matrix
from models.vector_items import FEATURE_VERSION, HORIZONS_MIN, ITEMS, NAMES, READS
from operators import quality
from operators.contract import Array
from operators.market_tables import KEY
from operators.pack import pack, unpack
from operators.published_rows import Published
from schemas.column import Column
from schemas.venues.registry import VENUES

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
B1 = NDArray[np.bool_]
SIDES = ("long", "short")
SPOT = "nothing is liquidated on a spot market"

STAMP = (quality.BOOK_OK, quality.GAP_MS, quality.STALE_MS, quality.LATE_ROWS, quality.CLOSED, quality.INFERRED)
_SAID_HERE = {
    "gap_ms": {"null_when": "no book was seen of the instrument"},
    "stale_ms": {
        "meaning": "age at the minute's end of the last depth message or of the last trade, whichever is older",
        "formula": "1000 max(book_age_s, tape_age_s)",
        "null_when": "one of the two is not known",
    },
}
_STAMP = tuple(msgspec.structs.replace(c, **_SAID_HERE.get(c.name, {})) for c in STAMP)
_AS_OF = Column("as_of", "time", "the minute at whose end this was known")
_UNTOLD = "a size in it is not known; nothing was heard of the instrument in the minute; a spot market"
_OLD = "a row, value or minute that it needs was not seen, or what it is divided by is 0"
_UNHEARD = _OLD + "; a size or minute in it is not known, as in long_liquidated_usd; a spot market"
_NO_MODEL = "there is no model, or none of this side and horizon; a spot market"
_NEVER_HERE = "always: BTC is in another shard"
_OPEN_INTEREST = "definition of our own, of open_interest_base"
_LEVELS = (
    "definition of our own: longs are opened by what is bought in a minute, shorts by what is sold, and are liquidated"
    f" at the mid then (1 -+ 1 / L) / (1 -+ {MAINTENANCE:g}), L "
    f"{', '.join(f'{leverage:.0f}' for leverage in LEVERAGES)} in equal parts, until a mid has reached it"
)


def _unit(feature: str) -> str:
    for part, unit in (("_bps", "bps"), ("_age_s", "s"), ("minutes_", "minutes"), ("liquidations_", "count")):
        if part in feature:
            return unit
    return "1"


def _source(feature: str, family: str) -> str:
    if family == "levels":
        return _LEVELS
    return _OPEN_INTEREST if feature.startswith("open_interest") else "definition of our own"


_NULLS = {"leader": _NEVER_HERE, "liquidations": _UNHEARD, "threshold": _UNHEARD}
VECTORS = (
    *KEY[:2],
    _AS_OF,
    Column("feature_version", "str", "fingerprint of the names, order and definitions of the features"),
    Column(
        "long_liquidated_usd",
        "f8",
        "longs liquidated in the minute",
        "USD",
        null_when=_UNTOLD,
        low=0.0,
        formula="sum p q",
        source="sums of the table liquidations",
    ),
    Column(
        "short_liquidated_usd",
        "f8",
        "shorts liquidated in the minute",
        "USD",
        null_when=_UNTOLD,
        low=0.0,
        formula="sum p q",
        source="sums of the table liquidations",
    ),
    *(
        Column(
            item.name,
            "f8",
            f"feature of the family {item.family}",
            _unit(item.name),
            item.definition,
            _source(item.name, item.family),
            "a model of shorts reads its negative" if item.signed else "",
            null_when=_NULLS.get(item.family, _OLD),
        )
        for item in ITEMS
    ),
    *_STAMP,
)
FORECASTS = (
    *KEY[:2],
    _AS_OF,
    *(msgspec.structs.replace(c, null_when=_NO_MODEL) if c.name == "base_rate" else c for c in WRITES),
    Column(
        "threshold_usd",
        "f8",
        "What counts as a burst: more than this is liquidated within the horizon",
        "USD",
        "max(forecast.floor_usd, .95-quantile, type 7, of USD, in whole cents, in windows as long as the horizon that"
        " begin each minute and lie in the last 7 days; without those of which more than 2 % of the minutes is not"
        " known)",
        null_when="fewer than 60 such windows have ended; a spot market",
        low=0.0,
        source="definition of our own",
    ),
    *_STAMP,
)


@dataclass(frozen=True, slots=True)
class How:
    """What the settings say."""

    horizons_min: tuple[int, ...]
    floor_usd: float


class _Frozen(msgspec.Struct):
    instruments: list[tuple[str, str]]
    horizons_min: tuple[int, ...]
    vector: bytes
    thresholds: bytes
    levels: bytes


class Bursts:
    """The instruments of a shard in order of appearance, their last hour, thresholds and risk levels."""

    def __init__(self, how: How) -> None:
        """Nothing seen yet."""
        self.how = how
        self.grid = [(side, h) for h in how.horizons_min for side in SIDES]
        self.number: dict[tuple[str, str], int] = {}
        self.state: VectorState = VECTOR.init()
        self.windows_min = tuple(sorted({*how.horizons_min, *HORIZONS_MIN}))
        self.thresholds = Thresholds(self.windows_min, how.floor_usd)
        self.level = np.zeros((0, len(self.grid)), np.int64)
        self.calm = np.zeros((0, len(self.grid)), np.int64)

    def step(self, minute: Minute, by: Forecaster | None) -> list[Published]:
        """The vectors and forecasts of a minute of a venue, with the model that is in force."""
        of, at_ns = minute.columns, minute.end_ms * 1_000_000
        seen = [self.number.setdefault((minute.venue, s), len(self.number)) for s in minute.symbols]
        instrument = np.array(seen, np.int64)
        more = np.zeros((len(self.number) - len(self.level), len(self.grid)), np.int64)
        self.level, self.calm = np.concatenate((self.level, more)), np.concatenate((self.calm, more))
        long_usd, short_usd = of["long_liquidated_usd"], of["short_liquidated_usd"]
        q = self.thresholds.step(instrument, minute.end_ms // 60_000, long_usd, short_usd)
        spot = np.array([not liquidates(minute.venue, s) for s in minute.symbols], np.bool_)
        q[spot] = np.nan
        ended = self.thresholds.ended_usd(instrument)
        rows = {name: of[name] for name in READS}
        for what, usd in (("liquidated", ended), ("threshold", q)):
            for m in HORIZONS_MIN:
                for side, name in enumerate(SIDES):
                    rows[f"{name}_{what}_{m}m_usd"] = usd[:, side, self.windows_min.index(m)]
        rows |= {"instrument": instrument, "leader": np.full(len(seen), -1), "at_ns": np.full(len(seen), at_ns)}
        made = VECTOR.step(self.state, rows)
        assert len(made["row"]) == len(seen), "each minute of a venue comes once and in order"
        asked = [self.windows_min.index(h) for h in self.how.horizons_min]
        base = [VENUES[minute.venue].base(s) for s in minute.symbols]
        natural = [f"{minute.venue}|{s}" for s in minute.symbols]
        stamp: dict[str, Array | list[str]] = {c.name: of[c.name] for c in STAMP if c.name != "closed_by"}
        stamp["closed_by"] = [CLOSED_BY[k] for k in of["closed_by"].tolist()]
        key: dict[str, Array | list[str]] = {
            "venue": [minute.venue] * len(seen),
            "symbol": minute.symbols,
            "as_of": np.full(len(seen), at_ns),
        }
        vectors: dict[str, Array | list[str]] = {
            **key,
            "feature_version": [FEATURE_VERSION] * len(seen),
            "long_liquidated_usd": long_usd,
            "short_liquidated_usd": short_usd,
            **{name: made[name] for name in NAMES},
            **stamp,
        }
        when = [minute.end_ms] * len(seen)
        by = None if spot.all() else by
        forecasts = self._forecasts(by, spot, matrix(made), of["book_ok"], q[:, :, asked], instrument)
        k = len(self.grid)
        wide: dict[str, Array | list[str]] = {n: _repeat(c, k) for n, c in {**key, **stamp}.items()}
        marks = [f"{h}|{side}" for side, h in self.grid]
        return [
            Published("forecast_vectors", base, natural, when, when, vectors),
            Published(
                "forecasts_liquidation",
                [b for b in base for _ in marks],
                [f"{n}|{mark}" for n in natural for mark in marks],
                [minute.end_ms] * (k * len(seen)),
                [minute.end_ms] * (k * len(seen)),
                {**wide, **forecasts},
            ),
        ]

    def _forecasts(
        self, by: Forecaster | None, spot: B1, x: F8, book_ok: B1, q: F8, instrument: I8
    ) -> dict[str, Array | list[str]]:
        """By instrument, then horizon, then side."""
        n, k = len(x), len(self.grid)
        numbers = {
            name: np.full((n, k), np.nan)
            for name in ("p_burst", "p_burst_low", "p_burst_high", "base_rate", "expected_notional_usd", "confidence")
        }
        factors = np.full((n, k), "{}", object)
        reason = np.full((n, k), "there is no model", object)
        threshold = q.transpose(0, 2, 1).reshape(n, k)
        force = np.zeros((n, k), np.int64)
        if by is not None:
            cards = by.version.metadata.models
            known = np.column_stack([threshold, np.full(n, np.nan)])
            asked = [self.grid.index(card.key) if card.key in self.grid else k for card in cards]
            made = forecast(by, x, book_ok, known[:, asked])
            reason[:] = f"the model does not forecast this side and horizon: {by.version.version}"
            little = np.isnan(x).mean(axis=1) > 1 - LEAST_KNOWN
            for c, card in enumerate(cards):
                if card.key not in self.grid:
                    continue
                g = self.grid.index(card.key)
                for name, column in numbers.items():
                    column[:, g] = made[name].reshape(n, len(cards))[:, c]
                factors[:, g] = made["top_factors"].reshape(n, len(cards))[:, c]
                why = made["abstain_reason"].reshape(n, len(cards))[:, c].astype(object)
                unset = (why == "") & np.isnan(threshold[:, g])
                why = np.where(unset, "too little history: the threshold of a burst is not known yet", why)
                why = np.where((why == "") & little, "too little history: most features are not known yet", why)
                reason[:, g] = why
                force[:, g] = self._held(
                    instrument, g, numbers, reason[:, g] == "", card.base_rate, card.q99_ratio * threshold[:, g]
                )
        reason[spot] = SPOT
        used = reason == ""
        for name, column in numbers.items():
            column[np.broadcast_to(spot[:, None], used.shape) if name == "base_rate" else ~used] = np.nan
        return {
            **{name: column.reshape(-1) for name, column in numbers.items()},
            "position_side": [side for _ in range(n) for side, _ in self.grid],
            "horizon_min": np.tile(np.array([h for _, h in self.grid], np.int64), n),
            "risk_level": np.where(used, risk_levels.LEVELS[force], "").reshape(-1).tolist(),
            "top_factors": np.where(used, factors, "{}").reshape(-1).tolist(),
            "model_version": np.repeat(np.where(spot, "", by.version.version if by else ""), k).tolist(),
            "abstain_reason": reason.reshape(-1).tolist(),
            "threshold_usd": threshold.reshape(-1),
        }

    def _held(self, instrument: I8, g: int, of: dict[str, F8], known: B1, base_rate: float, q99_usd: F8) -> I8:
        """The risk levels of one side and horizon, held against flicker."""
        p, usd = of["p_burst"][:, g], of["expected_notional_usd"][:, g]
        b = np.full(len(p), base_rate)
        now, slack = risk_levels.level(p, b, usd, q99_usd), risk_levels.level(p, b, usd, q99_usd, risk_levels.SLACK)
        force, calm = risk_levels.hold(self.level[instrument, g], self.calm[instrument, g], now, slack, known)
        self.level[instrument, g], self.calm[instrument, g] = force, calm
        return force

    def freeze(self) -> bytes:
        """Everything that is not a setting."""
        held = pack({"level": self.level, "calm": self.calm})
        vector, thresholds = VECTOR.freeze(self.state), self.thresholds.freeze()
        return msgspec.msgpack.encode(_Frozen(list(self.number), self.how.horizons_min, vector, thresholds, held))

    @classmethod
    def thaw(cls, how: How, data: bytes) -> "Bursts":
        """As it was frozen; the levels begin anew when the horizons are others now."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        made = cls(how)
        made.number = {key: i for i, key in enumerate(was.instruments)}
        made.state = VECTOR.thaw(was.vector)
        made.thresholds.thaw(was.thresholds)
        held = unpack(was.levels)
        same = was.horizons_min == how.horizons_min
        made.level, made.calm = (
            held[name].astype(np.int64) if same else np.zeros((len(made.number), len(made.grid)), np.int64)
            for name in ("level", "calm")
        )
        return made


def _repeat(column: Array | list[str], k: int) -> Array | list[str]:
    return [v for v in column for _ in range(k)] if isinstance(column, list) else np.repeat(column, k)
