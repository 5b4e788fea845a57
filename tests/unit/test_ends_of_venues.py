"""One venue's log at its end while others go on: the rows that close what it leaves open say nothing of the time."""

import json

import pytest

from operators.portfolio.timeline import Timeline
from operators.progress import Progress
from schemas.frames import frames

START_MS = 1_750_000_020_000
VENUES = ("binance-usdm", "okx-swap")


def row(venue: str, end_s: int, window_s: int = 1, closed_by: str = "event", price: float = 0.0) -> tuple[int, bytes]:
    """A row of the tape, and when it was written: once the log of the venue had ended, hours later."""
    window_start = START_MS + 1000 * (end_s - window_s)
    told = {"venue": venue, "symbol": "BTC", "window_ms": 1000 * window_s, "window_start": window_start}
    late_ns = (START_MS + 3_600_000) * 1_000_000
    return late_ns, json.dumps(told | {"mark_price": price, "mark_age_ms": 0.0, "closed_by": closed_by}).encode()


def batch(rows: list[tuple[int, bytes]]):
    return frames("features.tape", 0, [value for _, value in rows], [at for at, _ in rows])


ENDED = [row("binance-usdm", s, price=s) for s in range(1, 11)] + [
    row("binance-usdm", 11, closed_by="end", price=11),
    row("binance-usdm", 300, 300, "end", 11),
]
BEHIND = [row("okx-swap", s, price=s) for s in range(1, 4)]
REST = [row("okx-swap", s, price=s) for s in range(4, 11)]


@pytest.mark.parametrize("first", [BEHIND, []], ids=["behind", "silent"])
def test_seconds_wait_for_a_venue_whose_rows_come_after_another_ended_with_a_window_of_minutes(first):
    timeline = Timeline(1000, {"tape": Progress(awaited=VENUES)}, {})
    seconds = []
    for rows in (first + ENDED, (BEHIND if not first else []) + REST):
        assert timeline.read_tape("tape", batch(rows)) == []
        seconds += timeline.seconds()
    timeline.mark({"tape"})
    seconds += timeline.seconds()
    assert [second.at_ms for second in seconds] == sorted({second.at_ms for second in seconds})
    told = {
        (mark.venue, (second.at_ms - START_MS) // 1000): mark.mark_price for second in seconds for mark in second.marks
    }
    assert told == {(venue, s): s for venue in VENUES for s in range(1, 12) if (venue, s) != ("okx-swap", 11)}


def test_a_second_that_only_the_end_of_the_logs_closed_says_so():
    timeline = Timeline(1000, {"tape": Progress(awaited=VENUES)}, {})
    timeline.read_tape("tape", batch(BEHIND + REST + ENDED))
    timeline.mark({"tape"})
    by = {(second.at_ms - START_MS) // 1000: second.closed_by for second in timeline.seconds()}
    assert by == {s: "event" for s in range(1, 10)} | {10: "end", 11: "end"}
