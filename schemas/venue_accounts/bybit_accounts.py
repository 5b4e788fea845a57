"""Bybit v5: the topics `position` and `wallet`, and the answers position/list, wallet-balance and account/info.

`positionBalance` is taken as the margin put aside for an isolated position, `positionIM` where it is not told or 0, as
the venue advises since it gave it up. Contracts that are not linear are left out. USDC contracts are settled every few
hours: their profit goes into the wallet and counts anew from `sessionAvgPrice`. An answer names its category, and is
all there is of that one. A wallet is `walletBalance` less `spotBorrow`, as the venue counts equity (wallet-balance:
equity = walletBalance - spotBorrow + unrealisedPnl + option value); what is no collateral (`marginCollateral`,
`collateralSwitch`) backs nothing. Beside a unified account, the wallets of the classic ones do not count.
"""

import msgspec

from schemas.venue_accounts.change import Change, Leg, Mode, none, number

Text = str | float | None
_MODES: dict[str, Mode] = {"ISOLATED_MARGIN": "isolated", "REGULAR_MARGIN": "cross"}


class _Position(msgspec.Struct, rename="camel"):
    symbol: str
    side: str
    size: Text
    category: str = ""
    entry_price: Text = None
    avg_price: Text = None
    session_avg_price: Text = None
    leverage: Text = None
    trade_mode: int | None = None
    position_balance: Text = None
    initial_margin: Text = msgspec.field(name="positionIM", default=None)
    position_idx: int = 0


class _Coin(msgspec.Struct, rename="camel"):
    coin: str
    wallet_balance: Text = None
    spot_borrow: Text = None
    margin_collateral: bool = True
    collateral_switch: bool = True


class _Wallet(msgspec.Struct, rename="camel"):
    account_type: str = ""
    coin: list[_Coin] = []


class _Result(msgspec.Struct, rename="camel"):
    list: msgspec.Raw = msgspec.Raw()
    category: str = ""
    margin_mode: str = ""


class _Frame(msgspec.Struct, rename="camel"):
    ret_code: int = 0
    ret_msg: str = ""
    topic: str = ""
    creation_time: int = 0
    data: msgspec.Raw = msgspec.Raw()
    result: _Result | None = None
    time: int = 0


def read(frame: bytes) -> Change | None:
    """What the frame says; None when nothing of an account. ValueError when it cannot be read."""
    it = msgspec.json.decode(frame, type=_Frame)
    if it.ret_code:
        raise ValueError(f"an error of Bybit: {it.ret_code} {it.ret_msg}")
    if it.topic.partition(".")[0] == "position" and bytes(it.data):
        return _positions(it.data, it.topic.partition(".")[2], it.creation_time, whole=False)
    if it.topic == "wallet" and bytes(it.data):
        return _wallets(it.data, it.creation_time, it.topic)
    if it.result is None:
        return None
    if it.result.margin_mode:
        mode = _MODES.get(it.result.margin_mode)
        unruled = "" if mode else f"margin mode {it.result.margin_mode} has no rules here"
        return Change(at_ms=it.time, mode=mode, unruled=unruled)
    if not bytes(it.result.list):
        return None
    if b'"coin"' in bytes(it.result.list):
        return _wallets(it.result.list, it.time)
    if not it.result.category:
        raise ValueError("a list without a category, which is none of positions and none of wallets")
    return _positions(it.result.list, it.result.category, it.time, whole=True)


def _positions(rows: msgspec.Raw, category: str, at_ms: int, *, whole: bool) -> Change:
    held = msgspec.json.decode(rows, type=list[_Position])
    asked = category or "linear"
    return Change(
        at_ms=at_ms,
        stream="" if whole else "position",
        legs=[_leg(p, p.category or asked) for p in held],
        all_legs=(lambda leg: (leg.product or "linear") == asked) if whole else none,
    )


def _leg(p: _Position, category: str) -> Leg:
    size = number(p.size) or 0.0
    mode: Mode | None = "isolated" if p.trade_mode == 1 else None
    entry = number(p.entry_price if p.entry_price is not None else p.avg_price)
    return Leg(
        symbol=p.symbol,
        side=("both", "long", "short")[p.position_idx],
        key=str(p.position_idx),
        quantity=-size if p.side == "Sell" else size,
        entry_price=number(p.session_avg_price) or entry,
        leverage=number(p.leverage),
        mode=mode,
        margin=number(p.position_balance) or number(p.initial_margin),
        product=category,
        unvalued="" if category == "linear" else f"only linear contracts are valued, this one is {category}",
    )


def _wallets(rows: msgspec.Raw, at_ms: int, stream: str = "") -> Change:
    accounts = msgspec.json.decode(rows, type=list[_Wallet])
    unified = [a for a in accounts if a.account_type == "UNIFIED"]
    coins = [c for a in unified or accounts for c in a.coin]
    return Change(
        at_ms=at_ms,
        stream=stream,
        wallets={c.coin: (number(c.wallet_balance) or 0.0) - (number(c.spot_borrow) or 0.0) for c in coins},
        backs={c.coin: c.margin_collateral and c.collateral_switch for c in coins},
        all_wallets=not stream,
        multi_assets=bool(unified) if accounts else None,
        classic=bool(accounts) and not unified,
    )
