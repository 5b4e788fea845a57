r"""Labels: was there a liquidation burst in the window after each minute? Leak-free by construction.

    V(t, h) = sum of notional over events in (t, t + h]
    Q(t, h) = max(floor, 0.95-quantile, type 7, of V(u, h), u = t - h - 60 s j, j >= 0, u >= t - 7 d)
    y(t, h) = V(t, h) > Q(t, h)

Only windows that have ended by t enter Q. A label is null when the feed was up for less than 98 % of its window or
fewer than `least` windows stand behind its threshold; windows that were down do not enter Q either. It may be trained
on only from `available_ns` = t + h + 60 s. Money is counted in whole cents, so that no sum depends on its neighbours.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

LABEL_VERSION = "burst-95-7d-1"
STEP_NS = 60_000_000_000
WEEK_NS = 7 * 24 * 3600 * 1_000_000_000
QUANTILE = 0.95
UP_SHARE = 0.98
NULL = -1


@dataclass(frozen=True, slots=True)
class Labels:
    """One row a minute: `y` is 0, 1 or NULL; volumes in USD, NaN where the feed was down or the log is not there yet.

    `past_usd` is V(t - h, h), what the window that ends at t held: known at t.
    """

    at_ns: I8
    y: NDArray[np.int8]
    volume_usd: F8
    threshold_usd: F8
    past_usd: F8
    available_ns: I8


def volume(event_ns: I8, notional_usd: F8, at_ns: I8, horizon_ns: int) -> F8:
    """V(t, h) for each t; events in order of time. An event at exactly t belongs to the past.

    >>> events = np.array([30, 290, 310, 700]), np.array([100e3, 50e3, 70e3, 500e3])
    >>> volume(*events, np.array([0, 60, 300, 420]), 300).tolist()
    [150000.0, 120000.0, 70000.0, 500000.0]
    """
    cents = np.concatenate(([0], np.cumsum(np.rint(notional_usd * 100).astype(np.int64))))
    first = np.searchsorted(event_ns, at_ns, side="right")
    last = np.searchsorted(event_ns, at_ns + horizon_ns, side="right")
    return np.asarray((cents[last] - cents[first]) / 100.0)


def up_share(down_ns: I8, at_ns: I8, horizon_ns: int) -> F8:
    """The share of (t, t + h] in which the feed was up; `down_ns`, shape (n, 2): disjoint spans (start, end) in order.

    >>> up_share(np.array([[100, 130]]), np.array([0, 100, 120]), 100).tolist()
    [1.0, 0.7, 0.9]
    """
    spans = np.concatenate((np.empty((0, 2), np.int64), down_ns))
    lengths = np.concatenate(([0], np.cumsum(spans[:, 1] - spans[:, 0])))

    def until(t: I8) -> I8:
        begun = np.searchsorted(spans[:, 0], t, side="right")
        last = spans[np.maximum(begun - 1, 0)] if len(spans) else np.zeros((len(t), 2), np.int64)
        return np.asarray(np.where(begun > 0, lengths[begun] - np.maximum(last[:, 1] - t, 0), 0))

    return np.asarray(1 - (until(at_ns + horizon_ns) - until(at_ns)) / horizon_ns)


def label(
    event_ns: I8,
    notional_usd: F8,
    start_ns: int,
    end_ns: int,
    horizon_ns: int,
    floor_usd: float,
    down_ns: I8 | None = None,
    least: int = 60,
) -> Labels:
    """Labels of one instrument and side at every minute of [start, end]; the log is complete over that span.

    ValueError when events are out of order, a notional is negative or not finite, or the horizon is no whole minutes.
    """
    if np.any(np.diff(event_ns) < 0):
        raise ValueError("liquidations must be in order of event time")
    if not np.all(np.isfinite(notional_usd) & (notional_usd >= 0)):
        raise ValueError("a liquidation's notional must be a number that is not negative")
    if horizon_ns <= 0 or horizon_ns % STEP_NS:
        raise ValueError(f"a horizon is a whole number of minutes, not {horizon_ns} ns")
    at = np.arange(-(-start_ns // STEP_NS) * STEP_NS, end_ns + 1, STEP_NS, dtype=np.int64)
    down = np.empty((0, 2), np.int64) if down_ns is None else down_ns
    known = (at + horizon_ns <= end_ns) & (up_share(down, at, horizon_ns) >= UP_SHARE)
    future = np.where(known, volume(event_ns, notional_usd, at, horizon_ns), np.nan)
    steps = horizon_ns // STEP_NS
    past = np.concatenate((np.full(min(steps, len(at)), np.nan), future[: max(len(at) - steps, 0)]))
    threshold = _thresholds(past, WEEK_NS // STEP_NS - steps + 1, max(least, 1))
    threshold = np.where(np.isnan(threshold), np.nan, np.maximum(threshold, floor_usd))
    null = np.isnan(future) | np.isnan(threshold)
    y = np.where(null, NULL, future > threshold).astype(np.int8)
    return Labels(at, y, future, threshold, past, at + horizon_ns + STEP_NS)


@njit(cache=True)
def _thresholds(ended: F8, window: int, least: int) -> F8:
    """Rolling quantile of the windows that have ended, the last `window` of them, nulls left out."""
    out = np.full(len(ended), np.nan)
    kept = np.empty(window)
    n = 0
    for k in range(len(ended)):
        if k >= window and not np.isnan(ended[k - window]):
            i = np.searchsorted(kept[:n], ended[k - window])
            kept[i : n - 1] = kept[i + 1 : n].copy()
            n -= 1
        if not np.isnan(ended[k]):
            i = np.searchsorted(kept[:n], ended[k])
            kept[i + 1 : n + 1] = kept[i:n].copy()
            kept[i] = ended[k]
            n += 1
        if n >= least:
            rank = (n - 1) * QUANTILE
            low = int(rank)
            high = min(low + 1, n - 1)
            out[k] = kept[low] + (rank - low) * (kept[high] - kept[low])
    return out
