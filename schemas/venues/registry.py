"""Registry: the venues by name; adding one is a file and a line here."""

from schemas.venue import Venue
from schemas.venues import binance_coinm, binance_spot, binance_usdm, bybit_inverse, bybit_linear, deribit, okx_swap

VENUES: dict[str, Venue] = {
    module.NAME: module.VENUE
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
