"""Depth grid: what stands in the book by price and time, for heatmaps: a row every 10 s, a character a price step.

    cell c of a row is [price_low + c step, price_low + (c + 1) step), 128 of them around mid
    code 0 (`#`): nothing stands there    code n: notional in [2^((n - 1) / 3), 2^(n / 3)) of the quote, up to 2^28
    character = code + 35, one more from `\\` on (92 is left out)    `~`: not known exactly, or not read

step: the widest of 1, 2, 5, 10, ... ticks no wider than 4 bps, and a tick at the least; so cells are 1.6 to 4 bps wide
wherever the tick allows, and all that is read of a ladder (100 bps on either side) is in the row. Codes are thirds of
octaves: a cell's notional is known within +-12 %, by its middle 2^((n - 0.5) / 3). Bids and asks stand in one row; the
mid tells which they are. A row is the first closing of its 10 s (at the end of the first pane of them with a message),
so it is a picture, no mean: what came and went between two of them is not in it. Of a book that is not live, one-sided
or crossed there is none.

Compact: 360 rows a market and hour, where a row a cell would be 46,080; at most 47 kB of strips, and with ZSTD(1), all
numbers included, 6.7 kB of the recorded BTCUSDT perpetual, whose snapshot knows some 15 of the cells.

>>> "".join(np.array([*cells(np.array([0.0, 0.5, 1.0, 1.9, 1e6, np.nan])).view("U1")]).tolist())
'#$$&`~'
"""

import numpy as np
from numpy.typing import NDArray

from operators import quality, units
from operators.book.midpoint import LADDER
from operators.book.price_steps import step_ticks
from operators.book.sides import F8, Ladders, ladders, side_of
from operators.contract import I8, Array, Columns, EventTable, Field, Operator, State
from schemas.column import Column
from schemas.kernels import kernel

CELLS, STEP_BPS, EVERY_NS, REACH_BPS = 128, 4, 10_000_000_000, 100
THIRDS, MOST = 3, 84
_MADE = {
    **{"row": "<i8", "event_time": "<i8", "mid": "<f8", "price_low": "<f8", "step": "<f8"},
    "depth": f"<U{CELLS}",
}
NOTHING, LEFT_OUT, UNKNOWN = ord("#"), ord("\\"), ord("~")


