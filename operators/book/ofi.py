r"""Order-flow imbalance at the best five levels, one value a level and message.

    e_n =  [b_n >= b_{n-1}] q_n  -  [b_n <= b_{n-1}] q_{n-1}
         - [a_n <= a_{n-1}] r_n  +  [a_n >= a_{n-1}] r_{n-1}

b, a: m-th best bid and ask (ticks). q, r: the sizes there (lots). e > 0: net buying. The inequalities are not strict,
so a change of size at an unchanged price counts. A missing level stands infinitely far away with nothing in it.
The first message after a resync, or while the book is not live, has no predecessor: its flow is 0 lots and not known.
A snapshot by REST that replaces a trusted book (Binance) is one message with all that changed up to it.

Cont, Kukanov & Stoikov (2014), J. Financial Econometrics 12(1), 47-88; levels: Xu, Gould & Howison (2018).

>>> bids, asks = np.zeros((2, 2, 5), np.int64), np.zeros((2, 2, 5), np.int64)
>>> bids[0, :, 0], bids[1, :, 0], asks[0, :, 0], asks[1, :, 0] = (100, 101), (5, 7), (103, 103), (4, 1)
>>> state = {f.name: np.full((1, *f.shape), f.empty, f.dtype) for f in STATE}
>>> lots, known = flows(state, {
...     "instrument": np.zeros(2, np.int32), "live": np.ones(2, bool), "fresh": np.array([True, False]),
...     "bid_ticks": bids[0], "bid_lots": bids[1], "ask_ticks": asks[0], "ask_lots": asks[1]})
>>> lots[:, 0], known
(array([ 0, 10]), array([False,  True]))
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Columns, Field, State
from schemas.kernels import kernel

LEVELS = 5
FARTHEST_TICKS = 2**62
Flags = NDArray[np.bool_]
READS = ("instrument", "live", "fresh", "bid_ticks", "bid_lots", "ask_ticks", "ask_lots")
STATE = (
    Field("known", "bool"),
    Field("bid_ticks", "i8", shape=(LEVELS,), ticks=1),
    Field("bid_lots", "i8", shape=(LEVELS,), lots=1),
    Field("ask_ticks", "i8", FARTHEST_TICKS, (LEVELS,), ticks=1),
    Field("ask_lots", "i8", shape=(LEVELS,), lots=1),
)
"""The touch of the last message, and whether its book was live."""


@kernel
def _flows(
    known: Flags,
    last_bid_ticks: I8,
    last_bid_lots: I8,
    last_ask_ticks: I8,
    last_ask_lots: I8,
    flow: I8,
    flow_known: Flags,
    instrument: NDArray[np.int32],
    live: Flags,
    fresh: Flags,
    bid_ticks: I8,
    bid_lots: I8,
    ask_ticks: I8,
    ask_lots: I8,
) -> None:
    for i in range(len(instrument)):
        k = instrument[i]
        flow_known[i] = live[i] and known[k] and not fresh[i]
        known[k] = live[i]
        for m in range(bid_ticks.shape[1]):
            b0, q0, a0, r0 = last_bid_ticks[k, m], last_bid_lots[k, m], last_ask_ticks[k, m], last_ask_lots[k, m]
            b1, q1, r1 = bid_ticks[i, m], bid_lots[i, m], ask_lots[i, m]
            a1 = ask_ticks[i, m] if ask_ticks[i, m] != 0 else FARTHEST_TICKS
            e = (b1 >= b0) * q1 - (b1 <= b0) * q0 - (a1 <= a0) * r1 + (a1 >= a0) * r0
            flow[i, m] = e if flow_known[i] else 0
            last_bid_ticks[k, m], last_bid_lots[k, m], last_ask_ticks[k, m], last_ask_lots[k, m] = b1, q1, a1, r1


def flows(state: State, messages: Columns) -> tuple[I8, Flags]:
    """The flow of each message at each level, lots, and whether it is known."""
    n = len(messages["instrument"])
    flow, known = np.zeros((n, LEVELS), np.int64), np.zeros(n, np.bool_)
    _flows(
        state["known"],
        state["bid_ticks"],
        state["bid_lots"],
        state["ask_ticks"],
        state["ask_lots"],
        flow,
        known,
        *(messages[n] for n in READS),
    )
    return flow, known
