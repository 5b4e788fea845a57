"""Markouts by side: by hand, from scratch, and as the other view of what costs say."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.tape.costs import COSTS, HORIZONS_S
from operators.tape.markout import MARKOUT
from tests.operators import folded

NAN = math.nan


def events(trades):
    price, volume, sign, before, after = (np.array(c) for c in zip(*trades, strict=True))
    return {"price": price, "qty_base": volume, "sign": sign, "mid_before": before, "mid_after": after}


def said(operator, *trades):
    """Of (price, volume, sign, mid before, mids after) in one window."""
    windows = {**folded(operator, events(trades)), "contract": np.ones(1)}
    return {n: v[0].item() for n, v in operator.compute(windows).items()}


def test_the_buy_of_analytics_2_5_is_half_a_bp_under_water_by_hand():
    # analytics 2.5 [HAND]: m 100.05, m' 100.09, p 100.10, D +1; realised spread 1.9990 bps, of which this is -1/2
    found = said(MARKOUT, (100.10, 3.0, 1, 100.05, (100.09, 100.10, 100.20)))
    assert found["buy_markout_1s_bps"] == pytest.approx(-1.9990 / 2, abs=5e-5)
    assert found["buy_markout_5s_bps"] == 0.0
    assert found["buy_markout_60s_bps"] == pytest.approx(1e4 * 0.10 / 100.05)
    assert math.isnan(found["sell_markout_1s_bps"])


def test_sides_are_apart_and_a_trade_whose_horizon_is_not_known_does_not_count():
    found = said(
        MARKOUT,
        (101.0, 1.0, 1, 100.0, (102.0, 102.0, 102.0)),
        (101.0, 3.0, 1, 100.0, (101.0, 101.0, 101.0)),
        (99.0, 2.0, -1, 100.0, (98.0, 99.0, 100.0)),
        (99.0, 9.0, -1, 100.0, (1.0, 1.0, NAN)),
    )
    assert found["buy_markout_1s_bps"] == pytest.approx(25.0)
    assert [found[f"sell_markout_{h}s_bps"] for h in HORIZONS_S] == pytest.approx([100.0, 0.0, -100.0])


MIDS = st.sampled_from([NAN, 99.0, 100.0, 100.5])
TRADES = st.lists(
    st.tuples(
        st.sampled_from([99.5, 100.0, 101.0]),
        st.sampled_from([0.5, 2.0, 7.0]),
        st.sampled_from([-1, 1]),
        MIDS,
        st.tuples(MIDS, MIDS, MIDS),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(TRADES)
def test_they_are_the_weighted_means_from_scratch_and_minus_half_of_the_realised_spread(trades):
    found, costs = said(MARKOUT, *trades), said(COSTS, *trades)
    known = [t for t in trades if not any(math.isnan(m) for m in (t[3], *t[4]))]
    for h, seconds in enumerate(HORIZONS_S):
        both = Fraction(0)
        for side, sign in (("buy", 1), ("sell", -1)):
            of = [t for t in known if t[2] == sign]
            worth = sum(Fraction(t[1]) * sign * (Fraction(t[4][h]) - Fraction(t[0])) / Fraction(t[3]) for t in of)
            both += worth
            wanted = 10_000 * float(worth / sum(Fraction(t[1]) for t in of)) if of else NAN
            assert found[f"{side}_markout_{seconds}s_bps"] == pytest.approx(wanted, abs=1e-8, nan_ok=True)
        volume = sum(Fraction(t[1]) for t in known)
        realised = -20_000 * float(both / volume) if known else NAN
        assert costs[f"realised_spread_{seconds}s_bps"] == pytest.approx(realised, abs=1e-8, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(TRADES)
def test_a_mirrored_market_has_the_markouts_of_the_other_side(trades):
    # every price x becomes 200 - x but for the mid that they are measured against, and buys become sells
    mirrored = [(200 - p, q, -d, m, tuple(200 - a for a in after)) for p, q, d, m, after in trades if m == 100.0]
    plain = [t for t in trades if t[3] == 100.0]
    if plain:
        found, other = said(MARKOUT, *plain), said(MARKOUT, *mirrored)
        for h in HORIZONS_S:
            for side, opposite in (("buy", "sell"), ("sell", "buy")):
                name, its = f"{side}_markout_{h}s_bps", f"{opposite}_markout_{h}s_bps"
                assert found[name] == pytest.approx(other[its], abs=1e-9, nan_ok=True)
