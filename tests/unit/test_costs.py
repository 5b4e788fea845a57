"""Effective and realised spread, impact, and the meeting of trades and mids that they need."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.contract import Operator, Statistic
from operators.meeting import Meeting, Mids
from operators.operator_states import Running
from operators.tape.costs import COSTS, HORIZONS_S
from operators.tape.markout import MARKOUT
from tests.operators import folded

NAN = math.nan


def costs(*trades, contract=1.0):
    """Of (price, volume, sign, mid before, mids after) in one window."""
    price, volume, sign, before, after = (np.array(c) for c in zip(*trades, strict=True))
    events = {"price": price, "qty_base": volume, "sign": sign, "mid_before": before, "mid_after": after}
    return {
        name: array[0].item()
        for name, array in COSTS.compute({**folded(COSTS, events), "contract": np.array([contract])}).items()
    }


def test_a_buy_above_mid_costs_9_995_bps_of_which_1_999_stay_with_the_maker_by_hand():
    found = costs((100.10, 3.0, 1, 100.05, (100.09, 100.09, 100.09)))
    assert found["effective_spread_bps"] == pytest.approx(9.9950, abs=5e-5)
    assert found["realised_spread_5s_bps"] == pytest.approx(1.9990, abs=5e-5)
    assert found["price_impact_60s_bps"] == pytest.approx(7.9960, abs=5e-5)


def test_trades_weigh_by_volume_and_one_whose_horizon_is_not_known_does_not_count():
    found = costs(
        (101.0, 1.0, 1, 100.0, (100.0,) * 3), (99.0, 3.0, -1, 100.0, (98.0,) * 3), (500.0, 9.0, 1, 100.0, (1, 1, NAN))
    )
    assert found["effective_spread_bps"] == pytest.approx(200.0)
    assert found["price_impact_1s_bps"] == pytest.approx(2e4 * (3 * 0.02) / 4)
    assert (found["measured_volume_base"], found["measured_trades"]) == (4.0, 2)


def test_of_a_contract_that_is_not_known_all_costs_are_known_and_the_volume_is_not():
    trades = (101.0, 1.0, 1, 100.0, (100.0,) * 3), (99.0, 3.0, -1, 100.0, (98.0,) * 3)
    known, found = costs(*trades), costs(*trades, contract=NAN)
    assert math.isnan(found["measured_volume_base"])
    assert found == known | {"measured_volume_base": found["measured_volume_base"]}


def test_an_operator_with_other_horizons_is_given_its_own_mids_and_changes_no_others():
    def later(state, events, panes, slot):
        panes["later"][slot] = events["mid_after"][:, 0]

    s = 1_000_000_000
    beside = Operator("later", "meeting", ("mid_after",), statistics=(Statistic("later", "f8", "last", NAN),),
                      fold=later, horizons_ns=(10 * s,))  # fmt: skip
    running = Running((COSTS, MARKOUT, beside))
    assert running.horizons_ns == (s, 5 * s, 10 * s, 60 * s)
    mids = {"mid_before": np.array([100.0]), "mid_after": np.array([[101.0, 105.0, 110.0, 160.0]])}
    events = {"price": np.array([100.0]), "qty_base": np.array([1.0]), "sign": np.array([1]), **mids}
    panes = {"contract": np.ones(1)} | {n: v for o in running.operators for n, v in o.empty(1).items()}
    running.fold(events, panes, np.zeros(1, np.int64))
    found = {**COSTS.compute(panes), **MARKOUT.compute(panes)}
    assert [found[f"price_impact_{h}s_bps"][0] for h in HORIZONS_S] == pytest.approx([200.0, 1000.0, 12000.0])
    assert [found[f"buy_markout_{h}s_bps"][0] for h in HORIZONS_S] == pytest.approx([100.0, 500.0, 6000.0])
    assert panes["later"].tolist() == [110.0]


PRICES = st.floats(0.01, 1e5)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(PRICES, st.floats(1e-6, 1e6), st.sampled_from([-1, 1]), st.floats(0.5, 2)), min_size=1))
def test_effective_is_realised_plus_impact_to_the_last_digit(trades):
    found = costs(*((p, q, d, p * m, (p * m * 1.01, p * m * 0.99, p * m * 1.001)) for p, q, d, m in trades))
    for h in HORIZONS_S:
        parts = found[f"realised_spread_{h}s_bps"] + found[f"price_impact_{h}s_bps"]
        assert parts == found["effective_spread_bps"]


def test_a_trade_is_given_when_its_longest_horizon_is_over_and_meets_the_mid_just_before_it():
    meeting = Meeting((5, 10))
    meeting.mids.add(np.zeros(4, np.int64), np.array([10, 20, 25, 30]), np.array([1.0, 2.0, 3.0, 4.0]))
    one = {"instrument": [0], "pane": [2], "event_ns": [20], "price": [9.0], "qty_base": [1.0], "sign": [1]}
    meeting.add({n: np.array(v) for n, v in one.items()})
    assert len(meeting.release(29, 29)["pane"]) == 0
    found = meeting.release(30, 30)
    assert (found["mid_before"].tolist(), found["mid_after"].tolist()) == ([1.0], [[3.0, 4.0]])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from([1.0, 2.0, NAN]), st.booleans()), min_size=1, max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.lists(st.integers(1, 60), max_size=5),
    st.booleans(),
)
def test_what_a_gap_takes_back_is_not_known_whenever_the_trades_were_given(said, traded, cuts, frozen):
    """Mids by (ns since the one before, mid, whether it shows a gap); the trades are given up to each cut."""
    longest, times = 10, np.cumsum([after for after, *_ in said])
    at = np.sort(np.array(traded, np.int64))

    def given_by(cuts):
        meeting, begin, out = Meeting((5, longest)), 0, []
        n = len(at)
        meeting.add(
            {"instrument": np.zeros(n, np.int64), "pane": at, "event_ns": at, "price": at * 1.0, "qty_base": at * 1.0,
             "sign": np.ones(n, np.int64)}
        )  # fmt: skip
        for through in (*sorted(cuts), 10**6):
            end = int(np.searchsorted(times, through, side="right"))
            mine = said[begin:end]
            meeting.mids.add(
                np.zeros(len(mine), np.int64),
                times[begin:end],
                np.array([m for _, m, _ in mine], np.float64),
                np.array([after if gap and begin + n else 0 for n, (after, _, gap) in enumerate(mine)], np.int64),
            )
            begin = end
            found = meeting.release(through, 10**6)
            out += [
                *zip(
                    found["event_ns"].tolist(),
                    found["mid_before"].tolist(),
                    *found["mid_after"].T.tolist(),
                    strict=True,
                )
            ]
            meeting.forget(through)
            if frozen:
                data, meeting = meeting.freeze(), Meeting((5, longest))
                meeting.thaw(data)
        return out

    def known(t, inclusive, shown_by):
        upto = [n for n, time in enumerate(times) if time < t or (inclusive and time == t)]
        after = [n for n in range(len(times)) if n not in upto]
        if not upto:
            return NAN
        taken_back = times[upto[-1]] < t and after and said[after[0]][2] and times[after[0]] <= shown_by
        return NAN if taken_back else said[upto[-1]][1]

    wanted = [
        (t, known(t, False, t + longest), *(known(t + h, True, t + longest) for h in (5, longest))) for t in at.tolist()
    ]
    np.testing.assert_equal(given_by(cuts), wanted)


def test_beyond_the_end_of_the_books_log_no_mid_is_known():
    meeting = Meeting((5,))
    meeting.mids.add(np.zeros(1, np.int64), np.array([10]), np.array([1.0]))
    one = {"instrument": [0, 0], "pane": [1, 1], "event_ns": [11, 12], "price": [9.0, 9.0], "qty_base": [1.0, 1.0]}
    meeting.add({n: np.array(v) for n, v in (one | {"sign": [1, 1]}).items()})
    assert str(meeting.release(2**62, 16)["mid_after"].ravel().tolist()) == "[1.0, nan]"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.sampled_from([1.0, 2.0, NAN])), max_size=20),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 32)), min_size=1, max_size=10),
    st.integers(0, 20),
    st.integers(0, 25),
)
def test_what_is_in_force_is_the_last_word_before_however_it_was_cut_and_what_was_forgotten(
    said, asked, cut, forgotten
):
    mids, latest, log = Mids(), {}, []
    for who, at, mid in said:
        latest[who] = max(latest.get(who, 0), at)
        log.append((who, latest[who], mid))
    for part in (said[:cut], said[cut:]):
        columns = list(zip(*part, strict=True)) or [(), (), ()]
        mids.add(np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.float64))
    mids.forget(forgotten)
    asked = [(who, max(at, forgotten)) for who, at in asked]
    who, at = (np.array(c, np.int64) for c in zip(*asked, strict=True))
    upto, before = mids.at(who, at).tolist(), mids.before(who, at + 1).tolist()
    for i, (k, t) in enumerate(asked):
        wanted = [m for w, s, m in log if w == k and s <= t]
        np.testing.assert_equal(upto[i], wanted[-1] if wanted else NAN)
    np.testing.assert_equal(upto, before)


def test_the_trap_of_a_price_impact_that_is_half_of_ours():
    # analytics 2.5 [EXT]: highfrequency::getLiquidityMeasures has the means ES 2.1161e-2, RS -1.7303e-2 and a
    # "priceImpact" of 1.9444e-2, about (ES - RS) / 2; by Huang & Stoll it is ES - RS
    mid, after, price = 100.0, 100.0 * (1 + (0.021161 + 0.017303) / 2), 100.0 * (1 + 0.021161 / 2)
    found = costs((price, 1.0, 1, mid, (after,) * 3))
    assert found["effective_spread_bps"] == pytest.approx(211.61)
    assert found["realised_spread_1s_bps"] == pytest.approx(-173.03)
    assert found["price_impact_1s_bps"] == pytest.approx(211.61 + 173.03)
    assert found["price_impact_1s_bps"] / 2 == pytest.approx(194.44, rel=0.02)


MIDS = st.sampled_from([NAN, 99.0, 100.0, 100.5])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
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
)
def test_they_are_the_weighted_means_from_scratch(trades):
    found = costs(*trades)
    known = [t for t in trades if not any(math.isnan(m) for m in (t[3], *t[4]))]
    whole = sum(Fraction(q) for _, q, *_ in known)
    assert (found["measured_trades"], found["measured_volume_base"]) == (len(known), float(whole))

    def mean(of):
        return float(sum(Fraction(t[1]) * of(t) for t in known) / whole) if known else NAN

    def twice(t, start, end):
        return 20_000 * t[2] * (Fraction(end) - Fraction(start)) / Fraction(t[3])

    wanted = {"effective_spread_bps": mean(lambda t: twice(t, t[3], t[0]))}
    for h, seconds in enumerate(HORIZONS_S):
        wanted[f"realised_spread_{seconds}s_bps"] = mean(lambda t, h=h: twice(t, t[4][h], t[0]))
        wanted[f"price_impact_{seconds}s_bps"] = mean(lambda t, h=h: twice(t, t[3], t[4][h]))
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-8, nan_ok=True), name
