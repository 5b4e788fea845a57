"""Running thresholds equal the labels' own, on any minutes, across a week, gaps and a restart."""

import numpy as np
import pytest

from models.labels import STEP_NS, label
from models.thresholds import WEEK, Thresholds


@pytest.mark.parametrize(("n", "p_down"), [(400, 0.05), (WEEK + 1_700, 0.003)])
def test_they_are_the_thresholds_of_the_labels(n, p_down):
    rng = np.random.default_rng(n)
    usd = np.where(rng.random(n) < 0.3, rng.lognormal(9, 1.5, n), 0).round(2)
    unknown, unseen = rng.random(n) < p_down, rng.random(n) < p_down
    held = Thresholds((5, 60), 1_000.0)
    got, ended = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    for m in np.flatnonzero(~unseen).tolist():
        money = np.array([np.nan if unknown[m] else usd[m]])
        got[m] = held.step(np.array([0]), 1_000 + m, np.zeros(1), money)[0, 1]
        ended[m] = held.ended_usd(np.array([0]))[0, 1]
        if m in (50, 300, WEEK + 300):
            again = Thresholds((5, 60), 1_000.0)
            again.thaw(held.freeze())
            assert again.freeze() == held.freeze()
            held = again
    at = (1_000 + np.arange(n)) * STEP_NS
    down = unknown | unseen
    spans = np.column_stack([at[down] - STEP_NS, at[down]])
    for column, minutes in enumerate((5, 60)):
        of = label(at[~down], usd[~down], int(at[0]) - STEP_NS, int(at[-1]), minutes * STEP_NS, 1_000.0, spans)
        np.testing.assert_array_equal(got[~unseen, column], of.threshold_usd[1:][~unseen])
        np.testing.assert_array_equal(ended[~unseen, column], of.past_usd[1:][~unseen])
    assert np.isfinite(got).any()


def test_an_instrument_that_was_away_for_more_than_a_week_begins_anew():
    held = Thresholds((5,), 10.0)
    for m in range(70):
        got = held.step(np.array([0]), m, np.array([100.0]), np.array([1.0]))
    assert got[0].tolist() == [[500.0], [10.0]]
    assert np.isnan(held.step(np.array([0]), 70 + WEEK + 1, np.array([100.0]), np.array([1.0]))).all()


def test_a_minute_that_is_not_newer_is_refused():
    held = Thresholds((5,), 10.0)
    held.step(np.array([0]), 7, np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="minute 7 of instrument 0 comes after its minute 7"):
        held.step(np.array([0]), 7, np.zeros(1), np.zeros(1))
