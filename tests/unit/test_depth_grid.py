"""The depth grid: every cell against the levels in it, and a code that says what it stands for within its step."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.depth_grid import CELLS, DEPTH_GRID, EVERY_NS, THIRDS, amounts, cells
from operators.book.price_steps import step_ticks
from operators.operator_states import Running
from tests.planted import Planted, ladder
from tests.unit.test_walls import books

SECOND_NS = 10**9


def text(values):
    return "".join(map(chr, cells(np.array(values, np.float64)).tolist()))


@given(st.floats(1.0, 2.0**27.9))
def test_a_cell_says_its_amount_within_a_sixth_of_an_octave_either_way(amount):
    (told,) = amounts(text([amount]))
    assert abs(math.log2(told / amount)) <= 0.5 / THIRDS + 1e-9


def test_codes_are_in_order_and_none_is_a_quote_or_a_backslash():
    every = text([0.0, *(2 ** ((n + 0.5) / THIRDS) for n in range(84)), np.nan])
    assert len(set(every)) == 86
    assert not set(every) & set('"\\') and every.isascii() and every.isprintable()
    back = amounts(every)
    assert back[:-1] == sorted(back[:-1]) and math.isnan(back[-1])


LEVELS = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 10**6)), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(LEVELS, LEVELS, st.sampled_from([997, 20_011, 617_736]), st.integers(0, 150), st.integers(0, 150))
def test_each_cell_holds_the_levels_that_are_in_it_where_they_are_known(bids, asks, best, low_bps, high_bps):
    sides = [(best - g, q) for g, q in bids if best > g], [(best + g, q) for g, q in asks]
    sides = [list({p: q for p, q in side}.items()) for side in sides]
    sides = sorted(sides[0], reverse=True), sorted(sides[1])
    if not all(sides):
        return
    half = sides[0][0][0] + sides[1][0][0]
    low, high = half // 2 - half * low_bps // 20_000, half // 2 + half * high_bps // 20_000
    one = books(sides) | {"pane_end_ns": np.array([SECOND_NS])}
    one |= {"reach_low_ticks": np.array([low]), "reach_high_ticks": np.array([high])}
    running = Running((DEPTH_GRID,))
    running.grow(1)
    found = running.rows(one)["depth_grid"]
    step = int(step_ticks(np.array([half // 2]), 4)[0])
    first = round(found["price_low"][0] * 10)
    assert (len(found["depth"][0]), round(found["step"][0] * 10)) == (CELLS, step)
    assert first <= half / 2 - 50 * step and first + CELLS * step >= half / 2 + 50 * step
    wanted = []
    for c in range(CELLS):
        begin, end = first + c * step, first + (c + 1) * step
        inside = begin >= max(low, half / 2 * 0.99) and end - 1 <= min(high, half / 2 * 1.01)
        total = sum(p / 10 * q for side in sides for p, q in side if begin <= p < end)
        wanted.append(total if inside else math.nan)
    told = amounts(str(found["depth"][0]))
    for amount, said in zip(wanted, told, strict=True):
        assert math.isnan(amount) == math.isnan(said)
        assert (amount > 0) == (said > 0) or math.isnan(amount)
        if 1 <= amount < 2**28:
            assert abs(math.log2(said / amount)) <= 0.5 / THIRDS + 1e-9


def test_there_is_a_row_every_ten_seconds_in_which_the_book_spoke_and_none_of_a_book_that_is_not_live():
    running, said = Running((DEPTH_GRID,)), []
    running.grow(1)
    sides = ([(1000, 5)], [(1001, 5)])
    for second, live in [(1, False), (3, True), (4, True), (12, True), (13, True), (45, True)]:
        one = books(sides, live=live) | {"pane_end_ns": np.array([second * SECOND_NS])}
        said += running.rows(one)["depth_grid"]["event_time"].tolist()
    assert said == [s * SECOND_NS for s in (3, 12, 45)]
    assert EVERY_NS == 10 * SECOND_NS


def test_a_wall_that_stands_is_seen_in_its_cell_of_a_market():
    made = Planted()
    for k in range(31):
        asks = ladder(6_000_001, 1) | {6_012_345: 400_000}
        made.book(1_000 * k + 500, ladder(6_000_000, -1, lots=5_000 + k), asks)
    rows = made.rows("depth_grid")
    assert len(rows) == 4
    for row in rows:
        cell = int((60_123.45 - row["price_low"]) / row["step"])
        told = amounts(row["depth"])
        assert told[cell] == pytest.approx(400 * 60_123.45, rel=0.13)
        assert max((a, c) for c, a in enumerate(told) if a > 0)[1] == cell
