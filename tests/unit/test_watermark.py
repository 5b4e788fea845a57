"""Watermarks: panes, lateness and refusals, by hand and against a plain loop over the events."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.watermark import NEVER, Clock, assign, by_guess, never_back, pass_marks
from schemas.frames import marks

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
            out.append((NEVER + 1 if now is None else (now - 1) // base, False, True))
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
    assert run(one, [120, 121], [20, 20]) == [(11, False, False), (11, False, True)]
    assert one.now_ns == 120


def test_a_time_before_1970_is_refused_and_moves_no_clock():
    one = clock()
    assert run(one, [-1], [20]) == [(NEVER + 1, False, True)]
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


def marked(at, events, told):
    """Events as (event, received), with marks as (before which event, time); panes, and where the clock closed."""
    event_ns, received = (np.array(x, np.int64) for x in (zip(*events, strict=True) if events else ((), ())))
    all_marks = marks([(i, time, False) for i, time in told])
    got = assign(at, event_ns, received, np.arange(len(events), dtype=np.int32), all_marks)
    pass_marks(at, all_marks)
    return got.pane.tolist(), got.late.tolist()


def plainly_marked(events, told, idle=30):
    """The same, an event and a mark at a time."""
    now = moved = None
    alone = False
    latest = 0
    delay, floor, out = 0, None, []
    first = True

    def closed():
        by_events = None if now is None else (now - LATENESS) // BASE - 1
        return max((x for x in (by_events, floor) if x is not None), default=None)

    def set_back(time):
        return time < max((x for x in (latest or None, moved) if x is not None), default=0) - AHEAD

    for i in range(len(events) + 1):
        for _, time in (mark for mark in told if mark[0] == i):
            if set_back(time):
                latest, moved, delay, first, alone = 0, None, 0, True, False
            if time > latest and (moved is None or alone or time - moved >= idle):
                floor = max(x for x in (floor, closed(), (time - LATENESS - delay) // BASE - 1) if x is not None)
            latest = max(latest, time)
        if i == len(events):
            break
        event, received = events[i]
        if set_back(received):
            latest, moved, delay, first, alone = received, None if moved is None else received, 0, True, False
        pane, shut = (event - 1) // BASE, closed()
        late = shut is not None and pane <= shut
        out.append((shut + 1 if late else pane, late))
        if now is None or event > now:
            alone = moved is not None and received - moved >= idle
            now, moved = event, received if moved is None else max(moved, received)
            delay = max(0, received - event) if first else min(delay, max(0, received - event))
            first = False
    return [pane for pane, _ in out], [late for _, late in out], closed()


TIMED = st.tuples(st.integers(1, 400), st.integers(0, 60)).map(lambda x: (x[0], x[0] + x[1]))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(TIMED, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 600)), max_size=8),
    st.integers(0, 12),
)
def test_marks_between_events_close_what_a_plain_loop_closes_however_the_log_is_cut(events, told, cut):
    told = sorted((min(i, len(events)), time) for i, time in told)
    whole, split = clock(idle_ns=30), clock(idle_ns=30)
    panes, late = marked(whole, events, told)
    if told or events:
        assert (panes, late, whole.closed if events or told else None) == plainly_marked(events, told)
    cut = min(cut, len(events))
    first = marked(split, events[:cut], [(i, t) for i, t in told if i <= cut])
    rest = marked(split, events[cut:], [(i - cut, t) for i, t in told if i > cut])
    assert (first[0] + rest[0], first[1] + rest[1], split) == (panes, late, whole)


def test_a_writer_whose_clock_was_ahead_and_is_set_back_closes_panes_at_once():
    """Marks said nothing until its clock had come to where it was: a log without news held its shard up for as long."""
    one = clock(idle_ns=30)
    marked(one, [(180, 7_382), (200, 7_402)], [(2, 7_410)])
    assert one.closed == (200 - LATENESS) // BASE - 1
    marked(one, [], [(0, 250), (0, 280)])
    assert one.closed == (280 - LATENESS) // BASE - 1
    marked(one, [(300, 303)], [(1, 340)])
    assert one.closed == (340 - 3 - LATENESS) // BASE - 1, "the delay is measured by the clock as it is"


def test_an_event_that_comes_alone_holds_up_nothing_and_one_that_others_follow_is_waited_for():
    one = clock(idle_ns=30)
    marked(one, [(100, 102)], [(1, 120)])
    assert one.closed == 8  # by the event alone: the first of a log may be the first of many
    marked(one, [(200, 202)], [(1, 215)])
    assert one.closed == (215 - 2 - LATENESS) // BASE - 1  # nothing for 100 before it
    marked(one, [(220, 222)], [(1, 250)])
    assert one.closed == (220 - LATENESS) // BASE - 1  # 20 after the one before, so more may follow
    marked(one, [], [(0, 252)])
    assert one.closed == (252 - 2 - LATENESS) // BASE - 1


def test_a_guessed_mark_remembers_what_it_closed_until_that_is_published():
    one = clock(idle_ns=30)
    pass_marks(one, marks([(0, 95, False), (0, 125, True), (0, 165, False), (0, 195, True)]))
    assert one.guessed == [(8, 11), (15, 18)]
    assert by_guess(one, np.arange(8, 20)).tolist() == [False, *[True] * 3, *[False] * 4, *[True] * 3, False]
    one.forget(11)
    assert one.guessed == [(15, 18)]
