"""Risk rows: the columns of `risk.accounts` and `risk.positions`, and the words they use.

The stamp of a risk row is about what it rests on. A mark is published when something of its market moved and at least
once a keyframe, so its age here is an upper bound, and `marks_ok` allows a keyframe and a half.
"""

import numpy as np

from operators import quality
from operators.contract import Array
from operators.portfolio import distance, leverage, tail
from operators.portfolio.revaluation import ACCOUNT_WRITES, POSITION_WRITES
from schemas.column import Column

MARK_STALE_MS = 90_000
_AGE = float("inf")

REASONS = np.array(
    (
        "",
        "no mark",
        "no maintenance tiers",
        "another cross position of the account has no mark or no tiers",
        "no price liquidates it",
        "closed",
    )
)
NO_MARK, NO_TIERS, NO_SIBLING, NO_PRICE, CLOSED = 1, 2, 3, 4, 5

LEVELS = np.array(("unknown", "low", "elevated", "high", "critical"))
"""Critical: insolvent, maintenance ratio >= .8 or within 50 bps; high: .5 or 150 bps; elevated: .25 or 300 bps."""
_RATIOS, _NEAR_BPS = (0.25, 0.5, 0.8), (300.0, 150.0, 50.0)

_ACCOUNT = Column("account", "str", "the account", unit="id")
_AS_OF = Column("as_of", "time", "end of the second for which the row holds")
_STAMP = (
    Column("marks_ok", "bool", "every mark the row rests on is known and at most 90 s old"),
    Column(
        "mark_age_ms",
        "f8",
        "age of the oldest mark the row rests on, as last published",
        unit="ms",
        null_when="no mark",
        tolerance=_AGE,
    ),
    Column("book_ok", "bool", "the books of the markets it is about were trusted when last published"),
    Column(
        "closed_by",
        "str",
        "what closed the second: event (a later event), end (of bounded logs), idle (a log was quiet)",
    ),
)

RISK_POSITIONS = (
    _ACCOUNT,
    Column("venue", "str", "where it trades"),
    Column("symbol", "str", "the venue's own name of the instrument"),
    _AS_OF,
    Column("open", "bool", "false in the last row of a position that is closed"),
    Column("margin_mode", "str", "isolated or cross"),
    Column("leverage", "f8", "leverage of the position", unit="1", low=0.0),
    Column("isolated_margin_usd", "f8", "margin put aside for it", unit="USD", null_when="cross", low=0.0),
    *POSITION_WRITES,
    *distance.WRITES,
    Column("null_reason", "str", "why the liquidation price is null; empty when it is not", unit="text"),
    *_STAMP,
)
RISK_ACCOUNTS = (
    _ACCOUNT,
    _AS_OF,
    Column("record_as_of", "time", "time of the account's record in force", tolerance=_AGE),
    *ACCOUNT_WRITES,
    *leverage.WRITES,
    *tail.WRITES,
    Column(
        "risk_level", "str", "unknown, low, elevated, high or critical, by maintenance ratio and nearest liquidation"
    ),
    quality.LATE_ROWS,
    *_STAMP,
)


def risk_level(insolvent: Array, maintenance_ratio: Array, nearest_bps: Array, positions_held: Array) -> Array:
    """Index into `LEVELS`; unknown when neither number is and there are positions.

    >>> ratio, near = np.array([np.nan, 0.1, 0.6, 0.1, np.nan]), np.array([np.nan, 900.0, 900.0, 40.0, np.nan])
    >>> LEVELS[risk_level(np.zeros(5, bool), ratio, near, np.array([1, 1, 1, 1, 0]))].tolist()
    ['unknown', 'low', 'high', 'critical', 'low']
    """
    level = np.ones(len(maintenance_ratio), np.int64)
    for step, (ratio, near) in enumerate(zip(_RATIOS, _NEAR_BPS, strict=True), 2):
        level[(maintenance_ratio >= ratio) | (nearest_bps <= near)] = step
    unknown = np.isnan(maintenance_ratio) & (positions_held > 0)
    level[unknown & (level == 1)] = 0
    level[insolvent] = 4
    return level
