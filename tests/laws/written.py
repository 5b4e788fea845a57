"""Written: a small market in the words of each venue, with gaps, late rows, rows ahead of their time and silence."""

import json
import random
from typing import NamedTuple


class Line(NamedTuple):
    """One frame of one raw topic; `header` is the symbol of a frame that names none."""

    kind: str
    received_ns: int
    data: bytes
    header: str | None = None


SYMBOLS = {
    "binance-usdm": ("BTCUSDT", "BTCUSDT_250627"),
    "binance-coinm": ("BTCUSD_PERP", "BTCUSD_250627"),
    "binance-spot": ("BTCUSDT", "BTCUSDC"),
    "bybit-linear": ("BTCUSDT", "BTCPERP"),
    "bybit-inverse": ("BTCUSD", "BTCUSDM25"),
    "okx-swap": ("BTC-USDT-SWAP", "BTC-USD-SWAP"),
    "deribit": ("BTC-PERPETUAL", "BTC_USDC-PERPETUAL"),
}
START_MS = 1_700_000_041_000
AHEAD_MS = 60_000


def text(steps, decimals):
    """A decimal of `steps` hundredths or thousandths as venues print it, without trailing zeros."""
    whole, rest = divmod(steps, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".")


class _Book:
    """Levels in hundredths, sizes in thousandths, and the chain of ids of one instrument."""

    def __init__(self, rng):
        self.rng = rng
        self.bids = {10_000 - 100 * k: rng.randint(1, 9) * 1000 for k in range(1, 8)}
        self.asks = {10_000 + 100 * k: rng.randint(1, 9) * 1000 for k in range(1, 8)}
        self.last, self.previous = 100, 99

    def change(self, price_step, size_step):
        """Some levels change; [(price, size), ...] of both sides."""
        out = []
        for side, sign in ((self.bids, -1), (self.asks, 1)):
            changed = []
            for _ in range(self.rng.randint(0, 2)):
                price = 10_000 + sign * self.rng.randrange(price_step, 900, price_step)
                size = self.rng.choice([0, size_step, 7 * size_step, 40 * size_step])
                side.pop(price, None)
                if size:
                    side[price] = size
                changed.append((price, size))
            out.append(changed)
        first = self.last + 1
        self.previous, self.last = self.last, self.last + self.rng.randint(1, 4)
        return first, out

    def whole(self):
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())


def _pairs(levels):
    return [[text(p, 2), text(q, 3)] for p, q in levels]


