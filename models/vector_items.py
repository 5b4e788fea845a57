"""The items of the liquidation model's vector: names, families and definitions, their fingerprint, and their mirror."""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]

HORIZONS_MIN = (5, 15, 30, 60)
MASS_BPS = np.array([50.0, 150.0])
OPEN_HALF_LIFE = 45.0
"""Minutes after which half of the positions are taken to be closed."""
READS = (
    "mid",
    "spread_bps",
    "imbalance_1",
    "imbalance_5",
    "imbalance_10bps",
    "imbalance_50bps",
    "bid_depth_10bps_usd",
    "ask_depth_10bps_usd",
    "ofi_per_depth",
    "realised_variance",
    "volume_usd",
    "buy_volume_usd",
    "long_liquidations",
    "short_liquidations",
    "long_liquidated_usd",
    "short_liquidated_usd",
    "mark_price",
    "index_price",
    "funding_rate",
    "next_funding_ns",
    "open_interest",
    "book_age_s",
    "tape_age_s",
    "derivatives_age_s",
)
"""Columns of a minute, f8, NaN for unknown; beside them `instrument` and `leader` (numbers, -1: none) and `at_ns`."""

_SIDES = ("long", "short")
STANDING = tuple(
    f"{side}_{what}_{m}m_usd" for what in ("liquidated", "threshold") for m in HORIZONS_MIN for side in _SIDES
)
"""Where the money of each side stands at the end of the minute: V(t - m, m) and Q(t, m) of `models.labels`."""


class Item(NamedTuple):
    """A feature: its name, the family in which factors are grouped, and what it is.

    A `signed` one says for longs what its negative says for shorts.
    """

    name: str
    family: str
    definition: str
    signed: bool = False


