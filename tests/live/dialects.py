"""Dialects: how each venue's public streams speak, by its documentation; independent of what `flows/live` says of them."""

import json
import re
import time
from typing import Any


def _ms() -> int:
    return time.time_ns() // 1_000_000


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


Sides = tuple[list[tuple[float, int]], list[tuple[float, int]]]
"""Bids and asks as prices and sizes; of an update a size of 0 takes a level away."""
SOME: Sides = ([(100.0, 1)], [(101.0, 2)])


def _texts(side: list[tuple[float, int]], *more: str) -> list[list[str]]:
    return [[str(price), str(size), *more] for price, size in side]


class Dialect:
    """What a server of a venue says; streams are the names that a client subscribes to."""

    symbols: tuple[str, ...] = ()
    in_band = True
    """A stream of depth begins with the whole book."""

    def asked(self, text: str) -> tuple[list[str], bool, list[str]] | None:
        """Streams, whether they are wanted, and the answers; None for what is no subscription."""
        raise NotImplementedError

    def refusal(self, text: str, stream: str) -> str:
        """The answer to a subscription of a stream that there is not."""
        raise NotImplementedError

    def answer(self, text: str) -> list[str]:
        """Answers to anything else."""
        return []

    def channel(self, stream: str) -> tuple[str, str]:
        """Kind (depth, trades, derivatives, liquidations) and symbol of a stream."""
        raise NotImplementedError

    def depth(self, stream: str, symbol: str, first: int, last: int, before: int, sides: Sides = SOME) -> bytes:
        raise NotImplementedError

    def whole(self, stream: str, symbol: str, last: int, sides: Sides = SOME) -> bytes:
        raise NotImplementedError

    def trade(self, stream: str, symbol: str, number: int) -> bytes:
        raise NotImplementedError

    def mark(self, stream: str, symbol: str) -> bytes:
        raise NotImplementedError


class Binance(Dialect):
    """Combined streams; USD-M serves depth on /public and the rest on /market only, and says nothing of it."""

    in_band = False

    def __init__(self, market: str) -> None:
        self.market = market
        self.symbols = ("BTCUSD_PERP", "ETHUSD_PERP") if market == "coinm" else ("BTCUSDT", "ETHUSDT")

    def serves(self, path: str, stream: str) -> bool:
        if self.market != "usdm":
            return True
        public = stream.partition("@")[2].split("@")[0] in ("depth", "bookTicker", "trade")
        return path.startswith("/public" if public else "/market")

    def asked(self, text: str) -> tuple[list[str], bool, list[str]] | None:
        said = json.loads(text)
        if said["method"] not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return None
        return said["params"], said["method"] == "SUBSCRIBE", [json.dumps({"result": None, "id": said["id"]})]

    def refusal(self, text: str, stream: str) -> str:
        return json.dumps({"error": {"code": 2, "msg": f"Invalid request: {stream}"}, "id": json.loads(text)["id"]})

    def channel(self, stream: str) -> tuple[str, str]:
        symbol, _, rest = stream.partition("@")
        kinds = {"depth": "depth", "aggTrade": "trades", "trade": "trades", "markPrice": "derivatives"}
        return kinds.get(rest.split("@")[0], "liquidations"), symbol.upper()

    def depth(self, stream: str, symbol: str, first: int, last: int, before: int, sides: Sides = SOME) -> bytes:
        body = {"e": "depthUpdate", "E": _ms(), "T": _ms(), "s": symbol, "U": first, "u": last, "pu": before}
        if self.market == "spot":
            del body["T"], body["pu"]
        return _dump({"stream": stream, "data": body | {"b": _texts(sides[0]), "a": _texts(sides[1])}})

    def rest(self, symbol: str, last: int, sides: Sides = SOME) -> bytes:
        book = {"bids": _texts(sides[0]), "asks": _texts(sides[1])}
        return _dump({"lastUpdateId": last, "E": _ms(), "T": _ms()} | book)

    def trade(self, stream: str, symbol: str, number: int) -> bytes:
        name = stream.partition("@")[2]
        body = {"e": name, "E": _ms(), "s": symbol, "a" if name == "aggTrade" else "t": number, "p": "100.5", "q": "1"}
        return _dump({"stream": stream, "data": body | {"f": number, "l": number, "T": _ms(), "m": True}})

    def mark(self, stream: str, symbol: str) -> bytes:
        body = {"e": "markPriceUpdate", "E": _ms(), "s": symbol, "p": "100.5", "i": "100.4", "r": "0.0001", "T": _ms()}
        return _dump({"stream": stream, "data": body})


