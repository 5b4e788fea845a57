"""Binance COIN-M futures: quantities in contracts of 100 USD (BTC) or 10 USD, event time `T`, depth chained by `pu`."""

from schemas.batches import Sequencing
from schemas.instrument import Instrument
from schemas.venues.assembly import venue
from schemas.venues.binance import kind_of, readers, split, symbol_of
from schemas.venues.binance_batch import scanned_depth, scanned_trades
from schemas.venues.binance_instruments import instruments

NAME = "binance-coinm"


def base(symbol: str) -> str:
    """The base asset: all are quoted in USD, also where the name could be read otherwise.

    >>> base("BTCUSD_PERP"), base("ETHUSD_240927"), base("BNBUSD_PERP")
    ('BTC', 'ETH', 'BNB')
    """
    return symbol.partition("_")[0].removesuffix("USD")


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol; the contract is 100 USD for BTC and 10 USD for every other coin."""
    coin = base(symbol)
    contract = 100.0 if coin == "BTC" else 10.0
    return Instrument(NAME, symbol, coin, "USD", "inverse", "1", "1", contract, inferred=True)


READERS = readers(infer, futures=2)
VENUE = venue(
    NAME,
    Sequencing.BINANCE_FUTURES,
    READERS,
    instruments=instruments(NAME),
    base=base,
    kind_of=kind_of,
    symbol_of=symbol_of,
    split=split,
    depth=scanned_depth(READERS, futures=2),
    trades=scanned_trades(READERS, futures=2),
    nameless=(b'{"lastUpdateId"',),
)