ITEMS: tuple[Item, ...] = (
    Item("spread_bps", "book", "spread_bps"),
    Item("spread_log_vs_hour", "book", "ln(spread_bps / mean over 60 m)"),
    Item("imbalance_1", "book", "imbalance_1", True),
    Item("imbalance_5", "book", "imbalance_5", True),
    Item("imbalance_10bps", "book", "imbalance_10bps", True),
    Item("imbalance_50bps", "book", "imbalance_50bps", True),
    Item("depth_log_ratio", "book", "ln(bid_depth_10bps_usd / ask_depth_10bps_usd)", True),
    Item("depth_log_vs_hour", "book", "ln(depth 10 bps both sides / mean over 60 m)"),
    Item("ofi_per_depth", "book", "ofi_per_depth", True),
    Item("volatility_1m_bps", "variance", "1e4 sqrt(RV 1 m)"),
    Item("variance_ratio_1m_5m", "variance", "5 RV 1 m / RV 5 m"),
    Item("variance_ratio_5m_60m", "variance", "12 RV 5 m / RV 60 m"),
    Item("return_1m_over_sigma", "momentum", "ln(mid / mid 1 m ago) / sqrt(RV 60 m / 60)", True),
    Item("return_5m_over_sigma", "momentum", "ln(mid / mid 5 m ago) / sqrt(RV 60 m / 12)", True),
    Item("return_15m_over_sigma", "momentum", "ln(mid / mid 15 m ago) / sqrt(RV 60 m / 4)", True),
    Item("taker_imbalance_1m", "tape", "(2 buys - volume) / volume, USD, 1 m", True),
    Item("taker_imbalance_5m", "tape", "(2 buys - volume) / volume, USD, 5 m", True),
    Item("taker_imbalance_15m", "tape", "(2 buys - volume) / volume, USD, 15 m", True),
    Item("volume_vs_hour", "tape", "60 volume 1 m / volume 60 m"),
    *(
        Item(f"{side}_liquidations_{m}m", "liquidations", f"count of {side}s liquidated, {m} m")
        for m in (1, 5, 30)
        for side in _SIDES
    ),
    *(
        Item(f"{side}_liquidated_share_{m}m", "liquidations", f"{side}s liquidated, USD / volume, {m} m")
        for m in (1, 5, 30)
        for side in _SIDES
    ),
    *(
        Item(f"minutes_since_{side}_liquidation", "liquidations", "whole minutes, 0 in this one; NaN: none seen")
        for side in _SIDES
    ),
    Item("basis_bps", "derivatives", "1e4 (mark - index) / index", True),
    Item("funding_rate_bps", "derivatives", "1e4 predicted funding of the interval", True),
    Item("minutes_to_funding", "derivatives", "(next_funding - t) / 1 m; NaN when past"),
    Item("open_interest_change_5m", "derivatives", "ln(OI / OI 5 m ago)"),
    Item("open_interest_change_60m", "derivatives", "ln(OI / OI 60 m ago)"),
    Item("hour_of_week_sin", "calendar", "sin(2 pi t / 1 week)"),
    Item("hour_of_week_cos", "calendar", "cos(2 pi t / 1 week)"),
    Item("volatility_60m_bps", "variance", "1e4 sqrt(RV 60 m)"),
    Item("return_60m_over_sigma", "momentum", "ln(mid / mid 60 m ago) / sqrt(RV 60 m)", True),
    *(
        Item(f"{side}_liquidated_share_60m", "liquidations", f"{side}s liquidated, USD / volume, 60 m")
        for side in _SIDES
    ),
    *(
        Item(
            f"{side}_mass_{d:.0f}bps",
            "levels",
            f"estimated USD of {side}s, opened in 60 m and liquidated by a move of {d:.0f} bps / volume 60 m; "
            f"10 to 100 times leverage, half closed after {OPEN_HALF_LIFE:.0f} m",
        )
        for d in MASS_BPS
        for side in _SIDES
    ),
    *(
        Item(
            f"{side}_liquidated_over_threshold_{m}m", "threshold", f"{side}s liquidated / what would be a burst, {m} m"
        )
        for m in HORIZONS_MIN
        for side in _SIDES
    ),
    *(
        Item(
            f"{side}_threshold_log_vs_volume_{m}m",
            "threshold",
            f"ln(what would be a burst of {side}s in {m} m / volume in {m} m at the rate of 60 m)",
        )
        for m in HORIZONS_MIN
        for side in _SIDES
    ),
    *(
        Item(
            f"leader_{name}",
            "leader",
            f"{name} of the leader at its last minute before this one, at most 5 m ago",
            name.startswith("return"),
        )
        for name in (
            "volatility_1m_bps",
            "return_1m_over_sigma",
            "return_15m_over_sigma",
            "long_liquidated_share_5m",
            "short_liquidated_share_5m",
        )
    ),
    Item("book_age_s", "staleness", "age of the book at t"),
    Item("tape_age_s", "staleness", "age at t of the last trade, of this minute or before"),
    Item("derivatives_age_s", "staleness", "age of the last mark at t"),
)
NAMES = tuple(item.name for item in ITEMS)
FEATURE_VERSION = hashlib.blake2b(
    "\n".join("\t".join(map(str, item)) for item in (*ITEMS, *((c, "reads", "") for c in READS))).encode(),
    digest_size=8,
).hexdigest()
"""Fingerprint of names, order and definitions: change a definition's text whenever its number changes."""


def _other(name: str) -> str:
    words = {"long": "short", "short": "long"}
    return "_".join(words.get(word, word) for word in name.split("_"))


_MIRROR = np.array([NAMES.index(_other(name)) for name in NAMES])
_SIGN = np.array([-1.0 if item.signed else 1.0 for item in ITEMS])


def seen_by(side: str, x: F8) -> F8:
    """Vectors as one side sees them: for shorts, longs and shorts change places and signed features their sign.

    So that what longs suffer in a fall teaches what shorts suffer in a rise; twice gives the vectors again.
    """
    return x if side == "long" else np.ascontiguousarray(x[:, _MIRROR] * _SIGN)
