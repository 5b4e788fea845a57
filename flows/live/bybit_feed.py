"""Bybit: what linear and inverse share; a stream of depth begins with a whole book."""

import json
import re

from flows.live.feed import Chain, Channel, Rates

HEAD = re.compile(rb'\{\s*"topic":\s*"([^"]+)"')
REFUSAL = re.compile(rb'^(?=.*"success":\s*false).*?"ret_msg":\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
CHANNELS = (
    Channel("depth", "orderbook.200.{SYMBOL}", 60),
    Channel("trades", "publicTrade.{SYMBOL}", 900),
    Channel("derivatives", "tickers.{SYMBOL}", 60),
    Channel("liquidations", "allLiquidation.{SYMBOL}", None),
)
RATES = Rates(messages_per_s=5, streams_a_message=10, streams_a_socket=200, sockets=400, per_s=300)
"""Documented: 500 connections in five minutes."""
CHAIN = Chain(re.compile(rb'"u":\s*(?P<last>\d+),\s*"seq"'), re.compile(rb'"type":\s*"snapshot"'), tail=True)
PING = '{"op":"ping"}'


def say(streams: list[str], number: int, on: bool) -> str:
    """The message that subscribes.

    >>> say(["publicTrade.BTCUSDT"], 7, False)
    '{"req_id": "7", "op": "unsubscribe", "args": ["publicTrade.BTCUSDT"]}'
    """
    return json.dumps({"req_id": str(number), "op": "subscribe" if on else "unsubscribe", "args": streams})
