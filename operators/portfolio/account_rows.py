"""Account rows: the columns of `risk.accounts` for the accounts that are due."""

import numpy as np

from operators import catalog
from operators.contract import Array
from operators.portfolio import risk_rows, tail_loss
from operators.portfolio.assets import prices
from operators.portfolio.crossing import ENTRY, PURSE, QTY
from operators.portfolio.news import MS, age_ms
from operators.portfolio.positions import Positions, flatten
from operators.portfolio.resting import Resting
from operators.portfolio.revaluation import Revalued
from operators.portfolio.valuation_arrays import WALLET


def values(
    state: Positions, due: Revalued, books: Resting, tails: dict[str, Array], late: list[int], at_ms: int
) -> dict[str, Array]:
    """Every column but the name, with `account` as a number."""
    account, flat = due.account["account"], flatten(state)
    held = [state.held[i] for i in account.tolist()]
    lacking = np.array([h.lacking for h in held], np.int64)
    unread = np.array([h.balances_unread for h in held], np.int64)
    a = due.account | {"equity_usd": np.where(unread > 0, np.nan, due.account["equity_usd"])}
    untrusted = np.bincount(flat.owner, weights=~books.ok[flat.market], minlength=len(state.held))
    age = age_ms(at_ms, a["oldest_mark_ns"])
    none = a["oldest_mark_ns"] == 0
    marks_ok = (a["positions_without_mark"] == 0) & (none | (age <= risk_rows.MARK_STALE_MS))
    told: dict[str, Array] = {**a, **tails}
    for operator in catalog.at("account"):
        assert operator.compute is not None
        told |= operator.compute(told)
    hidden = (lacking > 0) & (a["positions"] == 0)  # nothing is valued, which is not nothing held
    told |= {n: np.where(hidden, np.nan, told[n]) for n in ("margin_utilisation", "maintenance_ratio")}
    level = risk_rows.risk_level(
        told["insolvent"],
        told["maintenance_ratio"],
        a["nearest_liquidation_bps"],
        a["positions"] + lacking,
        marks_ok & (a["pools_unknown"] == 0) & (lacking == 0),
    )
    as_of = np.array(state.as_of, np.int64)[account]
    no_equity = np.isnan(a["equity_usd"])
    return told | {
        "record_as_of": as_of * MS,
        "record_age_ms": (at_ms - as_of).astype(np.float64),
        "record_ok": lacking == 0,
        "parts_left_out": lacking,
        "remarks": np.array([h.remarks for h in held], np.object_),
        "equity_reason": risk_rows.EQUITY_REASONS[np.select([~no_equity, unread > 0], [0, 1], 2)],
        "risk_level": risk_rows.LEVELS[level],
        "late_rows": np.array(late, np.int64)[account],
        "marks_ok": marks_ok,
        "mark_age_ms": np.where(none, np.nan, age),
        "book_ok": untrusted[account] == 0,
        "open": ~np.array(state.closed, np.bool_)[account],
    }


def exposures(state: Positions, due: Revalued) -> tail_loss.Exposures:
    """What of the equity of each due account moves with which market at the marks in force.

    A purse of a coin moves with the coin's mark, wallet and profit, by what it counts in equity: one that counts
    nothing (a haircut of 1, a rate of 0) moves nothing.
    """
    flat = flatten(state)
    priced = prices(state.assets, state.mark, state.mark_ns, state.moved)
    asset = flat.purse_places[:, 0]
    rate = due.rates
    market, qty = flat.market, flat.numbers[:, QTY]
    profit = np.bincount(
        flat.places[:, PURSE], qty * (state.mark[market] - flat.numbers[:, ENTRY]), len(flat.purse_numbers)
    )
    owned = flat.purse_numbers[:, WALLET] + profit
    still = state.assets.dollars[asset] | (owned == 0) | (rate == 0)
    return tail_loss.Exposures(
        flat.starts,
        market,
        qty * state.mark[market] * rate[flat.places[:, PURSE]],
        flat.purse_starts,
        np.where(still, -1, priced.market[asset]),
        np.where(still, 0.0, np.where(np.isnan(priced.usd[asset]), np.nan, owned * rate)),
    )
