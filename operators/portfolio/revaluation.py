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
from numpy.typing import NDArray

from operators.contract import Array
from operators.portfolio.assets import prices
from operators.portfolio.crossing import (
    BASE,
    CROSS,
    ENTRY,
    FEE,
    KIN,
    LEG,
    LEVERAGE,
    MARGIN,
    MARKET,
    PURSE,
    QTY,
    RULE,
    TIERS,
    nearest_root,
)
from operators.portfolio.margin import first_crossing
from operators.portfolio.positions import Positions, flatten
from operators.portfolio.tiers import maintenance, tier_of
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

FREE, BID, ASK, KEPT = 1, 2, 3, 4
"""Columns of the numbers of a purse after its wallet (0); `KEPT` is 1 less the haircut."""
ASSET, POOL, OF = 0, 1, 2
"""Columns of its places: asset, pool, and the underlying whose contracts price the asset."""
WITHOUT_MARK, WITHOUT_TIERS, OLDEST_NS, NOT_VALUED, POOLS_UNKNOWN, POOLS_GONE, OVER_LEVERAGE = range(7)


@dataclass(frozen=True, slots=True)
class Revalued:
    """Rows that are due. `account` (position rows) and the key of account rows are account numbers."""

    account: dict[str, Array]
    position: dict[str, Array]


def revalue(state: Positions) -> Revalued:
    """The accounts and positions that are due, at the marks in force; afterwards none is due."""
    flat = flatten(state)
    n, accounts, purses = len(flat.numbers), len(state.held), len(flat.purse_places)
    value, flags = np.full((12, n), np.nan), np.zeros((2, n), np.bool_)
    sums = np.zeros((10, accounts))
    counts = np.zeros((7, accounts), np.int64)
    due_position, due_account = np.zeros(n, np.bool_), np.array(state.replaced, np.bool_)
    t = flat.tiers
    priced = prices(state.assets, state.mark, state.mark_ns, state.moved)
    _revalue(
        flat.starts,
        flat.numbers,
        flat.places,
        flat.purse_starts,
        flat.purse_numbers,
        flat.purse_places,
        flat.pool_starts,
        flat.multi,
        priced.usd,
        priced.moved,
        priced.mark_ns,
        state.mark,
        state.mark_ns,
        state.moved,
        t.starts,
        t.floor,
        t.mmr,
        t.cum,
        t.max_leverage,
        value,
        flags,
        sums,
        counts,
        due_position,
        due_account,
        np.empty((6, n)),
        np.empty((4, purses)),
        np.empty((4, len(flat.pools))),
    )
    state.moved[:] = False
    state.replaced = [False] * accounts
    p, a = np.flatnonzero(due_position), np.flatnonzero(due_account)
    settled = flat.purse_places[flat.places[p, PURSE], ASSET]
    position: dict[str, Array] = {
        "row": p,
        "account": flat.owner[p],
        "market": flat.market[p],
        "qty_base": flat.numbers[p, QTY],
        "entry_price": flat.numbers[p, ENTRY],
        "mark_price": value[0, p],
        "notional_usd": value[1, p],
        "unrealised_pnl_usd": value[2, p],
        "initial_margin_usd": value[3, p],
        "maintenance_margin_usd": value[4, p],
        "liquidation_price": value[5, p],
        "underlying_move_bps": value[6, p],
        "unrealised_pnl_settled": value[7, p],
        "pool_equity_usd": value[8, p],
        "pool_maintenance_ratio": value[9, p],
        "tier_max_leverage": value[10, p],
        "isolated_margin_usd": flat.numbers[p, MARGIN] * priced.usd[settled],
        "leverage": np.nan_to_num(flat.numbers[p, LEVERAGE]),
        "cross": flat.places[p, CROSS] == 1,
        "everywhere": flags[0, p],
        "over_leverage": flags[1, p],
        "backing": value[11, p],
        "pool": np.where(
            flat.purse_places[flat.places[p, PURSE], POOL] >= 0,
            flat.purse_places[flat.places[p, PURSE], POOL],
            len(flat.pools) - 1,
        ),
        "settles": settled,
        "settled_known": ~np.isnan(priced.usd[settled]),
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
        "pool_maintenance_ratio": sums[8, a],
        "pool_utilisation": sums[9, a],
        "positions": np.diff(flat.starts)[a],
        "positions_without_mark": counts[WITHOUT_MARK, a],
        "positions_without_tiers": counts[WITHOUT_TIERS, a],
        "oldest_mark_ns": counts[OLDEST_NS, a],
        "balances_not_valued": counts[NOT_VALUED, a],
        "pools_unknown": counts[POOLS_UNKNOWN, a],
        "pools_gone": counts[POOLS_GONE, a],
        "positions_over_leverage": counts[OVER_LEVERAGE, a],
    }
    return Revalued(account, position)


