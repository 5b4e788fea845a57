"""Burst labels: the worked example, a naive oracle, and that nothing later than it may be known reaches a row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.learning.modelling import FIRST
from models.labels import NULL, STEP_NS, label, up_share, volume
from models.thresholds import LEAST

MINUTE = STEP_NS
S = 1_000_000_000


def test_the_worked_volumes():
    """[HAND] analytics §5.1: 290 s is at or before 300 s, so V(300) = 70k."""
    events, usd = np.array([30, 290, 310, 700]) * S, np.array([100e3, 50e3, 70e3, 500e3])
    at = np.array([0, 60, 300, 420]) * S
    assert volume(events, usd, at, 300 * S).tolist() == [150e3, 120e3, 70e3, 500e3]


def test_an_event_at_exactly_t_belongs_to_the_past():
    assert volume(np.array([60]), np.array([5.0]), np.array([0, 60]), 60).tolist() == [5.0, 0.0]


def random_events(seed: int, minutes: int = 400):
    rng = np.random.default_rng(seed)
    when = np.sort(rng.integers(0, minutes * MINUTE, 300))
    return when, rng.lognormal(8, 2, 300).round(2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("steps", [5, 60])
def test_labels_equal_the_naive_reading_of_the_definition(seed, steps):
    when, usd = random_events(seed)
    down = np.array([[100 * MINUTE, 104 * MINUTE]])
    got = label(when, usd, 0, 400 * MINUTE, steps * MINUTE, 2000.0, down, least=30)
    h = steps * MINUTE

    def v(t: int) -> float:
        if up_share(down, np.array([t]), h)[0] < 0.98:
            return float("nan")
        return float(np.round(usd[(when > t) & (when <= t + h)], 2).sum())

    for k in range(0, 401, 7):
        t = k * MINUTE
        ended = [v(u) for u in range(t - h, -1, -MINUTE)]
        ended = [x for x in ended if not np.isnan(x)]
        q = max(2000.0, np.quantile(ended, 0.95)) if len(ended) >= 30 else float("nan")
        future = v(t) if t + h <= 400 * MINUTE else float("nan")
        assert got.threshold_usd[k] == pytest.approx(q, nan_ok=True)
        assert got.volume_usd[k] == pytest.approx(future, nan_ok=True)
        assert got.y[k] == (NULL if np.isnan(future) or np.isnan(q) else int(future > q))
        assert got.available_ns[k] == t + h + 60 * S


def test_the_threshold_forgets_after_seven_days():
    minutes = 8 * 1440
    when = np.arange(minutes) * MINUTE + 1
    usd = np.where(np.arange(minutes) < 720, 1000.0, 1.0)
    got = label(when, usd, 0, minutes * MINUTE, 5 * MINUTE, 0.0)
    assert got.threshold_usd[1440] == 5000
    # 719 of the week's windows are large at 7 d: above 5 %; half a day later none is left
    assert got.threshold_usd[7 * 1440] == 5000
    assert got.threshold_usd[7 * 1440 + 730] == 5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(100, 300))
def test_what_happens_after_a_window_changes_nothing_before(seed, cut):
    when, usd = random_events(seed)
    early = when <= cut * MINUTE
    whole = label(when, usd, 0, 400 * MINUTE, 15 * MINUTE, 0.0)
    less = label(when[early], usd[early], 0, cut * MINUTE, 15 * MINUTE, 0.0)
    n = cut + 1
    np.testing.assert_array_equal(whole.threshold_usd[:n], less.threshold_usd)
    np.testing.assert_array_equal(whole.past_usd[:n], less.past_usd)
    np.testing.assert_array_equal(whole.y[: n - 15], less.y[: n - 15])
    assert (less.y[n - 15 :] == NULL).all()


def test_a_threshold_of_overlapping_windows_would_be_another():
    """Leak (2): the quantile at t may not hold windows that end after t."""
    when = np.array([1000 * MINUTE + 1])
    got = label(when, np.array([1e6]), 0, 1200 * MINUTE, 60 * MINUTE, 10.0)
    before = slice(60, 1001)
    assert (got.threshold_usd[before][60:] == 10).all()
    assert got.y[941:1001].tolist() == [1] * 60


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_ns": np.array([2, 1])}, "in order of event time"),
        ({"notional_usd": np.array([1, np.nan])}, "must be a number that is not negative"),
        ({"notional_usd": np.array([1, -1.0])}, "must be a number that is not negative"),
        ({"horizon_ns": 61 * S}, "a whole number of minutes"),
    ],
)
def test_wrong_input_is_refused(change, reason):
    good = {"event_ns": np.array([1, 2]), "notional_usd": np.array([1.0, 2]), "horizon_ns": 5 * MINUTE}
    with pytest.raises(ValueError, match=reason):
        label(start_ns=0, end_ns=MINUTE, floor_usd=0.0, **{**good, **change})


@pytest.mark.parametrize("horizon", [5, 60])
def test_the_first_case_comes_as_late_as_training_says(horizon):
    def cases(minutes):
        none = np.empty(0, np.int64), np.empty(0)
        found = label(*none, STEP_NS, minutes * STEP_NS, horizon * STEP_NS, 1e5)
        return int((found.y != NULL).sum())

    assert f"{LEAST} + 2 h minutes" in FIRST
    assert (cases(LEAST + 2 * horizon - 1), cases(LEAST + 2 * horizon)) == (0, 1)
