"""Composites: scores from 0 to 100, declared as weights over ranks of numbers among their own last day.

    score = 100 sum w_k r_k / sum w_k        over the parts that are known; r_k: rank of the good direction, [0, 1]

Null when fewer than two parts are known. Of its own quarter octave a value is above one half, so a number that never
moves has the rank 1/2; 50 where all parts are at their medians, and no part can get better and lower the score. The
ranks ride in the row. Each minute counts one sample, its first; a part has a rank once it has 30.

>>> parts = (Part("spread_bps", 0.3, -1, 0.01), Part("depth_usd", 0.7, 1, 1e3))
>>> weighted(np.array([[0.5, 1.0, np.nan], [1.0, 0.0, 0.2]]), parts).tolist()
[85.0, 30.0, nan]
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators import ranks
from operators.contract import I8, Array, Field, State
from schemas.column import Column
from schemas.kernels import kernel

F8 = NDArray[np.float64]
MINUTE_NS = 60_000_000_000


class Part(NamedTuple):
    """A number that a score is made of: its weight, 1 if more of it is better, else -1, and where its scale starts."""

    name: str
    weight: float
    good: int
    low: float
    of: str = ""
    """What it is, where no column is called so."""


def fields(parts: Sequence[Part]) -> tuple[Field, ...]:
    """The state of a score."""
    return *ranks.fields("rank", len(parts)), Field("minute", "i8", -1)


@kernel
def _rank(
    counts: I8, turn: I8, minute: I8, instrument: I8, end_ns: I8, lows: F8, good: I8, values: F8, out: F8
) -> None:
    for i in range(len(instrument)):
        k, now = instrument[i], (end_ns[i] - 1) // MINUTE_NS
        ranks.turned(counts, turn, k, end_ns[i])
        fresh = now > minute[k]
        for part in range(len(lows)):
            value = values[part, i]
            out[part, i] = np.nan
            if np.isnan(value):
                continue
            at = ranks.place(counts, value, lows[part])
            found = ranks.rank(counts, k, part, at, 0.5, ranks.LEAST)
            out[part, i] = found if good[part] > 0 else 1 - found
            if fresh:
                ranks.counted(counts, k, part, at)
        if fresh:
            minute[k] = now


def ranked(state: State, parts: Sequence[Part], instrument: Array, end_ns: I8, values: F8) -> F8:
    """The ranks of the good direction of some values, f8[parts, m], which count from now on."""
    out = np.empty_like(values)
    _rank(
        state["rank_counts"],
        state["rank_turn"],
        state["minute"],
        instrument.astype(np.int64),
        end_ns,
        np.array([p.low for p in parts]),
        np.array([p.good for p in parts]),
        values,
        out,
    )
    return out


def weighted(found: F8, parts: Sequence[Part]) -> F8:
    """The score of each column of ranks."""
    weight = np.array([p.weight for p in parts])[:, None]
    known = np.isfinite(found)
    total = (weight * known).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = 100 * (weight * np.where(known, found, 0.0)).sum(axis=0) / total
    return np.where(known.sum(axis=0) >= 2, np.clip(score, 0.0, 100.0), np.nan)


def share(low: float, panes: str) -> str:
    """How a rank on the scale that starts at `low` is told, of numbers that each of such panes has one of."""
    return (
        f"(samples below + half of those of its quarter octave, of {ranks.BINS} from {low:g} up) / samples, of each"
        f" minute before that at the end of its first {panes}, since the last but one 00:00 or 12:00 UTC"
    )


def score(parts: Sequence[Part]) -> str:
    """How a score is told."""
    weights = " + ".join(f"{p.weight:.2f} r_{p.name}".removeprefix("0") for p in parts)
    return f"100 ({weights}) / the sum of the weights, both over the parts that are known"


def columns(parts: Sequence[Part], null_when: str, panes: str, *, dollars: bool = False) -> list[Column]:
    """The ranks that ride in the row; `panes`: which have a sample."""
    unknown = f"{null_when}; fewer than {ranks.LEAST} minutes of it known in the last day"
    return [
        Column(
            f"{p.name}_rank",
            "f8",
            f"rank of {p.of or p.name} among its last 12 to 24 hours, {'high' if p.good > 0 else 'low'} values good",
            "1",
            ("" if p.good > 0 else "1 - ") + share(p.low, panes),
            "percentile rank",
            "better: larger",
            unknown,
            0,
            1,
            dollars=dollars,
        )
        for p in parts
    ]
