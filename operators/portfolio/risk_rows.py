"""Risk rows: the columns of `risk.accounts` and `risk.positions`, and the words they use.

The stamp of a risk row is about what it rests on. A mark is published when something of its market moved and at least
once a keyframe, so its age here is an upper bound, and `marks_ok` allows a keyframe and a half.
"""

from itertools import product

import numpy as np

from operators import catalog
from operators.contract import Array
from operators.portfolio import distance, tail_loss
from operators.portfolio.revaluation_columns import ACCOUNT_WRITES, POOL_WRITES, POSITION_WRITES
from schemas.column import Column

MARK_STALE_MS = 90_000
_AGE = float("inf")

REASONS = np.array(
    (
        "",
        "no mark",
        "no maintenance tiers",
        "no price liquidates it",
        "closed",
        "every price liquidates it",
        "its settlement asset is not known",
        "what backs it is not known or not valued",
        "its isolated margin is not known",
        "the record's entry of it could not be read",
    ),
    np.object_,
)
NO_MARK, NO_TIERS, NO_PRICE, CLOSED, EVERY_PRICE, NO_SETTLEMENT, NO_BACKING, NO_MARGIN, UNREAD = range(1, 10)

_REMARKS = (
    "more leverage than the tier of its notional allows",
    "no mark: counted at its entry price",
    "no price in dollars of the asset it settles in",
)
REMARKS = np.array(
    ["; ".join(r for r, has in zip(_REMARKS, flags, strict=True) if has) for flags in product((0, 1), repeat=3)],
    np.object_,
)
"""By three flags, the first of weight 4."""
EQUITY_REASONS = np.array(
    ("", "a balance of the record could not be read", "an asset has no price in dollars"), np.object_
)

LEVELS = np.array(("unknown", "low", "elevated", "high", "critical"), np.object_)
"""Critical: insolvent, maintenance ratio >= .8 or within 50 bps; high: .5 or 150 bps; elevated: .25 or 300 bps."""
_RATIOS, _NEAR_BPS = (0.25, 0.5, 0.8), (300.0, 150.0, 50.0)

_ACCOUNT = Column("account", "str", "the account", unit="id")
_AS_OF = Column("as_of", "time", "end of the second for which the row holds")
_STAMP = (
    Column(
        "marks_ok",
        "bool",
        "each position that the row rests on (of a cross position all of its pool) has a mark, and every mark, of"
        " collateral and settlement assets too, is at most 90 s old",
    ),
    Column(
        "mark_age_ms",
        "f8",
        "age of the oldest mark the row rests on, as marks_ok counts them, as last published",
        unit="ms",
        null_when="no mark",
        tolerance=_AGE,
        formula="end of the second - time of the mark",
        source="definition of our own",
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
    Column(
        "leverage",
        "f8",
        "leverage of the position; 0: the record does not say",
        unit="1",
        low=0.0,
        source="as the record states it",
    ),
    Column(
        "isolated_margin_usd",
        "f8",
        "margin put aside for it",
        unit="USD",
        null_when="cross, or not known",
        low=0.0,
        source="as the record states it",
    ),
    *POSITION_WRITES,
    *distance.WRITES,
    Column("null_reason", "str", "why the liquidation price is null; empty when it is not", unit="text"),
    *_STAMP,
    Column("position_side", "str", "both (one-way), long or short (hedge mode: a leg of its market)"),
    Column("settlement_asset", "str", "the asset in which it settles; empty where it is not known"),
    Column(
        "pool",
        "str",
        "what backs it: venue/margin mode/margin asset, of several assets multi-assets; of an isolated position its"
        " symbol",
    ),
    *POOL_WRITES,
    Column("remark", "str", "what is odd about it; empty when nothing is", unit="text"),
)
RISK_ACCOUNTS = (
    _ACCOUNT,
    _AS_OF,
    Column("record_as_of", "time", "time of the account's record in force", tolerance=_AGE),
    *ACCOUNT_WRITES,
    *(c for operator in catalog.at("account") for c in operator.columns),
    *tail_loss.WRITES,
    Column(
        "risk_level",
        "str",
        "unknown, low, elevated, high or critical: maintenance_ratio >= .25, .5, .8 or nearest_liquidation_bps <= 300,"
        " 150, 50; insolvent: critical; unknown where neither tells, and below high while a pool or a mark is not known"
        " or stale, or part of the record was left out",
    ),
    Column(
        "late_rows",
        "i8",
        "records of the account that came when their second was over by the clock of their log, since the row before:"
        " they are in force from the first second that was open",
        low=0,
    ),
    *_STAMP,
    Column("open", "bool", "false in the last row of an account that was removed"),
    Column(
        "record_age_ms",
        "f8",
        "age of the account's record in force",
        unit="ms",
        tolerance=_AGE,
        formula="end of the second - record_as_of",
        source="definition of our own",
    ),
    Column("record_ok", "bool", "all of the record could be used"),
    Column(
        "parts_left_out", "i8", "balances, positions and fields of the record that could not be used", "count", low=0
    ),
    Column("remarks", "str", "what of the record could not be used, and why; empty when all was", unit="text"),
    Column("equity_reason", "str", "why equity is null; empty when it is not", unit="text"),
)


def risk_level(
    insolvent: Array, maintenance_ratio: Array, nearest_bps: Array, positions_held: Array, sure: Array
) -> Array:
    """Index into `LEVELS`; with positions unknown when neither number is, or they may hide worse (not `sure`).

    >>> ratio, near = np.array([np.nan, 0.1, 0.6, 0.1, np.nan]), np.array([np.nan, 900.0, 900.0, 40.0, np.nan])
    >>> LEVELS[risk_level(np.zeros(5, bool), ratio, near, np.array([1, 1, 1, 1, 0]), np.ones(5, bool))].tolist()
    ['unknown', 'low', 'high', 'critical', 'low']
    """
    level = np.ones(len(maintenance_ratio), np.int64)
    for step, (ratio, near) in enumerate(zip(_RATIOS, _NEAR_BPS, strict=True), 2):
        level[(maintenance_ratio >= ratio) | (nearest_bps <= near)] = step
    unknown = (np.isnan(maintenance_ratio) & (level == 1)) | (~sure & (level < 3))
    level[unknown & (positions_held > 0)] = 0
    level[insolvent] = 4
    return level
