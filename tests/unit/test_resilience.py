"""Resilience: analytics 1.17 by hand, planted half-lives, and what ends a shock without one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.resilience import MEASURES, RESILIENCE, WEIGHT
from operators.operator_states import Running

SECOND_NS = 10**9
USUAL = [100.0] * 61


def half_lives(depths, spreads=None, step_ns=SECOND_NS, gaps=(), silent=0):
    """After each pane, of a bid side with these depths; the ask side never moves; `gaps`: panes that show one.

    Before the last two of them nothing is said for `silent` panes.
    """
    n = len(depths)
    end = (1 + np.arange(n) + silent * (np.arange(n) >= n - 2)) * step_ns
    rows = {
        "instrument": np.zeros(n, np.int32),
        "pane_start_ns": end - step_ns,
        "pane_end_ns": end,
        "gap": np.isin(np.arange(n), gaps),
        "mid": np.full(n, 100.0),
        "spread_bps": np.full(n, 1.0) if spreads is None else np.array(spreads, np.float64),
        "bid_depth_10bps_usd": np.array(depths, np.float64),
        "ask_depth_10bps_usd": np.full(n, 50.0),
        "tick_mantissa": np.ones(n),
        "tick_scale": np.full(n, 100.0),
    }
    running = Running((RESILIENCE,))
    running.grow(1)
    out = running.step(rows)
    return {name: out[f"{name}_half_life_s"] for name in MEASURES}


def test_the_hand_checked_path_is_back_half_way_after_3_117_s():
    # analytics 1.17 [HAND]: D* = 100; 40, 52, 61.6, 69.28, ...: x = .512 at 3 s and .4096 at 4 s
    path = [100 - 60 * 0.8**k for k in range(8)]
    assert path[:4] == pytest.approx([40, 52, 61.6, 69.28])
    found = half_lives(USUAL + path)
    assert found["bid_depth"][-1] == pytest.approx(3.117, abs=5e-4)
    assert np.isnan(found["ask_depth"]).all()
    assert np.isnan(found["spread"]).all()


@pytest.mark.parametrize("planted_s", [0.7, 3.10628, 20.0])
def test_a_planted_half_life_is_recovered_to_a_pane(planted_s):
    # analytics 1.17 [HAND]: an AR(1) of .8 a second has a half-life of ln .5 / ln .8 = 3.10628 s
    assert math.log(0.5) / math.log(0.8) == pytest.approx(3.10628, abs=5e-6)
    path = [100 - 90 * 0.5 ** (k * 0.1 / planted_s) for k in range(1_000)]
    found = half_lives([100.0] * 650 + path, step_ns=SECOND_NS // 10)
    assert found["bid_depth"][-1] == pytest.approx(planted_s, abs=0.1)


def test_a_spread_that_doubles_is_a_shock_and_one_that_stays_wide_counts_120_s():
    found = half_lives([100.0] * 75, [1.0] * 61 + [4.0, 3.5, 2.0] + [1.0] * 11)
    # x = 1, .8333, .3333: half way (0.5) two thirds through the second pane after it
    assert found["spread"][-1] == pytest.approx(1 + (2.5 / 3 - 0.5) / (2.5 / 3 - 1 / 3))
    wide = half_lives([100.0] * 200, [1.0] * 61 + [4.0] * 139)
    assert wide["spread"][-1] == 120.0
    assert np.isnan(wide["spread"][61 + 119])


def test_a_spread_that_is_not_a_tick_wider_is_none():
    found = half_lives([100.0] * 75, [0.3] * 61 + [0.9] * 3 + [0.3] * 11)
    assert np.isnan(found["spread"]).all()


def test_a_gap_ends_a_shock_without_a_half_life_and_the_minute_before_counts_no_more():
    broken = half_lives([*USUAL, 40.0, math.nan, 100.0, 100.0, 40.0, 90.0])
    assert np.isnan(broken["bid_depth"]).all()


@pytest.mark.parametrize("gap", [61, 62])
def test_a_gap_within_a_pane_is_one_too_though_the_book_stands_again_at_its_end(gap):
    path = [*USUAL, 40.0, 45.0, 90.0, 100.0]
    assert half_lives(path)["bid_depth"][-1] == pytest.approx(1 + (55 / 60 - 0.5) / (55 / 60 - 10 / 60))
    found = half_lives(path, gaps=[gap])
    assert np.isnan(found["bid_depth"]).all(), "neither a shock across it nor one that was under way"


def test_the_minute_before_is_that_of_event_time_also_of_a_book_that_says_little():
    path = [*USUAL, 60.0, 45.0, 80.0]
    assert half_lives(path)["bid_depth"][-1] == pytest.approx(0.5 / (1 - 20 / 55)), "45 is less than half of 100"
    assert np.isnan(half_lives(path, silent=300)["bid_depth"]).all(), "60 for five minutes, of which 45 is no half"
    assert half_lives([*USUAL, 100.0, 45.0, 90.0], silent=300)["bid_depth"][-1] < 1, "but of 100 it is"
    broken = half_lives([*USUAL, 100.0, 45.0, 90.0], silent=300, gaps=[62])
    assert np.isnan(broken["bid_depth"]).all(), "nothing was in force through a gap"


def naive(depths):
    """Second by second: the mean in force, from lists alone."""
    samples, shock, mean, out = [], None, math.nan, []
    for second, value in enumerate(depths, 1):
        if shock is not None:
            at, usual, least, before = shock
            x = (value - usual) / (least - usual)
            lasted = None
            if x <= 0.5:
                lasted = second - 1 + (before - 0.5) / (before - x) - at
            elif second - at >= 120:
                lasted = 120
            shock = at, usual, least, x
            if lasted is not None:
                mean = lasted if math.isnan(mean) else mean + WEIGHT * (lasted - mean)
                shock, samples = None, []
        elif len(samples) == 6 and value < 0.5 * sum(sorted(samples)[2:4]) / 2:
            shock = second, sum(sorted(samples)[2:4]) / 2, value, 1.0
        if shock is None and (second - 1) % 10 == 0:
            samples = [*samples, value][-6:]
        out.append(mean)
    return out


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([10.0, 45.0, 60.0, 80.0, 100.0, 110.0]), st.integers(1, 40)), max_size=30))
def test_half_lives_are_those_of_following_each_shock_by_itself(runs):
    depths = USUAL + [value for value, times in runs for _ in range(times)]
    np.testing.assert_allclose(half_lives(depths)["bid_depth"], naive(depths), rtol=1e-9)
