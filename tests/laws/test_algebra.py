"""The algebra of books, by inspection: what the declarations of columns at the stage `close` say of mirrors and scales.

A book turned round its price has what its bids had on its asks, and the opposite of every number whose sign names a
side. With other prices or other sizes each number goes by its unit.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import catalog
from operators.book.touch import TOUCH
from tests.books import columns, one

MIDDLE, TICK = 10_000, 100.0
KNOWN = frozenset(columns(([(1, 1)], [(2, 1)])))
CLOSE = [o for o in catalog.at("close") if o.compute is not None and set(o.reads) <= KNOWN]
SIDES = {"bid": "ask", "ask": "bid", "buy": "sell", "sell": "buy"}
FIXED = {"impact"}
"""They walk amounts in dollars that do not grow with the book."""

BY_NOTIONAL = {"pressure", "clusters"}
"""They weigh a level by its dollars."""
LEVELS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 99)), min_size=1, max_size=26)
everywhere = pytest.mark.parametrize("operator", CLOSE, ids=[o.name for o in CLOSE])
few = settings(max_examples=40, deadline=None)


def ladder(levels, away):
    """Levels as (gap to the one before in ticks, lots), from the middle away."""
    ticks = MIDDLE + away * np.cumsum([gap for gap, _ in levels])
    return [(int(p), lots) for p, (_, lots) in zip(ticks, levels, strict=True)]


def turned(name):
    """The column of the other side, or the same."""
    return "_".join(SIDES.get(word, word) for word in name.split("_"))


def alike(value, wanted, name):
    assert value == pytest.approx(wanted, rel=1e-9, abs=1e-9, nan_ok=True), name


def test_the_laws_are_of_all_operators_that_read_a_book_and_nothing_else():
    assert {o.name for o in CLOSE} >= {"touch", "imbalance", "bands", "slope", "pressure", "impact", "clusters"}


@pytest.mark.parametrize("operator", [o for o in CLOSE if o.name not in FIXED], ids=lambda o: o.name)
@few
@given(LEVELS, LEVELS, st.sampled_from([120, 2**40]), st.sampled_from([90, 2**40]))
def test_a_book_turned_round_has_each_number_on_its_other_side(operator, below, above, down, up):
    # The touch is even, so the mid of the mirror is the same, and with it everything that is relative to the mid.
    above = [(below[0][0], above[0][1]), *above[1:]]
    # Turned round, a level of a linear contract holds as much of the base, one of an inverse contract as many dollars.
    inverse = operator.name in BY_NOTIONAL
    for dollars in {inverse, True}:
        how = {"contract": 100.0 if dollars else 1.0, "inverse": dollars}
        there = one(operator, ladder(below, -1), ladder(above, 1), low=MIDDLE - down, high=MIDDLE + up, **how)
        back = one(operator, ladder(above, -1), ladder(below, 1), low=MIDDLE - up, high=MIDDLE + down, **how)
        for c in operator.columns:
            value, other = there[c.name], back[turned(c.name)]
            if (c.unit == "USD") != dollars and (c.unit == "USD" or inverse != dollars):
                continue
            if c.unit == "quote":
                alike(value, 2 * MIDDLE / TICK - other, c.name)
            elif turned(c.name) == c.name and "positive" in c.sign:
                alike(value, -other, c.name)
            elif c.dtype != "str":
                alike(value, other, c.name)


def scaled(operator, levels, prices, sizes):
    """What it says with prices and sizes so many times as large."""
    below, above = levels
    how = {"tick": TICK / prices, "lot": 1.0 / sizes}
    return one(operator, ladder(below, -1), ladder(above, 1), **how)


@everywhere
@few
@given(LEVELS, LEVELS)
def test_each_number_goes_with_prices_and_sizes_as_its_unit_says(operator, below, above):
    plain = scaled(operator, (below, above), 1.0, 1.0)
    # Sixteenfold prices with a sixteenth of the sizes are as many dollars.
    for prices, sizes in ((16.0, 1 / 16), *(() if operator.name in FIXED else ((16.0, 1.0), (1.0, 16.0)))):
        found = scaled(operator, (below, above), prices, sizes)
        by = {"quote": prices, "base": sizes, "base/bp": sizes, "USD": prices * sizes}
        for c in operator.columns:
            if c.dtype != "str":
                alike(found[c.name], plain[c.name] * by.get(c.unit, 1.0), c.name)


@few
@given(LEVELS, LEVELS)
def test_mid_and_weighted_mid_lie_inside_the_spread(below, above):
    found = one(TOUCH, ladder(below, -1), ladder(above, 1))
    for name in ("mid", "weighted_mid"):
        assert found["best_bid"] < found[name] < found["best_ask"]
