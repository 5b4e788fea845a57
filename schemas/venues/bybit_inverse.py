"""Bybit inverse: coin-margined perpetuals and futures, quantities in USD."""

from schemas.batches import Sequencing
from schemas.instrument import Instrument
from schemas.venues.assembly import venue
from schemas.venues.bybit import instruments, inverse, kind_of, readers, split, symbol_of

NAME = "bybit-inverse"


def base(symbol: str) -> str:
    """The base asset; futures end in a month's letter and a year.

    >>> base("BTCUSD"), base("ETHUSDZ24")
    ('BTC', 'ETH')
    """
    return inverse(symbol) or symbol


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol; what one unit of another name is (a linear contract's) cannot be told.

    >>> [infer(s).contract for s in ("BTCUSD", "ETHUSDZ24", "BTCUSDT")]
    [1.0, 1.0, None]
    """
    contract = 1.0 if inverse(symbol) else None
    return Instrument(NAME, symbol, base(symbol), "USD", "inverse", "1", "1", contract, inferred=True)


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
