"""Revaluation: every position and account whose mark moved, valued at the marks in force.

An account is due when it was replaced or a mark of it moved; a position is due when its account was replaced, its own
mark moved, or it is cross and the mark of another cross position of the account did.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array
from operators.portfolio.margin import first_crossing
from operators.portfolio.positions import Positions, flatten
from operators.portfolio.tiers import maintenance
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

NO_MARK = "the market has no mark"
NO_TIERS = NO_MARK + " or no maintenance tiers"

POSITION_WRITES = (
    Column("qty_base", "f8", "Position size", "base units", sign="+ long, - short"),
    Column("entry_price", "f8", "Average price of entry", "quote per base", low=0.0),
    Column("mark_price", "f8", "Mark price in force", "quote per base", null_when=NO_MARK, low=0.0),
    Column("notional_usd", "f8", "Size at mark", "USD", "q mark", null_when=NO_MARK, low=0.0),
    Column(
        "unrealised_pnl_usd", "f8", "Profit since entry", "USD", "s q (mark - EP)", null_when=NO_MARK, sign="+ profit"
    ),
    Column("initial_margin_usd", "f8", "Notional over leverage", "USD", "N / l", null_when=NO_MARK, low=0.0),
    Column(
        "maintenance_margin_usd",
        "f8",
        "Maintenance margin by the tier of the notional",
        "USD",
        "N mmr - cum",
        null_when=NO_TIERS,
        low=0.0,
    ),
    Column(
        "liquidation_price",
        "f8",
        "Mark price at which maintenance is no longer covered, other marks as they are",
        "quote per base",
        "(W + cum - s q EP) / (q mmr - s q)",
        "Binance FAQ b3c689c1; Bybit help centre, Liquidation Price (USDT Contract)",
        null_when="no price liquidates the position, no maintenance tiers, or a cross position has no mark",
        low=0.0,
    ),
)
ACCOUNT_WRITES = (
    Column(
        "equity_usd",
        "f8",
        "Wallet balances in dollar assets and profit of cross positions",
        "USD",
        "sum wallet + sum s q (mark - EP)",
        null_when="a cross position has no mark",
    ),
    Column("gross_usd", "f8", "Notional of all positions", "USD", "sum N", null_when="a position has no mark", low=0.0),
    Column(
        "net_usd",
        "f8",
        "Notional of longs less shorts",
        "USD",
        "sum s N",
        sign="+ long",
        null_when="a position has no mark",
    ),
    Column(
        "initial_margin_usd",
        "f8",
        "Initial margin of all positions",
        "USD",
        "sum N / l",
        null_when="a position has no mark",
        low=0.0,
    ),
    Column(
        "maintenance_margin_usd",
        "f8",
        "Maintenance margin of all positions",
        "USD",
        "sum MM",
        null_when="a position has no mark or no tiers",
        low=0.0,
    ),
    Column(
        "nearest_liquidation_bps",
        "f8",
        "Distance to liquidation of the position that is nearest to it",
        "bps of mark",
        "min 1e4 s (mark - LP) / mark",
        sign="positive: not reached",
        null_when="no position has a liquidation price",
        tolerance=0.1,
    ),
    Column("positions", "i8", "Open positions", "count", low=0.0),
    Column("positions_without_mark", "i8", "Positions whose market has no mark yet", "count", low=0.0),
    Column("positions_without_tiers", "i8", "Positions whose market has no maintenance tiers", "count", low=0.0),
    Column("balances_not_valued", "i8", "Balances in assets that are not dollars, left out", "count", low=0.0),
)


@dataclass(frozen=True, slots=True)
class Revalued:
    """Rows that are due. `account` (position rows) and the key of account rows are account numbers."""

    account: dict[str, Array]
    position: dict[str, Array]


def revalue(state: Positions) -> Revalued:
    """The accounts and positions that are due, at the marks in force; afterwards none is due."""
    flat = flatten(state)
    n, accounts = len(flat.qty), len(state.rows)
    value = np.full((6, n), np.nan)
    sums = np.zeros((8, accounts))
    counts = np.zeros((3, accounts), np.int64)
    due_position, due_account = np.zeros(n, np.bool_), np.array(state.replaced, np.bool_)
    t = flat.tiers
    _revalue(
        flat.starts,
        flat.market,
        flat.qty,
        flat.entry,
        flat.leverage,
        flat.isolated_margin,
        flat.rule,
        flat.wallet,
        flat.free,
        state.mark,
        state.mark_ns,
        state.moved,
        t.starts,
        t.floor,
        t.mmr,
        t.cum,
        value,
        sums,
        counts,
        due_position,
        due_account,
    )
    state.moved[:] = False
    state.replaced = [False] * accounts
    p, a = np.flatnonzero(due_position), np.flatnonzero(due_account)
    owner = np.repeat(np.arange(accounts), np.diff(flat.starts))
    position: dict[str, Array] = {
        "account": owner[p],
        "market": flat.market[p],
        "qty_base": flat.qty[p],
        "entry_price": flat.entry[p],
        "mark_price": value[0, p],
        "notional_usd": value[1, p],
        "unrealised_pnl_usd": value[2, p],
        "initial_margin_usd": value[3, p],
        "maintenance_margin_usd": value[4, p],
        "liquidation_price": value[5, p],
    }
    account: dict[str, Array] = {
        "account": a,
        "equity_usd": sums[0, a],
        "gross_usd": sums[1, a],
        "net_usd": sums[2, a],
        "leverage_weight_usd": sums[3, a],
        "leverage_max": sums[4, a],
        "initial_margin_usd": sums[5, a],
        "maintenance_margin_usd": sums[6, a],
        "nearest_liquidation_bps": sums[7, a],
        "positions": np.diff(flat.starts)[a],
        "positions_without_mark": counts[0, a],
        "positions_without_tiers": counts[1, a],
        "oldest_mark_ns": counts[2, a],
        "balances_not_valued": flat.not_valued[a],
    }
    return Revalued(account, position)


@kernel
def _revalue(
    starts: I8,
    market: I8,
    qty: F8,
    entry: F8,
    leverage: F8,
    isolated: F8,
    rule: I8,
    wallet: F8,
    free: F8,
    mark: F8,
    mark_ns: I8,
    moved: Flags,
    tier_starts: I8,
    floor: F8,
    mmr: F8,
    cum: F8,
    value: F8,
    sums: F8,
    counts: I8,
    due_position: Flags,
    due_account: Flags,
) -> None:
    for a in range(len(starts) - 1):
        begin, end = starts[a], starts[a + 1]
        replaced = due_account[a]
        cross_moved = replaced
        for i in range(begin, end):
            if moved[market[i]]:
                due_account[a] = True
                cross_moved |= np.isnan(isolated[i])
        if not due_account[a]:
            continue
        pnl_cross, held_cross, largest = 0.0, 0.0, np.nan
        gross, net, weight, initial, held = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(begin, end):
            m = market[i]
            size, sign = abs(qty[i]), np.sign(qty[i])
            price = mark[m]
            notional = size * price
            pnl = qty[i] * (price - entry[i])
            need = maintenance(notional, tier_starts[m], tier_starts[m + 1], floor, mmr, cum)
            value[0, i] = price
            value[1, i] = notional
            value[2, i] = pnl
            value[3, i] = notional / leverage[i]
            value[4, i] = need
            gross += notional
            net += sign * notional
            weight += notional * leverage[i]
            initial += notional / leverage[i]
            held += need
            if not leverage[i] <= largest:
                largest = leverage[i]
            if np.isnan(isolated[i]):
                pnl_cross += pnl
                held_cross += need
            if np.isnan(price):
                counts[0, a] += 1
            elif counts[2, a] == 0 or mark_ns[m] < counts[2, a]:
                counts[2, a] = mark_ns[m]
            if tier_starts[m] == tier_starts[m + 1]:
                counts[1, a] += 1
        sums[0, a] = wallet[a] + pnl_cross
        sums[1, a] = gross
        sums[2, a] = net
        sums[3, a] = weight
        sums[4, a] = largest
        sums[5, a] = initial
        sums[6, a] = held
        nearest = np.nan
        for i in range(begin, end):
            m = market[i]
            cross = np.isnan(isolated[i])
            due_position[i] = replaced or moved[m] or (cross and cross_moved)
            behind = isolated[i]
            if cross:
                behind = free[a] + (pnl_cross - value[2, i]) - (held_cross - value[4, i])
            value[5, i] = first_crossing(
                np.sign(qty[i]),
                abs(qty[i]),
                entry[i],
                behind,
                rule[i],
                tier_starts[m],
                tier_starts[m + 1],
                floor,
                mmr,
                cum,
            )
            away = 1e4 * np.sign(qty[i]) * (mark[m] - value[5, i]) / mark[m]
            if not np.isnan(away) and not away >= nearest:
                nearest = away
        sums[7, a] = nearest
