"""The midpoint of the exact book, in half ticks: what every distance in the book is measured from.

The ladder columns that book features read: `live`; `bid_starts, ask_starts` (int64[m + 1]); `bid_ticks, bid_lots,
ask_ticks, ask_lots`, best first; `reach_low_ticks, reach_high_ticks`. A bid is known exactly at `reach_low_ticks` and
above, an ask at `reach_high_ticks` and below: whatever stands beyond may have been there before the book was.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.contract import Columns
from schemas.kernels import kernel

I8 = NDArray[np.int64]
SIDES = ("bid_starts", "bid_ticks", "bid_lots", "ask_starts", "ask_ticks", "ask_lots")
REACH = ("reach_low_ticks", "reach_high_ticks")
LADDER = ("live", *SIDES, *REACH)


def best(live: NDArray[np.bool_], starts: I8, values: NDArray[np.int64], missing: float) -> NDArray[Any]:
    """The first value of each book's side, `missing` where the book is not live or the side empty."""
    there = live & (starts[:-1] < starts[1:])
    out = np.full(len(live), missing)
    out[there] = values[starts[:-1][there]]
    return out


NO_MID = "book not live, one-sided or crossed (bid above ask; a locked one has numbers)"
"""When no distance can be measured, as definitions say it: `crossed` in a row is true of a locked book too."""


@kernel
def _half_ticks(live: NDArray[np.bool_], bid_starts: I8, bid_ticks: I8, ask_starts: I8, ask_ticks: I8, out: I8) -> None:
    for i in range(len(out)):
        bid, ask = bid_starts[i], ask_starts[i]
        if live[i] and bid < bid_starts[i + 1] and ask < ask_starts[i + 1] and bid_ticks[bid] <= ask_ticks[ask]:
            out[i] = bid_ticks[bid] + ask_ticks[ask]


def half_ticks(books: Columns) -> I8:
    """Best bid plus best ask in ticks, so the mid in half ticks, an integer; int64[m].

    0 where no distance can be measured: not live, one-sided or crossed.

    >>> one = {"bid_starts": [0, 1], "bid_ticks": [9995], "ask_starts": [0, 1], "ask_ticks": [10005]}
    >>> half_ticks({k: np.array(v) for k, v in (one | {"live": [True]}).items()})
    array([20000])
    """
    out = np.zeros(len(books["live"]), np.int64)
    bids, asks = ((books[f"{s}_starts"], books[f"{s}_ticks"]) for s in ("bid", "ask"))
    _half_ticks(books["live"], *bids, *asks, out)
    return out
