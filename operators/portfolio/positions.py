"""Positions: the records of all accounts and the marks in force, as the arrays that are revalued.

The positions of account a are rows `starts[a]` to `starts[a + 1]`, so that an account is one run of memory, its sums
are taken in the order of its record, and no number depends on which other accounts a process holds. Its purses and
pools (`collateral`) are runs likewise.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.pack import pack, unpack
from operators.portfolio.assets import Assets
from operators.portfolio.collateral import Holdings, holdings
from operators.portfolio.crossing import BASE, CROSS, KIN, LEG, MARKET, PURSE, RULE, TIERS
from operators.portfolio.margin import BINANCE_USDM, BYBIT_LINEAR_V2024, BYBIT_LINEAR_V2026
from operators.portfolio.tiers import TierTable, by_size, of_market, table
from schemas.accounts import Account, Position
from schemas.brackets import Tiers
from schemas.instrument import Instrument
from schemas.settlement import Contract, contract

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]
Market = tuple[str, str]

_out = msgspec.msgpack.Encoder().encode
_record = msgspec.msgpack.Decoder(Account).decode
BYBIT_RULES = {"2024-09": BYBIT_LINEAR_V2024, "2026-05": BYBIT_LINEAR_V2026}
SIDES = ("both", "long", "short", "both isolated", "long isolated", "short isolated")
"""The last three where the same side of a market is held in both margin modes."""
TAKER_FEE = {"bybit-linear": 0.0006, "okx-swap": 0.0005}
"""What closing is charged within margins: ordinary users' rates, in answers that Bybit publishes and in OKX's list."""
FEE_IN_TIERS = frozenset({"okx-swap"})
"""Where it is charged at the mark, beside the rate of the tier (`tiers`), and not of the entry."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say that the numbers rest on besides records and marks."""

    tiers_of: Mapping[Market, Tiers] = field(default_factory=dict)
    bybit_rule: int = BYBIT_LINEAR_V2024
    instruments: Mapping[Market, Instrument] = field(default_factory=dict)
    haircuts: Mapping[str, float] = field(default_factory=dict)
    taker_fee: Mapping[str, float] = field(default_factory=lambda: TAKER_FEE)


@dataclass(frozen=True, slots=True)
class Held:
    """An account as rows: positions (`numbers`, `places` in the columns of `crossing`), purses and pools."""

    numbers: F8
    places: I8
    sides: I8
    purse_numbers: F8
    purse_places: I8
    pools: list[str]
    multi: list[bool]
    remarks: str
    lacking: int
    balances_unread: int


NOTHING = Held(
    np.empty((0, 5)),
    np.empty((0, 8), np.int64),
    np.empty(0, np.int64),
    np.empty((0, 5)),
    np.empty((0, 3), np.int64),
    [],
    [],
    "",
    0,
    0,
)


@dataclass(slots=True)
class Positions:
    """The state: accounts in the order in which the log first named them, markets likewise."""

    rules: Rules
    accounts: dict[str, int] = field(default_factory=dict)
    as_of: list[int] = field(default_factory=list)
    closed: list[bool] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    replaced: list[bool] = field(default_factory=list)
    markets: dict[Market, int] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)
    assets: Assets = field(default_factory=Assets)
    mark: F8 = field(default_factory=lambda: np.empty(0))
    mark_ns: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    moved: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    flat: "Flat | None" = None
    older: int = 0
    """Records that came after a newer one of their account and were left aside."""


