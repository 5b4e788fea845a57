"""Liquidity walls: the modified z-score by hand and against numpy, and the life of a wall from pane to pane."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book.walls import WALLS, spread
from operators.operator_states import Running

SECOND_NS = 10**9
PLAIN = [(1000 - k, 5 + k % 2) for k in range(20)]


def books(*sides, live=True):
    """One closing a second of one instrument, of (bids, asks)."""
    out = {"live": np.full(len(sides), live), "instrument": np.zeros(len(sides), np.int64)}
    for s, name in enumerate(("bid", "ask")):
        levels = [level for book in sides for level in book[s]]
        out[f"{name}_starts"] = np.cumsum([0, *(len(b[s]) for b in sides)])
        out[f"{name}_ticks"] = np.array([p for p, _ in levels], np.int64)
        out[f"{name}_lots"] = np.array([q for _, q in levels], np.int64)
    one = {"tick_mantissa": 1.0, "tick_scale": 10.0, "lot_mantissa": 1.0, "lot_scale": 1.0, "contract": 1.0}
    out |= {n: np.full(len(sides), v) for n, v in one.items()} | {"inverse": np.zeros(len(sides), np.bool_)}
    out |= {"reach_low_ticks": np.zeros(len(sides), np.int64), "reach_high_ticks": np.full(len(sides), 2**62)}
    return out


def life(*bids, asks=((1001, 5), (1002, 6), (1003, 5))):
    """What is said of a wall among the bids, second by second."""
    running, said = Running((WALLS,)), []
    running.grow(1)
    for second, levels in enumerate(bids, 1):
        one = books((levels, asks)) | {"pane_end_ns": np.array([second * SECOND_NS])}
        made = running.rows(one)["walls"]
        said += [
            (
                second,
                str(made["what"][i]),
                float(made["price"][i]),
                float(made["qty_base"][i]),
                float(made["age_ms"][i]),
            )
            for i in range(len(made["row"]))
        ]
    return said


def walled(price, size, levels=PLAIN):
    return [(p, size if p == price else q) for p, q in levels]


def test_the_hand_checked_sizes_have_one_wall_of_z_73_5():
    values = np.array([5.0, 6, 4, 5, 7, 5, 6, 60])
    median, scale = np.zeros(1), np.zeros(1)
    spread(values, np.empty(8), 8, median, scale)
    z = (values - median[0]) / scale[0]
    assert (median[0], round(z[-1], 4), round(abs(z[:-1]).max(), 4)) == (5.5, 73.5205, 2.0235)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_median_and_scale_are_those_of_numpy(sizes):
    values, median, scale = np.array(sizes, np.float64), np.zeros(1), np.zeros(1)
    spread(values, np.empty(len(values)), len(values), median, scale)
    away = np.abs(values - np.median(values))
    wanted = np.median(away) / 0.6745 if np.median(away) > 0 else 1.253314 * away.mean()
    assert median[0] == np.median(values)
    assert scale[0] == pytest.approx(wanted, rel=1e-12)


def test_a_wall_appears_when_it_is_two_seconds_old_grows_by_a_quarter_and_is_pulled():
    found = life(*[walled(995, 60)] * 3, walled(995, 70), walled(995, 76), PLAIN)
    assert found == [
        (3, "appeared", 99.5, 60.0, 2000.0),
        (5, "grew", 99.5, 76.0, 4000.0),
        (6, "pulled", 99.5, 6.0, 5000.0),
    ]


def test_a_wall_whose_price_the_market_has_passed_is_consumed():
    below = [(p - 10, q) for p, q in PLAIN]
    assert life(*[walled(995, 60)] * 3, below)[-1][:3] == (4, "consumed", 99.5)


def test_a_large_level_that_goes_before_two_seconds_was_no_wall():
    assert life(walled(995, 60), walled(995, 60), PLAIN, PLAIN) == []


def test_a_book_that_is_not_live_forgets_its_walls():
    running = Running((WALLS,))
    running.grow(1)
    asks = [(1001, 5), (1002, 6)]
    for second in (1, 2):
        running.rows(books((walled(995, 60), asks)) | {"pane_end_ns": np.array([second * SECOND_NS])})
    running.rows(books(([], []), live=False) | {"pane_end_ns": np.array([3 * SECOND_NS])})
    assert (running.states["walls"]["wall_ticks"] == -1).all()
