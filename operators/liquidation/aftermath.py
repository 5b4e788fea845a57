"""Aftermath of a liquidation: how far the mid had gone 1, 5 and 60 s after it, in the direction of the forced order.

    move_h = 1e4 D (m_h - m) / m        bps; positive: the price went on with the forced order, negative: it came back

D: +1 forced buy, -1 forced sell; m: mid of the instrument's book in force just before the liquidation; m_h: the mid h
seconds after it. A row a liquidation, a minute later. Null where a mid is not known: no trusted two-sided book at that
time, or the book's log had ended. A venue that sends one a second at most (`throttled`) leaves others out.

The response function of a trade (Bouchaud, Gefen, Potters & Wyart 2004, Quantitative Finance 4(2)), of a forced one.

>>> one = {"event_ns": [7], "order_side": [-1], "qty_base": [2.0], "notional_usd": [200.0], "throttled": [False],
...        "mid_before": [100.0], "mid_after": [[99.0, 99.5, 100.5]]}
>>> row = AFTERMATH.step({}, {k: np.array(v) for k, v in one.items()})
>>> [float(row[f"move_{h}s_bps"][0]) for h in HORIZONS_S]
[100.0, 50.0, -50.0]
"""

import numpy as np

from operators import quality
from operators.contract import Columns, EventTable, Operator, State
from operators.liquidation.normal import LIQUIDATIONS
from schemas.column import Column

HORIZONS_S = (1, 5, 60)
_SOURCE = "Bouchaud, Gefen, Potters & Wyart (2004)"
_SAME = {column.name: column for column in LIQUIDATIONS.columns}
"""What its row in the table liquidations says too."""


def _rows(state: State, events: Columns) -> Columns:
    sign, before, after = np.sign(events["order_side"]), events["mid_before"], events["mid_after"]
    moved = 1e4 * sign[:, None] * (after - before[:, None]) / before[:, None]
    return {
        "row": np.arange(len(sign)),
        "event_time": events["event_ns"],
        "order_side": np.where(sign > 0, "buy", "sell"),
        "qty_base": events["qty_base"],
        "notional_usd": events["notional_usd"],
        "mid_before": before,
        **{f"move_{h}s_bps": moved[:, k] for k, h in enumerate(HORIZONS_S)},
        "throttled": events["throttled"].astype(np.bool_),
    }


AFTERMATH = Operator(
    "aftermath",
    "liquidation_meeting",
    ("event_ns", "order_side", "qty_base", "notional_usd", "throttled", "mid_before", "mid_after"),
    table=EventTable("liquidation_aftermath", "liquidation.aftermath", ttl_days=730),
    step=_rows,
    horizons_ns=tuple(h * 1_000_000_000 for h in HORIZONS_S),
    columns=(
        *(_SAME[name] for name in ("event_time", "order_side", "qty_base", "notional_usd")),
        Column(
            "mid_before",
            "f8",
            "mid in force just before it",
            "quote",
            "m = (bid + ask) / 2",
            _SOURCE,
            null_when="no trusted two-sided book",
            low=0,
        ),
        *(
            Column(
                f"move_{h}s_bps",
                "f8",
                f"how far the mid had gone {h} s later",
                "bps",
                "1e4 D (m' - m) / m",
                _SOURCE,
                "with the forced order: positive",
                "a mid is not known",
            )
            for h in HORIZONS_S
        ),
        Column("throttled", "bool", "the venue sends at most one a second: others may have moved the mid as well"),
        _SAME["nth"],
        quality.CLOSED,
        quality.INFERRED,
    ),
)