@dataclass(frozen=True, slots=True)
class Flat:
    """The rows of all accounts as arrays."""

    starts: I8
    numbers: F8
    places: I8
    sides: I8
    purse_starts: I8
    purse_numbers: F8
    purse_places: I8
    pool_starts: I8
    multi: Flags
    pools: NDArray[np.object_]
    owner: I8
    tiers: TierTable

    @property
    def market(self) -> I8:
        """The market of each position."""
        return np.asarray(self.places[:, MARKET])


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
        state.records.append(b"")
        state.held.append(NOTHING)
        state.replaced.append(True)
        state.closed.append(False)
    elif account.as_of < state.as_of[at]:
        state.older += 1
        return False
    state.as_of[at], state.closed[at] = account.as_of, account.closed
    state.records[at] = _out(account)
    state.held[at] = _held(state, account)
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
        held = state.held
        starts, purse_starts, pool_starts = (
            _starts([len(h.numbers) for h in held]),
            _starts([len(h.purse_numbers) for h in held]),
            _starts([len(h.pools) for h in held]),
        )
        owner = np.repeat(np.arange(len(held)), np.diff(starts))
        places = np.concatenate([np.empty((0, 8), np.int64), *(h.places for h in held)])
        places[:, (LEG, KIN)] += starts[owner][:, None]
        places[:, PURSE] += purse_starts[owner]
        tiers = table(list(state.markets), state.rules.tiers_of, state.rules.taker_fee)
        places[:, TIERS] += tiers.first[places[:, MARKET]]
        purses = np.concatenate([np.empty((0, 3), np.int64), *(h.purse_places for h in held)])
        pooled = purses[:, 1] >= 0
        purses[pooled, 1] += np.repeat(pool_starts[:-1], np.diff(purse_starts))[pooled]
        state.flat = Flat(
            starts,
            np.concatenate([np.empty((0, 5)), *(h.numbers for h in held)]),
            places,
            np.concatenate([np.empty(0, np.int64), *(h.sides for h in held)]),
            purse_starts,
            np.concatenate([np.empty((0, 5)), *(h.purse_numbers for h in held)]),
            purses,
            pool_starts,
            np.array([m for h in held for m in h.multi], np.bool_),
            np.array([*(name for h in held for name in h.pools), ""], np.object_),
            owner,
            tiers,
        )
    return state.flat


def _starts(sizes: list[int]) -> I8:
    return np.concatenate(([0], np.cumsum(np.array(sizes, np.int64)))).astype(np.int64)


def _held(state: Positions, account: Account) -> Held:
    """A record as rows; positions whose contracts are not linear are left out, and said so."""
    remarks = list(account.left_out)
    taken = []
    contracts: dict[Market, Contract] = {}
    for p in account.positions:
        key = p.venue, p.symbol
        known = contracts.get(key)
        if known is None or p.settlement_asset:
            known = contract(*key, p.settlement_asset, state.rules.instruments)
        if known.kind != "linear":
            remarks.append(
                f"position {p.venue!r} {p.symbol!r}: only linear contracts are valued, this one is {known.kind}"
            )
            continue
        if not known.settles_in:
            remarks.append(
                f"position {p.venue!r} {p.symbol!r}: its settlement asset is not known; name it, or its instrument"
            )
        tiers = of_market(state.rules.tiers_of, key)
        if tiers is not None and tiers.by_contracts and _contract_size(state.rules, key) is None:
            remarks.append(
                f"position {p.venue!r} {p.symbol!r}: its tiers count contracts, whose size is not known; name its"
                " instrument"
            )
        contracts[key] = known
        taken.append(p)
    record = msgspec.structs.replace(account, positions=taken)
    own = holdings(record, contracts)
    lacking = len(account.left_out) + len(account.positions) - len(taken)
    return Held(
        *_rows(state, taken, own, contracts),
        [p.name for p in own.pools],
        [not p.asset for p in own.pools],
        "; ".join(remarks),
        lacking,
        account.balances_unread,
    )


def _contract_size(rules: Rules, key: Market) -> float | None:
    """What a contract of a market is, in its base; None where no instrument says it."""
    instrument = rules.instruments.get(key)
    return None if instrument is None else instrument.contract


