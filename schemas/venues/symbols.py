"""Symbols: a symbol written without a separator, split into base and quote."""

QUOTES = (
    "FDUSD", "RLUSD", "PYUSD", "BFUSD", "GUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USD1", "USDE", "USDG",
    "USDS", "AEUR", "EURI", "KGST", "IDRT", "BIDR", "BKRW", "BVND", "USD", "DAI", "EUR", "GBP", "TRY", "BRL", "JPY",
    "AUD", "RUB", "UAH", "PLN", "RON", "ARS", "ZAR", "MXN", "COP", "CZK", "IDR", "NGN", "VAI", "UST", "PAX", "BTC",
    "ETH", "BNB", "XRP", "TRX", "DOGE", "DOT", "SOL", "U",
)  # fmt: skip
COINS = frozenset((
    "ACT", "ALT", "ANT", "APT", "BAT", "BIT", "BNT", "BTT", "DOT", "FET", "FORT", "FTT", "GRT", "HFT", "HNT",
    "HOT", "LIT", "LPT", "MNT", "NFT", "NOT", "ONT", "PNUT", "QNT", "USDT", "UST", "VET", "WBT", "WCT", "AMB",
    "BNB", "BOB", "DGB", "PHB", "SHIB", "1000SHIB", "TRB", "OMG", "PAXG", "STG", "ADA", "ALPHA", "BETA", "ENA",
    "GALA", "IOTA", "KAVA", "LUNA", "MANA", "MINA", "THETA", "TIA",
))  # fmt: skip
"""Coins whose name, before a short quote, ends as a longer one begins, and is none without that end: `DOT` + `USD`."""
_BY_LENGTH = sorted(QUOTES, key=len, reverse=True)


def coins(pair: str) -> tuple[str, str]:
    """Base and quote; the quote is "" where none is recognised.

    Of several quotes that a pair may end in it is the longest, unless only a shorter one leaves one of `COINS`. Which
    of two coins it is (`ARBUSD`: `AR` in BUSD, or `ARB` in USD) only the venue's list of instruments can say.

    >>> coins("1000SHIBUSDT"), coins("ETHBTC"), coins("BTCU"), coins("AVAXUSD"), coins("ODDITY")
    (('1000SHIB', 'USDT'), ('ETH', 'BTC'), ('BTC', 'U'), ('AVAX', 'USD'), ('ODDITY', ''))
    >>> coins("DOTUSD"), coins("DOTTUSD"), coins("BNBBUSD"), coins("PAXGUSD"), coins("ADAEUR"), coins("ARBUSD")
    (('DOT', 'USD'), ('DOT', 'TUSD'), ('BNB', 'BUSD'), ('PAXG', 'USD'), ('ADA', 'EUR'), ('AR', 'BUSD'))
    """
    found = [(pair[: -len(q)], q) for q in _BY_LENGTH if len(pair) > len(q) and pair.endswith(q)]
    return next((each for each in found if each[0] in COINS), found[0] if found else (pair, ""))
