"""Icebergs: the bound by hand, refills against a naive count, and planted ones found beside others who are not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.edges import TOUCH, Edges
from operators.operator_states import Running
from operators.tape.iceberg import ICEBERG
from tests.planted import Planted, ladder

SECOND_NS = 10**9
NAN = math.nan
SCALES = {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1.0, "contract": 1.0}


def panes(*rows):
    """A second each, of one instrument: (ask before, its size, ask after, its size, trades: [(ticks, lots, sign)])."""
    n = len(rows)
    out = {"instrument": np.zeros(n, np.int64), "pane_end_ns": SECOND_NS * np.arange(1, n + 1)}
    out |= {k: np.full(n, v) for k, v in SCALES.items()} | {"inverse": np.zeros(n, np.bool_)}
    out |= {"last_ns": out["pane_end_ns"], "last_event_ns_after": out["pane_end_ns"].astype(np.float64)}
    for c, name in enumerate(
        ("best_ask_before", "best_ask_qty_base_before", "best_ask_after", "best_ask_qty_base_after")
    ):
        out[name] = np.array([r[c] for r in rows], np.float64)
        out[name.replace("ask", "bid")] = np.full(n, NAN)
    trades = [r[4] for r in rows]
    bought = [[t for t in of if t[2] > 0] for of in trades]
    for name, of in (("", trades), ("buy_", bought)):
        out[f"{name}lots"] = np.array([sum(q for _, q, _ in t) for t in of], np.int64)
        turnover = np.array([sum(p * q for p, q, _ in t) for t in of], np.int64)
        out[f"{name}turnover_hi"], out[f"{name}turnover_lo"] = turnover >> 20, turnover & 0xFFFFF
        out[f"{name}per_price"] = np.zeros(n)
    out["high_ticks"] = np.array([max(p for p, *_ in t) for t in trades], np.int64)
    out["low_ticks"] = np.array([min(p for p, *_ in t) for t in trades], np.int64)
    return out


def judged(*rows):
    running = Running((ICEBERG,))
    running.grow(1)
    found = running.step(panes(*rows))
    return found["iceberg_ask_hidden"].tolist(), found["iceberg_ask_score"].tolist()


def test_eight_traded_where_five_stood_and_four_stand_are_seven_hidden_by_hand():
    # analytics 1.18 [HAND]: q0 = 5, V = 8, q1 = 4: hidden >= 7
    assert judged((100.0, 5, 100.0, 4, [(1000, 8, 1)])) == ([7.0], [pytest.approx(1 / 3)])
    assert judged((100.0, 5, 100.0, 4, [(1000, 3, 1), (1000, 5, 1), (999, 40, -1)]))[0] == [7.0], "sells do not count"


@pytest.mark.parametrize(
    "row",
    [
        (100.0, 5, 100.1, 4, [(1000, 8, 1)]),
        (100.0, 5, 100.0, 4, [(1001, 8, 1)]),
        (100.0, 5, 100.0, 4, [(999, 4, 1), (1001, 4, 1)]),
        (100.0, 5, 100.0, 4, [(999, 8, -1)]),
        (100.0, NAN, 100.0, 4, [(1000, 8, 1)]),
    ],
    ids=["price moved", "beyond the best", "on both sides of it", "no buy", "not known"],
)
def test_what_cannot_be_judged_is_null(row):
    hidden, score = judged(row)
    assert (hidden, math.isnan(score[0])) == ([0.0], True)


def test_three_even_refills_are_as_suspicious_as_can_be_and_uneven_ones_less():
    even = judged(*[(100.0, 5, 100.0, 5, [(1000, 4, 1)])] * 4)[1]
    assert even == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    uneven = judged(*((100.0, 5, 100.0, q, [(1000, 40, 1)]) for q in (2, 10, 30)))[1]
    sizes = np.array([2, 10, 30])
    assert uneven[-1] == pytest.approx(0.25 / (sizes.std() / sizes.mean()))
    moved = judged(*[(100.0, 5, 100.0, 5, [(1000, 4, 1)])] * 3, (100.0, 5, 100.1, 5, [(1000, 4, 1)]))[1]
    assert moved[-1] == 0.0, "at another price it begins anew"


def test_suspicion_ends_a_minute_after_the_last_refill_though_nothing_is_traded_since():
    running = Running((ICEBERG,))
    running.grow(1)
    found = running.step(panes(*[(100.0, 5, 100.0, 5, [(1000, 4, 1)])] * 3))
    for later_s, suspicion in ((60, 1.0), (61, 0.0)):
        said = ICEBERG.compute(found | {"window_end_ns": (3 + later_s) * SECOND_NS * np.ones(3, np.int64)})
        assert said["ask_iceberg_suspicion"][-1] == suspicion
        assert np.isnan(said["bid_iceberg_suspicion"][-1])


def test_what_the_book_has_not_told_of_yet_is_judged_in_no_pane():
    row = panes((100.0, 5, 100.0, 5, [(1000, 4, 1)]))
    for told_ns, hidden in ((SECOND_NS - 1, 0.0), (SECOND_NS, 4.0)):
        running = Running((ICEBERG,))
        running.grow(1)
        found = running.step(row | {"last_event_ns_after": np.array([told_ns], np.float64)})
        assert found["iceberg_ask_hidden"].tolist() == [hidden]
        assert np.isnan(found["iceberg_ask_score"][0]) == (hidden == 0)


PANES = st.lists(
    st.tuples(
        st.sampled_from([100.0, 100.1]), st.integers(1, 9), st.integers(0, 9),
        st.lists(st.tuples(st.sampled_from([1000, 1001]), st.integers(1, 9), st.sampled_from([-1, 1])), min_size=1, max_size=4),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(PANES)
def test_hidden_volume_and_score_are_those_of_a_naive_count(told):
    rows, before = [], (NAN, NAN)
    for price, size, _, trades in told:
        rows.append((*before, price, size, trades))
        before = (price, size)
    hidden, score = judged(*rows)
    at, peaks, ever = None, None, False
    for n, (p0, q0, p1, q1, trades) in enumerate(rows):
        if p1 != at:
            at, peaks = p1, []
        bought = [(p, q) for p, q, sign in trades if sign > 0]
        there = p0 == p1 and bought and {p for p, _ in bought} == {round(10 * p1)}
        # a sell above the best price tells that it was elsewhere meanwhile, and then nothing is said
        there = there and max(p for p, *_ in trades) <= round(10 * p1)
        more = max(sum(q for _, q in bought) - (q0 - q1), 0) if there else 0
        ever = ever or bool(there)
        if more > 0:
            peaks.append(q1)
        assert hidden[n] == more
        if not ever:
            assert math.isnan(score[n])
            continue
        cv = np.std(peaks) / np.mean(peaks) if peaks else 0.0
        assert score[n] == pytest.approx(min(1, len(peaks) / 3) * (0.25 / cv if cv > 0.25 + 1e-12 else 1.0))


def market(iceberg, seconds=40):
    """Ten lots trade at the best ask every second; it shows 20: refilled to 20 each time, or slowly eaten up."""
    made, asks = Planted(), 20_000
    for k in range(seconds):
        asks = 20_000 if asks <= 10_000 else asks
        made.book(1_000 * k + 100, ladder(6_000_000, -1), ladder(6_000_001, 1) | {6_000_001: asks})
        made.trade(1_000 * k + 600, 6_000_001, 10_000 if iceberg else 500, 1)
        asks -= 0 if iceberg else 500
        made.book(1_000 * k + 700, ladder(6_000_000, -1), ladder(6_000_001, 1) | {6_000_001: asks})
    return made.rows("features_efficiency")


def test_a_planted_iceberg_is_found_with_its_volume_and_a_book_that_is_eaten_up_is_none():
    rows = market(iceberg=True)
    assert rows[-2]["ask_iceberg_suspicion"] == 1.0
    assert rows[-2]["bid_iceberg_suspicion"] is None
    total = sum(r["ask_hidden_volume_base"] or 0 for r in rows)
    assert total == pytest.approx(10.0 * 38, abs=25), "of the 40 s but the first, and what the last pane does not show"
    plain = market(iceberg=False)
    assert max(r["ask_iceberg_suspicion"] or 0 for r in plain) < 0.7
    assert sum(r["ask_hidden_volume_base"] or 0 for r in plain) < 25


def test_a_book_that_is_eaten_up_and_told_every_100_ms_hides_nothing_whenever_trades_come():
    """What is traded after a second's last message is still displayed at its end."""
    chance, made, asks = np.random.default_rng(1), Planted(), 900_000
    made.book(10, ladder(6_000_000, -1), ladder(6_000_001, 1) | {6_000_001: asks})
    for begins in range(40, 30_000, 100):
        for ms in sorted(chance.choice(np.arange(1, 100), chance.integers(0, 3), replace=False).tolist()):
            asks -= 1_000
            made.trade(begins + ms, 6_000_001, 1_000, 1)
        made.book(begins + 100, ladder(6_000_000, -1), ladder(6_000_001, 1) | {6_000_001: asks})
    rows = made.rows("features_efficiency")
    assert {r["ask_hidden_volume_base"] for r in rows} == {0.0, None}
    assert rows[-1]["ask_iceberg_suspicion"] == 0.0


