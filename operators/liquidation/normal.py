"""Liquidations in normal form: whatever a venue sends, side, size, notional and what kind of price it is.

    qty_base     = contracts * contract size         inverse: dollars / price
    notional_usd = qty_base * price                  inverse: dollars

`order_side` is the forced order, `position_side` its victim: a forced sell closes a long. `price` is the average fill,
the limit of the forced order, the bankruptcy price or the price of the trade, as `price_kind` says, so notionals of
different kinds differ by slippage. `throttled`: the venue sends at most one a second, and sums are lower bounds. The
price of a message that carries none (0 or not a number) is null, and so is what depends on it.

Side semantics: Binance, Bybit, OKX and Deribit documentation; tardis-node mappers.

>>> one = {"offset": [7], "event_ns": [1568014460893000000], "order_side": [-1], "price": [9910.0], "price_kind": [0],
...        "lots": [14], "throttled": [True], "lot_mantissa": [1.0], "lot_scale": [1e3], "contract": [1.0],
...        "inverse": [False], "received_ns": [1568014460900000000]}
>>> events = {k: np.array(v) for k, v in one.items()}
>>> row = LIQUIDATIONS.step({}, events | sizes(events))
>>> str(row["position_side"][0]), round(float(row["notional_usd"][0]), 2)
('long', 138.74)
"""

import numpy as np

from operators import quality, units
from operators.contract import Array, Columns, EventTable, Operator, State
from schemas.batches import PriceKind
from schemas.column import Column

_SOURCE = "the venue's own documentation"
_KINDS = np.array([kind.name.lower() for kind in PriceKind])


def sizes(events: Columns) -> dict[str, Array]:
    """`price`, null where the message had none, `qty_base` and `notional_usd` of liquidations as venues send them."""
    price = np.where(events["price"] > 0, events["price"], np.nan)
    return {
        "price": price,
        "qty_base": units.base(events["lots"], price, events),
        "notional_usd": units.usd(events["lots"], price, events),
    }


def _rows(state: State, events: Columns) -> Columns:
    buys = events["order_side"] > 0
    return {
        "row": np.arange(len(buys)),
        "event_time": events["event_ns"],
        "order_side": np.where(buys, "buy", "sell"),
        "position_side": np.where(buys, "short", "long"),
        "qty_base": events["qty_base"],
        "price": events["price"],
        "price_kind": _KINDS[events["price_kind"]],
        "notional_usd": events["notional_usd"],
        "throttled": events["throttled"].astype(np.bool_),
        "raw_offset": events["offset"],
        "received_at": events["received_ns"],
    }


_PRICE = "message without a price"

LIQUIDATIONS = Operator(
    "liquidations",
    "liquidation",
    (
        *("event_ns", "received_ns", "offset", "order_side", "price", "price_kind", "throttled"),
        *("qty_base", "notional_usd"),
    ),
    table=EventTable("liquidations", "liquidations", ttl_days=730),
    step=_rows,
    columns=(
        Column("event_time", "time", "when the venue's engine liquidated", "ns since 1970 UTC", low=0),
        Column("order_side", "str", "side of the forced order, buy or sell", sign="sell: a long was liquidated"),
        Column("position_side", "str", "the victim's position, long or short", sign="long: the forced order sells"),
        Column(
            "qty_base",
            "f8",
            "size liquidated",
            "base",
            "lots * lot * contract; inverse: / price",
            _SOURCE,
            null_when="contract unknown; inverse: " + _PRICE,
            low=0,
        ),
        Column(
            "price",
            "f8",
            "price as the venue states it, see price_kind",
            "quote",
            "",
            _SOURCE,
            null_when=_PRICE,
            low=0,
        ),
        Column("price_kind", "str", "fill_average, limit, bankruptcy or trade"),
        Column(
            "notional_usd",
            "f8",
            "size liquidated",
            "USD",
            "qty_base * price",
            _SOURCE,
            null_when="contract unknown; linear: " + _PRICE,
            low=0,
        ),
        Column("throttled", "bool", "the venue sends at most one a second: sums are lower bounds"),
        Column("raw_offset", "i8", "offset of the raw record it came from", "count", low=0),
        Column("nth", "i8", "which of the instrument's liquidations of that millisecond, in log order", low=0),
        Column("received_at", "time", "when the message was received"),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
