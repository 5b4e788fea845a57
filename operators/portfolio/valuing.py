"""Valuing: the compiled loop over accounts that are due, from their positions, purses and pools to all their numbers.

An account is gone through five times: is it due; what each position is worth and needs; what each purse counts in its
pool; the sums; and, once all that backs a position is known, how far it is from liquidation.
"""

import numpy as np
from numpy.typing import NDArray

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
    Members,
    nearest_root,
)
from operators.portfolio.margin import first_crossing
from operators.portfolio.tiers import maintenance, tier_of
from operators.portfolio.valuation_arrays import (
    ASK,
    ASSET,
    BID,
    EQUITY,
    EVERYWHERE,
    FREE,
    GROSS,
    INITIAL,
    INITIAL_USD,
    KEPT,
    LACKING,
    LARGEST,
    LEFT,
    LIQUIDATION,
    MOST_LEVERAGE,
    MOVE_BPS,
    NEAREST,
    NEED_USD,
    NEEDED,
    NET,
    NOT_VALUED,
    NOTIONAL_USD,
    OF,
    OLDEST_NS,
    OVER,
    OVER_LEVERAGE,
    PNL_SETTLED,
    PNL_USD,
    POOL,
    POOL_RATIO,
    POOL_USD,
    POOLS_GONE,
    POOLS_UNKNOWN,
    PRICE,
    USED,
    WALLET,
    WEIGHT,
    WITHOUT_MARK,
    WITHOUT_TIERS,
    WORST,
    Pools,
    Prices,
    Runs,
    Tiers,
    Valued,
    Worked,
)
from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]


@kernel
def value(
    held: Runs, purses: Runs, pools: Pools, marks: Prices, assets: Prices, tiers: Tiers, w: Worked, out: Valued
) -> None:
    """Value every account that was replaced (`out.due_account`) or has a price that moved."""
    for a in range(len(held.starts) - 1):
        replaced = out.due_account[a]
        cross_moved = _due(a, held, purses, marks, assets, out)
        if not out.due_account[a]:
            continue
        _positions(a, held, purses, pools, marks, tiers, w)
        _purses(a, purses, pools, assets, w, out)
        _sums(a, held, purses, pools, marks, assets, tiers, w, out)
        _liquidations(a, replaced, cross_moved, held, purses, pools, marks, assets, tiers, w, out)


@inner
def _due(a: int, held: Runs, purses: Runs, marks: Prices, assets: Prices, out: Valued) -> bool:
    """Say whether an account is due; whether its cross positions are."""
    cross_moved = bool(out.due_account[a])
    for u in range(purses.starts[a], purses.starts[a + 1]):
        if assets.moved[purses.places[u, ASSET]]:
            out.due_account[a] = True
            cross_moved = True
    for i in range(held.starts[a], held.starts[a + 1]):
        if marks.moved[held.places[i, MARKET]]:
            out.due_account[a] = True
            cross_moved |= held.places[i, CROSS] == 1
    return cross_moved


@inner
def _positions(a: int, held: Runs, purses: Runs, pools: Pools, marks: Prices, tiers: Tiers, w: Worked) -> None:
    """What each position is worth and needs, in the asset it settles in, and the profit in each purse."""
    for u in range(purses.starts[a], purses.starts[a + 1]):
        w.pnl[u], w.pnl_cross[u] = 0.0, 0.0
    for k in range(pools.starts[a], pools.starts[a + 1]):
        w.pool_equity[k], w.pool_need[k], w.pool_initial[k], w.pool_held[k] = 0.0, 0.0, 0.0, 0.0
        w.pool_ns[k], w.pool_lacks[k] = 0, 0
    for i in range(held.starts[a], held.starts[a + 1]):
        m, n, u = held.places[i, MARKET], held.places[i, TIERS], held.places[i, PURSE]
        size, entry, leverage = abs(held.numbers[i, QTY]), held.numbers[i, ENTRY], held.numbers[i, LEVERAGE]
        w.price[i] = entry if np.isnan(marks.price[m]) else marks.price[m]
        at_entry = size * entry
        notional = size * w.price[i]
        pnl = held.numbers[i, QTY] * (w.price[i] - entry)
        by_rule = at_entry if held.places[i, RULE] == 1 else notional
        w.initial[i] = by_rule / leverage
        w.need[i] = maintenance(by_rule, tiers.starts[n], tiers.starts[n + 1], tiers.floor, tiers.mmr, tiers.cum)
        w.fixed[i] = w.need[i]
        if held.numbers[i, FEE] > 0:
            lost = 0.0 if np.isnan(leverage) else 1 / leverage
            closing = held.numbers[i, FEE] * at_entry * max(1 - np.sign(held.numbers[i, QTY]) * lost, 0.0)
            w.initial[i] += closing
            w.need[i] += closing
        if np.isnan(w.need[i]):
            w.fixed[i] = by_rule / leverage
        w.pnl[u] += pnl
        if held.places[i, CROSS] == 1:
            w.pnl_cross[u] += pnl


