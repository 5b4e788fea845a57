"""Footprint: aggressive buys and sells by price step and minute, a row a step in which something was traded.

    a trade at p is in the step [price, price + step) of the minute (event_time - 60 s, event_time]
    step: the widest of 1, 2, 5, 10, ... ticks that is no wider than 1 bp of p, and a tick at the least

So steps are 0.4 to 1 bp wide wherever the tick allows, round, and the same in every minute; where the price goes beyond
a power (of 100,000 ticks, say) they change, and `step` says so. Longer windows and wider steps are sums of rows. The
sums over a minute are those of the bars of that minute. No row a step without trades; a minute has as many rows as
steps were traded at, which a fall by a tenth would make some 1,500 to 2,500 of, and never more than trades.

A footprint (bid-ask, cluster) chart as in MarketDelta and Bookmap; aggressor by the venue's own flag.

>>> one = {"ticks": [100_003, 100_009, 100_010], "lots": [5, 7, 9], "sign": [1, -1, 1], "event_ns": [1, 60 * 10**9, 2]}
>>> scales = {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1.0, "contract": 1.0}
>>> scales = {n: np.full(3, v) for n, v in scales.items()} | {"inverse": np.zeros(3, np.bool_)}
>>> found = FOOTPRINT.compute({n: np.array(v) for n, v in one.items()} | scales)
>>> found["price"].tolist(), found["buy_volume_base"].tolist(), found["sell_volume_base"].tolist()
([10000.0, 10000.0, 10001.0], [5.0, 0.0, 9.0], [0.0, 7.0, 0.0])
"""

import numpy as np

from operators import quality, units
from operators.book.price_steps import step_ticks
from operators.contract import Columns, EventTable, Operator
from schemas.column import Column

STEP_BPS = 1
WINDOW_NS = 60_000_000_000


def _compute(trades: Columns) -> Columns:
    ticks, buys = trades["ticks"], trades["sign"] > 0
    step = step_ticks(ticks, STEP_BPS)
    volume = units.base(trades["lots"], units.price(ticks, trades), trades)
    return {
        "event_time": ((trades["event_ns"] - 1) // WINDOW_NS + 1) * WINDOW_NS,
        "price": units.price(ticks // step * step, trades),
        "step": units.price(step, trades),
        "buy_volume_base": np.where(buys, volume, 0.0 * volume),
        "sell_volume_base": np.where(buys, 0.0 * volume, volume),
        "trades": np.ones(len(ticks), np.int64),
    }


_SOURCE = "footprint chart (MarketDelta)"
_NULL = "contract unknown"

FOOTPRINT = Operator(
    "footprint",
    "trade",
    ("ticks", "lots", "sign", "event_ns", *units.READS),
    table=EventTable("footprint", "footprint", ttl_days=90, sums=("buy_volume_base", "sell_volume_base", "trades")),
    compute=_compute,
    columns=(
        Column("event_time", "time", "end of the minute, itself inside", "ns since 1970 UTC", low=0),
        Column("price", "f8", "where the step begins", "quote", "floor(p / step) step", _SOURCE, low=0),
        Column(
            "step",
            "f8",
            "how wide it is; where the tick is inferred, by the tick known when the trade came",
            "quote",
            "widest of 1, 2, 5, 10, ... ticks that is at most 1 bp of p, a tick at the least",
            quality.OURS,
            low=0,
        ),
        Column("buy_volume_base", "f8", "aggressive buys", "base", "sum q of buys", _SOURCE, null_when=_NULL, low=0),
        Column("sell_volume_base", "f8", "aggressive sells", "base", "sum q of sells", _SOURCE, null_when=_NULL, low=0),
        Column("trades", "i8", "number of trades", "count", low=1),
        Column("nth", "i8", "which of the instrument's of that minute, from the lowest price up", low=0),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
