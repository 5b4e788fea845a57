"""Horizon returns: one-hour returns of every market at each minute, from marks of one minute, in bounded memory.

The mark of minute t is the last with an event time within it. A return ends at each minute and reaches `horizon`
minutes back, r_t = P_t / P_(t-horizon) - 1, so that neighbours overlap by all but one minute: they order the tail well
and are not independent observations. A minute without a mark is unknown, and so is every return that it ends.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.pack import pack, unpack

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

MINUTE_NS = 60_000_000_000


@dataclass(slots=True)
class Returns:
    """A ring of `history + horizon + 1` minutes a market; `minute` is the newest, whose mark may still change."""

    horizon: int = 60
    history: int = 1000
    minute: int = -1
    marks: F8 = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def minutes(self) -> int:
        """How many minutes the ring holds."""
        return self.history + self.horizon + 1


def observe(state: Returns, market: I8, mark: F8, event_ns: I8) -> None:
    """Take marks in order. What is older than the ring, or not a positive number, changes nothing."""
    if len(market) == 0:
        return
    size = state.minutes
    markets = max(int(market.max()) + 1, len(state.marks))
    if len(state.marks) < markets:
        grown = np.full((markets, size), np.nan)
        grown[: len(state.marks)] = state.marks.reshape(-1, size)
        state.marks = grown
    minute = event_ns // MINUTE_NS
    newest = int(minute.max())
    if newest > state.minute:
        passed = np.arange(max(state.minute + 1, newest - size + 1), newest + 1)
        kept = minute >= newest - size + 1
        _write(state, market, mark, minute, (minute <= state.minute) & kept)
        state.marks[:, passed % size] = np.nan
        _write(state, market, mark, minute, (minute > state.minute) & kept)
        state.minute = newest
    else:
        _write(state, market, mark, minute, minute > state.minute - size)


def _write(state: Returns, market: I8, mark: F8, minute: I8, which: NDArray[np.bool_]) -> None:
    good = which & (mark > 0) & np.isfinite(mark)
    state.marks[market[good], minute[good] % state.minutes] = mark[good]


def returns(state: Returns) -> F8:
    """Returns by market and minute, oldest first, `history` of them, up to the last minute that is over."""
    if len(state.marks) == 0:
        return np.empty((0, state.history))
    ends = np.arange(state.minute - state.history, state.minute)
    size = state.minutes
    seen = np.where(ends - state.horizon >= 0, 1.0, np.nan)
    return np.asarray(state.marks[:, ends % size] / state.marks[:, (ends - state.horizon) % size] * seen - 1)


def freeze(state: Returns) -> bytes:
    """The ring as bytes."""
    shape = np.array([state.horizon, state.history, state.minute], np.int64)
    return pack({"marks": state.marks, "shape": shape})


def thaw(data: bytes) -> Returns:
    """The ring as it was frozen."""
    arrays = unpack(data)
    horizon, history, minute = (int(x) for x in arrays["shape"])
    return Returns(horizon, history, minute, np.asarray(arrays["marks"], np.float64))
