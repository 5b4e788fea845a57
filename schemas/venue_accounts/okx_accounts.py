"""OKX v5: the channels `positions`, `account` and `balance_and_position`, and the answers of the same names and config.

`pos` counts contracts: what one is comes from the instrument. `cashBal` and the `margin` put aside for isolated
positions make the wallet: the venue's equity is balance, isolated margin and profits together. A snapshot in pages
begins with its first page and goes on with the others (`balance_and_position` numbers none, `streams` tells them by
their time); it is all there is of what its subscription names (`arg`). The
times of an answer are those of what changed last, which may be long ago: it holds for when it came. What is no
collateral (`collateralEnabled`) backs nothing in the modes in which all currencies back all positions; in others the
venue says that of every currency.
"""

from collections.abc import Callable
from math import isfinite

import msgspec

from schemas.venue_accounts.change import Change, Leg, Mode, every, none, number

Text = str | float | None
MULTI_CURRENCY, PORTFOLIO_MARGIN = "3", "4"
"""Account modes (`acctLv`) in which all currencies back all positions."""


class _Position(msgspec.Struct, rename="camel"):
    inst_id: str
    pos: Text
    pos_side: str = "net"
    mgn_mode: str = "cross"
    avg_px: Text = None
    lever: Text = None
    margin: Text = None
    inst_type: str = "SWAP"
    u_time: Text = None


class _Detail(msgspec.Struct, rename="camel"):
    ccy: str
    cash_bal: Text = None
    collateral_enabled: bool | None = None


class _Row(msgspec.Struct, rename="camel"):
    details: list[_Detail] | None = None
    bal_data: list[_Detail] | None = None
    pos_data: list[_Position] | None = None
    event_type: str = ""
    acct_lv: str = ""
    inst_id: str = ""
    u_time: Text = None
    p_time: Text = None


class _Arg(msgspec.Struct, rename="camel"):
    channel: str = ""
    inst_type: str = ""
    inst_family: str = ""
    inst_id: str = ""
    ccy: str = ""

    def names(self, leg: Leg) -> bool:
        """Whether a position is of those subscribed to."""
        return (
            self.inst_type in ("", "ANY", leg.product or "SWAP")
            and self.inst_id in ("", leg.symbol)
            and (not self.inst_family or leg.symbol.startswith(self.inst_family + "-"))
        )


class _Frame(msgspec.Struct, rename="camel"):
    arg: _Arg | None = None
    event: str = ""
    event_type: str = ""
    code: Text = "0"
    msg: str = ""
    cur_page: int = 1
    data: msgspec.Raw = msgspec.Raw()


def read(frame: bytes) -> Change | None:
    """What the frame says; None when nothing of an account. ValueError when it cannot be read."""
    it = msgspec.json.decode(frame, type=_Frame)
    if it.event:
        return None
    if number(it.code):
        raise ValueError(f"an error of OKX: {it.code} {it.msg}")
    if not bytes(it.data):
        return None
    rows = msgspec.json.decode(it.data, type=list[_Row])
    whole = it.arg is None or (it.event_type == "snapshot" and it.cur_page <= 1)
    timed = rows if it.arg is not None else []
    at_ms = max([_ms(r.p_time) or _ms(r.u_time) for r in timed], default=0)
    stream = "" if whole or it.arg is None else it.arg.channel
    if (it.arg is not None and it.arg.channel == "positions") or any(r.inst_id for r in rows):
        scope = none if not whole else every if it.arg is None else it.arg.names
        return _positions(msgspec.json.decode(it.data, type=list[_Position]), at_ms, stream, scope)
    if any(r.acct_lv for r in rows):
        level = rows[0].acct_lv
        unruled = "portfolio margin has no rules here" if level == PORTFOLIO_MARGIN else ""
        return Change(multi_assets=level in (MULTI_CURRENCY, PORTFOLIO_MARGIN), unruled=unruled)
    if any(r.pos_data is not None or r.bal_data is not None for r in rows):
        whole = all(r.event_type == "snapshot" for r in rows)
        stream = "" if whole or it.arg is None else it.arg.channel
        told = _positions([p for r in rows for p in r.pos_data or []], at_ms, stream, every if whole else none)
        wallets = _wallets([d for r in rows for d in r.bal_data or []])
        return msgspec.structs.replace(told, wallets=wallets, all_wallets=whole, piece=whole and it.arg is not None)
    if any(r.details is not None for r in rows):
        details = [d for r in rows for d in r.details or []]
        return Change(
            at_ms=at_ms,
            stream=stream,
            wallets=_wallets(details),
            backs={d.ccy: d.collateral_enabled is not False for d in details},
            all_wallets=whole and not (it.arg and it.arg.ccy),
        )
    return Change(all_legs=every) if it.arg is None and not rows else None


def _ms(time: Text) -> int:
    """A time in ms; 0 where it is none."""
    ms = number(time) or 0.0
    return int(ms) if isfinite(ms) else 0


def _wallets(details: list[_Detail]) -> dict[str, float]:
    return {d.ccy: number(d.cash_bal) or 0.0 for d in details}


def _positions(held: list[_Position], at_ms: int, stream: str, scope: Callable[[Leg], bool]) -> Change:
    return Change(at_ms=at_ms, stream=stream, legs=[_leg(p) for p in held], all_legs=scope)


def _leg(p: _Position) -> Leg:
    size = number(p.pos) or 0.0
    mode: Mode = "isolated" if p.mgn_mode == "isolated" else "cross"
    return Leg(
        symbol=p.inst_id,
        side="both" if p.pos_side == "net" else "long" if p.pos_side == "long" else "short",
        key=f"{p.pos_side} {p.mgn_mode}",
        quantity=-abs(size) if p.pos_side == "short" else size,
        entry_price=number(p.avg_px),
        leverage=number(p.lever),
        mode=mode,
        margin=number(p.margin),
        product=p.inst_type,
        unvalued="" if p.inst_type in ("SWAP", "FUTURES") else "only swaps and futures are valued",
    )
