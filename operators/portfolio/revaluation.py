"""Revaluation: every position and account whose mark moved, valued at the marks in force.

An account is due when it was replaced or a mark of it moved; a position is due when its account was replaced, its own
mark moved, or it is cross and the mark of another cross position of the account did. The price of what a position
settles in, or of what backs it, counts like a mark.

What is not known spoils what rests on it and no more. A position without a mark counts at its entry price in sums and
behind others (`positions_without_mark` says how many), one without maintenance tiers there at its initial margin, which
maintenance never exceeds; its own numbers are null.
"""

from dataclasses import dataclass

import numpy as np

from operators.contract import Array
from operators.portfolio import valuation_arrays as arrays
from operators.portfolio.assets import prices
from operators.portfolio.crossing import CROSS, ENTRY, LEVERAGE, MARGIN, PURSE, QTY
from operators.portfolio.positions import Positions, flatten
from operators.portfolio.valuing import value


@dataclass(frozen=True, slots=True)
class Revalued:
    """Rows that are due. `account` (position rows) and the key of account rows are account numbers.

    `rates`: what a unit of each purse of a due account counts in its equity, US dollars.
    """

    account: dict[str, Array]
    position: dict[str, Array]
    rates: Array


def revalue(state: Positions) -> Revalued:
    """The accounts and positions that are due, at the marks in force; afterwards none is due."""
    flat = flatten(state)
    n, accounts, purses, t = len(flat.numbers), len(state.held), len(flat.purse_places), flat.tiers
    priced = prices(state.assets, state.mark, state.mark_ns, state.moved)
    found = arrays.Valued(
        np.full((12, n), np.nan),
        np.zeros((3, n), np.bool_),
        np.zeros(n, np.int64),
        np.full(purses, np.nan),
        np.zeros((10, accounts)),
        np.zeros((7, accounts), np.int64),
        np.zeros(n, np.bool_),
        np.array(state.replaced, np.bool_),
    )
    value(
        arrays.Runs(flat.starts, flat.numbers, flat.places),
        arrays.Runs(flat.purse_starts, flat.purse_numbers, flat.purse_places),
        arrays.Pools(flat.pool_starts, flat.multi),
        arrays.Prices(state.mark, state.mark_ns, state.moved),
        arrays.Prices(priced.usd, priced.mark_ns, priced.moved),
        arrays.Tiers(t.starts, t.floor, t.mmr, t.cum, t.max_leverage),
        arrays.Worked(
            *np.empty((9, n)),
            *np.empty((5, purses)),
            *np.empty((4, len(flat.pools))),
            *np.empty((2, len(flat.pools)), np.int64),
        ),
        found,
    )
    state.moved[:] = False
    state.replaced = [False] * accounts
    p, a = np.flatnonzero(found.due_position), np.flatnonzero(found.due_account)
    number, total, count = found.numbers[:, p], found.sums[:, a], found.counts[:, a]
    purse = flat.purse_places[flat.places[p, PURSE]]
    settled, pool = purse[:, arrays.ASSET], purse[:, arrays.POOL]
    position: dict[str, Array] = {
        "row": p,
        "account": flat.owner[p],
        "market": flat.market[p],
        "qty_base": flat.numbers[p, QTY],
        "entry_price": flat.numbers[p, ENTRY],
        "mark_price": number[arrays.PRICE],
        "notional_usd": number[arrays.NOTIONAL_USD],
        "unrealised_pnl_usd": number[arrays.PNL_USD],
        "initial_margin_usd": number[arrays.INITIAL_USD],
        "maintenance_margin_usd": number[arrays.NEED_USD],
        "liquidation_price": number[arrays.LIQUIDATION],
        "underlying_move_bps": number[arrays.MOVE_BPS],
        "unrealised_pnl_settled": number[arrays.PNL_SETTLED],
        "pool_equity_usd": number[arrays.POOL_USD],
        "pool_maintenance_ratio": number[arrays.POOL_RATIO],
        "tier_max_leverage": number[arrays.MOST_LEVERAGE],
        "isolated_margin_usd": flat.numbers[p, MARGIN] * priced.usd[settled],
        "leverage": np.nan_to_num(flat.numbers[p, LEVERAGE]),
        "cross": flat.places[p, CROSS] == 1,
        "everywhere": found.flags[arrays.EVERYWHERE, p],
        "over_leverage": found.flags[arrays.OVER, p],
        "lacking": found.flags[arrays.LACKING, p],
        "oldest_mark_ns": found.oldest_ns[p],
        "left": number[arrays.LEFT],
        "pool": np.where(pool >= 0, pool, len(flat.pools) - 1),
        "settles": settled,
        "settled_known": ~np.isnan(priced.usd[settled]),
    }
    account: dict[str, Array] = {
        "account": a,
        "equity_usd": total[arrays.EQUITY],
        "gross_usd": total[arrays.GROSS],
        "net_usd": total[arrays.NET],
        "leverage_weight_usd": total[arrays.WEIGHT],
        "leverage_max": total[arrays.LARGEST],
        "initial_margin_usd": total[arrays.INITIAL],
        "maintenance_margin_usd": total[arrays.NEEDED],
        "nearest_liquidation_bps": total[arrays.NEAREST],
        "pool_maintenance_ratio": total[arrays.WORST],
        "pool_utilisation": total[arrays.USED],
        "positions": np.diff(flat.starts)[a],
        "positions_without_mark": count[arrays.WITHOUT_MARK],
        "positions_without_tiers": count[arrays.WITHOUT_TIERS],
        "oldest_mark_ns": count[arrays.OLDEST_NS],
        "balances_not_valued": count[arrays.NOT_VALUED],
        "pools_unknown": count[arrays.POOLS_UNKNOWN],
        "pools_gone": count[arrays.POOLS_GONE],
        "positions_over_leverage": count[arrays.OVER_LEVERAGE],
    }
    return Revalued(account, position, found.rates)
