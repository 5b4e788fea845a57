"""Accounts: one record of the `accounts` topic, read so that what is usable of it is used and the rest is named.

A record is the whole account and replaces the one before it; no positions means that they are closed.
`wallet` is the venue's wallet balance of the asset: unrealised profit is not in it, isolated margin is.
A position or balance that cannot be used is left out and the record says so (`left_out`); flat rows and fields that are
not known here are passed over, as venues send both.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

import msgspec

MAX_BYTES = 1_000_000
MAX_POSITIONS = 2_000
MIN_NUMBER, MAX_NUMBER = 1e-15, 1e15
MIN_LEVERAGE, MAX_LEVERAGE = 0.01, 1_000.0
"""OKX's least, and more than any venue gives."""
MAX_NAME = 128
MAX_LEFT_OUT = 20
LAST_MS = 4_102_444_800_000
VENUES = frozenset({"binance-usdm", "bybit-linear", "okx-swap"})
"""Venues whose linear contracts can be valued; a position anywhere else is left out, and its account says so."""

DOLLARS = ("FDUSD", "USDT", "USDC", "BUSD", "USD1", "USD", "BNFCR")
"""Assets counted as one US dollar each; BNFCR are the credits of Binance's EU accounts."""
CREDITS = "BNFCR"


class Balance(msgspec.Struct, frozen=True):
    """What the account holds of one asset; negative after a loss beyond its means.

    `venue` may be left out where all positions are at one. `bid_rate` and `ask_rate` are US dollars that the venue
    counts one unit for as collateral, of a positive and of a negative balance (Binance: `GET /fapi/v1/assetIndex`);
    where a record names the lower one as ask, each is taken for the other.
    """

    asset: str
    wallet: float
    venue: str = ""
    bid_rate: float | None = None
    ask_rate: float | None = None


class Position(msgspec.Struct, frozen=True):
    """A position; `qty_base` is signed, + long; `isolated_margin` is all margin put aside for it, profit not in it.

    `position_side` need only be given where both legs of a market are held (hedge mode), and even there the sign
    tells them apart. `settlement_asset` need only be given where no instrument says it.
    """

    venue: str
    symbol: str
    qty_base: float
    entry_price: float
    leverage: float | None
    margin_mode: Literal["isolated", "cross"]
    isolated_margin: float | None = None
    position_side: Literal["both", "long", "short"] = "both"
    settlement_asset: str = ""


class Account(msgspec.Struct, frozen=True):
    """An account at `as_of`, milliseconds since 1970 UTC.

    `multi_assets`: whether all assets back the cross positions together, everywhere or by venue; not given: as the
    venue does by default.
    `closed`: the account is no more. `left_out`: what of the record was not used, and why; `balances_unread`: how many
    balances are among it, without which no equity is known.
    """

    account: str
    as_of: int
    balances: list[Balance]
    positions: list[Position]
    multi_assets: bool | dict[str, bool] | None = None
    closed: bool = False
    left_out: list[str] = []
    balances_unread: int = 0


class _Written(msgspec.Struct):
    """A record as it is written, its parts not yet read."""

    account: str
    as_of: int
    balances: list[msgspec.Raw]
    positions: list[msgspec.Raw]
    multi_assets: bool | dict[str, bool] | None = None


class _Closed(msgspec.Struct):
    account: str
    as_of: int
    closed: bool = False


_written = msgspec.json.Decoder(_Written).decode
_closed = msgspec.json.Decoder(_Closed).decode
_balance = msgspec.json.Decoder(Balance).decode
_position = msgspec.json.Decoder(Position).decode
Part = TypeVar("Part", Balance, Position)
_OF_ONE_KEPT = ("leverage ", "isolated_margin ", "given twice")
"""What is said of a position that is kept."""
_NAMELESS = re.compile(r"position [0-9]+: |and [0-9]+ more$")


