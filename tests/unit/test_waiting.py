"""Rows of tables that are operators' own, from when they are made until their panes close."""

import numpy as np

from operators.contract import EventTable, Operator
from operators.waiting import Waiting
from schemas.column import Column

WALL = Operator(
    "wall", "close", (), (Column("event_time", "time", "when"), Column("side", "str", "bid or ask")),
    EventTable("wall", "wall", 1),
)  # fmt: skip


def made(*rows):
    """Of (event time, side), each of the input row of its place."""
    at, side = zip(*rows, strict=True)
    return {"wall": {"row": np.arange(len(rows)), "event_time": np.array(at), "side": np.array(side)}}


def test_rows_of_closed_panes_come_by_time_and_ties_of_books_by_instrument_however_they_were_closed():
    waiting = Waiting((WALL,), 10, in_log_order=False)
    waiting.add(made((20, "bid"), (10, "ask")), np.array([7, 7]), np.array([1, 0]))
    waiting.add(made((20, "ask"), (30, "ask")), np.array([3, 3]), np.array([1, 2]))
    again = Waiting((WALL,), 10, in_log_order=False)
    again.thaw(waiting.freeze())
    rows = again.release(1)["wall"]
    assert list(zip(rows["event_time"].tolist(), rows["instrument"].tolist(), rows["side"].tolist(), strict=True)) == [
        (10, 7, "ask"), (20, 3, "ask"), (20, 7, "bid"),
    ]  # fmt: skip
    assert again.release(1) == {}
    assert again.release(2)["wall"]["event_time"].tolist() == [30]


def test_rows_of_the_end_of_a_stretch_all_wait_for_it_however_early_their_events_were_released():
    waiting = Waiting((WALL,), 10)
    for pane, side in ((0, "bid"), (2, "ask"), (4, "bid")):  # all of the stretch that ends at 50
        waiting.add(made((50, side)), np.array([7]), np.array([pane]))
        assert waiting.release(pane if pane < 4 else 3) == {}
    assert waiting.release(4)["wall"]["side"].tolist() == ["bid", "ask", "bid"]
