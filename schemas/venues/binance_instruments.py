"""Binance's `exchangeInfo`: the instruments of its markets, with ticks, lots and what a contract is.

A step of 0 says that there is no rule, and the instrument is left out: its steps show in its frames.
"""

from collections.abc import Callable

import msgspec

from schemas.instrument import Instrument
from schemas.venues.binance import COIN_M


class _Filter(msgspec.Struct):
    type: str = msgspec.field(name="filterType")
    tick: str = msgspec.field(name="tickSize", default="")
    step: str = msgspec.field(name="stepSize", default="")


class _Symbol(msgspec.Struct):
    symbol: str
    base: str = msgspec.field(name="baseAsset")
    quote: str = msgspec.field(name="quoteAsset")
    filters: list[_Filter]
    contract: float = msgspec.field(name="contractSize", default=1.0)
    margin: str = msgspec.field(name="marginAsset", default="")


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Symbol]


_exchange_info = msgspec.json.Decoder(_ExchangeInfo).decode


def instruments(venue: str) -> Callable[[bytes], list[Instrument]]:
    """The reader of a venue's exchangeInfo."""
    inverse, spot = venue == "binance-coinm", venue == "binance-spot"

    def read(data: bytes) -> list[Instrument]:
        found = []
        for row in _exchange_info(data).symbols:
            filters = {f.type: f for f in row.filters}
            missing = {"PRICE_FILTER", "LOT_SIZE"} - set(filters)
            if missing:
                raise ValueError(f"{row.symbol}: filter {min(missing)} is missing")
            if inverse != bool(COIN_M.fullmatch(row.symbol)):
                raise ValueError(f"{row.symbol} is no instrument of {venue}")
            tick, lot = filters["PRICE_FILTER"].tick, filters["LOT_SIZE"].step
            if not (tick.strip("0.") and lot.strip("0.")):
                continue
            kind = "inverse" if inverse else "spot" if spot else "linear"
            contract = row.contract if inverse else 1.0
            told = venue, row.symbol, row.base, row.quote, kind, tick, lot, contract
            found.append(Instrument(*told, settle=row.margin))  # type: ignore[arg-type]
        return found

    return read