@inner
def _purses(a: int, purses: Runs, pools: Pools, assets: Prices, w: Worked, out: Valued) -> None:
    """What each purse counts as, in the equity of the account and in that of its pool."""
    for u in range(purses.starts[a], purses.starts[a + 1]):
        own, asset, k = purses.numbers[u], purses.places[u, ASSET], purses.places[u, POOL]
        dollars = assets.price[asset]
        spread = k >= 0 and pools.multi[k]
        w.bid[u], w.ask[u], w.turned[u] = 1.0, 1.0, 0.0
        owned, free = own[WALLET] + w.pnl[u], own[FREE] + w.pnl_cross[u]
        bid, ask = dollars, dollars
        if spread:
            bid, ask = dollars * own[KEPT], dollars
            if not np.isnan(own[BID]):
                bid = own[BID]
            if not np.isnan(own[ASK]):
                ask = own[ASK]
            elif not np.isnan(own[BID]):
                ask = max(bid, 0.0 if np.isnan(dollars) else dollars)
            if ask < bid:  # a record's own: whichever counts less of what is owned and more of what is owed
                bid, ask = ask, bid
            w.bid[u], w.ask[u] = bid if free >= 0 else ask, ask
            w.turned[u] = max(ask - bid, 0.0) * (1.0 if free >= 0 else -1.0)
        out.rates[u] = bid if owned >= 0 else ask
        if owned != 0:
            out.sums[EQUITY, a] += owned * out.rates[u]
        if own[WALLET] != 0 and np.isnan(bid if own[WALLET] > 0 else ask):
            out.counts[NOT_VALUED, a] += 1
        if k >= 0 and free != 0:
            w.pool_equity[k] += free * w.bid[u] if spread else free
            if spread:
                _older(w.pool_ns, k, assets.ns[asset])
        if owned != 0 or own[WALLET] != 0:
            _older(out.counts[OLDEST_NS], a, assets.ns[asset])


@inner
def _older(oldest_ns: I8, at: int, ns: int) -> None:
    """Note the time of a price, if it has one (0: none), where it is the oldest."""
    if ns > 0 and (oldest_ns[at] == 0 or ns < oldest_ns[at]):
        oldest_ns[at] = ns


