"""Feeds by venue; adding one is a file and a line here."""

from flows.live import (
    binance_coinm_feed,
    binance_spot_feed,
    binance_usdm_feed,
    bybit_inverse_feed,
    bybit_linear_feed,
    deribit_feed,
    okx_swap_feed,
)
from flows.live.feed import Feed

FEEDS: dict[str, Feed] = {
    module.FEED.venue: module.FEED
    for module in (
        binance_usdm_feed,
        binance_coinm_feed,
        binance_spot_feed,
        bybit_linear_feed,
        bybit_inverse_feed,
        okx_swap_feed,
        deribit_feed,
    )
}
