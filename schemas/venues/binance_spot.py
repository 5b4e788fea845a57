"""Binance spot: event time of depth is `E`, since it carries no engine time; REST snapshots carry none at all."""

from schemas.batches import Sequencing
from schemas.instrument import Instrument
from schemas.venues.assembly import venue
from schemas.venues.binance import kind_of, readers, split, symbol_of
from schemas.venues.binance_batch import scanned_depth, scanned_trades
from schemas.venues.binance_instruments import instruments
from schemas.venues.symbols import coins

NAME = "binance-spot"


def base(symbol: str) -> str:
    """The base asset.

    >>> base("BTCUSDT"), base("ETHBTC")
    ('BTC', 'ETH')
    """
    return coins(symbol)[0]


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol."""
    return Instrument(NAME, symbol, *coins(symbol), "spot", "1", "1", 1.0, inferred=True)


READERS = readers(infer, futures=0)
VENUE = venue(
    NAME,
    Sequencing.BINANCE_SPOT,
    READERS,
    instruments=instruments(NAME),
    base=base,
    kind_of=kind_of,
    symbol_of=symbol_of,
    split=split,
    depth=scanned_depth(READERS, futures=0),
    trades=scanned_trades(READERS, futures=0),
    kinds=("depth", "trades"),
    nameless=(b'{"lastUpdateId"',),
)
