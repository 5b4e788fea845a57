"""Watermarks: panes, lateness and refusals, by hand and against a plain loop over the events."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.watermark import NEVER, Clock, assign, never_back

BASE, LATENESS, AHEAD = 10, 5, 100


def clock(**changed):
    return Clock(**({"base_ns": BASE, "lateness_ns": LATENESS, "ahead_ns": AHEAD} | changed))


def run(at, event_ns, received_ns=None):
    received = event_ns if received_ns is None else received_ns
    got = assign(at, np.array(event_ns, np.int64), np.array(received, np.int64))
    return list(zip(got.pane.tolist(), got.late.tolist(), got.ahead.tolist(), strict=True))


def plainly(at, events, base=BASE, lateness=LATENESS, ahead=AHEAD):
    """The same, an event at a time; a pane is closed once the clock is `lateness` past its end."""
    now, out = at, []
    for event, received in events:
        if event < 0 or event > received + ahead:
            out.append((NEVER, False, True))
            continue
        when = event or (received if now is None else now)
        pane = (when - 1) // base
        opened = pane
        if now is not None:
            while (opened + 1) * base + lateness <= now:
                opened += 1
        out.append((opened, opened != pane and event != 0, False))
        if event:
            now = event if now is None else max(now, event)
    return out, now


def test_a_pane_holds_its_end_but_not_its_start():
    assert [pane for pane, _, _ in run(clock(), [1, 10, 11, 20, 21])] == [0, 0, 1, 1, 2]


def test_a_pane_closes_when_the_clock_stands_the_lateness_past_its_end_and_not_before():
    one = clock()
    run(one, [14])
    assert one.closed == -1
    run(one, [15])
    assert one.closed == 0
    run(one, [24])
    assert one.closed == 0
    run(one, [25])
    assert one.closed == 1


def test_nothing_is_closed_before_the_first_event():
    assert clock().closed == NEVER


def test_an_event_of_a_closed_pane_is_late_and_counted_in_the_first_open_one():
    assert run(clock(), [27, 20, 21]) == [(2, False, False), (2, True, False), (2, False, False)]


def test_an_event_of_an_open_pane_is_not_late_however_far_behind_the_clock_it_is():
    assert run(clock(), [24, 11]) == [(2, False, False), (1, False, False)]


def test_an_event_time_just_within_the_allowance_moves_the_clock_and_one_beyond_it_does_not():
    one = clock()
    assert run(one, [120, 121], [20, 20]) == [(11, False, False), (NEVER, False, True)]
    assert one.now_ns == 120


def test_a_time_before_1970_is_refused_and_moves_no_clock():
    one = clock()
    assert run(one, [-1], [20]) == [(NEVER, False, True)]
    assert one.now_ns == NEVER


def test_an_event_without_a_time_stands_where_the_clock_stands_and_does_not_move_it():
    one = clock()
    assert run(one, [33, 0], [40, 95]) == [(3, False, False), (3, False, False)]
    assert one.now_ns == 33


def test_an_event_without_a_time_before_all_others_stands_where_it_was_received():
    one = clock()
    assert run(one, [0], [95]) == [(9, False, False)]
    assert one.closed == NEVER


def test_panes_closed_for_quiet_stay_closed_whatever_the_clock_says():
    one = clock(now_ns=33, floor=5)
    assert one.closed == 5
    assert run(one, [60, 61]) == [(6, True, False), (6, False, False)]


def test_the_pane_of_an_instrument_never_goes_back_and_others_are_left_alone():
    last, out = np.array([NEVER, 7]), np.empty(4, np.int64)
    never_back(np.array([0, 1, 0, 1], np.int32), np.array([5, 6, 4, 9]), last, out)
    assert (out.tolist(), last.tolist()) == ([5, 7, 5, 9], [5, 9])


EVENTS = st.lists(st.tuples(st.one_of(st.just(0), st.integers(-3, 200)), st.integers(1, 150)), max_size=40)


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_assign_says_what_a_plain_loop_says(events):
    one = clock(ahead_ns=20)
    wanted, now = plainly(None, events, ahead=20)
    assert run(one, [e for e, _ in events], [r for _, r in events]) == wanted
    assert one.now_ns == (NEVER if now is None else now)


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.lists(st.integers(0, 40), max_size=4), st.integers(-1, 8))
def test_where_a_log_is_cut_does_not_matter_to_assign(events, cuts, floor):
    whole, parts = clock(ahead_ns=20, floor=floor), clock(ahead_ns=20, floor=floor)
    event_ns, received_ns = [e for e, _ in events], [r for _, r in events]
    bounds = [0, *sorted(cuts), len(events)]
    got = [
        row
        for a, b in zip(bounds, [*bounds[1:], len(events)], strict=True)
        for row in run(parts, event_ns[a:b], received_ns[a:b])
    ]
    assert got == run(whole, event_ns, received_ns)
    assert parts == whole
