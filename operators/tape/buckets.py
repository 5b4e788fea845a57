"""Buckets: volume cut into pieces of equal size, a fiftieth of the day before, and how one-sided each of them was.

    imbalance of a bucket = |sum of w q| / V        V: its size; w: buys less sells of a unit of the volume q in it

What straddles a boundary is split there, and what is left of it begins the next bucket (or several). V is a fiftieth of
the volume of the day before (UTC, of as much of it as the log holds): counted in fiftieths of lots, a bucket is as
large as that day was in lots. Both kinds of VPIN are the mean over the last 50 of them.

Easley, Lopez de Prado & O'Hara (2012), Review of Financial Studies 25(5), 1457-1493.
"""

from operators.contract import I8, Array
from schemas.kernels import inner

BUCKETS = 50
A_DAY = 50
"""Buckets to the volume of a day."""
DAY_NS = 86_400_000_000_000


@inner
def counted(day: I8, day_lots: I8, size: I8, k: int, at_ns: int, lots: int) -> int:
    """The lots in their day, and as fiftieths of lots what of them goes into buckets: nothing while V is not known."""
    today = (at_ns - 1) // DAY_NS
    if today > day[k]:
        if day_lots[k] > 0:
            size[k] = day_lots[k]
        day[k], day_lots[k] = today, 0
    day_lots[k] += lots
    return A_DAY * lots if size[k] > 0 else 0


@inner
def fill(
    size: I8, filled: I8, signed: Array, full: I8, imbalances: Array, one: float, k: int, left: int, weight: float
) -> None:
    """Put volume of one weight into buckets; the imbalance of each that is full is kept in units of 1 / `one`."""
    while left > 0:
        # A smaller bucket may be fuller than it is large when a day of less volume came before.
        part = min(left, max(size[k] - filled[k], 0))
        filled[k] += part
        signed[k] += weight * part
        left -= part
        if filled[k] >= size[k]:
            imbalances[k, full[k] % imbalances.shape[1]] = one * min(abs(signed[k]) / filled[k], 1.0)
            full[k] += 1
            filled[k], signed[k] = 0, 0
            # What is left may fill millions from end to end, all alike: a huge trade after a day of a tiny one.
            whole, n = left // size[k], imbalances.shape[1]
            for b in range(full[k] + max(whole - n, 0), full[k] + whole):
                imbalances[k, b % n] = one * min(abs(weight * size[k]) / size[k], 1.0)
            full[k] += whole
            left -= whole * size[k]


@inner
def mean(full: I8, imbalances: Array, one: float, k: int) -> float:
    """Of the last buckets; NaN until all of them are full."""
    n = imbalances.shape[1]
    if full[k] < n:
        return float("nan")
    total = 0.0
    for b in range(n):
        total += imbalances[k, b]
    return float(min(total / (n * one), 1.0))
