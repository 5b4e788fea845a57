"""Scans: that computations over closed books take turns changes nothing that they say."""

import numpy as np
import pytest

from operators import catalog
from operators.book import scans
from operators.operator_states import Running
from operators.stages import STAGES

SECOND_NS = 1_000_000_000
BOOKS = 150


def closed_books():
    """Books of all depths, one an instrument, as they stand when a pane ends; some are empty or not live."""
    draw = np.random.default_rng(5)
    books = {"live": draw.random(BOOKS) > 0.1, "inverse": draw.random(BOOKS) > 0.5, "gap": draw.random(BOOKS) > 0.9}
    for side, away in (("bid", -1), ("ask", 1)):
        counts = draw.integers(0, 300, BOOKS)
        books[f"{side}_starts"] = np.concatenate([[0], np.cumsum(counts)])
        books[f"{side}_ticks"] = np.concatenate([50_000 + away * np.cumsum(draw.integers(1, 6, n)) for n in counts])
        books[f"{side}_lots"] = draw.integers(1, 5, int(counts.sum())) ** draw.integers(1, 9, int(counts.sum()))
    books |= {"reach_low_ticks": draw.integers(49_000, 50_000, BOOKS), "reach_high_ticks": np.full(BOOKS, 50_600)}
    books |= {n: np.ones(BOOKS) for n in ("tick_mantissa", "tick_scale", "lot_mantissa", "lot_scale", "contract")}
    return books | {"instrument": np.arange(BOOKS)}


def seen():
    """What all that scan say of three panes of the same books."""
    running = Running(o for o in catalog.at("close") if isinstance(o.compute or o.step, scans.Scans))
    running.grow(BOOKS)
    return [running.scan(closed_books() | {"pane_end_ns": np.full(BOOKS, n * SECOND_NS)}) for n in (10, 12, 14)]


def test_taking_turns_at_a_few_books_says_what_taking_all_of_them_at_once_does(monkeypatch):
    monkeypatch.setattr(scans, "AT_ONCE", BOOKS)
    at_once = seen()
    monkeypatch.setattr(scans, "AT_ONCE", 7)
    in_turns = seen()
    assert {"bands", "pressure", "walls", "impact", "clusters"} <= at_once[0].keys()
    assert len(at_once[1]["walls"]["row"]) > BOOKS, "walls that have stood for two seconds are told of"
    for one, other in zip(at_once, in_turns, strict=True):
        for name, columns in one.items():
            for column, values in columns.items():
                np.testing.assert_array_equal(values, other[name][column], err_msg=f"{name} {column}")


@pytest.mark.parametrize("operator", [o for o in catalog.at("close") if isinstance(o.compute or o.step, scans.Scans)])
def test_what_scans_reads_only_what_its_stage_offers_for_it_begins_before_the_others(operator):
    assert set(operator.reads) <= set(STAGES["close"].offers)
