"""Ranks: where a value stands among those of the last day, from counts in quarter octaves, bounded and forgetting.

    rank(v) = share of the samples below v, and of those of v's own quarter octave a part

Values from `low` to `low * 2**(n / 4)` in n bins; what lies beyond counts in the first or the last. Two sets of counts
take turns of 12 hours, so the look-back is between 12 and 24 hours, and nothing counts since the start.
"""

import math

import numpy as np

from operators.contract import I8, Field
from schemas.kernels import inner

BINS = 112
"""28 octaves."""
TURN_NS = 12 * 3_600_000_000_000
LEAST = 30


def fields(name: str, parts: int, bins: int = BINS) -> tuple[Field, Field]:
    """The state of the ranks of some numbers: counts, and the turn that they are of."""
    return Field(f"{name}_counts", "i8", 0, (2, parts, bins)), Field(f"{name}_turn", "i8", -1)


@inner
def turned(counts: I8, turn: I8, k: int, now_ns: int) -> None:
    """Have the counts of instrument k be of the turn of now: what is two turns old is forgotten."""
    now = (now_ns - 1) // TURN_NS
    if now <= turn[k]:
        return
    for part in range(counts.shape[2]):
        for b in range(counts.shape[3]):
            counts[k, 1, part, b] = counts[k, 0, part, b] if now == turn[k] + 1 else 0
            counts[k, 0, part, b] = 0
    turn[k] = now


@inner
def place(counts: I8, value: float, low: float) -> float:
    """Where a value stands on the scale of quarter octaves, from 0 to just below its end."""
    if not value > low:
        return 0.0
    return float(min(4 * math.log2(value / low), counts.shape[3] - 1e-9))


@inner
def counted(counts: I8, k: int, part: int, at: float) -> None:
    """One more sample."""
    counts[k, 0, part, int(at)] += 1


@inner
def rank(counts: I8, k: int, part: int, at: float, own_share: float, least: int) -> float:
    """Share of the samples below, in [0, 1], `own_share` of the own bin among them; NaN with fewer than `least`."""
    below, all_of, own = 0, 0, int(at)
    for b in range(counts.shape[3]):
        here = counts[k, 0, part, b] + counts[k, 1, part, b]
        all_of += here
        if b < own:
            below += here
    if all_of < least:
        return np.nan
    return float((below + own_share * (counts[k, 0, part, own] + counts[k, 1, part, own])) / all_of)
