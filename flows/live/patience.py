"""Patience: how long a venue asks to be left alone, in a header or in words, and how long one waits unasked."""

import random
import re
import time
from email.utils import parsedate_to_datetime

UNSAID_S = 10.0
"""What is waited after an answer that asks for patience and does not say how much."""
MOST_S = 3 * 86_400.0
"""Binance bans an address for two minutes to three days; what asks for more is no ban."""
TOO_MUCH = (418, 429)
_SECONDS = re.compile(r"\s*(\d+)(?:\.\d*)?\s*", re.ASCII)
_UNTIL = re.compile(r"banned until (\d{13})\b", re.ASCII)


def asked_s(status: int | None, retry_after: str, words: str) -> float:
    """Seconds from now; 0 where nothing is asked. The header Retry-After says seconds or a date.

    >>> asked_s(429, "30", ""), asked_s(429, "", ""), asked_s(429, "soon", ""), asked_s(503, "", "")
    (30.0, 10.0, 10.0, 0.0)
    >>> asked_s(418, "9" * 400, "")
    259200.0
    >>> until_ms = int(time.time() + 600) * 1_000
    >>> 590 < asked_s(None, "", f"Way too much request weight used; IP banned until {until_ms}.") <= 600
    True
    """
    asked = max(_header_s(retry_after), _words_s(words))
    if asked <= 0:
        asked = UNSAID_S if status in TOO_MUCH else 0.0
    return min(asked, MOST_S)


def backoff_s(failures: int, first_s: float, most_s: float, chance: random.Random) -> float:
    """Before the next attempt: drawn at random up to a bound that doubles with each failure in turn.

    >>> 0 <= backoff_s(3, 0.5, 20.0, random.Random(1)) <= 4.0 and backoff_s(10**6, 0.5, 20.0, random.Random(1)) <= 20.0
    True
    """
    return chance.uniform(0, min(most_s, first_s * 2.0 ** min(failures, 20)))


def _header_s(text: str) -> float:
    if seconds := _SECONDS.fullmatch(text):
        return float(seconds[1])
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


def _words_s(text: str) -> float:
    until_ms = _UNTIL.search(text)
    return int(until_ms[1]) / 1_000 - time.time() if until_ms else 0.0
