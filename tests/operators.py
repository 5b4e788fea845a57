"""One operator run by itself, as the room would run it."""

import numpy as np

from operators.operator_states import Running


def folded(operator, events, panes=1, slot=None):
    """The statistics of panes after some events: all of one pane, unless `slot` says which."""
    n = len(next(iter(events.values())))
    running, rows = Running((operator,)), operator.empty(panes)
    running.grow(int(events["instrument"].max(initial=-1)) + 1 if "instrument" in events else 1)
    running.fold(events, rows, np.zeros(n, np.int64) if slot is None else slot)
    return rows


def stepped(operator, rows):
    """What it says of rows."""
    running = Running((operator,))
    running.grow(int(rows["instrument"].max(initial=-1)) + 1 if "instrument" in rows else 1)
    return running.step(rows)
