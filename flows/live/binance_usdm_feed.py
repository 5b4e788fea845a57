"""Binance USD-M: depth and trades on `/public`, the rest on `/market`; the undivided address says half of it only."""

from flows.live.binance_feed import FUTURES_CHAIN, HEAD, RATES, REFUSAL, say, snapshots
from flows.live.feed import Channel, Feed

FEED = Feed(
    venue="binance-usdm",
    sockets={
        "public": "wss://fstream.binance.com/public/stream",
        "market": "wss://fstream.binance.com/market/stream",
    },
    rest="https://fapi.binance.com",
    channels=(
        Channel("depth", "{symbol}@depth@100ms", 60, "public"),
        Channel("trades", "{symbol}@aggTrade", 900, "market"),
        Channel("derivatives", "{symbol}@markPrice@1s", 15, "market"),
        Channel("liquidations", "{symbol}@forceOrder", None, "market"),
    ),
    head=HEAD,
    say=say,
    rates=RATES,
    refusal=REFUSAL,
    # 2,400 a minute are allowed, 20 a book of 1,000 levels; a tenth is left to others at the same address
    snapshots=snapshots("/fapi/v1/depth?symbol={SYMBOL}&limit=1000", 20, 2_160),
    chain=FUTURES_CHAIN,
)
