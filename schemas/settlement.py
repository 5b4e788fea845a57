"""Settlement: in which asset a contract pays profit, and of which asset it is; from its instrument, never a default.

What the settings say of an instrument holds; else what the record says; else what the venue's own names say, as they
do where the market flow meets a symbol for the first time. Where none of them does it is not known.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas.instrument import Instrument, Kind
from schemas.venues import binance_usdm, bybit_linear, okx_swap

Market = tuple[str, str]
_INFER: dict[str, Callable[[str], Instrument]] = {v.NAME: v.infer for v in (binance_usdm, bybit_linear, okx_swap)}


class Contract(NamedTuple):
    """The asset it is of, and the one it settles in; each "" where it is not known."""

    base: str
    settles_in: str
    kind: Kind


def contract(venue: str, symbol: str, told: str = "", known: Mapping[Market, Instrument] | None = None) -> Contract:
    """What is known of a contract; `told` is the settlement asset that a record names.

    >>> contract("binance-usdm", "ETHBTC"), contract("bybit-linear", "BTCPERP").settles_in
    (Contract(base='ETH', settles_in='BTC', kind='linear'), 'USDC')
    >>> contract("binance-usdm", "BTCU").settles_in, contract("binance-usdm", "BTCU", "U").settles_in
    ('', 'U')
    """
    row = (known or {}).get((venue, symbol))
    told_by_settings = row is not None
    if row is None:
        row = _INFER[venue](symbol)
    named = row.base if row.kind == "inverse" else row.quote
    if told and not (told_by_settings and named):
        named = told
    base = row.base.removesuffix(told) if told and not row.quote else row.base
    return Contract(base, named, row.kind)
