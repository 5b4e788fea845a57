"""Cumulative volume delta: signed volume since 00:00 UTC, over closed panes.

    CVD = sum s q        s = +1 aggressive buy, -1 aggressive sell; q: base units

Linear and spot: an integer number of lots, exact. Inverse: a float sum of quantity / price, continued pane by pane.
A pane belongs to the day in which it begins, so a trade at 00:00:00.000 sharp is the last of the old day. Pane rows are
those with trades; a day without a trade so far has a CVD of 0; an instrument that never traded has none (null). On the
first day of a log the sum begins with the log.

>>> rows = {"instrument": np.zeros(2, np.int32), "pane": np.array([86_399, 86_400]), "base_ms": np.array([1000]),
...         "lots": np.array([10, 4]), "buy_lots": np.array([9, 1]), "per_price": np.zeros(2),
...         "buy_per_price": np.zeros(2)}
>>> CVD.step(CVD.init(), rows)["cvd_lots"]
array([ 8, -2])
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators import units
from operators.contract import Columns, Feature, Statistic, Step
from operators.pack import pack, unpack
from operators.tape.bars import F8, I8, base_volume
from schemas.column import Column
from schemas.kernels import kernel

DAY_MS = 86_400_000
NEVER = -(2**62)


@dataclass(slots=True)
class Days:
    """Per instrument: the running day (days since 1970; NEVER before the first row) and its sums so far."""

    day: I8 = field(default_factory=lambda: np.zeros(0, np.int64))
    lots: I8 = field(default_factory=lambda: np.zeros(0, np.int64))
    per_price: F8 = field(default_factory=lambda: np.zeros(0))

    def grow(self, instruments: int) -> None:
        """Make room for instrument numbers below `instruments`."""
        more = instruments - len(self.day)
        if more > 0:
            self.day = np.concatenate([self.day, np.full(more, NEVER, np.int64)])
            self.lots = np.concatenate([self.lots, np.zeros(more, np.int64)])
            self.per_price = np.concatenate([self.per_price, np.zeros(more)])


@kernel
def _run(
    day: I8,
    lots: I8,
    per_price: F8,
    instrument: NDArray[np.int32],
    today: I8,
    signed: I8,
    signed_per_price: F8,
    out_lots: I8,
    out_per_price: F8,
) -> None:
    for i in range(len(instrument)):
        k = instrument[i]
        if day[k] != today[i]:
            day[k], lots[k], per_price[k] = today[i], 0, 0.0
        lots[k] += signed[i]
        per_price[k] += signed_per_price[i]
        out_lots[i], out_per_price[i] = lots[k], per_price[k]


def _step(state: Days, rows: Columns) -> Columns:
    instrument = rows["instrument"]
    state.grow(int(instrument.max(initial=-1)) + 1)
    today = rows["pane"] * rows["base_ms"] // DAY_MS
    signed = 2 * rows["buy_lots"] - rows["lots"]
    per_price = 2 * rows["buy_per_price"] - rows["per_price"]
    out_lots, out_per_price = np.zeros(len(instrument), np.int64), np.zeros(len(instrument))
    _run(state.day, state.lots, state.per_price, instrument, today, signed, per_price, out_lots, out_per_price)
    return {"cvd_lots": out_lots, "cvd_per_price": out_per_price, "cvd_day": today}


def rescale(state: Days, instrument: int, tick_factor: int, lot_factor: int) -> None:
    """An inferred tick or lot was refined: the running sums in the finer unit."""
    if instrument < len(state.day):
        state.lots[instrument] *= lot_factor


def _freeze(state: Days) -> bytes:
    return pack({"day": state.day, "lots": state.lots, "per_price": state.per_price})


def _thaw(data: bytes) -> Days:
    a = unpack(data)
    return Days(a["day"].astype(np.int64), a["lots"].astype(np.int64), a["per_price"].astype(np.float64))


CVD = Step(
    "cvd",
    ("instrument", "pane", "base_ms", "lots", "buy_lots", "per_price", "buy_per_price"),
    ("cvd_lots", "cvd_per_price", "cvd_day"),
    Days,
    _step,
    _freeze,
    _thaw,
)
STATISTICS = (
    Statistic("cvd_lots", "i8", "asof", lots=1),
    Statistic("cvd_per_price", "f8", "asof"),
    Statistic("cvd_day", "i8", "asof", NEVER),
)
"""What the step adds to a pane: the last pane with trades says, also for windows without."""


def _cvd(windows: Columns) -> Columns:
    value = base_volume(windows["cvd_lots"], windows["cvd_per_price"], windows)
    today = (windows["window_end_ns"] - 1) // (DAY_MS * 1_000_000)
    value = np.where(windows["cvd_day"] == today, value, 0.0)
    return {"cvd": np.where(windows["cvd_day"] == NEVER, np.nan, value)}


CUMULATIVE = Feature(
    "cumulative_volume_delta",
    (
        *(s.name for s in STATISTICS),
        "window_end_ns",
        *units.READS,
    ),
    (
        Column(
            "cvd",
            "f8",
            "signed volume since 00:00 UTC, at the window's end",
            "base",
            "sum s q",
            sign="net buying: positive",
            null_when="no trade yet, or contract unknown",
        ),
    ),
    _cvd,
)