def cells(notional: Array) -> NDArray[np.uint32]:
    """The characters of amounts; NaN: not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        code = np.where(notional > 0, np.clip(np.floor(THIRDS * np.log2(notional)) + 1, 1, MOST), 0)
    character = NOTHING + np.where(np.isnan(code), 0, code).astype(np.uint32)
    character += character >= LEFT_OUT
    return np.where(np.isnan(notional), np.uint32(UNKNOWN), character).astype(np.uint32)


def amounts(strip: str) -> list[float]:
    """What a strip says: the middle of each cell's range, 0 where nothing stands, NaN where it is not known.

    >>> [round(x, 2) for x in amounts("#$&~")]
    [0.0, 1.12, 1.78, nan]
    """
    codes = [ord(c) - NOTHING - (ord(c) > LEFT_OUT) for c in strip]
    told = zip(strip, codes, strict=True)
    return [np.nan if c == "~" else 2 ** ((n - 0.5) / THIRDS) if n else 0.0 for c, n in told]


@kernel
def _add_up(
    books: Ladders,
    chosen: I8,
    low: I8,
    step: I8,
    sums: F8,
    tick_mantissa: F8,
    tick_scale: F8,
    lot_mantissa: F8,
    lot_scale: F8,
    contract: F8,
) -> None:
    """Notional (`units.usd`) by cell of the chosen books, f8[len(chosen), CELLS], bids first, best first."""
    for row in range(len(chosen)):
        i = chosen[row]
        for s in range(2):
            ticks, lots, _ = side_of(books, i, s)
            cell, begins, ends = 0, 0, 0
            for j in range(len(ticks)):
                if not begins <= ticks[j] < ends:
                    cell = ticks[j] // step[row] - low[row]
                    begins = (low[row] + cell) * step[row]
                    ends = begins + step[row]
                if 0 <= cell < sums.shape[1]:
                    counted = lots[j] * lot_mantissa[i] / lot_scale[i] * contract[i]
                    price = ticks[j] * tick_mantissa[i] / tick_scale[i]
                    sums[row, cell] += counted if books.inverse[i] else counted * price


def _step(state: State, books: Columns) -> Columns:
    view, instrument = ladders(books), books["instrument"]
    half = view.half
    stretch = (books["pane_end_ns"] - 1) // EVERY_NS
    # Of each instrument and stretch the first; panes of one instrument come in order.
    there = np.flatnonzero((half > 0) & (stretch > state["stretch"][instrument]))
    if not len(there):  # as at nine closings of ten
        return {n: np.empty(0, dtype) for n, dtype in _MADE.items()}
    order = there[np.lexsort((stretch[there], instrument[there]))]
    other = (np.diff(instrument[order]) != 0) | (np.diff(stretch[order]) != 0)
    chosen = np.sort(order[np.append(True, other)])
    np.maximum.at(state["stretch"], instrument[chosen], stretch[chosen])
    of: dict[str, Array] = {name: books[name][chosen] for name in units.READS}
    middle = half[chosen] // 2
    step = step_ticks(middle, STEP_BPS)
    low = middle // step - CELLS // 2
    sums = np.zeros((len(chosen), CELLS))
    _add_up(view, chosen, low, step, sums, *(books[n] for n in units.READS if n != "inverse"))
    reach = half[chosen] * REACH_BPS / 10_000
    begins = (low[:, None] + np.arange(CELLS)) * step[:, None]
    # Read as far as the ladder goes, and known as far as the book is exact.
    lowest = np.maximum(np.ceil((half[chosen] - reach) / 2), books["reach_low_ticks"][chosen].astype(np.float64))
    highest = np.minimum(np.floor((half[chosen] + reach) / 2), books["reach_high_ticks"][chosen].astype(np.float64))
    known = (begins >= lowest[:, None]) & (begins + step[:, None] - 1 <= highest[:, None])
    strip = cells(np.where(known, sums, np.nan))
    return {
        "row": chosen,
        "event_time": books["pane_end_ns"][chosen],
        "mid": units.price(half[chosen], of) / 2,
        "price_low": units.price(low * step, of),
        "step": units.price(step, of),
        "depth": np.ascontiguousarray(strip).view(_MADE["depth"])[:, 0],
    }


DEPTH_GRID = Operator(
    "depth_grid",
    "close",
    ("instrument", "pane_end_ns", *LADDER, *units.READS),
    table=EventTable("depth_grid", "depth.grid", ttl_days=90),
    state=(Field("stretch", "i8", -1),),
    step=_step,
    columns=(
        Column(
            "event_time",
            "time",
            "end of the pane after which it stood so: of each 10 s the first that closed",
            "ns since 1970 UTC",
            low=0,
        ),
        Column("mid", "f8", "midpoint: bids are below, asks above", "quote", "(Pb + Pa) / 2", quality.OURS, low=0),
        Column(
            "price_low", "f8", "where the first cell begins", "quote", "(floor(mid / step) - 64) step", quality.OURS
        ),
        Column("step", "f8", "how wide a cell is", "quote", "1, 2, 5, ... ticks, at most 4 bps", quality.OURS, low=0),
        Column(
            "depth",
            "str",
            "a character a cell, 128 from price_low up: its code + 35, and one more from 92 on; ~: not known, or not"
            " wholly within 100 bps of mid",
            formula="code 0: nothing; n: notional in [2^((n - 1) / 3), 2^(n / 3)) of the quote; 1: all below, 84: all"
            " above",
        ),
        Column("nth", "i8", "which of the instrument's of that millisecond", low=0),
        quality.CLOSED,
        quality.INFERRED,
    ),
)
