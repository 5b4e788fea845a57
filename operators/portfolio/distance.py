"""Distance to liquidation: how far the mark has to move, and how much resting liquidity stands in its way.

    distance_bps = 1e4 s |mark - LP| / mark        depth_to_liquidation_usd = D(LP) - D(mark)

s: +1 while what backs the position covers its maintenance, else -1. D(P): cumulative depth in USD from the mid to P on
the side that stands in the mark's way (bids where LP is below it, asks where it is above: a leg of a hedge may be
liquidated with the other, by a move in its favour), linear within a published band.
Null without a liquidation price or mark; the depth is null too where LP lies beyond the outermost band, whose size is
then only a lower bound, or when the book is not to be trusted. 0 when the mark stands at LP or beyond.
"""

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array
from schemas.column import Column

F8 = NDArray[np.float64]

WRITES = (
    Column(
        "distance_to_liquidation_bps",
        "f8",
        "How far the mark is from the liquidation price",
        "bps of mark",
        "1e4 s |mark - LP| / mark, s: +1 while maintenance is covered, else -1",
        sign="positive: not reached",
        null_when="no liquidation price or no mark",
        tolerance=0.1,
        source="definition of our own",
    ),
    Column(
        "depth_to_liquidation_usd",
        "f8",
        "Resting orders between mark and liquidation price: bids where it is below, asks where above",
        "USD",
        "D(LP) - D(mark), D: depth from the mid, linear within a band of 5, 10, 25, 50, 100 bps; 0 once it is reached",
        null_when="no liquidation price, it lies beyond the depth that is known, or the book is broken",
        low=0.0,
        source="definition of our own",
    ),
)


def distance_bps(covered: Array, mark: Array, liquidation_price: Array) -> Array:
    """The distance in bps of mark; NaN where either price is.

    >>> float(distance_bps(np.array(True), np.array(100.0), np.array(99.2)).round(9))
    80.0
    """
    return np.asarray(1e4 * np.where(covered, 1.0, -1.0) * np.abs(mark - liquidation_price) / mark + 0.0)


def depth_usd(
    way: F8, mark: F8, liquidation_price: F8, mid: F8, bands_bps: F8, bid_depth_usd: F8, ask_depth_usd: F8
) -> F8:
    """Depth between mark and liquidation price; depths are cumulative from mid, a row a position, a column a band.

    `way`: +1 where the mark has to fall, -1 where it has to rise.

    >>> bids = np.array([[1000.0, 3000.0]])
    >>> depth_usd(*(np.array([x]) for x in (1.0, 100.0, 99.7, 100.0)), np.array([10.0, 50.0]), bids, bids).round(6)
    array([2000.])
    """
    near = np.maximum(1e4 * way * (mid - mark) / mid, 0.0)
    far = np.maximum(1e4 * way * (mid - liquidation_price) / mid, near)
    side = np.where((way > 0)[:, None], bid_depth_usd, ask_depth_usd)
    return np.maximum(_within(far, bands_bps, side) - _within(near, bands_bps, side), 0.0)


def _within(reach_bps: F8, bands_bps: F8, depth: F8) -> F8:
    edges = np.concatenate(([0.0], bands_bps))
    filled = np.concatenate((np.zeros((len(depth), 1)), depth), axis=1)
    band = np.clip(np.searchsorted(edges, reach_bps, side="left"), 1, len(bands_bps))
    rows = np.arange(len(depth))
    low, high = edges[band - 1], edges[band]
    share = (reach_bps - low) / (high - low)
    inside = filled[rows, band - 1] + share * (filled[rows, band] - filled[rows, band - 1])
    return np.where(reach_bps <= edges[-1], inside, np.nan)
