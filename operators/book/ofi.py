r"""Order-flow imbalance at the best five levels, one value a level and message.

    e_n =  [b_n >= b_{n-1}] q_n  -  [b_n <= b_{n-1}] q_{n-1}
         - [a_n <= a_{n-1}] r_n  +  [a_n >= a_{n-1}] r_{n-1}

b, a: m-th best bid and ask (ticks). q, r: the sizes there (lots). e > 0: net buying. The inequalities are not strict,
so a change of size at an unchanged price counts. A missing level stands infinitely far away with nothing in it.
The first message after a resync, or while the book is not live, has no predecessor: its flow is 0 lots and not known.

Cont, Kukanov & Stoikov (2014), J. Financial Econometrics 12(1), 47-88; levels: Xu, Gould & Howison (2018).

>>> bids, asks = np.zeros((2, 2, 5), np.int64), np.zeros((2, 2, 5), np.int64)
>>> bids[0, :, 0], bids[1, :, 0], asks[0, :, 0], asks[1, :, 0] = (100, 101), (5, 7), (103, 103), (4, 1)
>>> out = OFI.step(OFI.init(), {
...     "instrument": np.zeros(2, np.int32), "live": np.ones(2, bool), "fresh": np.array([True, False]),
...     "bid_ticks": bids[0], "bid_lots": bids[1], "ask_ticks": asks[0], "ask_lots": asks[1]})
>>> out["ofi_lots"][:, 0], out["ofi_known"]
(array([ 0, 10]), array([False,  True]))
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.contract import Columns, Step
from operators.pack import pack, unpack
from schemas.kernels import kernel

LEVELS = 5
FARTHEST_TICKS = 2**62
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]


def _nothing() -> I8:
    return np.zeros((0, 4, LEVELS), np.int64)


@dataclass(slots=True)
class LastTouch:
    """Per instrument: bid ticks, bid lots, ask ticks, ask lots of its last message, and whether the book was live."""

    levels: I8 = field(default_factory=_nothing)
    known: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))

    def grow(self, instruments: int) -> None:
        """Make room for instrument numbers below `instruments`."""
        more = instruments - len(self.known)
        if more > 0:
            self.levels = np.concatenate([self.levels, np.zeros((more, *self.levels.shape[1:]), np.int64)])
            self.known = np.concatenate([self.known, np.zeros(more, np.bool_)])


@kernel
def _flows(
    last: I8,
    known: Flags,
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
            b0, q0, a0, r0 = last[k, 0, m], last[k, 1, m], last[k, 2, m], last[k, 3, m]
            b1, q1, r1 = bid_ticks[i, m], bid_lots[i, m], ask_lots[i, m]
            a1 = ask_ticks[i, m] if ask_ticks[i, m] != 0 else FARTHEST_TICKS
            e = (b1 >= b0) * q1 - (b1 <= b0) * q0 - (a1 <= a0) * r1 + (a1 >= a0) * r0
            flow[i, m] = e if flow_known[i] else 0
            last[k, 0, m], last[k, 1, m], last[k, 2, m], last[k, 3, m] = b1, q1, a1, r1


def _step(state: LastTouch, messages: Columns) -> Columns:
    instrument = messages["instrument"]
    state.grow(int(instrument.max(initial=-1)) + 1)
    flow = np.zeros((len(instrument), LEVELS), np.int64)
    known = np.zeros(len(instrument), np.bool_)
    _flows(state.levels, state.known, flow, known, *(messages[n] for n in OFI.reads))
    return {"ofi_lots": flow, "ofi_known": known}


def rescale(state: LastTouch, instrument: int, tick_factor: int, lot_factor: int) -> None:
    """An inferred tick or lot was refined: the last touch in the finer unit."""
    if instrument < len(state.known):
        state.levels[instrument, 0::2] *= tick_factor
        state.levels[instrument, 1::2] *= lot_factor


def _freeze(state: LastTouch) -> bytes:
    return pack({"levels": state.levels, "known": state.known})


def _thaw(data: bytes) -> LastTouch:
    arrays = unpack(data)
    return LastTouch(arrays["levels"].astype(np.int64, copy=False), arrays["known"].astype(np.bool_, copy=False))


OFI = Step(
    "ofi",
    ("instrument", "live", "fresh", "bid_ticks", "bid_lots", "ask_ticks", "ask_lots"),
    ("ofi_lots", "ofi_known"),
    LastTouch,
    _step,
    _freeze,
    _thaw,
)
