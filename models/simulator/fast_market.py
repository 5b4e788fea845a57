"""History: the same market in seconds without frames, for simulated days in a few wall seconds."""

import numpy as np
from numpy.typing import NDArray

from models.simulator.simulation import Settings
from models.simulator.state import begin, buffers, plan, unseen


def history(settings: Settings, seconds: int) -> NDArray[np.void]:
    """What an observer could know at the end of each second (`rows.Second`), shape (seconds, instruments).

    Equal to what the frames of equal settings tell, liquidations complete instead of throttled.

    >>> history(Settings(symbols=("BTCUSDT",), traders=20, warm_up_s=0), 3).shape
    (3, 1)
    """
    if seconds < 0:
        raise ValueError(f"seconds must not be negative, not {seconds}")
    steps = plan(settings, steps=settings.steps)
    return unseen(begin(settings), buffers(settings), steps, settings.trades_per_s, seconds)
