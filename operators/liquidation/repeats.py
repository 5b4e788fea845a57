"""Repeats: liquidations that a venue sent again, as it does after a reconnect.

A row repeats if a row before it in the log has the same instrument, event time, side, size and price, and the latest
event time seen by then is at most 10 s ahead of it. Two distinct liquidations alike in all five are taken for one.
Keys are forgotten 10 s of event time behind the latest, so the state holds 10 s of liquidations, 40 bytes each.

Key and memory: OKX replays its last message to each subscriber (tardis-node okex mapper).

>>> twice = {"instrument": [0, 0], "event_ns": [5, 5], "order_side": [1, 1], "lots": [39, 39], "price": [0.55, 0.55]}
>>> REPEATS.step(REPEATS.init(), {k: np.array(v) for k, v in twice.items()})["repeated"]
array([False,  True])
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.contract import Columns, Step
from operators.pack import pack, unpack

MEMORY_NS = 10_000_000_000
I8 = NDArray[np.int64]
_KEY = ("event_ns", "instrument", "order_side", "lots", "price")


@dataclass(slots=True)
class Recent:
    """The keys of the last 10 s of event time, int64[5, n], event time first, and the latest event time seen."""

    keys: I8 = field(default_factory=lambda: np.zeros((len(_KEY), 0), np.int64))
    latest_ns: int = -(2**63)


def _key(events: Columns) -> I8:
    price = np.ascontiguousarray(events["price"], np.float64).view(np.int64)
    return np.stack([*(events[n].astype(np.int64) for n in _KEY[:-1]), price])


def _step(state: Recent, events: Columns) -> Columns:
    remembered = state.keys.shape[1]
    keys = np.concatenate([state.keys, _key(events)], axis=1)
    event_ns = keys[0, remembered:]
    latest = np.maximum(np.maximum.accumulate(event_ns), state.latest_ns)
    order = np.lexsort(keys)  # stable: of equal keys the earliest in the log comes first
    alike = np.zeros(keys.shape[1], np.bool_)
    alike[order[1:]] = np.all(keys[:, order[1:]] == keys[:, order[:-1]], axis=0)
    if len(latest):
        state.latest_ns = int(latest[-1])
        state.keys = keys[:, ~alike & (state.latest_ns - keys[0] <= MEMORY_NS)]
    return {"repeated": alike[remembered:] & (latest - event_ns <= MEMORY_NS)}


def rescale(state: Recent, instrument: int, lot_factor: int) -> None:
    """An inferred lot was refined: the remembered sizes in the finer unit."""
    state.keys[_KEY.index("lots"), state.keys[_KEY.index("instrument")] == instrument] *= lot_factor


def _freeze(state: Recent) -> bytes:
    return pack({"keys": state.keys, "latest_ns": np.array([state.latest_ns])})


def _thaw(data: bytes) -> Recent:
    arrays = unpack(data)
    return Recent(arrays["keys"].astype(np.int64), int(arrays["latest_ns"][0]))


REPEATS = Step("repeats", _KEY, ("repeated",), Recent, _step, _freeze, _thaw)
