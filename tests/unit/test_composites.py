"""Composites: ranks against counting, monotone scores of 50 at the medians, null parts, and the two that there are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import composite
from operators.book.liquidity_score import LIQUIDITY_SCORE, PARTS, absolute
from operators.composite import MINUTE_NS, Part, weighted
from operators.operator_states import Running
from operators.tape import asymmetry
from operators.tape.asymmetry import ASYMMETRY
from operators.tape.regime import VOLATILITY
from tests.operators import stepped

shares = st.one_of(st.floats(0, 1), st.just(math.nan))
found = st.tuples(*[shares] * len(PARTS))


def score(*ranks):
    return weighted(np.array(ranks)[:, None], PARTS)[0].item()


def test_all_parts_at_their_medians_make_fifty():
    assert score(0.5, 0.5, 0.5, 0.5) == pytest.approx(50)


@settings(max_examples=200, deadline=None)
@given(found, st.integers(0, 3), st.floats(0, 1))
def test_no_part_can_get_better_and_lower_the_score(ranks, part, better):
    if math.isnan(ranks[part]):
        return
    raised = [max(r, better) if n == part else r for n, r in enumerate(ranks)]
    if not math.isnan(score(*ranks)):
        assert score(*raised) >= score(*ranks) - 1e-9


@given(found)
def test_a_score_is_the_weighted_mean_of_what_is_known_and_null_below_two(ranks):
    known = [(p.weight, r) for p, r in zip(PARTS, ranks, strict=True) if not math.isnan(r)]
    wanted = math.nan if len(known) < 2 else 100 * sum(w * r for w, r in known) / sum(w for w, _ in known)
    assert score(*ranks) == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    assert math.isnan(wanted) or 0 <= score(*ranks) <= 100


def ranked(values, good=1, low=1.0):
    """The rank of each value, a minute apart."""
    parts = (Part("x", 1.0, good, low),)
    state = {f.name: np.full((1, *f.shape), f.empty, f.dtype) for f in composite.fields(parts)}
    end = (1 + np.arange(len(values))) * MINUTE_NS
    return composite.ranked(state, parts, np.zeros(len(values)), end, np.array([values], np.float64))[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=31, max_size=60))
def test_a_rank_is_the_share_of_earlier_minutes_that_were_lower_and_half_of_those_alike(powers):
    values = [2 ** (p / 4) * 1.0001 for p in powers]
    below = sum((p < powers[-1]) + 0.5 * (p == powers[-1]) for p in powers[:-1]) / (len(powers) - 1)
    assert ranked(values)[-1] == pytest.approx(below)
    lower = ranked(values, -1)[-1]
    assert lower == pytest.approx(1 - below)


def test_thirty_minutes_must_be_known_and_a_minute_counts_once():
    assert math.isnan(ranked([5.0] * 30)[-1])
    assert ranked([5.0] * 31)[-1] == 0.5


SEEN = {
    "spread": (0.01, 5_000), "depth": (10, 1e8), "impact": (0.05, 100), "half_life": (0.1, 600), "vpin": (0.01, 1),
    "kyle": (0.05, 1e5), "sign_persistence": (1e-3, 1), "volatility": (1e-6, 0.5),
}  # fmt: skip
"""What the parts are from the thickest book to that of an option or a coin that nobody trades."""


@pytest.mark.parametrize("part", [*PARTS, *asymmetry.PARTS, VOLATILITY], ids=lambda p: p.name)
def test_a_part_is_ranked_in_thick_markets_as_in_thin_ones(part):
    for value in np.geomspace(*SEEN[part.name], 12):
        moved = ranked([*[value / 2, value] * 20, value], low=part.low)
        assert moved[-1] == pytest.approx(0.75), value


def test_the_worst_book_scores_0_the_best_100_on_the_absolute_scale():
    ends = np.array([[100, 0.1], [1e3, 1e7], [100, 0.1], [120, 0.5]], np.float64)
    assert absolute(ends).tolist() == [0.0, 100.0]
    alone = np.array([[0.1], [np.nan], [np.nan], [np.nan]])
    assert math.isnan(absolute(alone)[0])


def test_a_book_that_is_always_the_same_then_better_in_all_parts_scores_higher():
    n = 40
    rows = {
        "instrument": np.zeros(n, np.int32),
        "pane_end_ns": (1 + np.arange(n)) * MINUTE_NS,
        "spread_bps": np.full(n, 2.0),
        **{f"{side}_depth_10bps_usd": np.full(n, 1e6) for side in ("bid", "ask")},
        **{f"{side}_impact_100k_bps": np.full(n, 3.0) for side in ("buy", "sell")},
        **{f"{side}_depth_half_life_s": np.full(n, np.nan) for side in ("bid", "ask")},
    }
    rows["spread_bps"][-1], rows["bid_depth_10bps_usd"][-1], rows["ask_depth_10bps_usd"][-1] = 0.5, 9e6, 8e6
    running = Running((LIQUIDITY_SCORE,))
    running.grow(1)
    out = running.step(rows)
    assert np.isnan(out["liquidity_score"][:30]).all()
    assert out["liquidity_score"][-1] > out["liquidity_score"][-2] + 20
    assert out["liquidity_absolute"][-1] > out["liquidity_absolute"][-2]
    assert np.isnan(out["half_life_rank"]).all()
    assert out["depth_rank"][-1] == pytest.approx(1.0)


def asymmetries(rows, later_ns=0):
    """What each row's window says that ends so much later."""
    found = stepped(ASYMMETRY, rows)
    return ASYMMETRY.compute(found | {"window_end_ns": rows["pane_end_ns"] + later_ns})


