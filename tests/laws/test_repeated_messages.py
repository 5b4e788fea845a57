"""Depth messages that are rightly ignored, delivered again or of another view, change no number of a book."""

import json

import pytest

from tests.laws.test_market import EVERY, NAMES, USDM, Run, diff, lines_of, snapshot
from tests.laws.written import START_MS

COUNTS = {"messages", "depth_messages", "depth_dropped", "late_rows", "missed_updates"}
"""What they are told by; of a book that begins without a snapshot the first message's repeat has one before it."""
TABLES = ("features_book", "features_liquidity", "walls", "depth_grid", "quality")
WHOLE = ('"snapshot"', "lastUpdateId")


def told(lines, venue):
    run = Run(venue, lines, cut=EVERY).end()
    return {t: [{n: v for n, v in row.items() if n not in COUNTS} for row in run.decoded(t)] for t in TABLES}


def twice(lines):
    """Each change of a book, and each once more."""
    out = []
    for line in lines:
        again = line.kind == "depth" and not any(word in line.data.decode() for word in WHOLE)
        out += [line] * (2 if again else 1)
    return out


@pytest.mark.parametrize("venue", NAMES)
def test_what_comes_twice_is_counted_and_changes_nothing_else(venue):
    lines = lines_of(venue, 3)
    once, repeated = told(lines, venue), told(twice(lines), venue)
    assert len(once["features_book"]) > 100
    for table, rows in once.items():
        assert repeated[table] == rows, table


def test_a_repeated_message_does_not_make_its_queues_weigh_twice_in_the_flow_per_depth():
    at = START_MS
    lines = [snapshot(at + 100, 1), diff(at + 200, 15), diff(at + 300, 16)]
    chain = [json.loads(line.data) | {"pu": pu} for line, pu in zip(lines[1:], (1, 15), strict=True)]
    first, second = (line._replace(data=json.dumps(d).encode()) for line, d in zip(lines[1:], chain, strict=True))
    row = Run(USDM, [lines[0], first, first, first, second]).end().decoded("features_book")[0]
    # 5 to 15 to 16 at the bid, 5 at the ask; the one level's queues hold 10 and 10.5 on average
    assert (row["messages"], row["ofi"]) == (5, 11.0)
    assert row["ofi_per_depth"] == pytest.approx(11 / ((20 + 21) / 4), abs=1e-12)


def test_a_window_in_which_all_messages_were_ignored_has_the_spread_that_was_in_force_and_no_flow():
    at = START_MS
    lines = [snapshot(at + 100, 1), snapshot(at + 1500, 1), diff(at + 2500, 2)]
    rows = [r for r in Run(USDM, lines, cut=EVERY).end().decoded("features_book") if r["window_ms"] == 1000]
    found = [(r["messages"], r["time_weighted_spread_bps"], r["ofi"]) for r in rows]
    assert found == [(1, 200.0, None), (1, 200.0, None), (1, 200.0, -3.0)]
