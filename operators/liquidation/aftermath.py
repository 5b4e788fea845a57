"""Aftermath of a liquidation: the depth that its order found, and how far the mid had gone 1, 5 and 60 s after it.

    move_h = 1e4 D (m_h - m) / m        bps; positive: the price went on with the forced order, negative: it came back

D: +1 forced buy, -1 forced sell; m: mid of the instrument's book in force just before the liquidation; m_h: the mid h
seconds after it. A row a liquidation, a minute later. Null where a mid is not known: no trusted two-sided book at that
time, or the book's log had ended. A venue that sends one a second at most (`throttled`) leaves others out.

    share_x = notional / depth_x         1; above 1: more than stood within x bps

depth_x: of the side that the forced order takes from (a forced sell takes bids), within x bps of mid (`bands`), at the
last end of a shortest window before the liquidation (`windows.base_ms` old at most). So what was sold in that window
already, which a cascade is made of, has not thinned it, and `features_book` says the same of that time.

The response function of a trade (Bouchaud, Gefen, Potters & Wyart 2004, Quantitative Finance 4(2)), of a forced one.

>>> one = {"event_ns": [7], "order_side": [-1], "qty_base": [2.0], "notional_usd": [200.0], "throttled": [False],
...        "mid_before": [100.0], "mid_after": [[99.0, 99.5, 100.5]], "stale_ms": [80.0]}
>>> one |= {f"{side}_depth_{x}bps_usd_before": [40.0 * x] for side in ("bid", "ask") for x in (10, 25, 50)}
>>> row = AFTERMATH.step({}, {k: np.array(v) for k, v in one.items()})
>>> [float(row[f"move_{h}s_bps"][0]) for h in HORIZONS_S]
[100.0, 50.0, -50.0]
>>> [float(row[n][0]) for n in ("depth_10bps_usd", "share_of_10bps", "share_of_50bps")]
[400.0, 0.5, 0.1]
"""

import numpy as np

from operators import quality
from operators.book.bands import BANDS
from operators.contract import Columns, EventTable, Operator, State
from operators.liquidation.normal import LIQUIDATIONS
from schemas.column import Column

HORIZONS_S = (1, 5, 60)
DEPTHS_BPS = (10, 25, 50)
_SOURCE = "Bouchaud, Gefen, Potters & Wyart (2004)"
_SAME = {column.name: column for column in LIQUIDATIONS.columns}
"""What its row in the table liquidations says too."""
_DEPTH = {column.name: column for column in BANDS.columns}


def _rows(state: State, events: Columns) -> Columns:
    sign, size = np.sign(events["order_side"]), events["notional_usd"]
    before, after = events["mid_before"], events["mid_after"]
    moved = 1e4 * sign[:, None] * (after - before[:, None]) / before[:, None] + 0.0  # never minus zero
    bids, asks = ([events[f"{side}_depth_{x}bps_usd_before"] for x in DEPTHS_BPS] for side in ("bid", "ask"))
    found = np.where(sign > 0, asks, bids)
    share = size / np.where(found > 0, found, np.nan)
    return {
        "row": np.arange(len(sign)),
        "event_time": events["event_ns"],
        "order_side": np.where(sign > 0, "buy", "sell"),
        "position_side": np.where(sign > 0, "short", "long"),
        "qty_base": events["qty_base"],
        "notional_usd": size,
        "mid_before": before,
        **{f"move_{h}s_bps": moved[:, k] for k, h in enumerate(HORIZONS_S)},
        **{f"depth_{x}bps_usd": found[k] for k, x in enumerate(DEPTHS_BPS)},
        **{f"share_of_{x}bps": share[k] for k, x in enumerate(DEPTHS_BPS)},
        "throttled": events["throttled"].astype(np.bool_),
        "stale_ms": events["stale_ms"],
    }


AFTERMATH = Operator(
    "aftermath",
    "liquidation_meeting",
    (
        *("event_ns", "order_side", "qty_base", "notional_usd", "throttled", "mid_before", "mid_after", "stale_ms"),
        *(f"{side}_depth_{x}bps_usd_before" for side in ("bid", "ask") for x in DEPTHS_BPS),
    ),
    table=EventTable("liquidation_aftermath", "liquidation.aftermath", ttl_days=730),
    step=_rows,
    horizons_ns=tuple(h * 1_000_000_000 for h in HORIZONS_S),
    columns=(
        *(_SAME[name] for name in ("event_time", "order_side", "position_side", "qty_base", "notional_usd")),
        Column(
            "mid_before",
            "f8",
            "mid in force just before it",
            "quote",
            "m = (bid + ask) / 2, without a message of its very time",
            _SOURCE,
            null_when=quality.MID_UNKNOWN,
            low=0,
        ),
        *(
            Column(
                f"move_{h}s_bps",
                "f8",
                f"how far the mid had gone {h} s later",
                "bps",
                f"1e4 D (m' - m) / m; m': mid {h} s later, with a message of that very time",
                _SOURCE,
                "with the forced order: positive",
                f"a mid is not known: {quality.MID_UNKNOWN}",
            )
            for h in HORIZONS_S
        ),
        *(
            Column(
                f"depth_{x}bps_usd",
                "f8",
                f"depth within {x} bps of mid on the side that the forced order takes from, at the last end of a "
                "shortest window before it",
                "USD",
                _DEPTH[f"bid_depth_{x}bps_usd"].formula,
                _DEPTH[f"bid_depth_{x}bps_usd"].source,
                null_when=f"{_DEPTH[f'bid_depth_{x}bps_usd'].null_when}; mid_before is null",
                low=0,
            )
            for x in DEPTHS_BPS
        ),
        *(
            Column(
                f"share_of_{x}bps",
                "f8",
                f"its size as a share of the depth within {x} bps",
                "1",
                f"notional_usd / depth_{x}bps_usd",
                "definition of our own",
                "above 1: more than stood there",
                "the depth or the size is not known, or nothing stood there",
                low=0,
            )
            for x in DEPTHS_BPS
        ),
        Column("throttled", "bool", "the venue sends at most one a second: others may have moved the mid as well"),
        _SAME["nth"],
        quality.MEETING_AGE,
        quality.CLOSED,
        quality.INFERRED,
    ),
)