@inner
def _sums(
    a: int, held: Runs, purses: Runs, pools: Pools, marks: Prices, assets: Prices, tiers: Tiers, w: Worked, out: Valued
) -> None:
    """The sums over the positions of an account and of its pools, and of each position what it is worth by itself."""
    gross, net, weight, initial, maintained, largest = 0.0, 0.0, 0.0, 0.0, 0.0, np.nan
    for i in range(held.starts[a], held.starts[a + 1]):
        m, n, u = held.places[i, MARKET], held.places[i, TIERS], held.places[i, PURSE]
        dollars, leverage = assets.price[purses.places[u, ASSET]], held.numbers[i, LEVERAGE]
        k, cross = purses.places[u, POOL], held.places[i, CROSS] == 1
        owed = w.ask[u] if cross and k >= 0 and pools.multi[k] else dollars
        size = abs(held.numbers[i, QTY])
        notional = size * w.price[i] * dollars
        gross += notional
        net += np.sign(held.numbers[i, QTY]) * notional
        weight += notional * leverage
        initial += w.initial[i] * owed
        maintained += w.need[i] * owed
        if not np.isnan(leverage) and not leverage <= largest:
            largest = leverage
        tier = tier_of(size * w.price[i], tiers.starts[n], tiers.starts[n + 1], tiers.floor)
        if tier < 0:
            out.counts[WITHOUT_TIERS, a] += 1
        else:
            out.numbers[MOST_LEVERAGE, i] = tiers.most[tier]
            if leverage > tiers.most[tier]:
                out.flags[OVER, i] = True
                out.counts[OVER_LEVERAGE, a] += 1
        if np.isnan(marks.price[m]):
            out.counts[WITHOUT_MARK, a] += 1
        else:
            # + 0.0: of a short that stands still, not -0
            profit = held.numbers[i, QTY] * (w.price[i] - held.numbers[i, ENTRY]) + 0.0
            out.numbers[PRICE, i] = w.price[i]
            out.numbers[NOTIONAL_USD, i] = notional
            out.numbers[PNL_USD, i] = profit * dollars
            out.numbers[INITIAL_USD, i] = w.initial[i] * owed
            out.numbers[NEED_USD, i] = w.need[i] * owed
            out.numbers[PNL_SETTLED, i] = profit
            _older(out.counts[OLDEST_NS], a, marks.ns[m])
        _older(out.counts[OLDEST_NS], a, assets.ns[purses.places[u, ASSET]])
        w.rate[i], w.need_rate[i] = 1.0, 1.0
        if cross and k >= 0:
            w.rate[i], w.need_rate[i] = w.bid[u], w.ask[u]
            w.pool_held[k] += 0.0 if tier < 0 else 1.0
            w.pool_lacks[k] += 1 if np.isnan(marks.price[m]) else 0
            _older(w.pool_ns, k, marks.ns[m])
            w.pool_need[k] += w.ask[u] * (w.initial[i] if tier < 0 else w.need[i])
            w.pool_initial[k] += w.ask[u] * w.initial[i]
    out.sums[GROSS, a], out.sums[NET, a], out.sums[WEIGHT, a] = gross, net, weight
    out.sums[LARGEST, a], out.sums[INITIAL, a], out.sums[NEEDED, a] = largest, initial, maintained


@inner
def _liquidations(
    a: int,
    replaced: bool,
    cross_moved: bool,
    held: Runs,
    purses: Runs,
    pools: Pools,
    marks: Prices,
    assets: Prices,
    tiers: Tiers,
    w: Worked,
    out: Valued,
) -> None:
    """What backs each position, where it is liquidated, and the nearest and worst of an account."""
    nearest, worst, used, behind_any = np.nan, np.nan, np.nan, False
    numbers, places = held.numbers, held.places
    for i in range(held.starts[a], held.starts[a + 1]):
        m, n, u = places[i, MARKET], places[i, TIERS], places[i, PURSE]
        asset, k, cross = purses.places[u, ASSET], purses.places[u, POOL], places[i, CROSS] == 1
        dollars = assets.price[asset]
        out.due_position[i] = replaced or marks.moved[m] or assets.moved[asset] or (cross and cross_moved)
        out.flags[LACKING, i] = np.isnan(marks.price[m]) or (cross and k >= 0 and w.pool_lacks[k] > 0)
        _older(out.oldest_ns, i, marks.ns[m])
        _older(out.oldest_ns, i, assets.ns[asset])
        if cross and k >= 0:
            _older(out.oldest_ns, i, w.pool_ns[k])
        pnl = numbers[i, QTY] * (w.price[i] - numbers[i, ENTRY])
        r, s = w.rate[i], w.need_rate[i]
        if cross:
            equity = w.pool_equity[k] if k >= 0 else np.nan
            needed = w.pool_need[k] if k >= 0 and w.pool_held[k] > 0 else np.nan
            out.numbers[POOL_USD, i] = equity * (1.0 if k >= 0 and pools.multi[k] else dollars)
            behind_any = True
            if equity > 0 and not np.isnan(w.pool_initial[k]) and not w.pool_initial[k] / equity <= used:
                used = w.pool_initial[k] / equity
        else:
            equity, needed = numbers[i, MARGIN] + pnl, w.need[i]
            out.numbers[POOL_USD, i] = equity * dollars
        if equity > 0:
            out.numbers[POOL_RATIO, i] = needed / equity
        elif equity <= 0:
            out.counts[POOLS_GONE, a] += 1
        out.numbers[LEFT, i] = equity - needed
        if np.isnan(out.numbers[POOL_RATIO, i]):
            out.counts[POOLS_UNKNOWN, a] += 1
        elif not out.numbers[POOL_RATIO, i] <= worst:
            worst = out.numbers[POOL_RATIO, i]
        if tiers.starts[n] == tiers.starts[n + 1]:
            continue
        backing = equity - r * pnl - (needed - s * w.fixed[i])
        if not cross:
            backing = numbers[i, MARGIN] - (w.need[i] - w.fixed[i])
        left = backing + r * pnl - s * w.fixed[i]
        if places[i, LEG] == i and r == s and r != 0 and (not cross or w.turned[u] == 0):
            price = first_crossing(
                np.sign(numbers[i, QTY]),
                abs(numbers[i, QTY]),
                numbers[i, ENTRY],
                backing / r,
                places[i, RULE],
                tiers.starts[n],
                tiers.starts[n + 1],
                tiers.floor,
                tiers.mmr,
                tiers.cum,
            )
        else:
            price, left = _root(i, LEG, 0.0, equity, needed, held, purses, tiers, w)
            price *= w.price[i]
        out.numbers[LIQUIDATION, i] = price
        out.flags[EVERYWHERE, i] = np.isnan(price) and left <= 0
        away = 1e4 * np.sign(numbers[i, QTY]) * (marks.price[m] - price) / marks.price[m]
        moving = 0.0
        if cross and k >= 0 and pools.multi[k]:
            for v in range(purses.starts[a], purses.starts[a + 1]):
                own = purses.places[v, POOL] == k and purses.places[v, OF] == places[i, BASE]
                if own and assets.ns[purses.places[v, ASSET]] > 0:
                    moving += w.bid[v] * (purses.numbers[v, FREE] + w.pnl_cross[v])
                    for j in range(held.starts[a], held.starts[a + 1]):
                        if places[j, PURSE] == v and places[j, CROSS] == 1:
                            moving -= w.need_rate[j] * (w.initial[j] if np.isnan(w.need[j]) else w.need[j])
        if places[i, KIN] != i or places[i, LEG] != i or moving != 0:
            factor, left = _root(i, KIN, moving, equity, needed, held, purses, tiers, w)
            away = 1e4 * abs(factor - 1) * (1.0 if left > 0 else -1.0)
            if np.isnan(marks.price[m]):
                away = np.nan
        if np.isnan(away) and not np.isnan(marks.price[m]) and not np.isnan(left):
            away = 1e4 if left > 0 else 0.0
        out.numbers[MOVE_BPS, i] = away + 0.0
        if not np.isnan(away) and not away >= nearest:
            nearest = away
    out.sums[NEAREST, a], out.sums[WORST, a], out.sums[USED, a] = nearest, worst, used
    if held.starts[a] < held.starts[a + 1] and not behind_any:
        equity = out.sums[EQUITY, a]
        out.sums[USED, a] = out.sums[INITIAL, a] / equity if equity > 0 else np.nan


