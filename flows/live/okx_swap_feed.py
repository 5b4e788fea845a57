"""OKX: a stream is named by channel and instrument, as JSON; depth begins with a whole book, `ping` is a bare word."""

import json
import re

from flows.live.feed import Chain, Channel, Feed, Rates


def say(streams: list[str], number: int, on: bool) -> str:
    """The message that subscribes; OKX takes no number.

    >>> say(['{"channel":"books","instId":"BTC-USDT-SWAP"}'], 7, True)
    '{"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT-SWAP"}]}'
    """
    return json.dumps({"op": "subscribe" if on else "unsubscribe", "args": [json.loads(s) for s in streams]})


FEED = Feed(
    venue="okx-swap",
    sockets={"": "wss://ws.okx.com/ws/v5/public"},
    rest="https://www.okx.com",
    channels=(
        Channel("depth", '{"channel":"books","instId":"{SYMBOL}"}', 60),
        Channel("trades", '{"channel":"trades","instId":"{SYMBOL}"}', 900),
        Channel("derivatives", '{"channel":"mark-price","instId":"{SYMBOL}"}', 30),
        Channel("funding", '{"channel":"funding-rate","instId":"{SYMBOL}"}', 300),
        Channel("open interest", '{"channel":"open-interest","instId":"{SYMBOL}"}', 60),
        Channel("liquidations", '{"channel":"liquidation-orders","instType":"SWAP"}', None),
    ),
    head=re.compile(rb'\{\s*"arg":\s*(\{[^}]*\})'),
    say=say,
    # documented: 3 connections a second, 480 subscriptions an hour on a socket
    rates=Rates(
        messages_per_s=3, streams_a_message=50, streams_a_socket=200, sockets=3, per_s=1, messages_a_socket=400
    ),
    refusal=re.compile(rb'^\{\s*(?:"id":[^,]*,\s*)?"event":\s*"error".*?"msg":\s*"((?:[^"\\]|\\.)*)"', re.DOTALL),
    ping="ping",
    ping_s=20.0,
    farewell=b'"notice"',
    chain=Chain(
        # recordings have `seqId` first, the documentation has it last
        re.compile(
            rb'(?="(?:seqId|prevSeqId)")(?=[^}]*"seqId":\s*(?P<last>\d+))[^}]*"prevSeqId":\s*(?P<previous>-?\d+)'
        ),
        whole=re.compile(rb'"action":\s*"snapshot"'),
        tail=True,
    ),
)
