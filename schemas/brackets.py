"""Brackets: a venue's maintenance-margin tiers as arrays, imported from its own JSON and checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tiers:
    """The tiers of one contract, ascending. `cum` is the deduction that makes maintenance continuous in notional.

    Maintenance of notional N in tier i is `mmr[i] * N - cum[i]`. The last tier is taken to hold beyond its cap too.
    `by_contracts` (OKX): tiers are of the size in contracts, whatever its price, and one rate holds for all of it.
    """

    floor: F8
    cap: F8
    mmr: F8
    cum: F8
    max_leverage: F8
    by_contracts: bool = False


def deductions(floor: F8, mmr: F8) -> F8:
    """`cum_n = floor_n (mmr_n - mmr_(n-1)) + cum_(n-1)`, from 0.

    Source: Binance, "Leverage and Margin of USD-M Futures".

    >>> deductions(np.array([0.0, 50_000, 250_000]), np.array([0.004, 0.005, 0.01])).tolist()
    [0.0, 50.0, 1300.0]
    """
    return np.concatenate(([0.0], np.cumsum(floor[1:] * np.diff(mmr))))


class _BinanceInfo(msgspec.Struct, rename="camel"):
    bracket: int
    initial_leverage: float
    notional_cap: float
    notional_floor: float
    maint_margin_ratio: float
    cum: float


class _BinanceSymbol(msgspec.Struct):
    symbol: str
    brackets: list[_BinanceInfo]


class _UnifiedTier(msgspec.Struct):
    info: _BinanceInfo


class _BybitTier(msgspec.Struct, rename="camel"):
    symbol: str
    risk_limit_value: float
    maintenance_margin: float
    initial_margin: float
    max_leverage: float
    mm_deduction: str | float = ""


class _BybitList(msgspec.Struct):
    list: list[_BybitTier]


class _BybitReply(msgspec.Struct, rename="camel"):
    result: _BybitList
    ret_code: int = 0
    ret_msg: str = ""


class _OkxTier(msgspec.Struct, rename="camel"):
    min_sz: float
    max_sz: float
    mmr: float
    max_lever: float
    inst_id: str = ""
    inst_family: str = ""
    uly: str = ""


class _OkxReply(msgspec.Struct):
    code: str
    msg: str = ""
    data: list[_OkxTier] = []


_okx = msgspec.json.Decoder(_OkxReply, strict=False)


def binance(data: bytes) -> dict[str, Tiers]:
    """Tiers by symbol from `GET /fapi/v1/leverageBracket`, or from the same keyed by unified symbol (`BTC/USDT:USDT`).

    Asked for one symbol, the venue may answer with it alone, in no list; files by unified symbol may write numbers as
    text. ValueError says which contract is wrong and how.
    """
    by_symbol: Mapping[str, Sequence[_BinanceInfo]]
    try:
        alone = data.lstrip()[:1] == b"{" and "symbol" in msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        if alone or data.lstrip()[:1] == b"[":
            rows = msgspec.json.decode(b"[" + data + b"]" if alone else data, type=list[_BinanceSymbol], strict=False)
            by_symbol = {r.symbol: r.brackets for r in rows}
        else:
            unified = msgspec.json.decode(data, type=dict[str, list[_UnifiedTier]], strict=False)
            by_symbol = {_native(s): [t.info for t in tiers] for s, tiers in unified.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a leverage bracket file of Binance: {error}") from None
    return {
        symbol: _tiers(
            symbol,
            [t.notional_floor for t in tiers],
            [t.notional_cap for t in tiers],
            [t.maint_margin_ratio for t in tiers],
            [t.initial_leverage for t in tiers],
            [t.cum for t in tiers],
        )
        for symbol, tiers in by_symbol.items()
    }


def bybit(data: bytes) -> dict[str, Tiers]:
    """Tiers by symbol from `GET /v5/market/risk-limit` (all pages of a symbol in one list).

    The rates come as fractions or in per cent, told apart by `initialMargin * maxLeverage`, which is 1 or 100.
    ValueError says which contract is wrong and how.
    """
    try:
        reply = msgspec.json.decode(data, type=_BybitReply, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a risk limit file of Bybit: {error}") from None
    if reply.ret_code:
        raise ValueError(f"not risk limits but an error of Bybit: {reply.ret_code} {reply.ret_msg}")
    by_symbol: dict[str, list[_BybitTier]] = {}
    for row in reply.result.list:
        by_symbol.setdefault(row.symbol, []).append(row)
    result = {}
    for symbol, tiers in by_symbol.items():
        tiers.sort(key=lambda t: t.risk_limit_value)
        caps = [t.risk_limit_value for t in tiers]
        rates = [t.maintenance_margin / _percent(symbol, t) for t in tiers]
        told = [None if t.mm_deduction == "" else _number(symbol, t.mm_deduction) for t in tiers]
        result[symbol] = _tiers(symbol, [0.0, *caps[:-1]], caps, rates, [t.max_leverage for t in tiers], told)
    return result


def okx(data: bytes) -> dict[str, Tiers]:
    """Tiers by swap from `GET /api/v5/public/position-tiers?instType=SWAP`: one answer, or several, one a line.

    A tier reaches from the one below up to `maxSz` contracts, and its rate holds for the whole position. An answer
    names families; it does not say whether their swaps or futures, and is taken to be of swaps, but for families of
    X-Perps (`instType=FUTURES&instFamily=BTC-USD_UM_XPERP`), which have no others. ValueError says which contract is
    wrong and how.
    """
    try:
        try:
            replies = [_okx.decode(data)]
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            replies = _okx.decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a file of position tiers of OKX: {error}") from None
    by_symbol: dict[str, list[_OkxTier]] = {}
    for reply in replies:
        if reply.code != "0":
            raise ValueError(f"not position tiers but an error of OKX: {reply.code} {reply.msg}")
        for row in reply.data:
            family = row.inst_family or row.uly
            symbol = row.inst_id or (family if family.endswith("_XPERP") else family + "-SWAP")
            if not symbol.endswith(("-SWAP", "_XPERP")) and "_XPERP-" not in symbol:
                raise ValueError(f"{symbol} is no swap: ask OKX for tiers with instType=SWAP")
            by_symbol.setdefault(symbol, []).append(row)
    result = {}
    for symbol, tiers in by_symbol.items():
        tiers.sort(key=lambda t: t.max_sz)
        caps = [t.max_sz for t in tiers]
        floors = [0.0, *caps[:-1]]
        for number, (floor, tier) in enumerate(zip(floors, tiers, strict=True), 1):
            if not floor <= tier.min_sz <= floor + 1:
                raise ValueError(f"{symbol} tier {number} begins at {tier.min_sz:g} contracts, not at {floor:g}")
        rates, leverages = [t.mmr for t in tiers], [t.max_lever for t in tiers]
        checked = _tiers(symbol, floors, caps, rates, leverages, [None] * len(tiers))
        result[symbol] = replace(checked, cum=np.zeros(len(tiers)), by_contracts=True)
    return result


def _percent(symbol: str, tier: _BybitTier) -> float:
    product = tier.initial_margin * tier.max_leverage
    for unit in (1.0, 100.0):
        if abs(product / unit - 1) < 0.05:
            return unit
    raise ValueError(f"{symbol}: initialMargin times maxLeverage is {product:g}, neither 1 nor 100 (per cent)")


def _number(symbol: str, text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{symbol}: mmDeduction {text!r} is not a number") from None


def _native(symbol: str) -> str:
    pair, _, settle = symbol.partition(":")
    _, dash, expiry = settle.partition("-")
    return pair.replace("/", "") + ("_" + expiry if dash else "")


def _tiers(
    symbol: str,
    floor: Sequence[float],
    cap: Sequence[float],
    mmr: Sequence[float],
    leverage: Sequence[float],
    told: Sequence[float | None],
) -> Tiers:
    order = sorted(range(len(floor)), key=lambda i: floor[i])
    f, c, m, x = (np.array([column[i] for i in order], np.float64) for column in (floor, cap, mmr, leverage))
    laws: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("has no tiers", lambda: len(f) > 0),
        ("has a number that is not finite", lambda: bool(np.isfinite([f, c, m, x]).all())),
        ("does not start at notional 0", lambda: f[0] == 0),
        ("has a tier that ends before it starts", lambda: bool((c > f).all())),
        ("has a gap or an overlap between tiers", lambda: bool((f[1:] == c[:-1]).all())),
        ("has a maintenance rate outside (0, 1)", lambda: bool(((m > 0) & (m < 1)).all())),
        ("has a maintenance rate that falls with size", lambda: bool((np.diff(m) >= 0).all())),
        ("has a leverage that is not positive", lambda: bool((x > 0).all())),
    )
    for complaint, holds in laws:
        if not holds():
            raise ValueError(f"{symbol} {complaint}")
    cum = deductions(f, m)
    for i, at in enumerate(order):
        given = told[at]
        if given is not None and not abs(given - cum[i]) <= 1e-6 * max(1.0, abs(cum[i])):
            raise ValueError(f"{symbol} tier {i + 1}: the deduction is given as {given:g}, its tiers make {cum[i]:g}")
    return Tiers(f, c, m, cum, x)
