"""Bybit inverse: coin-margined perpetuals and futures, quantities in USD."""

import re

from schemas.batches import Sequencing
from schemas.instrument import Instrument
from schemas.venues.assembly import venue
from schemas.venues.bybit import instruments, kind_of, readers, split, symbol_of

NAME = "bybit-inverse"
_SYMBOL = re.compile(r"(.+?)USD(?:[FGHJKMNQUVXZ]\d\d)?")


def base(symbol: str) -> str:
    """The base asset; futures end in a month's letter and a year.

    >>> base("BTCUSD"), base("ETHUSDZ24")
    ('BTC', 'ETH')
    """
    found = _SYMBOL.fullmatch(symbol)
    return found[1] if found else symbol


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol."""
    return Instrument(NAME, symbol, base(symbol), "USD", "inverse", "1", "1", 1.0, inferred=True)


VENUE = venue(
    NAME,
    Sequencing.BYBIT,
    readers(infer),
    instruments=instruments(NAME),
    base=base,
    kind_of=kind_of,
    symbol_of=symbol_of,
    split=split,
)
