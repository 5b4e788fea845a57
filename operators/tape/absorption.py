"""Absorption: aggressive volume that did not move the mid its way, because somebody stood against it.

    absorbed buys  = sum of the buys of the window's panes in which the mid did not rise
    absorbed sells = sum of the sells of those in which it did not fall
    share          = (absorbed buys + absorbed sells) / volume of the panes whose mids are known

Base units. A pane's mid moves from the one in force at its start to the one at its end (trades and book meet there);
panes with a mid missing, or that show a gap of the book, do not count, nor do those whose last trade came 5 s or more
after the book's last message: its feed is away. Additive over windows. The idea is that of footprint charts; what stood
against the volume, a resting order or new ones, level data does not tell.

>>> one = {"absorbed_buys": [3.0], "absorbed_sells": [1.0], "absorption_volume": [8.0]}
>>> float(ABSORPTION.compute({k: np.array(v) for k, v in one.items()})["absorbed_share"][0])
0.5
"""

import numpy as np

from operators import units
from operators.contract import Columns, Operator, State, Statistic
from operators.tape.bars import base_volume
from schemas.column import Column


def _step(state: State, rows: Columns) -> Columns:
    volume = base_volume(rows["lots"], rows["per_price"], rows)
    buys = base_volume(rows["buy_lots"], rows["buy_per_price"], rows)
    known = np.isfinite(rows["mid"] - rows["mid_before"])
    rose, fell = rows["mid"] > rows["mid_before"], rows["mid"] < rows["mid_before"]
    return {
        "absorbed_buys": np.where(known & ~rose, buys, 0.0 * buys),
        "absorbed_sells": np.where(known & ~fell, np.maximum(volume - buys, 0.0), 0.0 * volume),
        "absorption_volume": np.where(known, volume, 0.0 * volume),
    }


def _compute(windows: Columns) -> Columns:
    buys, sells, volume = (windows[n] for n in ("absorbed_buys", "absorbed_sells", "absorption_volume"))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(volume > 0, np.minimum((buys + sells) / volume, 1.0), np.nan)
    return {"absorbed_buy_volume_base": buys, "absorbed_sell_volume_base": sells, "absorbed_share": share}


_NULL = "contract unknown"
_SOURCE = "order-flow footprint (definition of our own)"
_PANES = "whose mids at both ends are known, and in which"

ABSORPTION = Operator(
    "absorption",
    "pane",
    ("mid_before", "mid", "lots", "buy_lots", "per_price", "buy_per_price", *units.READS),
    table="features_efficiency",
    statistics=(
        Statistic("absorbed_buys", "f8", "sum"),
        Statistic("absorbed_sells", "f8", "sum"),
        Statistic("absorption_volume", "f8", "sum"),
    ),
    step=_step,
    compute=_compute,
    columns=(
        Column(
            "absorbed_buy_volume_base",
            "f8",
            f"aggressive buys of panes {_PANES} the mid did not rise",
            "base",
            "sum of buys where M' <= M",
            _SOURCE,
            null_when=_NULL,
            low=0,
        ),
        Column(
            "absorbed_sell_volume_base",
            "f8",
            f"aggressive sells of panes {_PANES} the mid did not fall",
            "base",
            "sum of sells where M' >= M",
            _SOURCE,
            null_when=_NULL,
            low=0,
        ),
        Column(
            "absorbed_share",
            "f8",
            "share of the volume that did not move the mid its way",
            "1",
            "(absorbed buys + absorbed sells) / volume of the panes whose mids are known",
            _SOURCE,
            null_when="no trade in panes whose mids are known, which they are not where the last trade came 5 s or more"
            " after the last message of the book; contract unknown",
            low=0,
            high=1,
        ),
    ),
)
