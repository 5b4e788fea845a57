"""Binance COIN-M: one address for everything."""

from flows.live.binance_feed import FUTURES_CHAIN, HEAD, RATES, REFUSAL, say, snapshots
from flows.live.feed import Channel, Feed

FEED = Feed(
    venue="binance-coinm",
    sockets={"": "wss://dstream.binance.com/stream"},
    rest="https://dapi.binance.com",
    channels=(
        Channel("depth", "{symbol}@depth@100ms", 60),
        Channel("trades", "{symbol}@aggTrade", 900),
        Channel("derivatives", "{symbol}@markPrice@1s", 15),
        Channel("liquidations", "{symbol}@forceOrder", None),
    ),
    head=HEAD,
    say=say,
    rates=RATES,
    refusal=REFUSAL,
    snapshots=snapshots("/dapi/v1/depth?symbol={SYMBOL}&limit=1000", 20, 2_160),
    chain=FUTURES_CHAIN,
)
