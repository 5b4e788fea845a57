"""Positions: the records of all accounts and the marks in force, as the arrays that are revalued.

The positions of account a are rows `starts[a]` to `starts[a + 1]`, so that an account is one run of memory, its sums
are taken in the order of its record, and no number depends on which other accounts a process holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.pack import pack, unpack
from operators.portfolio.margin import BINANCE_USDM, BYBIT_LINEAR_V2024, BYBIT_LINEAR_V2026
from operators.portfolio.tiers import TierTable, table
from schemas.accounts import DOLLARS, Account, settles_in
from schemas.brackets import Tiers

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]
Market = tuple[str, str]

BYBIT_RULES = {"2024-09": BYBIT_LINEAR_V2024, "2026-05": BYBIT_LINEAR_V2026}


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
