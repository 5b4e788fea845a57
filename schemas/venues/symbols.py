"""Symbols: a symbol written without a separator, split into base and quote."""

QUOTES = (
    "FDUSD", "RLUSD", "PYUSD", "GUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USD1", "USDE", "USDS", "BFUSD", "AEUR",
    "EURI", "USD", "DAI", "EUR", "GBP", "TRY", "BRL", "JPY", "AUD", "RUB", "UAH", "PLN", "RON", "ARS", "ZAR", "MXN",
    "COP", "IDRT", "BIDR", "BKRW", "BVND", "NGN", "VAI", "UST", "PAX", "BTC", "ETH", "BNB", "XRP", "TRX", "DOGE",
    "DOT", "SOL",
)  # fmt: skip
_BY_LENGTH = sorted(QUOTES, key=len, reverse=True)


def coins(pair: str) -> tuple[str, str]:
    """Base and quote; the quote is "" where none is recognised.

    >>> coins("1000SHIBUSDT"), coins("ETHBTC"), coins("ODDITY")
    (('1000SHIB', 'USDT'), ('ETH', 'BTC'), ('ODDITY', ''))
    """
    for quote in _BY_LENGTH:
        if len(pair) > len(quote) and pair.endswith(quote):
            return pair[: -len(quote)], quote
    return pair, ""