class Bybit(Dialect):
    def __init__(self, market: str) -> None:
        self.symbols = ("BTCUSDT", "ETHUSDT") if market == "linear" else ("BTCUSD", "ETHUSD")

    def asked(self, text: str) -> tuple[list[str], bool, list[str]] | None:
        said = json.loads(text)
        if said["op"] not in ("subscribe", "unsubscribe"):
            return None
        assert len(said["args"]) <= 10
        done = {"success": True, "ret_msg": "", "conn_id": "c", "req_id": said["req_id"], "op": said["op"]}
        return said["args"], said["op"] == "subscribe", [json.dumps(done)]

    def refusal(self, text: str, stream: str) -> str:
        said = json.loads(text)
        why = f"error:handler not found,topic:{stream}"
        return json.dumps(
            {"success": False, "ret_msg": why, "conn_id": "c", "req_id": said["req_id"], "op": said["op"]}
        )

    def answer(self, text: str) -> list[str]:
        assert json.loads(text) == {"op": "ping"}
        return ['{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}']

    def channel(self, stream: str) -> tuple[str, str]:
        name, _, rest = stream.partition(".")
        kinds = {"orderbook": "depth", "publicTrade": "trades", "tickers": "derivatives"}
        return kinds.get(name, "liquidations"), rest.rpartition(".")[2]

    def _book(self, kind: str, stream: str, symbol: str, last: int, sides: Sides) -> bytes:
        data = {"s": symbol, "b": _texts(sides[0]), "a": _texts(sides[1]), "u": last, "seq": last * 3}
        return _dump({"topic": stream, "type": kind, "ts": _ms(), "data": data, "cts": _ms()})

    def depth(self, stream: str, symbol: str, first: int, last: int, before: int, sides: Sides = SOME) -> bytes:
        return self._book("delta", stream, symbol, last, sides)

    def whole(self, stream: str, symbol: str, last: int, sides: Sides = SOME) -> bytes:
        return self._book("snapshot", stream, symbol, last, sides)

    def trade(self, stream: str, symbol: str, number: int) -> bytes:
        row = {
            "T": _ms(),
            "s": symbol,
            "S": "Buy",
            "v": "1",
            "p": "100.5",
            "L": "PlusTick",
            "i": str(number),
            "BT": False,
        }
        return _dump({"topic": stream, "type": "snapshot", "ts": _ms(), "data": [row]})

    def mark(self, stream: str, symbol: str) -> bytes:
        data = {"symbol": symbol, "markPrice": "100.5", "indexPrice": "100.4"}
        return _dump({"topic": stream, "type": "delta", "data": data, "cs": 1, "ts": _ms()})


