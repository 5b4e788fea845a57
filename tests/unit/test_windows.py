"""Windows: panes merged into windows of several lengths, by hand and against a loop that starts from scratch."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.contract import Statistic
from operators.evolving import Changed
from operators.panes import Panes, keys
from operators.watermark import ENDED
from operators.windows import Windows

NAN = math.nan
STATISTICS = (
    Statistic("total", "i8", "sum", lots=1),
    Statistic("weight", "f8", "sum"),
    Statistic("least", "i8", "min", 2**62, ticks=1),
    Statistic("most", "i8", "max", -1),
    Statistic("widest", "f8", "max"),
    Statistic("opened", "i8", "first", ticks=1),
    Statistic("opened_at", "f8", "first", NAN),
    Statistic("shut", "i8", "last"),
    Statistic("shut_at", "f8", "last", NAN),
    Statistic("state", "i8", "asof", -1),
    Statistic("level", "f8", "asof", NAN),
    Statistic("mark", "f8", "held", NAN),
    Statistic("next", "i8", "held"),
)
NAMES = [s.name for s in STATISTICS]


def panes(rows, statistics=STATISTICS):
    """Panes of (pane, instrument, values by name), each key once."""
    out = Panes.of(statistics)
    slot = out.slots(keys(np.array([r[1] for r in rows], np.int64), np.array([r[0] for r in rows], np.int64)))
    for s in statistics:
        for at, row in zip(slot.tolist(), rows, strict=True):
            if s.name in row[2]:
                out.columns[s.name][at] = row[2][s.name]
    return out


def listed(rows, names=NAMES):
    columns = [rows.end, rows.length, rows.instrument, *(rows.columns[n] for n in names)]
    return list(zip(*(c.tolist() for c in columns), strict=True))


def same(got, wanted):
    """Equal, with one null as good as another."""
    nulls = [[tuple("null" if math.isnan(v) else v for v in row) for row in rows] for rows in (got, wanted)]
    assert nulls[0] == nulls[1]


def is_empty(value, empty):
    return value == empty or (math.isnan(value) and math.isnan(empty))


def merged(statistic, values):
    """What a window says of the values of its panes, in pane order, from scratch."""
    real = [v for v in values if not is_empty(v, statistic.empty)]
    if statistic.merge == "sum":
        total = statistic.empty
        for v in values:
            total += v
        return total
    if statistic.merge == "asof":
        return values[-1] if values else statistic.empty
    if not real:
        return statistic.empty
    if statistic.merge in ("min", "max"):
        if any(math.isnan(v) for v in real):
            return NAN
        return min(real) if statistic.merge == "min" else max(real)
    return real[0] if statistic.merge == "first" else real[-1]


def from_scratch(rows, lengths, keyframe, closed, statistics=STATISTICS):
    """Every window of a log, each computed from all of its events: (end, length, instrument, values...)."""
    if not rows:
        return []
    silence = 2 * max(lengths)
    first, last = min(r[0] for r in rows), max(r[0] for r in rows)
    upto = last + silence + 1 if closed >= ENDED else closed + 1
    out = []
    for end in range(first + 1, upto + 1):
        latest = max((p for p, _, _ in rows if p < end), default=None)
        if latest is None or end - 1 > latest + silence:
            continue
        for length in sorted(lengths):
            if end % length:
                continue
            for who in range(max(r[1] for r in rows) + 1):

                def within(start, stop, who=who):
                    return sorted((p, i, v) for p, i, v in rows if i == who and start <= p < stop)

                mine, goes_on = within(end - length, end), closed < ENDED or end <= last + 1
                after = goes_on and bool(within(end - 2 * length, end - length))
                key = goes_on and end % keyframe == 0 and bool(within(first, end))
                if not (mine or after or key):
                    continue
                values = []
                for s in statistics:
                    reach = within(first, end) if s.merge in ("asof", "held") else mine
                    values.append(merged(s, [v.get(s.name, s.empty) for _, _, v in reach]))
                out.append((end, length, who, *values))
    return out


def roll(rows, lengths, keyframe, closings, thaw=(), statistics=STATISTICS):
    """The windows that come out when the log is closed in steps, frozen and thawed before some of them."""
    windows, waiting, out = Windows(statistics, lengths, keyframe), panes(rows, statistics), []
    for at, closed in enumerate(closings):
        if at in thaw:
            again = Windows(statistics, lengths, keyframe)
            again.thaw(windows.freeze())
            windows = again
        out += listed(windows.roll(waiting.close(closed), closed), [s.name for s in statistics])
    return out


def test_a_window_ends_at_multiples_of_its_length_and_sums_go_back_to_nothing_once():
    total = (Statistic("total", "i8", "sum"),)
    rows = [(10, 0, {"total": 5}), (12, 0, {"total": 7})]
    assert roll(rows, [1, 3], 1000, [15], statistics=total) == [
        (11, 1, 0, 5),
        (12, 1, 0, 0),
        (12, 3, 0, 5),
        (13, 1, 0, 7),
        (14, 1, 0, 0),
        (15, 3, 0, 7),
    ]


def test_a_keyframe_tells_of_every_instrument_ever_seen_and_of_no_other():
    state = (Statistic("state", "i8", "asof"),)
    rows = [(10, 0, {"state": 3}), (12, 2, {"state": 4})]
    got = roll(rows, [1, 4], 16, [15], statistics=state)
    assert [row for row in got if row[0] == 16] == [(16, 1, 0, 3), (16, 1, 2, 4), (16, 4, 0, 3), (16, 4, 2, 4)]


def test_silence_ends_the_rows_two_longest_windows_after_the_last_event():
    state = (Statistic("state", "i8", "asof"),)
    got = roll([(100, 0, {"state": 3})], [1, 5], 1, [200], statistics=state)
    assert got[-1] == (111, 1, 0, 3)
    assert len([row for row in got if row[1] == 1]) == 11


def test_after_silence_the_log_goes_on_with_what_was_in_force_and_no_rows_in_between():
    held = (Statistic("mark", "f8", "held", NAN), Statistic("total", "i8", "sum"))
    rows = [(100, 0, {"mark": 2.5, "total": 1}), (1000, 0, {"total": 4})]
    got = roll(rows, [1, 5], 10_000, [1000], statistics=held)
    before = [(101, 1, 0, 2.5, 1), (102, 1, 0, 2.5, 0), (105, 5, 0, 2.5, 1), (110, 5, 0, 2.5, 0)]
    assert got == [*before, (1001, 1, 0, 2.5, 4)]


def test_at_the_end_of_the_log_the_windows_of_its_last_events_are_finished_and_no_others():
    total = (Statistic("total", "i8", "sum"),)
    got = roll([(100, 0, {"total": 1}), (101, 1, {"total": 2})], [1, 10], 1, [ENDED], statistics=total)
    assert got == [(101, 1, 0, 1), (102, 1, 0, 0), (102, 1, 1, 2), (110, 10, 0, 1), (110, 10, 1, 2)]


def test_an_empty_log_has_no_windows_even_at_its_end():
    assert roll([], [1, 10], 5, [3, ENDED]) == []


def test_asof_forgets_a_value_that_the_last_pane_does_not_have_and_held_keeps_it():
    two = (Statistic("level", "f8", "asof", NAN), Statistic("mark", "f8", "held", NAN))
    rows = [(1, 0, {"level": 2.0, "mark": 2.0}), (2, 0, {})]
    same(roll(rows, [1], 1000, [2], statistics=two), [(2, 1, 0, 2.0, 2.0), (3, 1, 0, NAN, 2.0)])


def test_a_size_that_is_not_known_makes_the_largest_and_the_sum_unknown_and_the_next_window_starts_afresh():
    two = (Statistic("widest", "f8", "max"), Statistic("weight", "f8", "sum"))
    rows = [
        (2, 0, {"widest": 5.0, "weight": 5.0}),
        (3, 0, {"widest": NAN, "weight": NAN}),
        (4, 0, {"widest": 1.0, "weight": 1.0}),
    ]
    got = roll(rows, [2], 1000, [5], statistics=two)
    same(got, [(4, 2, 0, NAN, NAN), (6, 2, 0, 1.0, 1.0)])


@pytest.mark.parametrize("instruments", [1, 40])
def test_more_rows_than_fit_the_first_buffer_come_out_whole_and_in_order(instruments):
    total = (Statistic("total", "i8", "sum"),)
    rows = [(p, i, {"total": 1}) for p in (0, 90) for i in range(instruments)]
    got = roll(rows, [1, 50], 1, [ENDED], statistics=total)
    assert got == from_scratch(rows, [1, 50], 1, ENDED, total)


def test_a_refined_step_rescales_unfinished_windows_and_what_is_in_force():
    windows = Windows(STATISTICS, [4], 1000)
    first = panes([(0, 0, {"total": 3, "least": 7, "opened": 9}), (0, 1, {"total": 3, "least": 7, "opened": 9})])
    windows.roll(first, 0)
    windows.rescale(0, tick_factor=10, lot_factor=100)
    windows.rescale(5, tick_factor=10, lot_factor=100)
    got = windows.roll(panes([(1, 0, {"total": 1, "least": 60, "opened": 1}), (1, 1, {"total": 1})]), 3)
    assert [(i, t, low, o) for i, t, low, o in zip(*(c.tolist() for c in (
        got.instrument, got.columns["total"], got.columns["least"], got.columns["opened"])), strict=True)] == [
        (0, 301, 60, 90), (1, 4, 7, 9)]  # fmt: skip


INTS = st.sampled_from([-1, 0, 1, 2, 7])
FLOATS = st.sampled_from([NAN, 0.0, 1.0, 2.5, -3.0])


@st.composite
def logs(draw):
    """Rows of a log: panes with some long gaps, up to three instruments, any statistics."""
    at, rows = draw(st.integers(0, 30)), []
    for _ in range(draw(st.integers(0, 8))):
        for who in sorted(draw(st.sets(st.integers(0, 2), min_size=1))):
            values = {s.name: draw(INTS if s.dtype == "i8" else FLOATS) for s in STATISTICS}
            values["weight"] = draw(st.sampled_from([0.0, 0.1, 0.2, NAN]))
            rows.append((at, who, values))
        at += draw(st.sampled_from([1, 1, 1, 2, 3, 9, 40]))
    return rows


CUTS = st.tuples(st.sampled_from([(1,), (1, 3), (2, 4), (1, 2, 6)]), st.sampled_from([1, 4, 12]))


@settings(max_examples=120, deadline=None)
@given(logs(), CUTS, st.lists(st.integers(-1, 60), max_size=5), st.sets(st.integers(0, 5)), st.booleans())
def test_windows_are_those_computed_from_scratch_however_the_log_is_closed(rows, cut, steps, thaw, ended):
    lengths, keyframe = cut
    last = max((r[0] for r in rows), default=0)
    # at the end of a log nothing was closed beyond its last event: its clock has gone no further
    steps = sorted({min(s, last - 1) if ended else s for s in steps})
    closings = [*steps, ENDED if ended else max([*steps, last])]
    same(roll(rows, lengths, keyframe, closings, thaw), from_scratch(rows, lengths, keyframe, closings[-1]))


@pytest.mark.parametrize("kept", [STATISTICS[::2], STATISTICS[1:], STATISTICS[::-1], STATISTICS])
def test_recovered_windows_go_on_with_the_statistics_of_now_and_those_that_stayed_are_as_if_undisturbed(kept):
    rows = [(p, p % 3, {s.name: p + 1 for s in STATISTICS}) for p in range(40)]
    extra = Statistic("added", "i8", "sum", 0)
    now = (extra, *kept)
    whole, then, waiting = Windows(STATISTICS, [1, 4, 6], 12), Windows(STATISTICS, [1, 4, 6], 12), panes(rows)
    first = waiting.close(21)
    whole.roll(first, 21)
    then.roll(first, 21)
    again = Windows(now, [1, 4, 6], 12)
    again.thaw(then.freeze())
    undisturbed = whole.roll(waiting, 60)
    wider = panes([(p, i, {**v, "added": 1}) for p, i, v in rows if p > 21], now)
    evolved = again.roll(wider, 60)
    for s in kept:
        np.testing.assert_array_equal(evolved.columns[s.name], undisturbed.columns[s.name], s.name)
    added = evolved.columns["added"][(evolved.length == 4) & (evolved.end == 24)]
    assert added.sum() == 2, "of the window that was half done when the release changed, what came since"


def test_recovered_windows_whose_statistic_goes_by_another_rule_are_refused():
    windows = Windows(STATISTICS, [1], 12)
    other = Windows((Statistic("total", "i8", "max", lots=1), *STATISTICS[1:]), [1], 12)
    with pytest.raises(Changed, match=r"^total is [0-9a-f]+ in the recovered state and [0-9a-f]+ now"):
        other.thaw(windows.freeze())
    with pytest.raises(Changed, match=r"active of unfinished windows are \(1, 0\) and not \(2, 0\)"):
        Windows(STATISTICS, [1, 2], 12).thaw(windows.freeze())
