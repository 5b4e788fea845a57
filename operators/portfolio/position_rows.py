"""Position rows: the columns of `risk.positions` for positions that are due, and a last row of those that are gone."""

from collections.abc import Mapping

import numpy as np

from operators.contract import Array
from operators.portfolio import distance, risk_rows
from operators.portfolio.news import age_ms
from operators.portfolio.positions import SIDES, Positions, flatten
from operators.portfolio.resting import BANDS, Resting
from operators.portfolio.revaluation import Revalued

Place = tuple[int, int, int]
"""What a position is known by: account, market and side, as numbers."""
LAST_KNOWN = ("qty_base", "entry_price", "leverage")
"""What a position that nobody can read is said to be as it was."""
_MODES = np.array(("isolated", "cross"), np.object_)
_SIDES = np.array(SIDES, np.object_)


def values(state: Positions, due: Revalued, books: Resting, at_ms: int) -> dict[str, Array]:
    """Every column but the names, with `account`, `market` and `side` as numbers."""
    flat, p = flatten(state), due.position
    market, row, cross = p["market"], p["row"], p["cross"]
    mark, price, covered = p["mark_price"], p["liquidation_price"], p["pool_maintenance_ratio"] < 1
    ok = books.ok[market]
    falls = np.where(covered, mark - price, p["qty_base"]) > 0
    depth = distance.depth_usd(
        np.where(falls, 1.0, -1.0), mark, price, books.mid[market], BANDS, books.bid[market], books.ask[market]
    )
    no_mark, assets = np.isnan(mark), np.array([*state.assets.numbers, ""], np.object_)
    settles = assets[p["settles"]]
    reason = np.select(
        [
            ~np.isnan(price),
            settles == "",
            np.isnan(p["tier_max_leverage"]),
            p["everywhere"],
            ~cross & np.isnan(p["isolated_margin_usd"]),
            np.isnan(p["left"]),
        ],
        [
            0,
            risk_rows.NO_SETTLEMENT,
            risk_rows.NO_TIERS,
            risk_rows.EVERY_PRICE,
            risk_rows.NO_MARGIN,
            risk_rows.NO_BACKING,
        ],
        risk_rows.NO_PRICE,
    )
    age, undated = age_ms(at_ms, p["oldest_mark_ns"]), p["oldest_mark_ns"] == 0
    side = flat.sides[row]
    return {
        **p,
        "side": side,
        "position_side": _SIDES[side],
        "open": np.ones(len(market), np.bool_),
        "margin_mode": _MODES[cross.astype(np.int64)],
        "distance_to_liquidation_bps": distance.distance_bps(covered, mark, price),
        "depth_to_liquidation_usd": np.where(ok, depth, np.nan),
        "null_reason": risk_rows.REASONS[reason],
        "marks_ok": ~p["lacking"] & (age <= risk_rows.MARK_STALE_MS),
        "mark_age_ms": np.where(undated, np.nan, age),
        "book_ok": ok,
        "settlement_asset": settles,
        "pool": _pools(state, p),
        "remark": risk_rows.REMARKS[4 * p["over_leverage"] + 2 * no_mark + ~p["settled_known"]],
    }


def _pools(state: Positions, p: Mapping[str, Array]) -> Array:
    flat, markets = flatten(state), list(state.markets)
    own = np.array([f"{venue}/isolated/{symbol}" for venue, symbol in markets], np.object_)
    return np.where(p["cross"], flat.pools[p["pool"]], own[p["market"]])


def with_last(
    told: Mapping[str, Array], gone: list[Place], unread: Mapping[Place, Mapping[str, float]]
) -> dict[str, Array]:
    """A last row for each position that is no more, size 0, and for each whose entry in the record cannot be read.

    Everything that rests on it is null. `unread`: what was told last of those, which are not known to be closed.
    """
    last, still = [*gone, *unread], np.repeat([False, True], [len(gone), len(unread)])
    fill: dict[str, object] = {"open": still, "marks_ok": ~still, "book_ok": ~still}
    fill |= {"null_reason": risk_rows.REASONS[np.where(still, risk_rows.UNREAD, risk_rows.CLOSED)]}
    fill |= {"margin_mode": "", "settlement_asset": "", "pool": "", "remark": ""}
    fill |= {"position_side": np.array([SIDES[side] for _, _, side in last], np.object_)}
    for name in LAST_KNOWN:
        fill[name] = np.array([0.0] * len(gone) + [was[name] for was in unread.values()])
    for i, name in enumerate(("account", "market", "side")):
        fill[name] = np.array([place[i] for place in last])
    return {
        name: np.concatenate(
            [
                column,
                np.broadcast_to(
                    np.asarray(fill.get(name, np.nan), column.dtype if column.dtype == np.object_ else None),
                    (len(last),),
                ),
            ]
        )
        for name, column in told.items()
    }
