"""Depth, imbalance, slope and pressure: analytics 1.8, 1.9, 1.11, 1.14 on the reference book RB1, and naive oracles."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.bands import BANDS, BANDS_BPS, LEVELS
from operators.book.imbalance import IMBALANCE
from operators.book.pressure import PRESSURE
from operators.book.slope import SLOPE

RB1_BIDS = [(9995, 4), (9990, 6), (9980, 10), (9950, 20)]
RB1_ASKS = [(10005, 2), (10010, 3), (10030, 5), (10060, 40)]
FAR = 2**62


def column(*values):
    return np.array(values)


def read(feature, bids, asks, live=True, low=0, high=FAR, tick=100.0, contract=1.0, inverse=False):
    columns = {
        "live": column(live),
        "bid_starts": column(0, len(bids)),
        "bid_ticks": np.array([p for p, _ in bids], np.int64),
        "bid_lots": np.array([q for _, q in bids], np.int64),
        "ask_starts": column(0, len(asks)),
        "ask_ticks": np.array([p for p, _ in asks], np.int64),
        "ask_lots": np.array([q for _, q in asks], np.int64),
        "reach_low_ticks": column(low),
        "reach_high_ticks": column(high),
        "tick_mantissa": column(1.0),
        "tick_scale": column(tick),
        "lot_mantissa": column(1.0),
        "lot_scale": column(1.0),
        "contract": column(contract),
        "inverse": column(inverse),
    }
    return {name: array[0].item() for name, array in feature.compute(columns).items()}


def rb1(feature, **known):
    return read(feature, RB1_BIDS, RB1_ASKS, **known)


def test_rb1_depth_at_10_and_50_bps_by_hand():
    found = rb1(BANDS)
    assert (found["bid_depth_10bps_base"], found["ask_depth_10bps_base"]) == (10.0, 5.0)
    assert (found["bid_depth_50bps_base"], found["ask_depth_50bps_base"]) == (40.0, 10.0)
    assert found["bid_depth_10bps_usd"] == pytest.approx(999.2)
    assert found["ask_depth_10bps_usd"] == pytest.approx(500.4)


def test_rb1_depth_at_20_bps_by_hand_is_that_at_25_bps_since_nothing_stands_between():
    found = rb1(BANDS)
    assert (found["bid_depth_25bps_base"], found["ask_depth_25bps_base"]) == (20.0, 5.0)
    assert found["imbalance_25bps"] == pytest.approx(0.6)


def test_rb1_band_imbalances_by_hand():
    found = rb1(BANDS)
    assert found["imbalance_10bps"] == pytest.approx(0.3333, abs=5e-5)
    assert found["imbalance_50bps"] == pytest.approx(0.6)


def test_rb1_queue_imbalances_by_hand():
    found = rb1(IMBALANCE)
    assert found["imbalance_1"] == pytest.approx(1 / 3)
    assert found["imbalance_weighted"] == pytest.approx(0.0394005, abs=5e-8)
    two, three = (read(IMBALANCE, RB1_BIDS[:n], RB1_ASKS[:n])["imbalance_5"] for n in (2, 3))
    assert (two, three) == pytest.approx((1 / 3, 1 / 3))


def test_rb1_slopes_by_hand():
    found = rb1(SLOPE)
    assert found["ask_slope_base_per_bp"] == pytest.approx(0.7264864865, abs=5e-11)
    assert found["bid_slope_base_per_bp"] == pytest.approx(0.8330578512, abs=5e-11)


def test_rb1_pressure_by_hand():
    found = rb1(PRESSURE)
    assert found["bid_pressure_usd"] == pytest.approx(611.4710, abs=5e-5)
    assert found["ask_pressure_usd"] == pytest.approx(266.7837, abs=5e-5)
    assert found["depth_pressure"] == pytest.approx(0.3924685, abs=5e-8)


def test_a_band_that_the_exact_book_does_not_reach_is_null_and_one_it_just_reaches_is_not():
    found = rb1(BANDS, low=9975, high=10060)
    assert found["depth_reach_bps"] == 25.0
    assert (found["bid_depth_25bps_base"], found["imbalance_25bps"]) == (20.0, pytest.approx(0.6))
    assert math.isnan(found["bid_depth_50bps_base"])
    assert math.isnan(found["imbalance_50bps"])
    assert found["ask_depth_50bps_base"] == 10.0


def test_a_reach_without_end_is_all_of_the_mid_in_bps():
    assert rb1(BANDS, low=-(2**63), high=2**63 - 1)["depth_reach_bps"] == 1e4


@pytest.mark.parametrize("feature", [BANDS, IMBALANCE, SLOPE, PRESSURE], ids=lambda f: f.name)
@pytest.mark.parametrize(
    ("bids", "asks", "live", "high"),
    [
        (RB1_BIDS, RB1_ASKS, False, FAR),
        (RB1_BIDS, [], True, FAR),
        ([], [], True, FAR),
        ([(10010, 1)], [(10005, 1)], True, FAR),
    ],
    ids=["not live", "one-sided", "empty", "crossed"],
)
def test_a_book_without_an_exact_mid_has_only_nulls(feature, bids, asks, live, high):
    assert all(math.isnan(value) for value in read(feature, bids, asks, live=live, high=high).values())


def test_where_the_touch_lies_beyond_the_exact_reach_only_the_touch_is_known():
    assert rb1(BANDS, high=10004)["depth_reach_bps"] == 4.0
    assert math.isnan(rb1(BANDS, high=10004)["ask_depth_5bps_base"])
    assert rb1(IMBALANCE, high=10004)["imbalance_1"] == pytest.approx(1 / 3)
    assert math.isnan(rb1(IMBALANCE, high=10004)["imbalance_5"])
    assert math.isnan(rb1(SLOPE, high=10004)["ask_slope_base_per_bp"])
    assert math.isnan(rb1(PRESSURE, high=10004)["depth_pressure"])


def test_the_touch_beyond_a_reach_of_100_bps_is_not_counted_as_a_side_of_nothing():
    # all asks that the snapshot showed are bought, up to 103 bps from mid; what stands at 104 came since
    bids, asks, known = [(9995, 4), (9990, 6)], [(10205, 2)], {"low": 9890, "high": 10204}
    bands, imbalance = read(BANDS, bids, asks, **known), read(IMBALANCE, bids, asks, **known)
    assert (bands["ask_depth_100bps_base"], bands["bid_depth_levels_5_base"]) == (0.0, 10.0)
    assert math.isnan(bands["ask_depth_levels_5_base"])
    assert imbalance["imbalance_1"] == pytest.approx(1 / 3)
    assert all(math.isnan(imbalance[n]) for n in ("imbalance_5", "imbalance_20", "imbalance_weighted"))


def test_levels_that_are_not_known_are_not_counted_as_absent():
    found = rb1(IMBALANCE, low=9950, high=10060)
    assert found["imbalance_1"] == pytest.approx(1 / 3)
    assert math.isnan(found["imbalance_5"])
    assert math.isnan(rb1(SLOPE, low=9950)["bid_slope_base_per_bp"])
    assert math.isnan(rb1(BANDS, low=9950)["bid_depth_levels_5_base"])


def test_a_side_with_few_levels_is_taken_whole_when_the_book_is_known_to_100_bps():
    assert rb1(BANDS, low=9900, high=10100)["bid_depth_levels_20_base"] == 40.0
    assert rb1(IMBALANCE, low=9900, high=10100)["imbalance_20"] == pytest.approx((40 - 50) / 90)


def test_asks_at_more_than_twice_the_mid_are_levels_too():
    # an option as recorded: 15 bid, 25, 30, 40, 55 and 170 offered, in units of 0.0001
    found = read(BANDS, [(15, 4714)], [(25, 873), (30, 167), (40, 5), (55, 5), (170, 26), (200, 4)], high=3500)
    assert (found["ask_depth_levels_5_base"], found["ask_depth_levels_10_base"]) == (1076.0, 1080.0)


def test_sums_of_pressure_need_50_bps_of_exact_book_and_its_lean_10():
    assert math.isnan(rb1(PRESSURE, low=9951)["bid_pressure_usd"])
    assert rb1(PRESSURE, low=9950)["bid_pressure_usd"] == pytest.approx(611.4710, abs=5e-5)
    assert not math.isnan(rb1(PRESSURE, low=9990)["depth_pressure"])
    assert math.isnan(rb1(PRESSURE, low=9991)["depth_pressure"])


def test_a_book_known_less_far_on_one_side_leans_over_equal_distances():
    bids, asks = [(9990, 1), (9980, 5)], [(10010, 1), (10020, 5), (10030, 50)]
    assert read(PRESSURE, bids, asks, low=9980)["depth_pressure"] == pytest.approx(-0.0017, abs=1e-4)
    assert read(PRESSURE, bids, asks, low=9985)["depth_pressure"] == pytest.approx(-0.001)  # 9990 against 10010


def test_an_unknown_contract_leaves_ratios_known_and_depths_null():
    assert math.isnan(rb1(BANDS, contract=math.nan)["bid_depth_10bps_base"])
    assert rb1(BANDS, contract=math.nan)["imbalance_50bps"] == pytest.approx(0.6)
    assert rb1(PRESSURE, contract=math.nan)["depth_pressure"] == pytest.approx(0.3924685, abs=5e-8)


def test_an_empty_band_has_no_depth_and_no_imbalance():
    found = read(BANDS, [(9960, 1)], [(10040, 1)])
    assert (found["bid_depth_25bps_base"], found["ask_depth_25bps_usd"]) == (0.0, 0.0)
    assert math.isnan(found["imbalance_25bps"])


def test_inverse_depth_is_dollars_and_dollars_over_each_price():
    found = read(BANDS, [(49_990, 3), (49_960, 2)], [(50_010, 4)], tick=1.0, contract=100.0, inverse=True)
    assert found["bid_depth_10bps_usd"] == 500.0
    assert found["bid_depth_10bps_base"] == pytest.approx(300 / 49_990 + 200 / 49_960)
    assert found["ask_depth_levels_5_base"] == pytest.approx(400 / 50_010)


@st.composite
def books(draw):
    def side(best, away):
        gaps = draw(st.lists(st.sampled_from([1, 2, 3, 7, 70]), min_size=1, max_size=150))
        lots = draw(st.lists(st.integers(1, 10**9), min_size=len(gaps), max_size=len(gaps)))
        return list(zip((best + away * np.cumsum([0, *gaps[1:]])).tolist(), lots, strict=True))

    best = draw(st.integers(8_000, 30_000))
    bids, asks = side(best, -1), side(best + draw(st.integers(0, 30)), 1)
    low, high = best - draw(st.integers(0, 400)), asks[0][0] + draw(st.integers(0, 400))
    return bids, asks, low, high, draw(st.booleans())


def exact(levels, mid, low, high):
    """Exact levels of a side as (distance in bps, price, size)."""
    return [(abs(p - mid) / mid * 10_000, p, q) for p, q in levels if low <= p <= high]


def size(price, lots, inverse):
    return float(Fraction(lots) / price) if inverse else lots


@settings(max_examples=150, deadline=None)
@given(book=books())
def test_all_depth_features_equal_the_definitions_level_by_level(book):
    bids, asks, low, high, inverse = book
    mid = Fraction(bids[0][0] + asks[0][0], 2)
    known = {"low": low, "high": high, "tick": 1.0, "inverse": inverse}
    bands, imbalance, slope, pressure = (read(f, bids, asks, **known) for f in (BANDS, IMBALANCE, SLOPE, PRESSURE))
    sides = {
        "bid": (exact(bids, mid, low, FAR), (mid - low) / mid * 10_000),
        "ask": (exact(asks, mid, 0, high), (high - mid) / mid * 10_000),
    }
    nearest = min(r for _, r in sides.values())
    assert bands["depth_reach_bps"] == pytest.approx(float(nearest))
    faded, queues = {}, {}
    for side, (levels, reach) in sides.items():
        for x in BANDS_BPS:
            inside = [(p, q) for d, p, q in levels if d <= x]
            base = sum(size(p, q, inverse) for p, q in inside) if reach >= x else math.nan
            usd = sum(q if inverse else p * q for p, q in inside) if reach >= x else math.nan
            assert bands[f"{side}_depth_{x}bps_base"] == pytest.approx(base, rel=1e-12, nan_ok=True)
            assert bands[f"{side}_depth_{x}bps_usd"] == pytest.approx(usd, rel=1e-12, nan_ok=True)
        for n in (1, *LEVELS):
            whole = len(levels) >= n or reach >= 100
            queues[side, n] = sum(size(p, q, inverse) for _, p, q in levels[:n]) if whole else math.nan
            if n > 1:
                got = bands[f"{side}_depth_levels_{n}_base"]
                assert got == pytest.approx(queues[side, n], rel=1e-12, nan_ok=True)
        depth, up, down = 0.0, 0.0, 0.0
        for d, p, q in levels[:20]:
            depth += size(p, q, inverse)
            up, down = up + float(d) * depth, down + float(d) ** 2
        defined = down > 0 and (len(levels) >= 20 or reach >= 100)
        got = slope[f"{side}_slope_base_per_bp"]
        assert got == pytest.approx(up / down if defined else math.nan, rel=1e-11, nan_ok=True)
        near = min(nearest, 100)
        weights = ((q if inverse else p * q) * math.exp(-float(d) / 10) for d, p, q in levels if d <= near)
        faded[side] = sum(weights) if nearest >= 10 else math.nan
        told = faded[side] if nearest >= 50 else math.nan
        assert pressure[f"{side}_pressure_usd"] == pytest.approx(told, rel=1e-10, nan_ok=True)
    for n in (1, 5, 20):
        bid, ask = queues["bid", n], queues["ask", n]
        assert imbalance[f"imbalance_{n}"] == pytest.approx((bid - ask) / (bid + ask), rel=1e-9, abs=1e-12, nan_ok=True)
    both = faded["bid"] + faded["ask"]
    leaning = (faded["bid"] - faded["ask"]) / both if both else math.nan
    assert pressure["depth_pressure"] == pytest.approx(leaning, rel=1e-9, abs=1e-12, nan_ok=True)


def test_pressure_of_a_deep_book_stays_within_1e_12_of_an_exponential_a_level():
    bids, asks = [(600_000 - k, 1) for k in range(3000)], [(600_001 + k, 2) for k in range(3000)]
    mid = 600_000.5
    expected = math.fsum(p * math.exp(-(mid - p) / mid * 1000) for p, _ in bids)
    assert read(PRESSURE, bids, asks, tick=1.0)["bid_pressure_usd"] == pytest.approx(expected, rel=1e-12)
