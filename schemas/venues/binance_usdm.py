"""Binance USD-M futures: quantities in coins, event time `T`, depth chained by `pu`."""

from schemas.batches import Sequencing
from schemas.instrument import Instrument
from schemas.venues.assembly import venue
from schemas.venues.binance import kind_of, readers, split, symbol_of
from schemas.venues.binance_batch import scanned_depth, scanned_trades
from schemas.venues.binance_instruments import instruments
from schemas.venues.symbols import coins

NAME = "binance-usdm"


def base(symbol: str) -> str:
    """The base asset, as Binance names it; delivery contracts carry a date.

    >>> base("BTCUSDT"), base("ETHUSDT_240927"), base("1000SHIBUSDT")
    ('BTC', 'ETH', '1000SHIB')
    """
    return coins(symbol.partition("_")[0])[0]


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol."""
    coin, quote = coins(symbol.partition("_")[0])
    return Instrument(NAME, symbol, coin, quote, "linear", "1", "1", 1.0, inferred=True)


READERS = readers(infer, futures=1)
VENUE = venue(
    NAME,
    Sequencing.BINANCE_FUTURES,
    READERS,
    instruments=instruments(NAME),
    base=base,
    kind_of=kind_of,
    symbol_of=symbol_of,
    split=split,
    depth=scanned_depth(READERS, futures=1),
    trades=scanned_trades(READERS, futures=1),
    nameless=(b'{"lastUpdateId"',),
)
