"""Step: one move of one instrument, as often as its depth is published; the first of a second also marks."""

import math
from collections.abc import Sequence

from models.simulator import market_orders, messages, traders
from models.simulator.chance import U8, normal, poisson, uniform
from models.simulator.simulated_rows import I8, Clock, Event, Liquidation, Market, Second, Tide, Trader
from models.simulator.slot_ring import price, recentre, requote, resting
from models.simulator.weather import BASE_VOL_BPS, COMMON, market_second
from schemas.kernels import inner, kernel

FAR = 1 << 60
BUSIEST = 20
"""Most orders of one side that noise sends in one step."""


@kernel
def mid(m: Market) -> float:
    """Mid price."""
    return 0.5 * m.tick * float(price(m.bid, m.width) + price(m.ask, m.width))


@kernel
def mark(m: Market, i: int, tide: Tide, interest_due: bool, word: U8, events: Sequence[Event], clock: Clock) -> None:
    """Begin a second: weather, then the mark, which is the index and a five-second mean of the premium over it."""
    market_second(m, tide, word)
    index = math.exp(m.log_fair)
    m.premium_ema += 0.2 * (mid(m) / index - 1.0 - m.premium_ema)
    m.index_e8 = math.floor(index * 1e8 + 0.5)
    m.mark_e8 = math.floor(index * (1.0 + m.premium_ema) * 1e8 + 0.5)
    m.mark = m.mark_e8 / 1e8
    messages.mark(m, i, word, events, clock)
    if interest_due:
        messages.interest(m, i, open_lots(m), word, events, clock)


@inner
def open_lots(m: Market) -> int:
    """Open interest: every contract has two ends, and who holds the other end of the crowd is not a trader here."""
    return int(m.base_lots + max(m.long_lots, m.short_lots))


@inner
def liquidate(
    m: Market, i: int, crowd: Sequence[Trader], book: I8, window_ms: int, word: U8, events: Sequence[Event],
    truth: Sequence[Liquidation], second: Second, clock: Clock,
) -> None:  # fmt: skip
    """Close every position whose liquidation price this mark has reached, by market order, within `window_ms`.

    The venue shows the last of them only, and that one at the end of the window: so one a second.
    """
    crossing = 0
    for j in range(len(crowd)):
        if traders.crossed(crowd[j], m.mark):
            crossing += 1
    if crossing == 0:
        return
    start_ms, done = m.now_ms, 0
    shown, shown_filled, shown_average, shown_limit = 0, 0, 0.0, 0
    for j in range(len(crowd)):
        t = crowd[j]
        if not traders.crossed(t, m.mark):
            continue
        done += 1
        m.now_ms = start_ms + window_ms * done // crossing
        side = -1 if t.lots > 0 else 1
        filled, average, last = market_orders.take(m, i, book, side, abs(t.lots), side * FAR, word, events, clock)
        market_orders.press(m, side, filled)
        market_orders.excite(m, side)
        row = truth[clock.liquidations]
        row.event_ms, row.mark_ms, row.instrument, row.trader = m.now_ms, start_ms, i, j
        row.lots, row.filled_lots, row.price, row.mark = t.lots, filled, average, m.mark
        row.liquidation, row.entry, row.leverage, row.margin = t.liquidation, t.entry, t.leverage, t.margin
        row.opened_ms = t.opened_ms
        clock.liquidations += 1
        usd = abs(t.lots) * m.lot * m.mark
        second.longs_liquidated += usd if t.lots > 0 else 0.0
        second.shorts_liquidated += usd if t.lots < 0 else 0.0
        second.liquidations += 1
        if filled > 0:
            bankrupt = int((t.entry + side * t.margin / (abs(t.lots) * m.lot)) / m.tick)
            shown, shown_filled, shown_average = t.lots, filled, average
            shown_limit = min(last, bankrupt) if side < 0 else max(last, bankrupt)
        traders.clear(m, t)
    m.now_ms = start_ms + window_ms
    if shown_filled > 0:
        messages.forced(m, i, shown, shown_filled, shown_average, shown_limit, events, clock)


@kernel
def act(
    m: Market, i: int, crowd: Sequence[Trader], book: I8, k: int, steps: int, word: U8, events: Sequence[Event],
    second: Second, clock: Clock,
) -> None:  # fmt: skip
    """Traders decide once a second each, spread over its steps."""
    for j in range(k, len(crowd), steps):
        t = crowd[j]
        lots = traders.wants(m, t, m.now_ms, word)
        if lots == 0:
            continue
        side = 1 if lots > 0 else -1
        filled, average, _ = market_orders.take(m, i, book, side, abs(lots), side * FAR, word, events, clock)
        if filled == 0:
            continue
        market_orders.press(m, side, filled)
        market_orders.excite(m, side)
        tally(m, side, filled, second)
        if t.lots == 0:
            traders.open_position(m, t, side * filled, average, m.now_ms, word)
        else:
            traders.close_position(m, t, average)


