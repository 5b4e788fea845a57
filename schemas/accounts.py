"""Accounts: one record of the `accounts` topic, and the decoder that says what is wrong with a bad one.

A record is the whole account and replaces the one before it; no positions means that they are closed.
`wallet` is the venue's wallet balance of the asset: unrealised profit is not in it, isolated margin is.
"""

import math
from collections import Counter
from typing import Literal

import msgspec

MAX_BYTES = 1_000_000
MAX_POSITIONS = 2_000
MAX_NUMBER = 1e15
MAX_LEVERAGE = 1_000.0
MAX_NAME = 128
LAST_MS = 4_102_444_800_000
VENUES = frozenset({"binance-usdm", "bybit-linear"})
"""Venues whose margin rules are known; a position anywhere else would make every number of its account wrong."""

DOLLARS = ("FDUSD", "USDT", "USDC", "BUSD", "USD1", "USD")
"""Assets counted as one US dollar each."""


class Balance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the account holds of one asset; negative after a loss beyond its means."""

    asset: str
    wallet: float


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A one-way position; `qty_base` is signed, + long; `isolated_margin` is all margin put aside for it."""

    venue: str
    symbol: str
    qty_base: float
    entry_price: float
    leverage: float
    margin_mode: Literal["isolated", "cross"]
    isolated_margin: float | None = None


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account at `as_of`, milliseconds since 1970 UTC."""

    account: str
    as_of: int
    balances: list[Balance]
    positions: list[Position]


_decode = msgspec.json.Decoder(Account).decode


def settles_in(symbol: str) -> str:
    """The asset in which a linear contract settles; Bybit writes USDC contracts without naming it.

    >>> settles_in("BTCUSDT"), settles_in("BTCUSDT_260925"), settles_in("BTCUSDC"), settles_in("BTCPERP")
    ('USDT', 'USDT', 'USDC', 'USDC')
    """
    pair = symbol.replace("-", "_").split("_")[0]
    return next((asset for asset in DOLLARS if pair.endswith(asset)), "USDC")


def decode(data: bytes) -> Account | str:
    """The account, or in one line why the record cannot be used. Never raises.

    >>> decode(b'{"account":"a","as_of":1,"balances":[],"positions":[]}')
    Account(account='a', as_of=1, balances=[], positions=[])
    >>> decode(b'{"account":"a","as_of":1,"balances":[]}')
    'Object missing required field `positions`'
    """
    if len(data) > MAX_BYTES:
        return f"the record has {len(data)} bytes, more than {MAX_BYTES}"
    try:
        account = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return " ".join(str(error).split())[:300]
    return _reason(account) or account


def _reason(account: Account) -> str | None:
    name = _name("account", account.account)
    if name:
        return name
    if not 0 < account.as_of < LAST_MS:
        return f"as_of {account.as_of} is not a time in milliseconds since 1970"
    if len(account.positions) > MAX_POSITIONS:
        return f"{len(account.positions)} positions, more than {MAX_POSITIONS}"
    for balance in account.balances:
        reason = _name("asset", balance.asset) or _finite("wallet", balance.wallet)
        if reason:
            return f"balance {balance.asset[:MAX_NAME]!r}: {reason}"
    for position in account.positions:
        reason = _position_reason(position)
        if reason:
            return f"position {position.venue[:MAX_NAME]!r} {position.symbol[:MAX_NAME]!r}: {reason}"
    assets = Counter(b.asset for b in account.balances)
    twice = [asset for asset, n in assets.items() if n > 1]
    if twice:
        return f"balance {twice[0]!r} is given {assets[twice[0]]} times"
    markets = Counter((p.venue, p.symbol) for p in account.positions)
    doubled = [market for market, n in markets.items() if n > 1]
    if doubled:
        return f"position {doubled[0][0]!r} {doubled[0][1]!r} is given {markets[doubled[0]]} times"
    pools = sorted({(p.venue, settles_in(p.symbol)) for p in account.positions if p.margin_mode == "cross"})
    if len(pools) > 1:
        return f"cross positions share one wallet, but these need {len(pools)}: {pools[0]} and {pools[1]}"
    return None


def _position_reason(position: Position) -> str | None:
    if position.venue not in VENUES:
        return f"unknown venue; known are {', '.join(sorted(VENUES))}"
    reason = (
        _name("symbol", position.symbol)
        or _finite("qty_base", position.qty_base)
        or _finite("entry_price", position.entry_price)
        or _finite("leverage", position.leverage)
    )
    if reason:
        return reason
    if position.qty_base == 0:
        return "qty_base is 0; leave a closed position out"
    if position.entry_price <= 0:
        return f"entry_price {position.entry_price} is not positive"
    if not 0 < position.leverage <= MAX_LEVERAGE:
        return f"leverage {position.leverage} is not within (0, {MAX_LEVERAGE:g}]"
    margin = position.isolated_margin
    if position.margin_mode == "cross":
        return None if not margin else f"isolated_margin {margin} on a cross position"
    if margin is None:
        return "isolated_margin is missing on an isolated position"
    reason = _finite("isolated_margin", margin)
    return reason or (f"isolated_margin {margin} is negative" if margin < 0 else None)


def _finite(name: str, value: float) -> str | None:
    if not math.isfinite(value):
        return f"{name} is not finite"
    return f"{name} {value:g} is larger than {MAX_NUMBER:g}" if abs(value) > MAX_NUMBER else None


def _name(field: str, value: str) -> str | None:
    if not value or len(value) > MAX_NAME:
        return f"{field} must have 1 to {MAX_NAME} characters, not {len(value)}"
    return None if value.isprintable() and value == value.strip() else f"{field} {value!r} is not a plain name"
