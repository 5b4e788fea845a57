"""Feeds by venue; adding one is a file and a line here."""

from flows.live import binance_coinm, binance_spot, binance_usdm, bybit_inverse, bybit_linear, deribit, okx_swap
from flows.live.feed import Feed

FEEDS: dict[str, Feed] = {
    module.FEED.venue: module.FEED
    for module in (
        binance_usdm,
        binance_coinm,
        binance_spot,
        bybit_linear,
        bybit_inverse,
        okx_swap,
        deribit,
    )
}