@inner
def tally(m: Market, side: int, filled: int, second: Second) -> None:
    """Taker volume of the second, in USD."""
    if side > 0:
        second.bought += filled * m.lot * m.mark
    else:
        second.sold += filled * m.lot * m.mark


@inner
def noise(
    m: Market, i: int, book: I8, dt: float, trades_per_s: float, until_ms: int, word: U8, events: Sequence[Event],
    second: Second, clock: Clock,
) -> None:  # fmt: skip
    """Orders without a reason, arriving as a two-sided Hawkes process, the faster the more volatile."""
    base = 0.09 * trades_per_s * min(3.0, (m.vol_bps / (BASE_VOL_BPS * m.vol_scale)) ** 0.7)
    buys = poisson(word, (base * (1.0 + m.tilt) + m.buy_heat) * dt, BUSIEST)
    sells = poisson(word, (base * (1.0 - m.tilt) + m.sell_heat) * dt, BUSIEST)
    keep = math.exp(-market_orders.DECAY_PER_S * dt)
    m.buy_heat *= keep
    m.sell_heat *= keep
    start_ms, count = m.now_ms, buys + sells
    typical = 0.03 * m.depth_usd / trades_per_s / (m.mark * m.lot)
    for j in range(count):
        m.now_ms = start_ms + (until_ms - start_ms) * (j + 1) // (count + 1)
        side = 1 if uniform(word) * (buys + sells) < buys else -1
        buys, sells = (buys - 1, sells) if side > 0 else (buys, sells - 1)
        lots = max(1, int(typical * math.exp(0.9 * normal(word) - 0.4)))
        filled, _, _ = market_orders.take(m, i, book, side, lots, side * FAR, word, events, clock)
        market_orders.excite(m, side)
        tally(m, side, filled, second)


@kernel
def follow(
    m: Market, i: int, book: I8, levels: int, word: U8, events: Sequence[Event], second: Second, clock: Clock
) -> None:
    """Bring the book to the fair price: half the time the informed take three fifths of what
    is mispriced; makers pull the rest."""
    target = int(math.exp(m.log_fair) * (1.0 + m.premium) / m.tick / m.width)
    target = max(m.centre - levels, min(m.centre + levels, target))
    informed = uniform(word) < 0.5
    if informed and target >= m.ask:
        lots = int(0.6 * resting(m, book, 1, target))
        filled, _, _ = market_orders.take(m, i, book, 1, lots, target, word, events, clock)
        tally(m, 1, filled, second)
    elif informed and target < m.bid:
        lots = int(0.6 * resting(m, book, -1, target + 1))
        filled, _, _ = market_orders.take(m, i, book, -1, lots, target + 1, word, events, clock)
        tally(m, -1, filled, second)
    recentre(m, book, target, levels, word)


@inner
def drift(m: Market, tide: Tide, dt: float, word: U8) -> None:
    """The fair price's own move, common and particular."""
    common = m.vol_scale * COMMON * (tide.shock_bps + tide.drift_bps) * dt
    own = m.vol_bps * math.sqrt((1.0 - COMMON * COMMON) * dt) * normal(word)
    m.log_fair += 1e-4 * (common + own)
    m.trend_bps = m.trend_bps * (1.0 - dt / 600.0) + common + own


@kernel
def quote(m: Market, book: I8, changes: int, dt: float, word: U8) -> None:
    """Makers' answer at the end of a step; the spread widens with volatility."""
    spread = int(min(8.0, max(0.0, 0.4 * (m.vol_bps - 1.5)) / m.slot_bps))
    requote(m, book, changes, 1.0 - math.exp(-2.0 * m.depth * dt), spread, word)


@kernel
def observe(m: Market, book: I8, second: Second) -> None:
    """What the second ends with."""
    reach = int(10.0 / m.slot_bps)
    second.mid = mid(m)
    second.spread_bps = 1e4 * m.tick * (price(m.ask, m.width) - price(m.bid, m.width)) / second.mid
    second.mark, second.index, second.funding = m.mark, m.index_e8 / 1e8, m.funding
    second.open_interest = open_lots(m) * m.lot * m.mark
    second.bid_depth = resting(m, book, -1, m.bid - reach) * m.lot * m.mark
    second.ask_depth = resting(m, book, 1, m.ask + reach) * m.lot * m.mark
