"""Dollar bars of the E-mini S&P 500, January 2015: the sample on which mlfinlab publishes its figures.

A thousand of them, as the package mlfinpy 0.1.2 carries them (MIT licence beside); mlfinlab's own at commit 043d8f56.
"""

import csv
import lzma
from pathlib import Path

_FILE = Path(__file__).with_name("dollar_bars.csv.xz")
_NAMES = ("high", "low", "close", "cum_dollar", "cum_vol")


def dollar_bars() -> list[tuple[float, ...]]:
    """The bars as (high, low, close, usd, volume)."""
    with lzma.open(_FILE, "rt") as file:
        return [tuple(float(row[name]) for name in _NAMES) for row in csv.DictReader(file)]
