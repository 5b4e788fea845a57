"""Binance spot: depth and trades; it announces its maintenance by an event."""

from flows.live.binance_feed import HEAD, RATES, REFUSAL, SPOT_CHAIN, say, snapshots
from flows.live.feed import Channel, Feed

FEED = Feed(
    venue="binance-spot",
    sockets={"": "wss://stream.binance.com:9443/stream"},
    rest="https://api.binance.com",
    channels=(Channel("depth", "{symbol}@depth@100ms", 60), Channel("trades", "{symbol}@trade", 900)),
    head=HEAD,
    say=say,
    rates=RATES,
    refusal=REFUSAL,
    farewell=b'"serverShutdown"',
    snapshots=snapshots("/api/v3/depth?symbol={SYMBOL}&limit=5000", 250, 5_400),
    chain=SPOT_CHAIN,
)
