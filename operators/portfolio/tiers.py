"""Tiers, laid flat: the maintenance tiers of all markets in arrays, read by the compiled risk code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.brackets import Tiers
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TierTable:
    """Tier i of market m is row `starts[m] + i`; a market without tiers has none, and what needs them is null."""

    starts: I8
    floor: F8
    mmr: F8
    cum: F8
    max_leverage: F8


def table(markets: Sequence[tuple[str, str]], of: Mapping[tuple[str, str], Tiers]) -> TierTable:
    """The tiers of `markets` (venue, symbol), in their order."""
    tiers = [of.get(market) for market in markets]
    starts = np.zeros(len(tiers) + 1, np.int64)
    np.cumsum(np.array([0 if t is None else len(t.floor) for t in tiers], np.int64), out=starts[1:])
    empty = [np.empty(0)]
    return TierTable(
        starts,
        np.concatenate(empty + [t.floor for t in tiers if t is not None]),
        np.concatenate(empty + [t.mmr for t in tiers if t is not None]),
        np.concatenate(empty + [t.cum for t in tiers if t is not None]),
        np.concatenate(empty + [t.max_leverage for t in tiers if t is not None]),
    )


@inner
def tier_of(notional: float, start: int, end: int, floor: F8) -> int:
    """The row of the tier of a notional; -1 without tiers."""
    tier = end - 1
    if start == end:
        return -1
    while tier > start and floor[tier] > notional:
        tier -= 1
    return tier


@kernel
def maintenance(notional: float, start: int, end: int, floor: F8, mmr: F8, cum: F8) -> float:
    """`N * mmr - cum` by the tier of notional N; NaN without tiers."""
    tier = tier_of(notional, start, end, floor)
    if tier < 0:
        return np.nan
    required: float = notional * mmr[tier] - cum[tier]
    return required
