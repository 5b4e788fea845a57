"""Panes: rows by (pane, instrument), closing, renumbering, refining and joining."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.contract import Statistic
from operators.evolving import Changed
from operators.panes import Panes, join, keys
from operators.watermark import ENDED, NEVER

COUNT = Statistic("count", "i8", "sum")
LOW = Statistic("low", "i8", "min", 2**62, ticks=1)
SIZE = Statistic("size", "f8", "last", np.nan, lots=1)
STATISTICS = (COUNT, LOW, SIZE)


def filled(*rows):
    """Panes with rows (instrument, pane, count, low, size)."""
    panes = Panes.of(STATISTICS)
    columns = list(zip(*rows, strict=True)) if rows else [[]] * 5
    slot = panes.slots(keys(np.array(columns[0], np.int64), np.array(columns[1], np.int64)))
    for name, values in zip(("count", "low", "size"), columns[2:], strict=True):
        panes.columns[name][slot] = values
    return panes


def listed(panes):
    columns = [panes.instrument, panes.pane, *(panes.columns[s.name] for s in panes.layout.statistics)]
    return list(zip(*(c.tolist() for c in columns), strict=True))


def test_rows_stand_in_the_order_of_panes_and_then_of_instruments():
    got = listed(filled((1, 7, 1, 2, 3.0), (0, 7, 4, 5, 6.0), (1, 6, 7, 8, 9.0)))
    assert got == [(1, 6, 7, 8, 9.0), (0, 7, 4, 5, 6.0), (1, 7, 1, 2, 3.0)]


def test_opening_new_rows_keeps_what_the_old_ones_hold():
    panes = filled((1, 7, 1, 2, 3.0))
    slot = panes.slots(keys(np.array([0, 1, 0]), np.array([6, 7, 6])))
    opened = int(slot[0])
    assert slot.tolist() == [opened, 1 - opened, opened]
    assert listed(panes)[1 - opened] == (1, 7, 1, 2, 3.0)
    assert panes.columns["low"][opened] == 2**62
    assert np.isnan(panes.columns["size"][opened])


def test_a_row_that_opens_before_others_moves_none_of_them():
    panes = filled((1, 7, 1, 2, 3.0))
    panes.slots(keys(np.array([0, 0, 1]), np.array([6, 7, 8])))  # lays room for as many again
    held = panes.columns["count"]
    panes.slots(keys(np.array([0, 0, 1]), np.array([5, 4, 3])))
    assert np.shares_memory(held, panes.columns["count"])
    panes.slots(keys(np.array([0]), np.array([2])))
    assert [p for _, p, *_ in listed(panes.close(ENDED))] == [2, 3, 4, 5, 6, 7, 7, 8]


@pytest.mark.parametrize(("closed", "taken"), [(NEVER, 0), (-1, 0), (4, 0), (5, 1), (6, 3), (ENDED, 4)])
def test_closing_takes_out_the_panes_up_to_the_one_named_and_leaves_the_rest(closed, taken):
    rows = [(0, 5, 1, 1, 1.0), (0, 6, 2, 2, 2.0), (9, 6, 3, 3, 3.0), (0, 7, 4, 4, 4.0)]
    panes = filled(*rows)
    assert listed(panes.close(closed)) == rows[:taken]
    assert listed(panes) == rows[taken:]


def test_closed_rows_are_copies_that_later_events_do_not_change():
    panes = filled((0, 5, 1, 1, 1.0), (0, 6, 2, 2, 2.0))
    taken = panes.close(5)
    panes.columns["count"][:] = 99
    assert listed(taken) == [(0, 5, 1, 1, 1.0)]


def test_renumbering_changes_the_order_of_rows_within_a_pane_only():
    panes = filled((0, 5, 1, 1, 1.0), (1, 5, 2, 2, 2.0), (0, 6, 3, 3, 3.0))
    assert listed(panes.renumber(np.array([8, 2]))) == [(2, 5, 2, 2, 2.0), (8, 5, 1, 1, 1.0), (8, 6, 3, 3, 3.0)]


def test_a_refined_step_multiplies_what_was_counted_and_leaves_the_empty_value_and_the_other_instruments():
    panes = filled((0, 5, 3, 7, 2.0), (0, 6, 0, 2**62, np.nan), (1, 5, 3, 7, 2.0))
    panes.rescale(0, tick_factor=10, lot_factor=100)
    got = {(i, p): row for i, p, *row in listed(panes)}
    assert got[0, 5] == [3, 70, 200.0]
    assert got[1, 5] == [3, 7, 2.0]
    assert got[0, 6][:2] == [0, 2**62]
    assert np.isnan(got[0, 6][2])


def test_joining_gives_one_row_a_key_and_the_empty_value_where_a_part_has_none():
    left, right = Panes.of([COUNT]), Panes.of([SIZE])
    left.slots(np.array([3, 5])), right.slots(np.array([4, 5]))
    left.columns["count"][:], right.columns["size"][:] = [1, 2], [7.0, 8.0]
    both = join([left, right])
    assert both.key.tolist() == [3, 4, 5]
    assert both.columns["count"].tolist() == [1, 0, 2]
    np.testing.assert_array_equal(both.columns["size"], [np.nan, 7.0, 8.0])


def test_frozen_panes_thaw_to_the_statistics_of_now():
    panes = filled((0, 5, 1, 1, 1.5), (1, 6, 2, 2, 2.5))
    again = Panes.thaw([Statistic("new", "i8", "max", -7), SIZE, COUNT], panes.freeze())
    assert listed(again) == [(0, 5, -7, 1.5, 1), (1, 6, -7, 2.5, 2)]
    with pytest.raises(Changed, match=r"^low is "):
        Panes.thaw([Statistic("low", "i8", "min", 2**62)], panes.freeze())


def test_frozen_panes_thaw_to_the_same_rows_and_can_be_written_to():
    panes = filled((0, 5, 1, 1, 1.5), (1, 6, 2, 2, 2.5))
    again = Panes.thaw(STATISTICS, panes.freeze())
    assert listed(again) == listed(panes)
    again.columns["count"][0] += 1
    again.slots(keys(np.array([3]), np.array([1])))
    assert len(again) == 3


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_counting_by_slot_and_closing_step_by_step_is_counting_in_a_dictionary(data):
    panes, plain, gone = Panes.of([COUNT]), {}, {}
    closed = 0
    for _ in range(data.draw(st.integers(0, 6))):
        events = data.draw(st.lists(st.tuples(st.integers(closed + 1, closed + 5), st.integers(0, 3)), max_size=8))
        pane, who = (np.array([e[c] for e in events], np.int64) for c in (0, 1))
        slot = panes.slots(keys(who, pane))
        np.add.at(panes.columns["count"], slot, 1)
        for key in events:
            plain[key] = plain.get(key, 0) + 1
        closed += data.draw(st.integers(0, 3))
        taken = panes.close(closed)
        gone |= {(int(p), int(i)): int(c) for i, p, c in listed(taken)}
        if data.draw(st.booleans()):
            panes = Panes.thaw([COUNT], panes.freeze())
    gone |= {(int(p), int(i)): int(c) for i, p, c in listed(panes)}
    assert gone == plain
