"""Repeats: liquidations that a venue sent again, as it does after a reconnect.

A row repeats if a row before it in the log has the same instrument, event time, side, size and price, and the same id
where the venue sends one, and the latest event time seen by then is at most 10 s ahead of it. Two distinct liquidations
without an id that are alike in all else are taken for one, unless one message lists both. Keys are forgotten 10 s of
event time behind the latest, so the state holds 10 s of liquidations, 48 bytes each.

Key and memory: OKX replays its last message to each subscriber (tardis-node okex mapper).

>>> twice = {"instrument": [0, 0], "event_ns": [5, 5], "order_side": [1, 1], "id": [-1, -1], "lots": [39, 39],
...          "price": [0.55, 0.55]}
>>> REPEATS.step(REPEATS.init(), {k: np.array(v) for k, v in twice.items()})["repeated"]
array([False,  True])
"""

import numpy as np

from operators.contract import I8, Columns, Field, Kept, Operator, State

MEMORY_NS = 10_000_000_000
_KEY = ("event_ns", "instrument", "order_side", "id", "lots", "price_bits")


def _remembered(state: State) -> I8:
    return np.stack([state[n] for n in _KEY])


def _key(events: Columns) -> I8:
    price = np.ascontiguousarray(events["price"], np.float64).view(np.int64)
    return np.stack([*(events[n].astype(np.int64) for n in _KEY[:-1]), price])


def _step(state: State, events: Columns) -> Columns:
    keys = np.concatenate([_remembered(state), _key(events)], axis=1)
    remembered = len(state["event_ns"])
    event_ns = keys[0, remembered:]
    # The latest so far is always among what is remembered, for it is no older than itself.
    latest = np.maximum(np.maximum.accumulate(event_ns), keys[0, :remembered].max(initial=-(2**63)))
    order = np.lexsort(keys)  # stable: of equal keys the earliest in the log comes first
    alike = np.zeros(keys.shape[1], np.bool_)
    alike[order[1:]] = np.all(keys[:, order[1:]] == keys[:, order[:-1]], axis=0)
    if len(latest):
        kept = keys[:, ~alike & (latest[-1] - keys[0] <= MEMORY_NS)]
        state.update(zip(_KEY, kept, strict=True))
    return {"repeated": alike[remembered:] & (latest - event_ns <= MEMORY_NS)}


REPEATS = Operator(
    "repeats",
    "forced_order",
    ("event_ns", "instrument", "order_side", "id", "lots", "price"),
    state=(
        Kept(
            (
                Field("event_ns", "i8"),
                Field("instrument", "i8"),
                Field("order_side", "i8"),
                Field("id", "i8"),
                Field("lots", "i8", lots=1),
                Field("price_bits", "i8"),
            )
        ),
    ),
    step=_step,
    writes=("repeated",),
    anew=True,
)
