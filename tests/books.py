"""Books by hand, as the columns that an operator at the stage `close` reads."""

import numpy as np

FAR = 2**62


def columns(*books, live=True, low=0, high=FAR, tick=100.0, lot=1.0, contract=1.0, inverse=False):
    """Ladders of (bids, asks), each best first as (ticks, lots); a tick is 1 / `tick`, a lot 1 / `lot`."""
    n = len(books)
    out = {"live": np.full(n, live)}
    for s, name in enumerate(("bid", "ask")):
        levels = [level for book in books for level in book[s]]
        out[f"{name}_starts"] = np.cumsum([0, *(len(b[s]) for b in books)])
        out[f"{name}_ticks"] = np.array([p for p, _ in levels], np.int64)
        out[f"{name}_lots"] = np.array([q for _, q in levels], np.int64)
    out |= {"reach_low_ticks": np.full(n, low), "reach_high_ticks": np.full(n, high)}
    scales = {"tick_mantissa": 1.0, "tick_scale": tick, "lot_mantissa": 1.0, "lot_scale": lot, "contract": contract}
    return out | {name: np.full(n, v) for name, v in scales.items()} | {"inverse": np.full(n, inverse)}


def one(operator, bids, asks, **how):
    """What an operator says of one book."""
    return {name: array[0].item() for name, array in operator.compute(columns((bids, asks), **how)).items()}