def _json(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Writer:
    """One venue's words for what happens."""

    def __init__(self, venue):
        self.venue = venue
        self.futures = venue != "binance-spot"

    def depth(self, symbol, ms, book, first, sides):
        """A diff (`first` given) or a snapshot; returns the frame and the header."""
        bids, asks = (_pairs(s) for s in sides)
        snapshot = first is None
        kind = "snapshot" if snapshot else "change"
        if self.venue.startswith("binance"):
            if snapshot:
                times = {"E": ms, "T": ms} if self.futures else {}
                return _json({"lastUpdateId": book.last, **times, "bids": bids, "asks": asks}), symbol
            chain = {"pu": book.previous} if self.futures else {}
            times = {"E": ms, "T": ms} if self.futures else {"E": ms}
            diff = {"e": "depthUpdate", **times, "s": symbol, "U": first, "u": book.last, **chain, "b": bids, "a": asks}
            return _json(diff), None
        if self.venue.startswith("bybit"):
            inner = {"s": symbol, "b": bids, "a": asks, "u": book.last, "seq": 1}
            top = {"topic": f"orderbook.50.{symbol}", "type": "snapshot" if snapshot else "delta", "ts": ms, "cts": ms}
            return _json(top | {"data": inner}), None
        if self.venue == "okx-swap":
            inner = {"bids": bids, "asks": asks, "ts": str(ms), "seqId": book.last}
            inner["prevSeqId"] = -1 if snapshot else book.previous
            arg = {"channel": "books", "instId": symbol}
            return _json({"arg": arg, "action": "snapshot" if snapshot else "update", "data": [inner]}), None
        levels = [
            [["new" if snapshot else "delete" if q == 0 else "change", p / 100, q / 1000] for p, q in s] for s in sides
        ]
        inner = {"instrument_name": symbol, "timestamp": ms, "type": kind, "change_id": book.last}
        inner |= {} if snapshot else {"prev_change_id": book.previous}
        return self._deribit(f"book.{symbol}.100ms", inner | {"bids": levels[0], "asks": levels[1]}), None

    def _deribit(self, channel, data):
        return _json({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})

    def trade(self, symbol, ms, side, price, size, forced):
        p, q = text(price, 2), text(size, 3)
        if self.venue.startswith("binance"):
            return _json({"e": "trade", "E": ms, "T": ms, "s": symbol, "t": 1, "p": p, "q": q, "X": "MARKET",
                          "m": side < 0})  # fmt: skip
        if self.venue.startswith("bybit"):
            row = {"T": ms, "s": symbol, "S": "Buy" if side > 0 else "Sell", "v": q, "p": p, "BT": False}
            return _json({"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": ms, "data": [row]})
        word = "buy" if side > 0 else "sell"
        if self.venue == "okx-swap":
            row = {"instId": symbol, "px": p, "sz": q, "side": word, "ts": str(ms)}
            return _json({"arg": {"channel": "trades", "instId": symbol}, "data": [row]})
        row = {"instrument_name": symbol, "timestamp": ms, "price": price / 100, "amount": size / 1000}
        row |= {"direction": word} | ({"liquidation": "T"} if forced else {})
        return self._deribit(f"trades.{symbol}.raw", [row])

    def liquidation(self, symbol, ms, side, price, size):
        p, q = text(price, 2), text(size, 3)
        if self.venue.startswith("binance"):
            order = {"s": symbol, "S": "BUY" if side > 0 else "SELL", "p": p, "ap": p, "X": "FILLED", "l": q, "z": q}
            return _json({"e": "forceOrder", "E": ms, "o": order | {"T": ms}})
        if self.venue.startswith("bybit"):
            row = {"T": ms, "s": symbol, "S": "Sell" if side > 0 else "Buy", "v": q, "p": p}
            return _json({"topic": f"allLiquidation.{symbol}", "type": "snapshot", "ts": ms, "data": [row]})
        detail = {"bkPx": p, "sz": q, "side": "buy" if side > 0 else "sell", "ts": str(ms)}
        arg = {"channel": "liquidation-orders", "instType": "SWAP"}
        return _json({"arg": arg, "data": [{"instId": symbol, "details": [detail]}]})

    def derivative(self, rng, symbol, ms, price):
        p, index, rate = text(price, 2), text(price - 7, 2), rng.choice(["0.0001", "-0.00025"])
        if self.venue.startswith("binance"):
            if rng.random() < 0.3:
                return _json({"openInterest": text(price * 9, 3), "symbol": symbol, "time": ms})
            return _json({"e": "markPriceUpdate", "E": ms, "s": symbol, "p": p, "i": index, "r": rate,
                          "T": ms + 3_600_000})  # fmt: skip
        if self.venue.startswith("bybit"):
            some = {"markPrice": p, "indexPrice": index, "fundingRate": rate, "openInterest": text(price * 9, 3)}
            row = {k: v for k, v in some.items() if rng.random() < 0.6}
            return _json({"topic": f"tickers.{symbol}", "type": "delta", "ts": ms, "data": {"symbol": symbol, **row}})
        if self.venue == "okx-swap":
            funding = {"fundingRate": rate, "fundingTime": str(ms + 10**6)}
            rows = {"mark-price": {"markPx": p}, "open-interest": {"oi": text(price, 2)}, "funding-rate": funding}
            channel, row = rng.choice(list(rows.items()))
            row = {"instId": symbol, "ts": str(ms), **row}
            return _json({"arg": {"channel": channel, "instId": symbol}, "data": [row]})
        row = {"instrument_name": symbol, "timestamp": ms, "mark_price": price / 100, "index_price": price / 100 - 0.07}
        return self._deribit(f"ticker.{symbol}.raw", row | {"current_funding": 1e-4, "open_interest": price / 10})


def market(venue, kinds, seed, frames=240, steps=((1, 1),), disturbed=True):
    """Frames of one venue in order of receipt.

    `steps` are (price, size) steps in hundredths and thousandths, from stretch to stretch of the log. Disturbed, a
    topic has late rows, rows ahead of their time, repeats, broken frames, gaps in the chain of ids, and falls silent.
    """
    rng = random.Random(seed)
    writer, symbols = Writer(venue), SYMBOLS[venue]
    books = {s: _Book(rng) for s in symbols}
    ms, out = START_MS, []
    weights = {"depth": 6, "trades": 4, "liquidations": 2, "derivatives": 2}
    for n in range(frames):
        price_step, size_step = steps[n * len(steps) // frames]
        silence = rng.random() < 0.01 and disturbed
        ms += 150_000 if silence else rng.choice([1, 40, 120, 250, 700])
        kind = rng.choices(kinds, [weights[k] for k in kinds])[0]
        symbol, at = symbols[0] if rng.random() < 0.7 else symbols[1], ms - rng.choice([0, 3, 30])
        odd = rng.random() if disturbed else 1.0
        if odd < 0.04:
            at -= 4_000
        elif odd < 0.06:
            at += AHEAD_MS
        header = None
        price, side = 10_000 + price_step * rng.randint(-300 // price_step, 300 // price_step), rng.choice([-1, 1])
        size = size_step * rng.randint(1, 30)
        if kind == "depth":
            book = books[symbol]
            if n < 4 or rng.random() < 0.05:
                data, header = writer.depth(symbol, at, book, None, book.whole())
            else:
                first, sides = book.change(price_step, size_step)
                if disturbed and rng.random() < 0.04:
                    first, sides = book.change(price_step, size_step)
                data, header = writer.depth(symbol, at, book, first, sides)
        elif kind == "trades":
            data = writer.trade(symbol, at, side, price, size, rng.random() < 0.2)
        elif kind == "liquidations":
            data = writer.liquidation(symbol, at, side, price, size)
        else:
            data = writer.derivative(rng, symbol, at, price)
        if disturbed and rng.random() < 0.01:
            data = data[:-3]
        for _ in range(2 if disturbed and rng.random() < 0.03 else 1):
            out.append(Line(kind, ms * 1_000_000 + len(out), data, header))
    return out