def _rows(
    state: Positions, taken: list[Position], own: Holdings, contracts: Mapping[Market, Contract]
) -> tuple[F8, I8, I8, F8, I8]:
    rules = state.rules
    numbers = [
        (
            p.qty_base,
            p.entry_price,
            np.nan if p.leverage is None else p.leverage,
            np.nan if p.isolated_margin is None else p.isolated_margin,
            0.0 if p.venue in FEE_IN_TIERS else rules.taker_fee.get(p.venue, 0.0),
        )
        for p in taken
    ]
    places = np.zeros((len(taken), 8), np.int64)
    legs: dict[tuple[int, int], list[int]] = {}
    kin: dict[tuple[int, int], list[int]] = {}
    sides = []
    for i, p in enumerate(taken):
        at = market(state, p.venue, p.symbol)
        base = state.bases.setdefault(contracts[p.venue, p.symbol].base or f"{p.venue} {p.symbol}", len(state.bases))
        cross = p.margin_mode == "cross"
        pool = own.purses[own.purse_of[i]].pool if cross else -2 - i
        places[i, (MARKET, PURSE, LEG, KIN, CROSS, BASE)] = at, own.purse_of[i], i, i, cross, base
        places[i, RULE] = rules.bybit_rule if p.venue == "bybit-linear" else BINANCE_USDM
        legs.setdefault((pool, at), []).append(i)
        kin.setdefault((pool, base), []).append(i)
        sides.append(SIDES.index(p.position_side))
    for column, groups in ((LEG, legs), (KIN, kin)):
        for group in groups.values():
            if len(group) > 1:
                places[group, column] = np.roll(group, -1)
    for group in legs.values():
        key = taken[group[0]].venue, taken[group[0]].symbol
        tiers = of_market(rules.tiers_of, key)
        if tiers is not None and tiers.by_contracts:
            size = _contract_size(rules, key)
            held_contracts = None if size is None else sum(abs(taken[i].qty_base) for i in group) / size
            places[group, TIERS] = by_size(tiers, held_contracts)
    held = Counter((p.venue, p.symbol) for p in taken)
    for i, p in enumerate(taken):
        if sides[i] == 0 and held[p.venue, p.symbol] > 1:
            sides[i] = 1 if p.qty_base > 0 else 2
    same = Counter((p.venue, p.symbol, side) for p, side in zip(taken, sides, strict=True))
    for i, p in enumerate(taken):
        if p.margin_mode == "isolated" and same[p.venue, p.symbol, sides[i]] > 1:
            sides[i] += 3
    purse_numbers = [
        (u.wallet, u.free, u.bid_rate, u.ask_rate, 1.0 - rules.haircuts.get(u.asset, 0.0)) for u in own.purses
    ]
    purse_places = [
        (
            state.assets.number(u.asset, lambda v, s: market(state, v, s)),
            u.pool,
            state.bases.setdefault(u.asset, len(state.bases)),
        )
        for u in own.purses
    ]
    return (
        np.array(numbers, np.float64).reshape(-1, 5),
        places,
        np.array(sides, np.int64),
        np.array(purse_numbers, np.float64).reshape(-1, 5),
        np.array(purse_places, np.int64).reshape(-1, 3),
    )


class _Frozen(msgspec.Struct, array_like=True):
    records: list[bytes]
    markets: list[Market]
    older: int
    arrays: bytes


def freeze(state: Positions) -> bytes:
    """Records and marks; tiers, instruments and rules are settings and stay outside."""
    arrays = {
        "mark": state.mark,
        "mark_ns": state.mark_ns,
        "moved": state.moved,
        "replaced": np.array(state.replaced, np.bool_),
    }
    return _out(_Frozen(state.records, list(state.markets), state.older, pack(arrays)))


def thaw(data: bytes, rules: Rules) -> Positions:
    """The state as it was frozen, on the settings of today."""
    was = msgspec.msgpack.decode(data, type=_Frozen)
    a = unpack(was.arrays)
    state = Positions(rules)
    for key in was.markets:
        market(state, *key)
    for record in was.records:
        replace(state, _record(record))
    size = len(a["mark"])
    for held, name in ((state.mark, "mark"), (state.mark_ns, "mark_ns"), (state.moved, "moved")):
        held[:size] = a[name]
    state.replaced, state.older = np.asarray(a["replaced"], np.bool_).tolist(), was.older
    return state
