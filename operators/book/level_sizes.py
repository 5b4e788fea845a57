"""Level sizes: the notional of a side's levels that are known exactly and near mid, and what is usual among them.

Of more than `SAMPLE` levels only some count for what is usual, a fixed step apart, so that a deep book costs no more
than a thin one.

>>> values = np.array([5.0, 6, 4, 5, 7, 5, 6, 60])
>>> median, scale = np.zeros(1), np.zeros(1)
>>> spread(values, np.empty(8), np.empty(8), 8, median, scale)
>>> float(median[0]), round(float((60 - median[0]) / scale[0]), 4)
(5.5, 73.5205)
"""

import numpy as np

from operators.book.sides import F8, Ladders, known_within, side_of
from schemas.kernels import inner, kernel

LEAST_LEVELS, SAMPLE = 8, 256
WITHIN_BPS = 100
_MAD, _MEAN = 1 / 0.6745, 1.253314
SAMPLED = (
    f"of every k-th level from the best on, k the first odd number from 1 + floor((n - 1) / {SAMPLE}) on that 5 does"
    f" not divide, n: levels known within {WITHIN_BPS} bps"
)


@inner
def sizes_of(books: Ladders, i: int, s: int, sizes: F8) -> int:
    """Write ticks times lots (inverse: lots) of the levels of side s of book i; how many count, from the best on."""
    ticks, lots, _ = side_of(books, i, s)
    n = known_within(books, i, s, WITHIN_BPS)
    if books.inverse[i]:
        for j in range(n):
            sizes[j] = float(lots[j])
    else:
        for j in range(n):
            sizes[j] = float(lots[j]) * float(ticks[j])
    return n


@inner
def select(values: F8, room: F8, n: int, k: int) -> float:
    """The k-th smallest of n values. No branch hangs on a value, for none could be foreseen."""
    held = values
    while True:
        a, b, c = held[0], held[n // 2], held[n - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        below, equal = 0, 0
        for i in range(n):
            below += int(held[i] < pivot)
            equal += int(held[i] == pivot)
        if below <= k < below + equal:
            return float(pivot)
        left, smaller = 0, k < below
        if smaller:
            for i in range(n):
                value = held[i]
                room[left] = value
                left += int(value < pivot)
        else:
            k -= below + equal
            for i in range(n):
                value = held[i]
                room[left] = value
                left += int(value > pivot)
        held, n = room, left


@inner
def step_of(n: int) -> int:
    """How far apart the levels are that count: odd and no multiple of 5, for large levels stand at round prices."""
    step = (1 + (n - 1) // SAMPLE) | 1
    return step + 2 if step % 5 == 0 else step


@inner
def sample(sizes: F8, n: int, some: F8) -> int:
    """Write those of n sizes that count for what is usual; how many."""
    m = 0
    for j in range(0, n, step_of(n)):
        some[m] = sizes[j]
        m += 1
    return m


@inner
def middle(values: F8, room: F8, n: int) -> float:
    """The median of n values."""
    low = select(values, room, n, (n - 1) // 2)
    if n % 2 == 1:
        return low
    upto, above = 0, np.inf
    for i in range(n):
        upto += int(values[i] <= low)
        above = min(above, values[i] if values[i] > low else np.inf)
    return float((low + (low if upto > n // 2 else above)) / 2)


@kernel
def spread(values: F8, away: F8, room: F8, n: int, median: F8, scale: F8) -> None:
    """The median of n values, and what a distance from it is divided by to give z (0: nothing stands out)."""
    median[0] = middle(values, room, n)
    total = 0.0
    for i in range(n):
        away[i] = abs(values[i] - median[0])
        total += away[i]
    usual = middle(away, room, n)
    scale[0] = _MAD * usual if usual > 0 else _MEAN * total / n
