"""The midpoint of the exact book, in half ticks: what every distance in the book is measured from.

The ladder columns that book features read: `live`; `bid_starts, ask_starts` (int64[m + 1]); `bid_ticks, bid_lots,
ask_ticks, ask_lots`, best first; `reach_low_ticks, reach_high_ticks`. A bid is known exactly at `reach_low_ticks` and
above, an ask at `reach_high_ticks` and below: whatever stands beyond may have been there before the book was.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from operators.contract import Columns

I8 = NDArray[np.int64]
SIDES = ("bid_starts", "bid_ticks", "bid_lots", "ask_starts", "ask_ticks", "ask_lots")
REACH = ("reach_low_ticks", "reach_high_ticks")
LADDER = ("live", *SIDES, *REACH)


@njit(cache=True)
def _half_ticks(live: NDArray[np.bool_], bid_starts: I8, bid_ticks: I8, ask_starts: I8, ask_ticks: I8) -> I8:
    out = np.zeros(len(live), np.int64)
    for i in range(len(live)):
        b, a = bid_starts[i], ask_starts[i]
        if not live[i] or b == bid_starts[i + 1] or a == ask_starts[i + 1]:
            continue
        if bid_ticks[b] <= ask_ticks[a]:
            out[i] = bid_ticks[b] + ask_ticks[a]
    return out


def half_ticks(books: Columns) -> I8:
    """Best bid plus best ask in ticks, so the mid in half ticks, an integer; int64[m].

    0 where no distance can be measured: not live, one-sided or crossed.

    >>> one = {"bid_starts": [0, 1], "bid_ticks": [9995], "ask_starts": [0, 1], "ask_ticks": [10005]}
    >>> half_ticks({k: np.array(v) for k, v in (one | {"live": [True]}).items()})
    array([20000])
    """
    names = ("live", "bid_starts", "bid_ticks", "ask_starts", "ask_ticks")
    return np.asarray(_half_ticks(*(books[n] for n in names)))
