"""Deribit: JSON-RPC; the venue asks for signs of life, and liquidations come inside the trades."""

import json
import re

from flows.live.feed import Chain, Channel, Feed, Rates


def say(streams: list[str], number: int, on: bool) -> str:
    """The message that subscribes.

    >>> say(["trades.BTC-PERPETUAL.100ms"], 7, True)  # doctest: +ELLIPSIS
    '{"jsonrpc": "2.0", "id": 7, "method": "public/subscribe", "params": {"channels": ["trades.BTC-...
    """
    method = "public/subscribe" if on else "public/unsubscribe"
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": {"channels": streams}})


FEED = Feed(
    venue="deribit",
    sockets={"": "wss://www.deribit.com/ws/api/v2"},
    rest="https://www.deribit.com",
    channels=(
        Channel("depth", "book.{SYMBOL}.100ms", 60),
        Channel("trades", "trades.{SYMBOL}.100ms", 900),
        Channel("derivatives", "ticker.{SYMBOL}.100ms", 60),
    ),
    head=re.compile(
        rb'\{\s*"jsonrpc":\s*"2.0",\s*"method":\s*"subscription",\s*"params":\s*\{\s*"channel":\s*"([^"]+)"'
    ),
    say=say,
    # 32 connections an address are reported
    rates=Rates(messages_per_s=3, streams_a_message=50, streams_a_socket=300, sockets=5, per_s=1),
    refusal=re.compile(rb'^\{\s*"jsonrpc":\s*"2.0",.*?"error":\s*(\{(?:[^{}]|\{[^{}]*\})*\})', re.DOTALL),
    greeting='{"jsonrpc":"2.0","id":0,"method":"public/set_heartbeat","params":{"interval":30}}',
    answers=((b'"test_request"', '{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'),),
    chain=Chain(
        # a whole book has none before it, and the chain goes on from its id
        re.compile(rb'(?:"prev_change_id":\s*(?P<previous>\d+).*?)?"change_id":\s*(?P<last>\d+)', re.DOTALL),
        whole=re.compile(rb'"type":\s*"snapshot"|"prev_change_id":\s*0\b'),
    ),
)
