"""Tiers, laid flat: the maintenance tiers of all markets in arrays, read by the compiled risk code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.brackets import Tiers
from schemas.kernels import inner, kernel

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Market = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TierTable:
    """Ladders of tiers: tier i of ladder n is row `starts[n] + i`; one without tiers has none: what needs it is null.

    A market has one ladder, `first[market]`. One whose tiers go by size (OKX) has a ladder of a single tier for each of
    them, in their order, and then one without: a position's own is known once its size is.
    """

    first: I8
    starts: I8
    floor: F8
    mmr: F8
    cum: F8
    max_leverage: F8


def of_market(of: Mapping[Market, Tiers], market: Market) -> Tiers | None:
    """The tiers of a market: its own or, as OKX tells those of its X-Perps, its family's, a name without the date.

    Of no other dated contract: the name without the date is another contract there, whose tiers are not its own.

    >>> family = Tiers(*np.array([[0.0], [4000], [0.004], [0], [10]]), True)
    >>> of_market({("okx-swap", "BTC-USD_UM_XPERP"): family}, ("okx-swap", "BTC-USD_UM_XPERP-310404")) is family
    True
    """
    family = market[1].rpartition("-")[0]
    return of.get(market) or (of.get((market[0], family)) if family.endswith("_XPERP") else None)


def table(
    markets: Sequence[Market], of: Mapping[Market, Tiers], taker_fee: Mapping[str, float] | None = None
) -> TierTable:
    """The tiers of `markets` (venue, symbol), in their order.

    Where they go by size, the fee of closing, at the mark, is part of the rate: "face value x contracts x mark price x
    (tier's rate + fee rate)". Source: OKX help, margin ratio of isolated USDT-margined contracts.
    """
    lengths: list[int] = []
    first = np.zeros(len(markets), np.int64)
    columns: list[tuple[F8, F8, F8, F8]] = [(np.empty(0),) * 4]
    for at, market in enumerate(markets):
        t = of_market(of, market)
        first[at] = len(lengths)
        if t is None:
            lengths.append(0)
        elif t.by_contracts:
            lengths += [1] * len(t.mmr) + [0]
            fee = (taker_fee or {}).get(market[0], 0.0)
            columns.append((np.zeros(len(t.mmr)), t.mmr + fee, np.zeros(len(t.mmr)), t.max_leverage))
        else:
            lengths.append(len(t.floor))
            columns.append((t.floor, t.mmr, t.cum, t.max_leverage))
    starts = np.concatenate(([0], np.cumsum(np.array(lengths, np.int64)))).astype(np.int64)
    return TierTable(first, starts, *(np.concatenate(c) for c in zip(*columns, strict=True)))


def by_size(tiers: Tiers, contracts: float | None) -> int:
    """Which of the ladders of a market whose tiers go by size is that of a position; the last where that is unknown.

    >>> by_size(Tiers(*np.array([[0, 2000], [2000, 22000], [0.005, 0.01], [0, 0], [100, 66.6]]), True), 2000)
    0
    >>> by_size(Tiers(*np.array([[0, 2000], [2000, 22000], [0.005, 0.01], [0, 0], [100, 66.6]]), True), 2000.1)
    1
    """
    if contracts is None:
        return len(tiers.cap)
    return min(int(np.searchsorted(tiers.cap * (1 + 1e-12), contracts)), len(tiers.cap) - 1)


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