def decode(data: bytes) -> Account | str:
    """The account, or in one line why nothing of the record can be used. Never raises.

    >>> decode(b'{"account":"a","as_of":1760000000000,"balances":[{"asset":"USDT"}],"positions":[]}').left_out
    ['balance 1: Object missing required field `wallet`']
    >>> decode(b'{"account":"a","as_of":1760000000000,"balances":[]}')
    'Object missing required field `positions`'
    """
    if len(data) > MAX_BYTES:
        return f"the record has {len(data)} bytes, more than {MAX_BYTES}"
    try:
        head = _closed(data)
        written = _Written(head.account, head.as_of, [], []) if head.closed else _written(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return one_line(error)
    reason = _name("account", head.account)
    if reason:
        return reason
    if not 0 < head.as_of < LAST_MS or _unit(head.as_of):
        return f"as_of {head.as_of} is not a time in milliseconds since 1970{_unit(head.as_of)}"
    if len(written.positions) > MAX_POSITIONS:
        return f"{len(written.positions)} positions, more than {MAX_POSITIONS}"
    left_out: list[str] = []
    balances = _parts("balance", written.balances, _balance, left_out)
    unread = len(left_out)
    positions = _parts("position", written.positions, _position, left_out)
    return checked(
        Account(
            head.account, head.as_of, balances, positions, written.multi_assets, head.closed, balances_unread=unread
        ),
        left_out,
    )


def _unit(time: int) -> str:
    """The unit that a time seems to be in, where that is told by its size.

    >>> _unit(1_760_000_000), _unit(1_760_000_000_000_000), _unit(1_760_000_000_000)
    (' (seconds?)', ' (microseconds?)', '')
    """
    units = {10**9: "seconds", 10**15: "microseconds", 10**18: "nanoseconds"}
    return next((f" ({unit}?)" for first, unit in units.items() if first <= time < 10 * first), "")


def removed(account: str, as_of: int) -> Account | str:
    """What a record without a value says (Kafka's tombstone): the account of its key is no more.

    >>> removed("", 1)
    'a record without a value must have an account as its key'
    """
    if _name("account", account):
        return "a record without a value must have an account as its key"
    return Account(account, as_of, [], [], closed=True)


def checked(account: Account, left_out: list[str]) -> Account:
    """The account with what cannot be used left out, named after what `left_out` names already."""
    balances: dict[tuple[str, str], Balance] = {}
    unread = account.balances_unread
    for balance in account.balances:
        reason = _balance_reason(balance)
        if not reason and balances.setdefault((balance.venue, balance.asset), balance) != balance:
            reason = "given twice, and not the same"
        if reason:
            unread += 1
            left_out.append(f"balance {balance.asset[:MAX_NAME]!r}: {reason}")
    positions: dict[tuple[str, str, str, bool], Position] = {}
    for position in account.positions:
        if position.qty_base == 0:
            continue
        key = position.venue, position.symbol, position.margin_mode, position.qty_base > 0
        name = f"position {position.venue[:MAX_NAME]!r} {position.symbol[:MAX_NAME]!r}"
        reason = _position_reason(position) or ("given twice" if key in positions else None)
        if reason:
            left_out.append(f"{name}: {reason}")
            continue
        known, notes = _known(position)
        left_out += [f"{name}: {note}" for note in notes]
        positions[key] = known
    if len(left_out) > MAX_LEFT_OUT:
        left_out = [*left_out[:MAX_LEFT_OUT], f"and {len(left_out) - MAX_LEFT_OUT} more"]
    return Account(
        account.account,
        account.as_of,
        list(balances.values()),
        list(positions.values()),
        account.multi_assets,
        account.closed,
        left_out,
        unread,
    )


def unreadable(left_out: Iterable[str], venue: str, symbol: str) -> bool:
    """Whether a position may be among what was left out of a record: by its name, or where no name could be read.

    >>> unreadable(["position 2: Expected `float`, got `str` - at `$.qty_base`"], "okx-swap", "BTC-USDT-SWAP")
    True
    >>> unreadable(["position 'okx-swap' 'ETH-USDT-SWAP': qty_base is not finite"], "okx-swap", "BTC-USDT-SWAP")
    False
    >>> unreadable(["position 'okx-swap' 'BTC-USDT-SWAP': leverage 0 is not"], "okx-swap", "BTC-USDT-SWAP")
    False
    """
    named = f"position {venue!r} {symbol!r}: "
    reasons = (text.removeprefix(named) for text in left_out if text.startswith(named))
    return any(not r.startswith(_OF_ONE_KEPT) for r in reasons) or any(map(_NAMELESS.match, left_out))


def one_line(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())[:300]


def _parts(kind: str, raw: list[msgspec.Raw], read: Callable[[msgspec.Raw], Part], left_out: list[str]) -> list[Part]:
    parts = []
    for number, text in enumerate(raw, 1):
        try:
            parts.append(read(text))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            left_out.append(f"{kind} {number}: {one_line(error)}")
    return parts


def _balance_reason(balance: Balance) -> str | None:
    reason = _name("asset", balance.asset) or _finite("wallet", balance.wallet)
    for name, rate in (("bid_rate", balance.bid_rate), ("ask_rate", balance.ask_rate)):
        if rate is not None and reason is None:
            reason = _finite(name, rate) or (f"{name} {rate:g} is negative" if rate < 0 else None)
    return reason


def _position_reason(position: Position) -> str | None:
    if position.venue not in VENUES:
        return f"unknown venue; known are {', '.join(sorted(VENUES))}"
    reason = (
        _name("symbol", position.symbol)
        or _finite("qty_base", position.qty_base)
        or _finite("entry_price", position.entry_price)
    )
    if reason:
        return reason
    if position.entry_price <= 0:
        return f"entry_price {position.entry_price} is not positive"
    for name, value in (("qty_base", position.qty_base), ("entry_price", position.entry_price)):
        if abs(value) < MIN_NUMBER:
            return f"{name} {value:g} is smaller than {MIN_NUMBER:g}"
    if position.position_side != "both" and (position.position_side == "long") != (position.qty_base > 0):
        return f"qty_base {position.qty_base:g} of a position on the {position.position_side} side"
    return None


def _known(position: Position) -> tuple[Position, list[str]]:
    """The position with a leverage or margin that cannot be true taken as not known, and what was wrong."""
    leverage, margin, notes = position.leverage, position.isolated_margin, []
    if leverage is not None and not MIN_LEVERAGE <= leverage <= MAX_LEVERAGE:
        notes.append(f"leverage {leverage:g} is not within [{MIN_LEVERAGE:g}, {MAX_LEVERAGE:g}]")
        leverage = None
    if position.margin_mode == "cross":
        if margin:
            notes.append(f"isolated_margin {margin:g} on a cross position")
        margin = None
    elif margin is None:
        notes.append("isolated_margin is missing on an isolated position")
    elif not 0 <= margin <= MAX_NUMBER:
        notes.append(f"isolated_margin {margin:g} is not within [0, {MAX_NUMBER:g}]")
        margin = None
    return msgspec.structs.replace(position, leverage=leverage, isolated_margin=margin), notes


def _finite(name: str, value: float) -> str | None:
    if not math.isfinite(value):
        return f"{name} is not finite"
    return f"{name} {value:g} is larger than {MAX_NUMBER:g}" if abs(value) > MAX_NUMBER else None


def _name(field: str, value: str) -> str | None:
    if not value or len(value) > MAX_NAME:
        return f"{field} must have 1 to {MAX_NAME} characters, not {len(value)}"
    return None if value.isprintable() and value == value.strip() else f"{field} {value!r} is not a plain name"