class Closed:
    """Closed panes of books."""

    def __init__(self, rows):
        self.instrument, self.pane, values = (np.array([r[c] for r in rows]) for c in range(3))
        self.columns = {n: values * (k + 1) for k, n in enumerate(TOUCH)}

    def __len__(self):
        return len(self.pane)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.tuples(st.integers(0, 2), st.integers(0, 12)), max_size=20),
    st.sets(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=1, max_size=20),
    st.integers(0, 12),
    st.booleans(),
)
def test_what_is_in_force_at_the_edges_of_panes_is_the_last_word_before_wherever_time_was_cut(
    books, asked, cut, frozen
):
    edges, found = Edges(TOUCH), {}
    for low, high in ((0, cut), (cut, 13)):
        mine = [(i, p, float(100 * i + p)) for i, p in sorted(books) if low <= p < high]
        asks = [(i, p) for i, p in sorted(asked) if low <= p < high]
        who, pane = (np.array([a[c] for a in asks], np.int64) for c in range(2))
        if mine:
            edges.take(Closed(mine))
        before, after = (edges.at_end(who, at, TOUCH)["best_bid"] for at in (pane - 1, pane))
        found |= {a: (before[n], after[n]) for n, a in enumerate(asks)}
        if frozen:
            data, edges = edges.freeze(), Edges(TOUCH)
            edges.thaw(data)
    for i, p in asked:
        last = [[100 * i + q for j, q in sorted(books) if j == i and q <= upto] for upto in (p - 1, p)]
        np.testing.assert_equal(found[i, p], tuple(of[-1] if of else NAN for of in last))
