"""Positions: the book of all accounts as arrays, revalued at the marks that moved.

The positions of account a are rows `starts[a]` to `starts[a + 1]`, so that an account is one run of memory, its sums
are taken in the order of its record, and no number depends on which other accounts a process holds.
An account is due when it was replaced or a mark of it moved; a position is due when its account was replaced, its own
mark moved, or it is cross and the mark of another cross position of the account did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

from operators.contract import Array
from operators.pack import pack, unpack
from operators.portfolio.margin import BINANCE_USDM, BYBIT_LINEAR_V2024, BYBIT_LINEAR_V2026, first_crossing
from operators.portfolio.tiers import TierTable, maintenance, table
from schemas.accounts import DOLLARS, Account, settles_in
from schemas.brackets import Tiers
from schemas.column import Column

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]
Market = tuple[str, str]

BYBIT_RULES = {"2024-09": BYBIT_LINEAR_V2024, "2026-05": BYBIT_LINEAR_V2026}
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


@dataclass(slots=True)
class Positions:
    """The state: accounts in the order in which the log first named them, markets likewise.

    A row of `rows` is market, signed size, entry, leverage, isolated margin (NaN: cross) and whether Bybit's rule is
    the account's; `wallets` is all dollars, the part behind cross positions, and how many balances are not dollars.
    """

    tiers_of: Mapping[Market, Tiers]
    bybit_rule: int = BYBIT_LINEAR_V2026
    accounts: dict[str, int] = field(default_factory=dict)
    as_of: list[int] = field(default_factory=list)
    rows: list[F8] = field(default_factory=list)
    wallets: list[tuple[float, float, float]] = field(default_factory=list)
    replaced: list[bool] = field(default_factory=list)
    markets: dict[Market, int] = field(default_factory=dict)
    mark: F8 = field(default_factory=lambda: np.empty(0))
    mark_ns: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    moved: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    flat: "Flat | None" = None
    older: int = 0
    """Records that came after a newer one of their account and were left aside."""


@dataclass(frozen=True, slots=True)
class Flat:
    """The rows of all accounts as arrays; `free` is the part of `wallet` behind cross positions."""

    starts: I8
    market: I8
    qty: F8
    entry: F8
    leverage: F8
    isolated_margin: F8
    rule: I8
    wallet: F8
    free: F8
    not_valued: I8
    tiers: TierTable


@dataclass(frozen=True, slots=True)
class Revalued:
    """Rows that are due. `account` (position rows) and the key of account rows are account numbers."""

    account: dict[str, Array]
    position: dict[str, Array]


def market(state: Positions, venue: str, symbol: str) -> int:
    """The number of a market, given on first sight."""
    at = state.markets.setdefault((venue, symbol), len(state.markets))
    if at == len(state.mark):
        state.mark = np.append(state.mark, np.nan)
        state.mark_ns = np.append(state.mark_ns, 0)
        state.moved = np.append(state.moved, False)
    return at


def replace(state: Positions, account: Account) -> bool:
    """Put a record in the place of the account's last one; False, and nothing changed, when it is older."""
    at = state.accounts.setdefault(account.account, len(state.accounts))
    if at == len(state.as_of):
        state.as_of.append(account.as_of)
        state.rows.append(np.empty((0, 6)))
        state.wallets.append((0.0, 0.0, 0.0))
        state.replaced.append(True)
    elif account.as_of < state.as_of[at]:
        state.older += 1
        return False
    rows = [
        (
            market(state, p.venue, p.symbol),
            p.qty_base,
            p.entry_price,
            p.leverage,
            np.nan if p.margin_mode == "cross" else p.isolated_margin,
            p.venue == "bybit-linear",
        )
        for p in account.positions
    ]
    state.as_of[at] = account.as_of
    state.rows[at] = np.array(rows, np.float64).reshape(-1, 6)
    state.wallets[at] = _wallets(account)
    state.replaced[at] = True
    state.flat = None
    return True


