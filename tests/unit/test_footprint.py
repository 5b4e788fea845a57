"""Footprint: cells against a dictionary, minutes against the bars, and rows that are added up while they wait."""

import json
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.price_steps import ROUND, step_ticks
from operators.contract import EventTable, Operator
from operators.tape.footprint import FOOTPRINT, WINDOW_NS
from operators.waiting import Waiting
from schemas.column import Column
from tests.planted import Planted

COUNTED = Operator(
    "counted", "trade", (), table=EventTable("counted", "counted", 1, sums=("n", "x")),
    columns=(Column("event_time", "time", ""), Column("at", "f8", ""), Column("n", "i8", ""), Column("x", "f8", "")),
)  # fmt: skip


@given(st.integers(1, 2**53), st.sampled_from([1, 2, 5]))
def test_a_step_is_the_widest_round_number_within_its_share_of_the_price(ticks, bps):
    found = int(step_ticks(np.array([ticks]), bps)[0])
    assert found in ROUND
    assert found == 1 or 10_000 * found <= bps * ticks
    wider = ROUND[found < ROUND]
    assert not len(wider) or 10_000 * int(wider[0]) > bps * ticks


TRADES = st.lists(
    st.tuples(
        st.integers(1, 4 * WINDOW_NS), st.sampled_from([9_999, 20_000, 20_001, 617_736]), st.integers(1, 9),
        st.sampled_from([-1, 1]),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(TRADES, st.integers(0, 30), st.booleans())
def test_cells_are_those_of_a_dictionary_wherever_the_log_was_cut_and_frozen(trades, cut, frozen):
    waiting = Waiting((FOOTPRINT,), base_ns=10**9)
    for part in (trades[:cut], trades[cut:]):
        at, ticks, lots, sign = (np.array([t[k] for t in part], np.int64) for k in range(4))
        scales = {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1e3, "contract": 1.0}
        events = {"event_ns": at, "ticks": ticks, "lots": lots, "sign": sign, "inverse": np.zeros(len(at), np.bool_)}
        made = FOOTPRINT.compute(events | {n: np.full(len(at), v) for n, v in scales.items()})
        waiting.add({"footprint": {**made, "row": np.arange(len(at))}}, np.zeros(len(at)), (at - 1) // 10**9)
        if frozen:
            data, waiting = waiting.freeze(), Waiting((FOOTPRINT,), base_ns=10**9)
            waiting.thaw(data)
    wanted = Counter()
    for at, ticks, lots, sign in trades:
        step = {9_999: 1, 20_000: 2, 20_001: 2, 617_736: 50}[ticks]
        wanted[-(-at // WINDOW_NS) * WINDOW_NS, ticks // step * step, sign] += lots
    found = waiting.release(2**62).get("footprint", {})
    cells = sorted({key[:2] for key in wanted})
    assert [*zip(found.get("event_time", ()), found.get("price", ()), strict=True)] == [(t, p / 10) for t, p in cells]
    for n, (at, price) in enumerate(cells):
        for side, sign in (("buy", 1), ("sell", -1)):
            assert round(found[f"{side}_volume_base"][n] * 1e3) == wanted[at, price, sign]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.floats(0.1, 1e9)), max_size=40), st.integers(0, 40))
def test_what_waits_is_added_up_in_the_order_of_the_log_to_the_last_bit(events, cut):
    def told(parts):
        waiting = Waiting((COUNTED,), base_ns=1)
        for part in parts:
            of, at, x = (np.array([e[k] for e in part]) for k in range(3))
            made = {"event_time": at.astype(np.int64), "at": 0.5 * at, "n": np.ones(len(of), np.int64),
                    "x": x.astype(np.float64), "row": np.arange(len(of))}  # fmt: skip
            waiting.add({"counted": made}, of.astype(np.int64), np.zeros(len(of), np.int64))
            waiting.freeze()
        assert all(len(rows["pane"]) <= 9 for rows in waiting.rows.values()), "never more rows than cells"
        return [{n: c.tolist() for n, c in waiting.release(p).get("counted", {}).items()} for p in (0, 2)]

    assert told([events]) == told([events[:cut], events[cut:]]) == told([[e] for e in events])


def test_the_cells_of_a_minute_add_up_to_its_bar_and_come_when_the_minute_is_closed():
    made = Planted()
    made.book(0, {6_000_000: 5}, {6_000_001: 5})
    for k in range(200):
        made.trade(1_000 + 700 * k, 6_000_000 + 1_370 * (k % 11), 1 + k % 5, 1 if k % 3 else -1)
    made.book(200_000, {6_000_000: 4}, {6_000_001: 5})
    cells, bars = made.rows("footprint"), made.rows("features_tape", 60_000)
    assert len({c["price"] for c in cells}) > 3
    for bar in bars:
        mine = [c for c in cells if c["event_time"] == bar["window_start"] + 60_000]
        for name in ("buy_volume_base", "trades"):
            assert round(sum(c[name] for c in mine), 6) == round(bar[name], 6)
        assert round(sum(c["buy_volume_base"] + c["sell_volume_base"] for c in mine), 6) == round(bar["volume_base"], 6)
        assert [c["nth"] for c in mine] == list(range(len(mine)))
        assert [c["price"] for c in mine] == sorted(c["price"] for c in mine)
    assert json.dumps(cells)
