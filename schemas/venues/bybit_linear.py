"""Bybit linear: perpetuals and futures in USDT or USDC, quantities in coins."""

from schemas.batches import Sequencing
from schemas.instrument import Instrument
from schemas.venues.assembly import venue
from schemas.venues.bybit import instruments, inverse, kind_of, readers, split, symbol_of
from schemas.venues.symbols import coins

NAME = "bybit-linear"


def _coins(symbol: str) -> tuple[str, str]:
    pair, _, dated = symbol.partition("-")
    if pair.endswith("PERP") and pair != "PERP":
        return pair[:-4], "USDC"
    return (pair, "USDC") if dated and not pair.endswith(("USDT", "USDC")) else coins(pair)


def base(symbol: str) -> str:
    """The base asset.

    >>> base("BTCUSDT"), base("BTCPERP"), base("ETH-27SEP24"), base("SOLUSDT-27SEP24"), base("XAU-27SEP24")
    ('BTC', 'BTC', 'ETH', 'SOL', 'XAU')
    """
    return _coins(symbol)[0]


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol; of an inverse contract's name, what one unit is in coins cannot be told.

    >>> infer("BTCUSDT").contract, infer("BTCUSD").contract
    (1.0, None)
    """
    contract = None if inverse(symbol) else 1.0
    return Instrument(NAME, symbol, *_coins(symbol), "linear", "1", "1", contract, inferred=True)


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