@inner
def _root(
    first: int,
    link: int,
    moving: float,
    equity: float,
    needed: float,
    held: Runs,
    purses: Runs,
    tiers: Tiers,
    w: Worked,
) -> tuple[float, float]:
    """The factor at which the pool of `first` is no longer covered when its group moves, and what is left now."""
    left = equity - needed
    backing = left - moving
    j = first
    while True:
        backing -= w.rate[j] * held.numbers[j, QTY] * (w.price[j] - held.numbers[j, ENTRY])
        backing += w.need_rate[j] * w.fixed[j]
        _hold(j, first, link, held, purses, w)
        j = held.places[j, link]
        if j == first:
            break
    return (
        nearest_root(
            first,
            link,
            backing,
            moving,
            held.numbers,
            held.places,
            Members(w.price, w.rate, w.need_rate, w.fixed, w.owned, w.swing, w.turn),
            tiers.starts,
            tiers.floor,
            tiers.mmr,
            tiers.cum,
        ),
        left,
    )


@inner
def _hold(j: int, first: int, link: int, held: Runs, purses: Runs, w: Worked) -> None:
    """Note what the purse of a member of a group holds as the group moves, with the first of its members."""
    w.owned[j], w.swing[j], w.turn[j] = 0.0, 0.0, 0.0
    u = held.places[j, PURSE]
    if held.places[j, CROSS] == 0 or w.turned[u] == 0:
        return
    i = first
    while held.places[i, PURSE] != u:
        i = held.places[i, link]
    if i == j:
        w.owned[i], w.turn[i] = purses.numbers[u, FREE] + w.pnl_cross[u], w.turned[u]
    qty = held.numbers[j, QTY]
    w.owned[i] -= qty * w.price[j]
    w.swing[i] += qty * w.price[first if link == LEG else j]
