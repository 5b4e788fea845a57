"""Binance USD-M: `ACCOUNT_UPDATE` and `ACCOUNT_CONFIG_UPDATE`, account, balance and positionRisk (v2, v3), asset index.

`isolatedWallet` is the margin put aside; where only `isolatedMargin` is told, the profit in it is taken out. An account
(v3) names no price of entry: it is (notional - profit) / size. Portfolio margin (`fs` in its frames) has no rules here,
and what it tells of COIN-M is left out. What is no margin in multi-assets mode (`marginAvailable`) backs nothing
there. Answers may come over a websocket (`status` and `result`).
"""

from math import copysign

import msgspec

from schemas.venue_accounts.change import Change, Leg, Mode, every, none, number

Text = str | float | None


class _Wallet(msgspec.Struct):
    a: str
    wb: Text


class _Held(msgspec.Struct):
    s: str
    pa: Text
    ep: Text = None
    mt: str = ""
    iw: Text = None
    ps: str = "BOTH"


class _Update(msgspec.Struct):
    wallets: list[_Wallet] = msgspec.field(name="B", default=[])
    held: list[_Held] = msgspec.field(name="P", default=[])


class _Leverage(msgspec.Struct):
    s: str
    l: Text  # noqa: E741


class _Assets(msgspec.Struct):
    j: bool


class _Position(msgspec.Struct, rename="camel"):
    symbol: str
    position_amt: Text
    entry_price: Text = None
    leverage: Text = None
    isolated: bool | None = None
    margin_type: str = ""
    isolated_wallet: Text = None
    isolated_margin: Text = None
    unrealized_profit: Text = None
    un_realized_profit: Text = None
    notional: Text = None
    position_initial_margin: Text = None
    position_side: str = "BOTH"
    margin_asset: str = ""


class _Asset(msgspec.Struct, rename="camel"):
    asset: str
    wallet_balance: Text = None
    balance: Text = None
    margin_available: bool | None = None


class _Frame(msgspec.Struct):
    event: str = msgspec.field(name="e", default="")
    event_ms: int = msgspec.field(name="E", default=0)
    transaction_ms: int = msgspec.field(name="T", default=0)
    side: str = msgspec.field(name="fs", default="")
    update: _Update | None = msgspec.field(name="a", default=None)
    leverage: _Leverage | None = msgspec.field(name="ac", default=None)
    mode: _Assets | None = msgspec.field(name="ai", default=None)
    assets: list[_Asset] | None = None
    positions: list[_Position] | None = None
    multi_assets: bool | None = msgspec.field(name="multiAssetsMargin", default=None)
    data: msgspec.Raw = msgspec.Raw()
    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    bid_rate: Text = msgspec.field(name="bidRate", default=None)
    code: int = 0
    msg: str = ""


class _Row(msgspec.Struct, rename="camel"):
    symbol: str = ""
    asset: str = ""
    position_amt: Text = None
    bid_rate: Text = None
    ask_rate: Text = None


_SIDES = {"BOTH": "both", "LONG": "long", "SHORT": "short"}


def read(frame: bytes) -> Change | None:
    """What the frame says; None when nothing of an account. ValueError when it cannot be read."""
    if frame.lstrip()[:1] == b"[":
        return _rows(frame)
    it = msgspec.json.decode(frame, type=_Frame)
    if inner := bytes(it.data) or (it.status and (bytes(it.error) or bytes(it.result))):
        return read(inner)
    if it.bid_rate is not None:
        return _rows(b"[" + frame + b"]")
    if it.event == "ACCOUNT_UPDATE" and it.update is not None:
        wallets = {w.a: number(w.wb) or 0.0 for w in it.update.wallets}
        legs = [_leg(_told(p)) for p in it.update.held]
        unruled = "portfolio margin has no rules here" if it.side else ""
        at_ms = it.transaction_ms or it.event_ms
        if it.side == "CM":
            return Change(at_ms=at_ms, unruled=unruled)
        return Change(at_ms=at_ms, stream=it.event, wallets=wallets, legs=legs, unruled=unruled)
    if it.event == "ACCOUNT_CONFIG_UPDATE":
        at_ms = it.transaction_ms or it.event_ms
        if it.leverage is not None:
            return Change(at_ms=at_ms, stream=it.event, leverages={it.leverage.s: number(it.leverage.l) or 0.0})
        return None if it.mode is None else Change(at_ms=at_ms, multi_assets=it.mode.j)
    if it.code < 0:
        raise ValueError(f"an error of Binance: {it.code} {it.msg}")
    if it.event or (it.assets is None and it.positions is None and it.multi_assets is None):
        return None
    return Change(
        wallets=_wallets(it.assets or []),
        backs=_backs(it.assets or []),
        legs=[_leg(p) for p in it.positions or []],
        multi_assets=it.multi_assets,
        all_wallets=it.assets is not None,
        all_legs=every if it.positions is not None else none,
    )


def _rows(frame: bytes) -> Change | None:
    rows = msgspec.json.decode(frame, type=list[_Row])
    if any(r.bid_rate is not None for r in rows):
        rates = {r.symbol.removesuffix("USD"): (number(r.bid_rate), number(r.ask_rate)) for r in rows}
        return Change(rates={a: (bid, ask) for a, (bid, ask) in rates.items() if bid is not None and ask is not None})
    if any(r.asset for r in rows):
        assets = msgspec.json.decode(frame, type=list[_Asset])
        return Change(wallets=_wallets(assets), backs=_backs(assets), all_wallets=True)
    positions = msgspec.json.decode(frame, type=list[_Position])
    return Change(legs=[_leg(p) for p in positions], all_legs=every)


def _wallets(assets: list[_Asset]) -> dict[str, float]:
    for a in assets:
        if a.wallet_balance is None and a.balance is None:
            raise ValueError(f"{a.asset} has neither walletBalance nor balance")
    told = {a.asset: number(a.wallet_balance if a.wallet_balance is not None else a.balance) for a in assets}
    return {asset: wallet for asset, wallet in told.items() if wallet}


def _backs(assets: list[_Asset]) -> dict[str, bool]:
    return {a.asset: a.margin_available for a in assets if a.margin_available is not None}


def _told(p: _Held) -> _Position:
    return _Position(p.s, p.pa, p.ep, margin_type=p.mt, isolated_wallet=p.iw, position_side=p.ps)


def _leg(p: _Position) -> Leg:
    wallet, with_profit = number(p.isolated_wallet), number(p.isolated_margin)
    profit = number(p.unrealized_profit if p.unrealized_profit is not None else p.un_realized_profit)
    if wallet is None and with_profit:
        wallet = with_profit - (profit or 0.0)
    isolated = p.isolated if p.isolated is not None else p.margin_type.lower() == "isolated" if p.margin_type else None
    if isolated is None:
        isolated = bool(wallet)
    leverage, initial, notional = number(p.leverage), number(p.position_initial_margin), number(p.notional)
    if leverage is None and initial and notional:
        leverage = round(abs(notional) / initial, 6)
    mode: Mode = "isolated" if isolated else "cross"
    quantity, entry = number(p.position_amt) or 0.0, number(p.entry_price)
    if entry is None and quantity and notional and profit is not None:
        entry = (copysign(notional, quantity) - profit) / quantity
    return Leg(
        symbol=p.symbol,
        side=_SIDES[p.position_side],  # type: ignore[arg-type]
        key=p.position_side,
        quantity=quantity,
        entry_price=entry,
        leverage=leverage,
        mode=mode,
        margin=wallet if isolated else None,
        settles_in=p.margin_asset,
    )
