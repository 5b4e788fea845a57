"""Collateral: the purses of an account, one an asset and venue, and the pools that they make behind its positions.

In single-asset mode a pool is one purse: profit and loss of the cross positions that settle in its asset meet nothing
else. In multi-assets mode (Bybit's unified account, Binance by choice or in credits mode) all purses of a venue are one
pool, counted in US dollars: `min(E bid, E ask)` each, E the purse's wallet and profit.
Source: Binance FAQ c983a926, "How to Calculate Margin in Multi-Assets Mode"; Bybit help centre, unified account.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from schemas.accounts import CREDITS, Account
from schemas.settlement import Contract

UNIFIED = frozenset({"bybit-linear"})
"""Venues whose accounts pool all assets unless the record says otherwise."""
NO_POOL = -1


@dataclass(slots=True)
class Purse:
    """All that an account holds of one asset at one venue; `free` is the part that is not isolated margin.

    `free` is NaN where it is not known how much of the asset is at this venue. Rates are NaN where the record names
    none; `pool` numbers the pools of the account, -1: none.
    """

    venue: str
    asset: str
    wallet: float = 0.0
    free: float = 0.0
    bid_rate: float = np.nan
    ask_rate: float = np.nan
    pool: int = NO_POOL


@dataclass(frozen=True, slots=True)
class Pool:
    """What stands behind cross positions together; `asset` is "" when all assets do."""

    venue: str
    asset: str

    @property
    def name(self) -> str:
        """Venue, margin mode and margin asset, as rows name it."""
        return f"{self.venue}/cross/{self.asset or 'multi-assets'}"


@dataclass(frozen=True, slots=True)
class Holdings:
    """The purses and pools of an account, and the purse of each position."""

    purses: list[Purse]
    pools: list[Pool]
    purse_of: list[int]


def holdings(account: Account, contracts: Mapping[tuple[str, str], Contract]) -> Holdings:
    """The purses, a balance each and one for each further asset that a position settles in.

    Balances that name no venue lie where the cross positions are; with these at several venues it is not known how
    much is where, and no more is known of a pool when a balance of the record could not be read.
    """
    crossed = list(dict.fromkeys(p.venue for p in account.positions if p.margin_mode == "cross"))
    home = next(iter([*crossed, *(p.venue for p in account.positions)]), "")
    named = any(b.venue for b in account.balances)
    at: dict[tuple[str, str], Purse] = {}
    for b in account.balances:
        purse = at.setdefault((b.venue or home, b.asset), Purse(b.venue or home, b.asset))
        purse.wallet += b.wallet
        purse.free += b.wallet
        purse.bid_rate = np.nan if b.bid_rate is None else b.bid_rate
        purse.ask_rate = np.nan if b.ask_rate is None else b.ask_rate
    purse_of = []
    for p in account.positions:
        cross = p.margin_mode == "cross"
        key = p.venue if named or cross else home, contracts[p.venue, p.symbol].settles_in
        purse = at.setdefault(key, Purse(*key))
        purse_of.append(list(at).index(key))
        if not cross:
            purse.free -= p.isolated_margin or 0.0
    if account.balances_unread or (len(crossed) > 1 and any(not b.venue for b in account.balances)):
        for purse in at.values():
            purse.free = np.nan
            purse.wallet = np.nan if account.balances_unread else purse.wallet
    pools: dict[Pool, int] = {}
    multi = {venue: _multi(account, venue, contracts) for venue in {venue for venue, _ in at}}
    for (venue, asset), purse in at.items():
        if asset:
            purse.pool = pools.setdefault(Pool(venue, "" if multi[venue] else asset), len(pools))
    return Holdings(list(at.values()), list(pools), purse_of)


def _multi(account: Account, venue: str, contracts: Mapping[tuple[str, str], Contract]) -> bool:
    """Whether all assets at the venue back its cross positions together.

    A balance of Binance's credits says so whatever the record does: they are no single-asset mode. Where neither the
    record nor the venue says, a cross position whose margin asset the account does not hold at all tells of it.
    """
    held = {b.asset for b in account.balances if b.venue in ("", venue)}
    if CREDITS in held:
        return True
    told = account.multi_assets.get(venue) if isinstance(account.multi_assets, dict) else account.multi_assets
    if told is not None:
        return told
    if venue in UNIFIED:
        return True
    needed = {
        contracts[p.venue, p.symbol].settles_in
        for p in account.positions
        if p.venue == venue and p.margin_mode == "cross"
    }
    return bool(held) and not needed - {""} <= held
