"""Assets: what one unit of a margin asset is worth in US dollars, by the marks of its own contracts.

Dollars (`schemas.accounts.DOLLARS`) count one each. Another asset counts the mark of its first contract against a
dollar that has one, in the order of `CONTRACTS`; without any it is not known.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.accounts import DOLLARS

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

CONTRACTS = (
    ("binance-usdm", "{}USDT"),
    ("binance-usdm", "{}USDC"),
    ("bybit-linear", "{}USDT"),
    ("bybit-linear", "{}PERP"),
    ("okx-swap", "{}-USDT-SWAP"),
)
"""Where the price of an asset is looked for, first to last."""


@dataclass(slots=True)
class Assets:
    """Assets by number; `markets` are those of `CONTRACTS`, -1 for a dollar and for what has no name."""

    numbers: dict[str, int] = field(default_factory=dict)
    markets: I8 = field(default_factory=lambda: np.empty((0, len(CONTRACTS)), np.int64))
    dollars: Flags = field(default_factory=lambda: np.empty(0, np.bool_))

    def number(self, asset: str, market: Callable[[str, str], int]) -> int:
        """The number of an asset, given on first sight; `market` numbers the markets that price it."""
        at = self.numbers.setdefault(asset, len(self.numbers))
        if at == len(self.markets):
            dollar = asset in DOLLARS
            own = [-1 if dollar or not asset else market(v, name.format(asset)) for v, name in CONTRACTS]
            self.markets = np.vstack([self.markets, np.array([own], np.int64)])
            self.dollars = np.append(self.dollars, dollar)
        return at


@dataclass(frozen=True, slots=True)
class Prices:
    """By asset: dollars, whether they moved, the time of the mark (0: none), and its market (-1: none)."""

    usd: F8
    moved: Flags
    mark_ns: I8
    market: I8


def prices(assets: Assets, mark: F8, mark_ns: I8, moved: Flags) -> Prices:
    """The prices at the marks in force.

    >>> assets = Assets()
    >>> _ = [assets.number(a, lambda venue, symbol: 0) for a in ("USDT", "BTC")]
    >>> prices(assets, np.array([60_000.0]), np.array([1]), np.array([True])).usd.tolist()
    [1.0, 60000.0]
    """
    n = len(assets.dollars)
    if n == 0 or len(mark) == 0:
        usd = np.where(assets.dollars, 1.0, np.nan)
        return Prices(usd, np.zeros(n, np.bool_), np.zeros(n, np.int64), np.full(n, -1))
    priced = np.where(assets.markets >= 0, mark[assets.markets], np.nan)
    known = ~np.isnan(priced)
    chosen = np.where(known.any(axis=1), assets.markets[np.arange(n), known.argmax(axis=1)], -1)
    has = chosen >= 0
    usd = np.where(assets.dollars, 1.0, np.where(has, mark[chosen], np.nan))
    return Prices(usd, has & moved[chosen], np.where(has, mark_ns[chosen], 0), chosen)