@kernel
def _revalue(
    starts: I8,
    held: F8,
    place: I8,
    purse_starts: I8,
    purse: F8,
    purse_place: I8,
    pool_starts: I8,
    multi: Flags,
    usd: F8,
    usd_moved: Flags,
    usd_ns: I8,
    mark: F8,
    mark_ns: I8,
    moved: Flags,
    tier_starts: I8,
    floor: F8,
    mmr: F8,
    cum: F8,
    most: F8,
    value: F8,
    flags: Flags,
    sums: F8,
    counts: I8,
    due_position: Flags,
    due_account: Flags,
    room: F8,
    purse_room: F8,
    pool_room: F8,
) -> None:
    price, need, start_margin, fixed, rate, need_rate = room
    pnl_all, pnl_cross, bids, asks = purse_room
    pool_equity, pool_need, pool_start, pool_held = pool_room
    for a in range(len(starts) - 1):
        begin, end = starts[a], starts[a + 1]
        first, last = purse_starts[a], purse_starts[a + 1]
        replaced = due_account[a]
        cross_moved = replaced
        for u in range(first, last):
            if usd_moved[purse_place[u, ASSET]]:
                due_account[a] = True
                cross_moved = True
        for i in range(begin, end):
            if moved[place[i, MARKET]]:
                due_account[a] = True
                cross_moved |= place[i, CROSS] == 1
        if not due_account[a]:
            continue
        for u in range(first, last):
            pnl_all[u], pnl_cross[u] = 0.0, 0.0
        for k in range(pool_starts[a], pool_starts[a + 1]):
            pool_equity[k], pool_need[k], pool_start[k], pool_held[k] = 0.0, 0.0, 0.0, 0.0
        for i in range(begin, end):
            m, n, u = place[i, MARKET], place[i, TIERS], place[i, PURSE]
            size, entry = abs(held[i, QTY]), held[i, ENTRY]
            price[i] = entry if np.isnan(mark[m]) else mark[m]
            at_entry = size * entry
            notional = size * price[i]
            pnl = held[i, QTY] * (price[i] - entry)
            by_rule = at_entry if place[i, RULE] == 1 else notional
            start_margin[i] = by_rule / held[i, LEVERAGE]
            need[i] = maintenance(by_rule, tier_starts[n], tier_starts[n + 1], floor, mmr, cum)
            fixed[i] = need[i]
            if held[i, FEE] > 0:
                lost = 0.0 if np.isnan(held[i, LEVERAGE]) else 1 / held[i, LEVERAGE]
                closing = held[i, FEE] * at_entry * (1 - np.sign(held[i, QTY]) * lost)
                start_margin[i] += closing
                need[i] += closing
            if np.isnan(need[i]):
                fixed[i] = start_margin[i]
            pnl_all[u] += pnl
            if place[i, CROSS] == 1:
                pnl_cross[u] += pnl
        for u in range(first, last):
            dollars = usd[purse_place[u, ASSET]]
            k = purse_place[u, POOL]
            spread = k >= 0 and multi[k]
            bids[u], asks[u] = 1.0, 1.0
            owned, free = purse[u, 0] + pnl_all[u], purse[u, FREE] + pnl_cross[u]
            bid, ask = dollars, dollars
            if spread:
                bid, ask = dollars * purse[u, KEPT], dollars
                if not np.isnan(purse[u, BID]):
                    bid = purse[u, BID]
                if not np.isnan(purse[u, ASK]):
                    ask = purse[u, ASK]
                elif not np.isnan(purse[u, BID]):
                    ask = max(bid, 0.0 if np.isnan(dollars) else dollars)
                bids[u], asks[u] = bid if free >= 0 else ask, ask
            if owned != 0:
                sums[0, a] += owned * (bid if owned >= 0 else ask)
            if purse[u, 0] != 0 and np.isnan(bid if purse[u, 0] > 0 else ask):
                counts[NOT_VALUED, a] += 1
            if k >= 0 and free != 0:
                pool_equity[k] += free * bids[u] if spread else free
            ns = usd_ns[purse_place[u, ASSET]]
            if ns > 0 and (counts[OLDEST_NS, a] == 0 or ns < counts[OLDEST_NS, a]):
                counts[OLDEST_NS, a] = ns
        gross, net, weight, initial, maintained, largest = 0.0, 0.0, 0.0, 0.0, 0.0, np.nan
        for i in range(begin, end):
            m, n, u = place[i, MARKET], place[i, TIERS], place[i, PURSE]
            dollars = usd[purse_place[u, ASSET]]
            size, marked = abs(held[i, QTY]), not np.isnan(mark[m])
            notional = size * price[i] * dollars
            gross += notional
            net += np.sign(held[i, QTY]) * notional
            weight += notional * held[i, LEVERAGE]
            initial += start_margin[i] * dollars
            maintained += need[i] * dollars
            if not np.isnan(held[i, LEVERAGE]) and not held[i, LEVERAGE] <= largest:
                largest = held[i, LEVERAGE]
            tier = tier_of(size * price[i], tier_starts[n], tier_starts[n + 1], floor)
            if tier < 0:
                counts[WITHOUT_TIERS, a] += 1
            else:
                value[10, i] = most[tier]
                if held[i, LEVERAGE] > most[tier]:
                    flags[1, i] = True
                    counts[OVER_LEVERAGE, a] += 1
            if marked:
                value[0, i] = price[i]
                value[1, i] = notional
                value[2, i] = held[i, QTY] * (price[i] - held[i, ENTRY]) * dollars
                value[3, i] = start_margin[i] * dollars
                value[4, i] = need[i] * dollars
                value[7, i] = held[i, QTY] * (price[i] - held[i, ENTRY])
                if counts[OLDEST_NS, a] == 0 or mark_ns[m] < counts[OLDEST_NS, a]:
                    counts[OLDEST_NS, a] = mark_ns[m]
            else:
                counts[WITHOUT_MARK, a] += 1
            k = purse_place[u, POOL]
            rate[i], need_rate[i] = 1.0, 1.0
            if place[i, CROSS] == 1 and k >= 0:
                rate[i], need_rate[i] = bids[u], asks[u]
                pool_held[k] += 0.0 if tier < 0 else 1.0
                pool_need[k] += asks[u] * (start_margin[i] if tier < 0 else need[i])
                pool_start[k] += asks[u] * start_margin[i]
        sums[1, a], sums[2, a], sums[3, a] = gross, net, weight
        sums[4, a], sums[5, a], sums[6, a] = largest, initial, maintained
        nearest, worst, used, behind_any = np.nan, np.nan, np.nan, False
        for i in range(begin, end):
            m, n, u = place[i, MARKET], place[i, TIERS], place[i, PURSE]
            k, cross = purse_place[u, POOL], place[i, CROSS] == 1
            dollars = usd[purse_place[u, ASSET]]
            due_position[i] = replaced or moved[m] or usd_moved[purse_place[u, ASSET]] or (cross and cross_moved)
            pnl = held[i, QTY] * (price[i] - held[i, ENTRY])
            r, s = rate[i], need_rate[i]
            if cross:
                equity = pool_equity[k] if k >= 0 else np.nan
                needed = pool_need[k] if k >= 0 and pool_held[k] > 0 else np.nan
                value[8, i] = equity * (1.0 if k >= 0 and multi[k] else dollars)
                behind_any = True
                if not equity > 0:
                    counts[POOLS_GONE, a] += 0 if np.isnan(equity) else 1
                elif not np.isnan(pool_start[k]) and not pool_start[k] / equity <= used:
                    used = pool_start[k] / equity
            else:
                equity, needed = held[i, MARGIN] + pnl, need[i]
                value[8, i] = equity * dollars
            if equity > 0:
                value[9, i] = needed / equity
            value[11, i] = equity
            if np.isnan(value[9, i]):
                counts[POOLS_UNKNOWN, a] += 1
            elif not value[9, i] <= worst:
                worst = value[9, i]
            if tier_starts[n] == tier_starts[n + 1]:
                continue
            own_need = need[i]
            backing = equity - r * pnl - (needed - s * own_need)
            if not cross:
                backing = held[i, MARGIN]
            left = backing + r * pnl - s * own_need
            if place[i, LEG] == i and r == s:
                value[5, i] = first_crossing(
                    np.sign(held[i, QTY]),
                    abs(held[i, QTY]),
                    held[i, ENTRY],
                    backing / r,
                    place[i, RULE],
                    tier_starts[n],
                    tier_starts[n + 1],
                    floor,
                    mmr,
                    cum,
                )
            else:
                value[5, i], left = _root(
                    i,
                    LEG,
                    0.0,
                    equity,
                    needed,
                    held,
                    place,
                    price,
                    rate,
                    need_rate,
                    need,
                    fixed,
                    tier_starts,
                    floor,
                    mmr,
                    cum,
                )
                value[5, i] *= price[i]
            flags[0, i] = np.isnan(value[5, i]) and left <= 0
            away = 1e4 * np.sign(held[i, QTY]) * (mark[m] - value[5, i]) / mark[m]
            moving = 0.0
            if cross and k >= 0 and multi[k]:
                for v in range(first, last):
                    if purse_place[v, OF] == place[i, BASE] and usd_ns[purse_place[v, ASSET]] > 0:
                        moving += bids[v] * (purse[v, FREE] + pnl_cross[v])
            if place[i, KIN] != i or place[i, LEG] != i or moving != 0:
                factor, left = _root(
                    i,
                    KIN,
                    moving,
                    equity,
                    needed,
                    held,
                    place,
                    price,
                    rate,
                    need_rate,
                    need,
                    fixed,
                    tier_starts,
                    floor,
                    mmr,
                    cum,
                )
                away = 1e4 * abs(factor - 1) * (1.0 if left > 0 else -1.0)
                if np.isnan(mark[m]):
                    away = np.nan
            value[6, i] = away
            if not np.isnan(away) and not away >= nearest:
                nearest = away
        sums[7, a], sums[8, a], sums[9, a] = nearest, worst, used
        if begin < end and not behind_any:
            sums[9, a] = initial / sums[0, a] if sums[0, a] > 0 else np.nan


@inner
def _root(
    first: int,
    link: int,
    moving: float,
    equity: float,
    needed: float,
    held: F8,
    place: I8,
    price: F8,
    rate: F8,
    need_rate: F8,
    need: F8,
    fixed: F8,
    tier_starts: I8,
    floor: F8,
    mmr: F8,
    cum: F8,
) -> tuple[float, float]:
    """The factor at which the pool of `first` is no longer covered when its group moves, and what is left now."""
    left = equity - needed
    backing = left - moving
    j = first
    while True:
        backing -= rate[j] * held[j, QTY] * (price[j] - held[j, ENTRY])
        backing += need_rate[j] * (fixed[j] if np.isnan(need[j]) else need[j])
        j = place[j, link]
        if j == first:
            break
    return (
        nearest_root(
            first, link, backing, moving, held, place, price, rate, need_rate, fixed, tier_starts, floor, mmr, cum
        ),
        left,
    )
