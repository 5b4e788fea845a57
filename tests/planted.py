"""Planted: a market of Binance USD-M of which everything is known, as the frames that the venue would send of it."""

import json

import numpy as np

from schemas.instrument import Instrument
from tests.laws.test_market import EVERY, Run
from tests.laws.written import START_MS, Line

VENUE, SYMBOL = "binance-usdm", "BTCUSDT"
TICK, LOT = "0.01", "0.001"
KNOWN = {SYMBOL: Instrument(VENUE, SYMBOL, "BTC", "USDT", "linear", TICK, LOT)}


class Planted:
    """Frames as they are written; times in ms since the start, sides as {price in ticks: lots}."""

    def __init__(self):
        self.lines, self.last, self.held, self.trades = [], 100, ({}, {}), 0

    def gap(self, ms, bids, asks):
        """A message that shows that others are missing, and the snapshot that was asked for on that, a ms later."""
        self.last += 5
        self.book(ms, *self.held)
        self.last += 1
        self.held = ({}, {})
        self.book(ms + 1, bids, asks, snapshot=True)

    def book(self, ms, bids, asks, *, snapshot=False):
        """The book as it is from now on."""
        at, sides = START_MS + ms, []
        for held, now in zip(self.held, (bids, asks), strict=True):
            changed = {p: now.get(p, 0) for p in {*held, *now} if held.get(p) != now.get(p)}
            sides.append([[f"{p / 100:.2f}", f"{q / 1000:.3f}"] for p, q in sorted(changed.items())])
        first, self.last, snapshot = self.last + 1, self.last + 1, snapshot or not self.lines
        if snapshot:
            told = {"lastUpdateId": self.last, "E": at, "T": at, "bids": sides[0], "asks": sides[1]}
        else:
            told = {"e": "depthUpdate", "E": at, "T": at, "s": SYMBOL, "U": first, "u": first, "pu": first - 1,
                    "b": sides[0], "a": sides[1]}  # fmt: skip
        self.lines.append(Line("depth", at * 10**6, json.dumps(told).encode(), SYMBOL if snapshot else None))
        self.held = (bids, asks)

    def trade(self, ms, price, lots, sign):
        """One trade, `sign` 1 if the buyer came."""
        at = START_MS + ms
        self.trades += 1
        told = {"e": "trade", "E": at, "T": at, "s": SYMBOL, "t": self.trades, "p": f"{price / 100:.2f}",
                "q": f"{lots / 1000:.3f}", "X": "MARKET", "m": sign < 0}  # fmt: skip
        self.lines.append(Line("trades", at * 10**6, json.dumps(told).encode(), None))

    def rows(self, table, window_ms=1000):
        """What the market makes of it in a table: of windows, those of one length."""
        run = Run(VENUE, self.lines, KNOWN, EVERY).end()
        assert not any(run.rejects.values())
        return [r for r in run.decoded(table) if r.get("window_ms", window_ms) == window_ms]


def ladder(best, away, levels=30, lots=5_000):
    """A side of levels a tick apart, from `best` away from the mid (-1 bids, 1 asks), and one far off that stays."""
    return {best + away * k: lots for k in range(levels)} | {6_000_000 + away * 100_000: 1}


def signed_volumes(seed, n, lots=5_000):
    """Lots bought less sold, second by second."""
    return np.round(np.random.default_rng(seed).normal(0, lots, n)).astype(int).tolist()
