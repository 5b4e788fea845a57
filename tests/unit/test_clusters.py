"""Order clusters: analytics 1.13 by hand, and against grouping the levels from scratch."""

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.clusters import CLUSTERS, largest
from tests.books import one


def test_four_large_levels_make_two_clusters_of_which_the_larger_is_27_at_99_7_to_100():
    # analytics 1.13 [HAND]: tick .1, sizes 10 9 1 8 12, median 9, with a factor of 0.8
    ticks, sizes = np.array([1000, 999, 998, 997, 980]), np.array([10.0, 9, 1, 8, 12])
    kept = np.flatnonzero(sizes >= 0.8 * 9)
    size, levels, near, far, mean = largest(ticks, sizes, kept, len(kept), 3.0, np.zeros(5))
    assert (size, levels, near, far) == (27.0, 3.0, 1000, 997)
    assert mean == pytest.approx((10 * 1000 + 9 * 999 + 8 * 997) / 27)
    assert largest(ticks, sizes, kept[3:], 1, 3.0, np.zeros(5))[0] == 12.0


def groups(levels, least, gap):
    out, last = [], None
    for ticks, size in levels:
        if size >= least:
            if last is None or abs(ticks - last) > gap:
                out.append([])
            out[-1].append((ticks, size))
            last = ticks
    return out


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 30)), min_size=1, max_size=12))
def test_the_largest_cluster_is_that_of_grouping_from_scratch(drawn):
    bids, at = [], 10_001
    for gap, lots in drawn:
        at -= gap
        bids.append((at, lots))
    asks = [(10_001, 1)]
    found = one(CLUSTERS, bids, asks, tick=1.0)
    half = bids[0][0] + 10_001
    sizes = [p * q for p, q in bids]
    least = 2 * median(sizes)
    kept = [p for (p, _), n in zip(bids, sizes, strict=True) if n >= least]
    usual = (kept[0] - kept[-1]) / (len(kept) - 1) if len(kept) > 1 else math.inf
    made = groups(list(zip([p for p, _ in bids], sizes, strict=True)), least, max(3, min(2 * half / 2e4, usual / 2)))
    assert math.isnan(found["ask_cluster_usd"])
    if len(bids) < 8 or not made:
        assert math.isnan(found["bid_cluster_usd"])
        return
    heaviest = max(made, key=lambda g: sum(s for _, s in g))
    weight = sum(s for _, s in heaviest)
    centre = sum(p * s for p, s in heaviest) / weight
    assert found["bid_cluster_usd"] == pytest.approx(weight)
    assert found["bid_cluster_levels"] == len(heaviest)
    assert found["bid_cluster_distance_bps"] == pytest.approx(1e4 * (half / 2 - centre) / (half / 2), abs=1e-6)
    assert found["bid_cluster_width_bps"] == pytest.approx(2e4 * (heaviest[0][0] - heaviest[-1][0]) / half)


def test_levels_that_are_not_known_exactly_make_no_cluster():
    bids = [(1000 - k, 60 if k == 3 else 5) for k in range(10)]
    asks = [(1001, 5)]
    assert one(CLUSTERS, bids, asks)["bid_cluster_levels"] == 1
    assert math.isnan(one(CLUSTERS, bids, asks, low=995)["bid_cluster_usd"])
    assert math.isnan(one(CLUSTERS, bids, asks, live=False)["bid_cluster_usd"])


def test_in_a_dense_book_the_cluster_is_where_large_levels_stand_closer_than_usual_not_all_of_it():
    # every eighth level is large; from 99_100 to 99_140 every second: 2 bps are 20 ticks and would join them all
    large = {100_000 - 8 * k for k in range(200)} | {99_100 + 2 * k for k in range(21)}
    bids = [(p, 30 if p in large else 5) for p in range(100_000, 98_700, -1)]
    found = one(CLUSTERS, bids, [(100_001, 5)], tick=1.0)
    middle = 99_120
    assert found["bid_cluster_distance_bps"] == pytest.approx(1e4 * (100_000.5 - middle) / 100_000.5, abs=0.6)
    assert found["bid_cluster_width_bps"] == pytest.approx(4.0, abs=1.7)
    assert 21 <= found["bid_cluster_levels"] <= 27
