"""Thresholds: what counts as a burst now, the running form of `models.labels`, minute by minute.

    Q(t, h) = max(floor, 0.95-quantile, type 7, of V(u, h) over the windows of the last 7 days that have ended by t)

Equal to the labels' thresholds on the same minutes. A minute that was not seen, or whose money is not known, is down;
a window of which more than 2 % was down does not count. Money is counted in whole cents.
"""

import zlib
from array import array
from bisect import bisect_left, insort
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.labels import QUANTILE, STEP_NS, UP_SHARE, WEEK_NS
from operators.pack import pack, unpack

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
WEEK = WEEK_NS // STEP_NS
LEAST = 60
DOWN = -1
_SLACK = 1440


@dataclass(slots=True)
class _Windows:
    """The windows of one side and horizon: the newest and the oldest as (cents, minutes down), and all, sorted."""

    steps: int
    newest: list[int] = field(default_factory=lambda: [0, 0])
    oldest: list[int] = field(default_factory=lambda: [0, 0])
    ended: "array[int]" = field(default_factory=lambda: array("q"))

    def up(self, down: int) -> bool:
        """Whether a window with so many minutes down counts."""
        return 1 - down / self.steps >= UP_SHARE

    def add(self, cents: "array[int]") -> None:
        """The last of `cents` is new; windows reach back a week."""
        at = len(cents) - 1
        _count(self.newest, cents[at], 1)
        if at >= self.steps:
            _count(self.newest, cents[at - self.steps], -1)
        else:
            _count(self.oldest, cents[at], 1)
        if at >= WEEK:
            if self.up(self.oldest[1]):
                del self.ended[bisect_left(self.ended, self.oldest[0])]
            _count(self.oldest, cents[at - WEEK], -1)
            _count(self.oldest, cents[at - WEEK + self.steps], 1)
        if at >= self.steps - 1 and self.up(self.newest[1]):
            insort(self.ended, self.newest[0])

    def fill(self, cents: I8) -> None:
        """As after adding all of `cents` one by one."""
        down = np.concatenate(([0], np.cumsum(cents == DOWN)))
        total = np.concatenate(([0], np.cumsum(np.where(cents == DOWN, 0, cents))))
        n, first = len(cents), max(0, len(cents) - WEEK)
        begin = np.arange(first, n - self.steps + 1)
        missing = down[begin + self.steps] - down[begin]
        kept = (total[begin + self.steps] - total[begin])[1 - missing / self.steps >= UP_SHARE]
        self.ended = array("q", np.sort(kept).tobytes())
        for held, at in ((self.newest, max(0, n - self.steps)), (self.oldest, first)):
            end = min(at + self.steps, n)
            held[:] = int(total[end] - total[at]), int(down[end] - down[at])

    def quantile_usd(self) -> float:
        """NaN with fewer than 60 windows."""
        n = len(self.ended)
        if n < LEAST:
            return np.nan
        rank = (n - 1) * QUANTILE
        low = int(rank)
        lower, upper = self.ended[low] / 100, self.ended[min(low + 1, n - 1)] / 100
        return lower + (rank - low) * (upper - lower)


def _count(held: list[int], cents: int, sign: int) -> None:
    if cents == DOWN:
        held[1] += sign
    else:
        held[0] += sign * cents


class Thresholds:
    """All instruments, by number; sides are long and short."""

    def __init__(self, horizons_min: tuple[int, ...], floor_usd: float) -> None:
        self.horizons_min, self.floor_usd = horizons_min, floor_usd
        self.last: list[int] = []
        self.cents: list[list[array[int]]] = []
        self.windows: list[list[list[_Windows]]] = []

    def _widen(self, instruments: int) -> None:
        while len(self.last) < instruments:
            self.last.append(-1)
            self.cents.append([array("q"), array("q")])
            self.windows.append([[_Windows(h) for h in self.horizons_min] for _ in range(2)])

    def step(self, instrument: I8, minute: int, long_usd: F8, short_usd: F8) -> F8:
        """The thresholds at the end of a minute (its number since 1970), USD, by row, side and horizon.

        NaN where fewer than 60 windows have ended. A minute that is not newer than the instrument's last is refused.

        >>> q = Thresholds((5,), 10.0)
        >>> for m in range(64):
        ...     got = q.step(np.array([0]), m, np.array([100.0]), np.array([1.0]))
        >>> got[0].tolist()
        [[500.0], [10.0]]
        """
        self._widen(int(instrument.max(initial=-1)) + 1)
        out = np.full((len(instrument), 2, len(self.horizons_min)), np.nan)
        for row, i in enumerate(instrument.tolist()):
            gap = minute - self.last[i] - 1 if self.last[i] >= 0 else 0
            if gap < 0:
                raise ValueError(f"minute {minute} of instrument {i} comes after its minute {self.last[i]}")
            if gap > WEEK:
                self.cents[i], gap = [array("q"), array("q")], 0
                self.windows[i] = [[_Windows(h) for h in self.horizons_min] for _ in range(2)]
            self.last[i] = minute
            for side, usd in enumerate((long_usd[row], short_usd[row])):
                cents, windows = self.cents[i][side], self.windows[i][side]
                for value in (*(DOWN for _ in range(gap)), DOWN if np.isnan(usd) else round(float(usd) * 100)):
                    cents.append(value)
                    for w in windows:
                        w.add(cents)
                if len(cents) > WEEK + _SLACK:
                    del cents[: len(cents) - WEEK - 1]
                out[row, side] = [w.quantile_usd() for w in windows]
        return np.where(np.isnan(out), np.nan, np.maximum(out, self.floor_usd))

    def ended_usd(self, instrument: I8) -> F8:
        """What the windows that ended with the last minute held, USD, by row, side and horizon; NaN where down."""
        out = np.full((len(instrument), 2, len(self.horizons_min)), np.nan)
        for row, i in enumerate(instrument.tolist()):
            for side, windows in enumerate(self.windows[i]):
                for h, w in enumerate(windows):
                    if len(self.cents[i][side]) >= w.steps and w.up(w.newest[1]):
                        out[row, side, h] = w.newest[0] / 100
        return out

    def freeze(self) -> bytes:
        """The minutes; the windows follow from them."""
        sizes = np.array([len(sides[0]) for sides in self.cents], np.int64)
        whole = b"".join(side[-WEEK - 1 :].tobytes() for sides in self.cents for side in sides)
        lengths = np.minimum(sizes, WEEK + 1)
        return zlib.compress(
            pack({"last": np.array(self.last, np.int64), "n": lengths, "cents": np.frombuffer(whole, np.int64)}), 1
        )

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen, for the horizons of now."""
        was = unpack(zlib.decompress(data))
        cents, at = was["cents"].astype(np.int64), 0
        self._widen(len(was["n"]))
        self.last = was["last"].astype(np.int64).tolist()
        for i, n in enumerate(was["n"].tolist()):
            for side in range(2):
                of = cents[at : at + n]
                at += n
                self.cents[i][side] = array("q", of.tobytes())
                for w in self.windows[i][side]:
                    w.fill(of)
