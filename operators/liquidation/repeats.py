"""Repeats: liquidations that a venue sent again, as it does after a reconnect.

A row repeats if a row before it in the log has the same instrument, event time, side, size and price, and the same id
where the venue sends one. Two distinct liquidations without an id that are alike in all else are taken for one, unless
one message lists both. What is late is not given here, so a row is remembered while its pane is open: the state holds
the liquidations of open panes, 56 bytes each.

Key and memory: OKX replays its last message to each subscriber (tardis-node okex mapper).

>>> twice = {"instrument": [0, 0], "event_ns": [5, 5], "order_side": [1, 1], "id": [-1, -1], "lots": [39, 39],
...          "price": [0.55, 0.55], "pane": [0, 0], "open_from": [0, 0]}
>>> REPEATS.step(REPEATS.init(), {k: np.array(v) for k, v in twice.items()})["repeated"]
array([False,  True])
"""

import numpy as np

from operators.contract import I8, Columns, Field, Kept, Operator, State

_KEY = ("event_ns", "instrument", "order_side", "id", "lots", "price_bits", "pane")


def _remembered(state: State) -> I8:
    return np.stack([state[n] for n in _KEY])


def _key(events: Columns) -> I8:
    price = np.ascontiguousarray(events["price"], np.float64).view(np.int64)
    known = {n: events[n].astype(np.int64) for n in _KEY if n in events}
    return np.stack([(known | {"price_bits": price})[n] for n in _KEY])


def _step(state: State, events: Columns) -> Columns:
    keys = np.concatenate([_remembered(state), _key(events)], axis=1)
    remembered = len(state["event_ns"])
    order = np.lexsort(keys)  # stable: of equal keys the earliest in the log comes first
    alike = np.zeros(keys.shape[1], np.bool_)
    alike[order[1:]] = np.all(keys[:, order[1:]] == keys[:, order[:-1]], axis=0)
    if len(events["open_from"]):
        kept = keys[:, ~alike & (keys[_KEY.index("pane")] >= events["open_from"][-1])]
        state.update(zip(_KEY, kept, strict=True))
    return {"repeated": alike[remembered:]}


REPEATS = Operator(
    "repeats",
    "forced_order",
    ("event_ns", "instrument", "order_side", "id", "lots", "price", "pane", "open_from"),
    state=(
        Kept(
            (
                Field("event_ns", "i8"),
                Field("instrument", "i8"),
                Field("order_side", "i8"),
                Field("id", "i8"),
                Field("lots", "i8", lots=1),
                Field("price_bits", "i8"),
                Field("pane", "i8"),
            )
        ),
    ),
    step=_step,
    writes=("repeated",),
    anew=True,
)