def test_what_counts_lambda_in_is_null_when_lambda_is_after_half_an_hour_without_a_trade():
    n = 40
    rows = {"instrument": np.zeros(n, np.int32), "pane_end_ns": (1 + np.arange(n)) * MINUTE_NS, "mid": np.full(n, 1e4)}
    rows |= {"vpin_last": np.full(n, math.nan), "sign_autocorrelation_last": np.full(n, 0.1)}
    rows |= {f"kyle_{name}": np.full(n, of) for name, of in {"n": 50, "x": 0, "y": 0, "xx": 100, "xy": 2}.items()}
    for minutes, known in ((29, True), (30, False)):
        found = asymmetries(rows, minutes * MINUTE_NS)
        for name in ("information_asymmetry", "kyle_rank"):
            assert math.isfinite(found[name][-1]) == known
        assert found["sign_persistence_rank"][-1] == 0.5


def test_informed_looking_trades_score_higher_against_their_own_day():
    n = 40
    rows = {
        "instrument": np.zeros(n, np.int32),
        "pane_end_ns": (1 + np.arange(n)) * MINUTE_NS,
        "mid": np.full(n, 10_000.0),
    }
    rows |= {"vpin_last": np.full(n, 0.2), "sign_autocorrelation_last": np.full(n, 0.1)}
    rows |= {"kyle_n": np.full(n, 50.0), "kyle_x": np.zeros(n), "kyle_y": np.zeros(n)}
    rows |= {"kyle_xx": np.full(n, 100.0), "kyle_xy": np.full(n, 2.0)}
    rows["vpin_last"][-1], rows["sign_autocorrelation_last"][-1], rows["kyle_xy"][-1] = 0.6, -0.5, 9.0
    out = asymmetries(rows)["information_asymmetry"]
    assert math.isnan(out[29])
    assert out[-1] == pytest.approx(100.0)
    assert out[-2] == pytest.approx(50.0)


def share_below(values, at, low):
    """The rank of value `at` among those before it, by quarter octaves, half of its own among the lower."""
    octaves = [max(math.floor(4 * math.log2(v / low)), 0) if v > low else 0 for v in values[: at + 1]]
    before, own = octaves[:-1], octaves[-1]
    return (sum(o < own for o in before) + 0.5 * before.count(own)) / at if at >= 30 else math.nan


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_the_asymmetry_of_each_minute_is_the_mean_rank_of_its_parts_from_scratch(seed):
    rng, n = np.random.default_rng(seed), 45
    lambdas, vpins, signs = rng.uniform(1e-3, 9, n), rng.uniform(0, 1, n), rng.uniform(-1, 1, n)
    sums = {"kyle_n": np.full(n, 50.0), "kyle_x": np.full(n, 10.0), "kyle_xx": np.full(n, 100.0)}
    sums |= {"kyle_y": np.full(n, 5.0), "kyle_xy": lambdas * (100 - 10 * 10 / 50) + 10 * 5 / 50}
    rows = {"instrument": np.zeros(n, np.int32), "pane_end_ns": (1 + np.arange(n)) * MINUTE_NS, **sums}
    rows |= {"mid": np.full(n, 1e5), "vpin_last": vpins, "sign_autocorrelation_last": signs}
    found = asymmetries(rows)["information_asymmetry"]
    impact = 1e10 * lambdas / 1e5**2
    for at in (29, 30, n - 1):
        parts = (share_below(vpins, at, 1e-3), share_below(impact, at, 0.005), share_below(np.abs(signs), at, 1e-4))
        assert found[at] == pytest.approx(100 * np.mean(parts), abs=1e-9, nan_ok=True)
