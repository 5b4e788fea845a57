"""Regime: each word at its bounds, against a naive reading, and on markets of which the truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.operator_states import Running
from operators.tape.ewma import EWMA, FRESH_NS
from operators.tape.regime import REGIME, WORDS
from operators.tape.trailing import GRID_NS, RATIOS, RETURNS, TRAILING

NAN = math.nan


def label(rank, p, ratios, age_ns=0):
    """Label and rank of one window."""
    rows = {"regime_rank": rank, "trailing_p": p, "ewma_end_ns": 0, "window_end_ns": age_ns}
    rows |= {f"trailing_vr_{q}": v for q, v in zip(RATIOS, ratios, strict=True)}
    out = REGIME.compute({name: np.array([value]) for name, value in rows.items()})
    return out["regime"][0], out["volatility_rank"][0]


@pytest.mark.parametrize(
    ("rank", "p", "ratios", "said"),
    [
        (0.20, 0.050, (1.5, 2.0, 3.0, 4.0), "quiet random"),
        (0.21, 0.049, (1.5, 2.0, 3.0, 4.0), "usual trending"),
        (0.79, 0.049, (0.5, 0.4, 0.3, 0.2), "usual reverting"),
        (0.80, 0.000, (0.5, 0.4, 0.3, 0.2), "volatile reverting"),
        # VR(2) is 0.4 and VR(16) 0.7 away from 1; in deviations of a random walk 0.4 and 0.16
        (0.50, 0.000, (0.6, 1.0, 1.3, 1.7), "usual reverting"),
        (0.50, NAN, (1.0, 1.0, 1.0, 1.0), ""),
        (NAN, 0.500, (1.0, 1.0, 1.0, 1.0), ""),
    ],
)
def test_the_words_at_their_bounds(rank, p, ratios, said):
    assert label(rank, p, ratios)[0] == said


def test_it_is_not_known_half_an_hour_after_the_last_trade():
    assert label(0.5, 0.5, (1.0,) * 4, FRESH_NS - 1) == ("usual random", 0.5)
    said, rank = label(0.5, 0.5, (1.0,) * 4, FRESH_NS)
    assert said == ""
    assert math.isnan(rank)


NUMBERS = st.one_of(st.floats(0, 1), st.sampled_from([0.05, 0.2, 0.8, NAN]))


@settings(max_examples=200, deadline=None)
@given(NUMBERS, NUMBERS, st.tuples(*[st.floats(0, 3)] * 4))
def test_it_is_what_a_naive_reading_says(rank, p, ratios):
    said, _ = label(rank, p, ratios)
    if math.isnan(rank) or math.isnan(p):
        assert said == ""
        return
    volatility = "quiet" if rank <= 0.2 else "volatile" if rank >= 0.8 else "usual"
    away = [(v - 1) / math.sqrt(2 * (2 * q - 1) * (q - 1) / (3 * q)) for v, q in zip(ratios, RATIOS, strict=True)]
    furthest = max(away, key=abs)
    prices = "random" if p >= 0.05 or furthest == 0 else "trending" if furthest > 0 else "reverting"
    assert said == f"{volatility} {prices}"
    assert said in WORDS


def told(returns):
    """The last label of prices that make these returns, a trade every 5 s, tick 1e-6 of the price."""
    ticks = np.round(1e6 * np.exp(np.cumsum(np.append(0.0, returns)))).astype(np.int64)
    at = 1 + GRID_NS * np.arange(len(ticks))
    running = Running((TRAILING, EWMA, REGIME))
    running.grow(1)
    rows = {
        "instrument": np.zeros(len(at), np.int32),
        "pane_start_ns": at - GRID_NS,
        "pane_end_ns": at,
        "close_ticks": ticks,
    }
    out = running.step(rows)
    last = {name: array[-1:] for name, array in out.items()} | {"window_end_ns": at[-1:]}
    return REGIME.compute(last)


def test_planted_regimes_are_called_by_their_names():
    rng = np.random.default_rng(5)
    noise = 1e-4 * rng.normal(size=2 * RETURNS + 1)
    quiet = np.full(2 * RETURNS, 1.0)
    quiet[-120:] = 0.1
    assert told(noise[1:] + 0.6 * noise[:-1])["regime"][0].endswith(" trending")
    assert told(noise[1:] - 0.6 * noise[:-1])["regime"][0].endswith(" reverting")
    assert told(noise[1:])["regime"][0].endswith(" random")
    assert told(noise[1:] * quiet)["regime"][0].startswith("quiet ")
    assert told(noise[1:] * np.where(quiet < 1, 8.0, 1.0))["regime"][0].startswith("volatile ")


def test_the_finer_tick_changes_no_rank():
    rng = np.random.default_rng(6)
    moves = rng.integers(-3, 4, 2 * RETURNS)
    ticks = 10_000 + np.cumsum(moves)
    at = 1 + GRID_NS * np.arange(len(ticks))
    ranks = []
    for finer in (1, 10):
        running = Running((EWMA, REGIME))
        running.grow(1)
        rows = {
            "instrument": np.zeros(len(at), np.int32),
            "pane_end_ns": at,
            "close_ticks": finer * ticks,
        }
        ranks.append(running.step(rows)["regime_rank"])
    np.testing.assert_array_equal(*ranks)
    assert np.isfinite(ranks[0]).any()
