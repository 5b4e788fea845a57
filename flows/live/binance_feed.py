"""Binance: the parts that its three markets share."""

import json
import re

from flows.live.feed import Chain, Rates, Snapshots

HEAD = re.compile(rb'\{\s*"stream":\s*"([^"]+)"')
REFUSAL = re.compile(rb'^\{\s*(?:"id":[^,]*,\s*)?("(?:error|code)":.*)\}', re.DOTALL)
RATES = Rates(messages_per_s=4, streams_a_message=100, streams_a_socket=200, sockets=300, per_s=300)
"""Documented: ten messages a second (five on spot), 1,024 streams a socket, 300 sockets in five minutes."""
FUTURES_CHAIN = Chain(re.compile(rb'"u":\s*(?P<last>\d+),\s*"pu":\s*(?P<previous>\d+)'))
SPOT_CHAIN = Chain(re.compile(rb'"U":\s*(?P<first>\d+),\s*"u":\s*(?P<last>\d+)'))
SNAPSHOT_ID = re.compile(rb'\s*\{[^\[]*?"lastUpdateId":\s*(\d+)')


def say(streams: list[str], number: int, on: bool) -> str:
    """The message that subscribes.

    >>> say(["btcusdt@trade"], 7, True)
    '{"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 7}'
    """
    return json.dumps({"method": "SUBSCRIBE" if on else "UNSUBSCRIBE", "params": streams, "id": number})


def snapshots(path: str, weight: int, per_minute: int) -> Snapshots:
    """Whole books of a market."""
    return Snapshots(path, weight, per_minute, SNAPSHOT_ID)
