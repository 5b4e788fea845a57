"""Hourly returns of every market, from the mark at the end of each hour, in bounded memory.

The mark of an hour is the last with an event time within it, and must lie in its last five minutes: else the hour is
unknown, and with it the return that it ends and the one that it begins. r_h = P_h / P_(h-1) - 1; no two overlap, so
their number is that of independent hours. Hours that passed before a log begins may be known from candles
(`Seeds`): an hour is filled from them when the log's own time has passed it, and never with what came later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.pack import pack, unpack

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

HOUR_NS = 3_600_000_000_000
LAST_NS = 300_000_000_000
HISTORY = 1_000
Seeds = Mapping[int, tuple[I8, F8]]
"""Market -> hours since 1970, ascending, and the price at the end of each."""


@dataclass(slots=True)
class Returns:
    """A ring of `history + 2` hours a market; `hour` is the newest, whose mark may still change."""

    history: int = HISTORY
    seeds: Seeds = field(default_factory=dict)
    hour: int = -1
    marks: F8 = field(default_factory=lambda: np.empty((0, 0)))
    seen_ns: I8 = field(default_factory=lambda: np.empty(0, np.int64))
    """When the mark of the newest hour held; 0: it has none."""

    @property
    def hours(self) -> int:
        """How many hours the ring holds."""
        return self.history + 2


def observe(state: Returns, market: I8, mark: F8, event_ns: I8) -> None:
    """Take marks in order. What is of an hour that is over, or not a positive number, changes nothing."""
    good = (mark > 0) & np.isfinite(mark)
    market, mark, event_ns = market[good], mark[good], event_ns[good]
    if len(market) == 0:
        return
    _widen(state, int(market.max()) + 1)
    hour = event_ns // HOUR_NS
    for newest in np.unique(hour[hour >= state.hour]).tolist():
        if newest > state.hour:
            _pass_to(state, newest)
        now = hour == newest
        state.marks[market[now], newest % state.hours] = mark[now]
        state.seen_ns[market[now]] = event_ns[now]


def _widen(state: Returns, markets: int) -> None:
    had = len(state.marks)
    if had < markets:
        grown = np.full((markets, state.hours), np.nan)
        grown[:had] = state.marks.reshape(-1, state.hours)
        state.marks = grown
        state.seen_ns = np.append(state.seen_ns, np.zeros(markets - had, np.int64))
        if state.hour >= 0:
            _seed(state, range(had, markets), state.hour - state.hours, state.hour)


def _pass_to(state: Returns, newest: int) -> None:
    """Begin an hour: those passed over are unknown but for the seeds, and so is one whose last mark came too early."""
    if state.hour >= 0:
        early = state.seen_ns < (state.hour + 1) * HOUR_NS - LAST_NS
        state.marks[early, state.hour % state.hours] = np.nan
    passed = np.arange(max(state.hour + 1, newest - state.hours + 1), newest + 1)
    state.marks[:, passed % state.hours] = np.nan
    _seed(state, range(len(state.marks)), max(state.hour - 1, newest - state.hours), newest)
    state.hour = newest
    state.seen_ns[:] = 0


def _seed(state: Returns, markets: range, after: int, before: int) -> None:
    """Fill unknown hours between the two from candles."""
    for market in markets:
        if market in state.seeds:
            hours, prices = state.seeds[market]
            chosen = slice(*np.searchsorted(hours, [after + 1, before]).tolist())
            at = hours[chosen] % state.hours
            known = state.marks[market, at]
            state.marks[market, at] = np.where(np.isnan(known), prices[chosen], known)


def returns(state: Returns) -> F8:
    """Returns by market and hour, oldest first, `history` of them, up to the last hour that is over."""
    if len(state.marks) == 0 or state.hour < 0:
        return np.empty((0, state.history))
    ends = np.arange(state.hour - state.history, state.hour)
    size = state.hours
    return np.asarray(state.marks[:, ends % size] / state.marks[:, (ends - 1) % size] - 1)


def freeze(state: Returns) -> bytes:
    """The ring as bytes; seeds are settings and stay outside."""
    shape = np.array([state.history, state.hour], np.int64)
    return pack({"marks": state.marks, "shape": shape, "seen_ns": state.seen_ns})


def thaw(data: bytes, seeds: Seeds | None = None) -> Returns:
    """The ring as it was frozen, on the candles of today."""
    arrays = unpack(data)
    history, hour = (int(x) for x in arrays["shape"])
    marks, seen_ns = np.asarray(arrays["marks"], np.float64), np.asarray(arrays["seen_ns"], np.int64)
    state = Returns(history, seeds or {}, hour, marks, seen_ns)
    if hour >= 0:
        _seed(state, range(len(marks)), hour - state.hours, hour)
    return state
