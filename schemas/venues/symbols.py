"""Symbols: a symbol written without a separator, split into base and quote."""

QUOTES = (
    "FDUSD", "RLUSD", "PYUSD", "BFUSD", "GUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USD1", "USDE", "USDG",
    "USDS", "AEUR", "EURI", "KGST", "IDRT", "BIDR", "BKRW", "BVND", "USD", "DAI", "EUR", "GBP", "TRY", "BRL", "JPY",
    "AUD", "RUB", "UAH", "PLN", "RON", "ARS", "ZAR", "MXN", "COP", "CZK", "IDR", "NGN", "VAI", "UST", "PAX", "BTC",
    "ETH", "BNB", "XRP", "TRX", "DOGE", "DOT", "SOL", "U",
)  # fmt: skip
_BY_LENGTH = sorted(QUOTES, key=len, reverse=True)


def coins(pair: str) -> tuple[str, str]:
    """Base and quote; the quote is "" where none is recognised.

    >>> coins("1000SHIBUSDT"), coins("ETHBTC"), coins("BTCU"), coins("AVAXUSD"), coins("ODDITY")
    (('1000SHIB', 'USDT'), ('ETH', 'BTC'), ('BTC', 'U'), ('AVAX', 'USD'), ('ODDITY', ''))
    """
    for quote in _BY_LENGTH:
        if len(pair) > len(quote) and pair.endswith(quote):
            return pair[: -len(quote)], quote
    return pair, ""
