"""Settlement: in which asset a contract pays profit, and of which asset it is; from its instrument, never a default.

What the settings say of an instrument holds; else what the record says; else what the venue's own names say, as they
do where the market flow meets a symbol for the first time. Where none of them does it is not known. A name of another
product of the venue (coin-margined, an option) says that it is one: its sizes are not base units of a linear contract.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas.instrument import Instrument
from schemas.venues import binance_usdm, bybit_linear, okx_swap
from schemas.venues.binance import COIN_M
from schemas.venues.bybit import inverse

Market = tuple[str, str]
_INFER: dict[str, Callable[[str], Instrument]] = {v.NAME: v.infer for v in (binance_usdm, bybit_linear, okx_swap)}
_OPTION = re.compile(r"-[0-9d.]+-[CP](-[A-Z]+)?$")
_DOLLARS_OF_ANY = re.compile(r"-USD_UM(_XPERP)?-")
"""OKX: quoted in USD, settled in USD, USDC or USDG by where the account is, which the name does not say."""


class Contract(NamedTuple):
    """The asset it is of and the one it settles in, "" where not known; `kind` as of instruments, or option."""

    base: str
    settles_in: str
    kind: str


def contract(venue: str, symbol: str, told: str = "", known: Mapping[Market, Instrument] | None = None) -> Contract:
    """What is known of a contract; `told` is the settlement asset that a record names.

    >>> contract("binance-usdm", "ETHBTC"), contract("bybit-linear", "BTCPERP").settles_in
    (Contract(base='ETH', settles_in='BTC', kind='linear'), 'USDC')
    >>> contract("binance-usdm", "BTCODD").settles_in, contract("binance-usdm", "BTCODD", "ODD").settles_in
    ('', 'ODD')
    >>> contract("okx-swap", "BTC-USD_UM-SWAP").settles_in, contract("okx-swap", "BTC-USD_UM-SWAP", "USDC").settles_in
    ('', 'USDC')
    >>> names = ("binance-usdm", "BTCUSD_PERP"), ("bybit-linear", "BTCUSDZ26"), ("okx-swap", "BTC-USD-261225-90000-C")
    >>> [contract(*name).kind for name in names]
    ['inverse', 'inverse', 'option']
    """
    row = (known or {}).get((venue, symbol))
    told_by_settings = row is not None
    if row is None:
        row = _INFER[venue](symbol)
    unsaid = not told_by_settings and _DOLLARS_OF_ANY.search(symbol)
    named = "" if unsaid else row.settlement
    if told and not (told_by_settings and named):
        named = told
    base = row.base.removesuffix(told) if told and not row.quote else row.base
    return Contract(base, named, _kind(venue, symbol, row.kind, told_by_settings))


def _kind(venue: str, symbol: str, kind: str, told_by_settings: bool) -> str:
    """The kind of contract, where its name says that it is none of the venue's linear ones."""
    if _OPTION.search(symbol):
        return "option"
    if told_by_settings:
        return kind
    coin_margined = (venue == "binance-usdm" and COIN_M.fullmatch(symbol)) or (
        venue == "bybit-linear" and inverse(symbol)
    )
    return "inverse" if coin_margined else kind