class Okx(Dialect):
    symbols = ("BTC-USDT-SWAP", "ETH-USDT-SWAP")

    def asked(self, text: str) -> tuple[list[str], bool, list[str]] | None:
        if text == "ping":
            return None
        said = json.loads(text)
        done = [json.dumps({"event": said["op"], "arg": arg, "connId": "c"}) for arg in said["args"]]
        return [_dump(arg).decode() for arg in said["args"]], said["op"] == "subscribe", done

    def answer(self, text: str) -> list[str]:
        assert text == "ping"
        return ["pong"]

    def channel(self, stream: str) -> tuple[str, str]:
        arg = json.loads(stream)
        kinds = {"books": "depth", "trades": "trades", "mark-price": "derivatives"}
        return kinds.get(arg["channel"], "other"), arg.get("instId", "")

    def _book(self, action: str, stream: str, last: int, before: int, sides: Sides) -> bytes:
        row: dict[str, Any] = {"asks": _texts(sides[1], "0", "1"), "bids": _texts(sides[0], "0", "1")}
        row |= {"ts": str(_ms()), "checksum": 1}
        row |= {"seqId": last, "prevSeqId": before}
        return _dump({"arg": json.loads(stream), "action": action, "data": [row]})

    def depth(self, stream: str, symbol: str, first: int, last: int, before: int, sides: Sides = SOME) -> bytes:
        return self._book("update", stream, last, before, sides)

    def whole(self, stream: str, symbol: str, last: int, sides: Sides = SOME) -> bytes:
        return self._book("snapshot", stream, last, -1, sides)

    def trade(self, stream: str, symbol: str, number: int) -> bytes:
        row = {"instId": symbol, "tradeId": str(number), "px": "100.5", "sz": "1", "side": "buy", "ts": str(_ms())}
        return _dump({"arg": json.loads(stream), "data": [row]})

    def mark(self, stream: str, symbol: str) -> bytes:
        row = {"instType": "SWAP", "instId": symbol, "markPx": "100.5", "ts": str(_ms())}
        return _dump({"arg": json.loads(stream), "data": [row]})


class Deribit(Dialect):
    symbols = ("BTC-PERPETUAL", "ETH-PERPETUAL")

    def asked(self, text: str) -> tuple[list[str], bool, list[str]] | None:
        said = json.loads(text)
        if said["method"] not in ("public/subscribe", "public/unsubscribe"):
            return None
        names = said["params"]["channels"]
        done = {"jsonrpc": "2.0", "id": said["id"], "result": names}
        return names, said["method"] == "public/subscribe", [json.dumps(done)]

    def answer(self, text: str) -> list[str]:
        said = json.loads(text)
        assert said["method"] in ("public/set_heartbeat", "public/test")
        return [json.dumps({"jsonrpc": "2.0", "id": said["id"], "result": "ok"})]

    def channel(self, stream: str) -> tuple[str, str]:
        name, symbol, _ = stream.split(".")
        return {"book": "depth", "trades": "trades", "ticker": "derivatives"}[name], symbol

    def _frame(self, stream: str, data: Any) -> bytes:
        return _dump({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": stream, "data": data}})

    def _book(self, kind: dict[str, Any], stream: str, symbol: str, last: int, sides: Sides) -> bytes:
        bids, asks = ([["change" if size else "delete", price, 10.0 * size] for price, size in s] for s in sides)
        return self._frame(stream, kind | {"instrument_name": symbol, "change_id": last} | {"bids": bids, "asks": asks})

    def depth(self, stream: str, symbol: str, first: int, last: int, before: int, sides: Sides = SOME) -> bytes:
        return self._book({"type": "change", "timestamp": _ms(), "prev_change_id": before}, stream, symbol, last, sides)

    def whole(self, stream: str, symbol: str, last: int, sides: Sides = SOME) -> bytes:
        return self._book({"type": "snapshot", "timestamp": _ms()}, stream, symbol, last, sides)

    def trade(self, stream: str, symbol: str, number: int) -> bytes:
        row = {
            "trade_seq": number,
            "trade_id": str(number),
            "timestamp": _ms(),
            "price": 100.5,
            "instrument_name": symbol,
        }
        return self._frame(stream, [row | {"direction": "buy", "amount": 10.0, "tick_direction": 0}])

    def mark(self, stream: str, symbol: str) -> bytes:
        row = {"timestamp": _ms(), "instrument_name": symbol, "mark_price": 100.5, "index_price": 100.4}
        return self._frame(stream, row | {"current_funding": 0.0, "open_interest": 10.0})


DIALECTS: dict[str, Dialect] = {
    "binance-usdm": Binance("usdm"),
    "binance-coinm": Binance("coinm"),
    "binance-spot": Binance("spot"),
    "bybit-linear": Bybit("linear"),
    "bybit-inverse": Bybit("inverse"),
    "okx-swap": Okx(),
    "deribit": Deribit(),
}
LAST_ID = re.compile(rb'"(?:u|seqId|change_id)":\s*(\d+)')
