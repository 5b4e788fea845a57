"""Bybit linear."""

from flows.live.bybit_feed import CHAIN, CHANNELS, HEAD, PING, RATES, REFUSAL, say
from flows.live.feed import Feed

FEED = Feed(
    venue="bybit-linear",
    sockets={"": "wss://stream.bybit.com/v5/public/linear"},
    rest="https://api.bybit.com",
    channels=CHANNELS,
    head=HEAD,
    say=say,
    rates=RATES,
    refusal=REFUSAL,
    ping=PING,
    chain=CHAIN,
)
