"""Time-weighted spread: by hand, and against the integral over the path of the spread from scratch."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.time_weighted_spread import TIME_WEIGHTED_SPREAD
from operators.operator_states import Running
from operators.panes import Panes, keys
from operators.windows import Windows

BASE_NS = 10


def windows(messages, lengths=(1, 4), closed=None):
    """Of messages (event ns, bid, ask; None: not live; True: it shows a gap) of one instrument: (start, end) ns -> the spread."""
    panes, running = Panes.of(TIME_WEIGHTED_SPREAD.statistics), Running((TIME_WEIGHTED_SPREAD,))
    running.grow(1)
    at = np.array([m[0] for m in messages], np.int64)
    pane = (at - 1) // BASE_NS
    quotes = np.zeros((2, len(messages), 5), np.int64)
    for i, (_, bid, ask, *_) in enumerate(messages):
        quotes[:, i, 0] = bid or 0, ask or 0
    events = {
        "instrument": np.zeros(len(messages), np.int32),
        "event_ns": at,
        "pane_start_ns": pane * BASE_NS,
        "pane_end_ns": (pane + 1) * BASE_NS,
        "live": np.array([m[1] is not None for m in messages]),
        "gap": np.array([len(m) > 3 for m in messages]),
        "bid_ticks": quotes[0],
        "ask_ticks": quotes[1],
    }
    slot = panes.slots(keys(events["instrument"], pane))
    running.fold(events, panes.columns, slot)
    rolling = Windows(TIME_WEIGHTED_SPREAD.statistics, lengths, 4)
    rows = rolling.roll(panes, int(pane.max()) + 3 if closed is None else closed)
    ends = rows.end * BASE_NS
    columns = {**rows.columns, "window_start_ns": ends - rows.length * BASE_NS, "window_end_ns": ends}
    found = TIME_WEIGHTED_SPREAD.compute(columns)["time_weighted_spread_bps"].tolist()
    return dict(zip(zip(columns["window_start_ns"].tolist(), ends.tolist(), strict=True), found, strict=True))


def from_scratch(messages, start, end):
    """The integral of the spread over (start, end], exactly, over the time in which there is one; none to a gap that the window shows."""
    area, known = Fraction(0), 0
    for (at, bid, ask), (until, then, _) in zip(messages, [*messages[1:], (10**9, 0, 0)], strict=True):
        low, high = max(at, start), min(until, end)
        if bid is not None and (then is not None or until > end) and high > low:
            area += Fraction(20_000 * (ask - bid), ask + bid) * (high - low)
            known += high - low
    return float(area / known) if known else math.nan


def test_each_spread_counts_for_as_long_as_it_was_in_force():
    # 100 bps until 4 ns, 200 bps until 9 ns, 100 bps to the end: (100 * 2 + 200 * 5 + 100 * 1) / 8
    found = windows([(2, 995, 1005), (4, 990, 1010), (9, 995, 1005)], lengths=(1,), closed=0)
    assert found[0, 10] == pytest.approx((100 * 2 + 200 * 5 + 100 * 1) / 8, rel=1e-15)


def test_a_window_without_a_message_has_the_spread_in_force_and_the_next_one_begins_with_it():
    found = windows([(5, 995, 1005), (35, 990, 1010)], lengths=(1, 4))
    assert found[10, 20] == 100.0
    assert found[30, 40] == 150.0
    assert found[0, 40] == pytest.approx((100 * 30 + 200 * 5) / 35, rel=1e-15)


def test_time_without_a_book_does_not_count_and_a_window_of_nothing_else_is_null():
    found = windows([(3, 995, 1005), (4, 995, 1005), (5, None, None), (25, 990, 1010)], lengths=(1,))
    assert found[0, 10] == 100.0
    assert math.isnan(found[10, 20])
    assert found[20, 30] == 200.0


def test_time_to_a_snapshot_that_shows_a_gap_does_not_count_though_the_book_is_live_all_along():
    """As on Bybit, OKX and Deribit, whose snapshot after a reconnect replaces a book that looked alive."""
    found = windows([(2, 995, 1005), (4, 995, 1005), (8, 990, 1010, True), (25, 900, 1100, True)], lengths=(1, 4))
    assert found[0, 10] == pytest.approx((100 * 2 + 200 * 2) / 4, rel=1e-15)
    assert found[20, 30] == 2000.0
    assert found[0, 40] == pytest.approx((100 * 2 + 2000 * 15) / 17, rel=1e-15)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 160), st.one_of(st.none(), st.integers(1, 9))), min_size=1, max_size=12))
def test_every_window_is_the_integral_from_scratch(moves):
    at = sorted({t for t, _ in moves})
    spreads = dict(moves)
    messages = [(t, None, None) if spreads[t] is None else (t, 1000 - spreads[t], 1000 + spreads[t]) for t in at]
    for (start, end), found in windows(messages).items():
        wanted = from_scratch(messages, start, end)
        assert found == pytest.approx(wanted, rel=1e-12, nan_ok=True), (start, end)