def move(state: Positions, markets: I8, prices: F8, event_ns: I8) -> None:
    """Take marks in order; one that is not a positive number, or older than the one in force, changes nothing."""
    for at, price, ns in zip(markets.tolist(), prices.tolist(), event_ns.tolist(), strict=True):
        if 0 < price < np.inf and ns >= state.mark_ns[at]:
            state.moved[at] |= price != state.mark[at]
            state.mark[at] = price
            state.mark_ns[at] = ns


def flatten(state: Positions) -> Flat:
    """The rows of all accounts as arrays, made again only after a record changed."""
    if state.flat is None:
        starts = np.zeros(len(state.rows) + 1, np.int64)
        np.cumsum(np.array([len(r) for r in state.rows], np.int64), out=starts[1:])
        rows = np.concatenate([np.empty((0, 6)), *state.rows])
        wallets = np.array(state.wallets, np.float64).reshape(-1, 3)
        state.flat = Flat(
            starts,
            rows[:, 0].astype(np.int64),
            rows[:, 1].copy(),
            rows[:, 2].copy(),
            rows[:, 3].copy(),
            rows[:, 4].copy(),
            np.where(rows[:, 5] > 0, state.bybit_rule, BINANCE_USDM).astype(np.int64),
            wallets[:, 0].copy(),
            wallets[:, 1].copy(),
            wallets[:, 2].astype(np.int64),
            table(list(state.markets), state.tiers_of),
        )
    return state.flat


def _wallets(record: Account) -> tuple[float, float, float]:
    total = sum((b.wallet for b in record.balances if b.asset in DOLLARS), 0.0)
    pool = next((settles_in(p.symbol) for p in record.positions if p.margin_mode == "cross"), None)
    aside = sum((p.isolated_margin or 0.0 for p in record.positions if settles_in(p.symbol) == pool), 0.0)
    free = sum((b.wallet for b in record.balances if b.asset == pool), 0.0) - aside
    return total, free, float(sum(b.asset not in DOLLARS for b in record.balances))


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


@njit(cache=True)
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


_out = msgspec.msgpack.Encoder().encode
_in = msgspec.msgpack.Decoder(tuple[list[str], list[Market], int, bytes]).decode


def freeze(state: Positions) -> bytes:
    """Accounts, positions and marks as packed arrays; tiers and rules are settings and stay outside."""
    rows = np.concatenate([np.empty((0, 6)), *state.rows])
    arrays = {
        "mark": state.mark,
        "mark_ns": state.mark_ns,
        "moved": state.moved,
        "as_of": np.array(state.as_of, np.int64),
        "size": np.array([len(r) for r in state.rows], np.int64),
        "market": rows[:, 0].astype(np.int32),
        "bybit": rows[:, 5].astype(np.bool_),
        "numbers": rows[:, 1:5],
        "wallets": np.array(state.wallets, np.float64).reshape(-1, 3),
        "replaced": np.array(state.replaced, np.bool_),
    }
    return _out((list(state.accounts), list(state.markets), state.older, pack(arrays)))


def thaw(data: bytes, tiers_of: Mapping[Market, Tiers], bybit_rule: int = BYBIT_LINEAR_V2026) -> Positions:
    """The state as it was frozen, on the settings of today."""
    accounts, markets, older, packed = _in(data)
    a = unpack(packed)
    rows = np.column_stack((a["market"], a["numbers"], a["bybit"])).astype(np.float64)
    ends = np.cumsum(np.asarray(a["size"], np.int64))[:-1]
    return Positions(
        tiers_of,
        bybit_rule,
        {name: i for i, name in enumerate(accounts)},
        np.asarray(a["as_of"], np.int64).tolist(),
        list(np.split(rows, ends)) if accounts else [],
        [(total, free, other) for total, free, other in np.asarray(a["wallets"], np.float64).tolist()],
        np.asarray(a["replaced"], np.bool_).tolist(),
        {name: i for i, name in enumerate(markets)},
        np.asarray(a["mark"], np.float64),
        np.asarray(a["mark_ns"], np.int64),
        np.asarray(a["moved"], np.bool_),
        None,
        older,
    )
