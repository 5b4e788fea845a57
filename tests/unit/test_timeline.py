"""The timeline: when a second is complete, what is late, and what marks complete."""

import json

import msgspec
import pytest

from operators.book.bands import BANDS_BPS
from operators.portfolio.timeline import BookRow, Timeline, clock
from operators.progress import AHEAD, Progress
from schemas.frames import frames, marks

VENUE = "binance-usdm"


def timeline() -> Timeline:
    return Timeline(1_000, {"tape/0": Progress(), "tape/1": Progress()}, {"accounts/0": clock(500, 5_000, 2_000)})


def account(as_of: int, name: str = "a") -> bytes:
    return json.dumps({"account": name, "as_of": as_of, "balances": [], "positions": []}).encode()


def read_accounts(line: Timeline, *as_of: int, name: str = "a", received_ms: int = 10**7):
    values = [account(at, name) for at in as_of]
    log = frames("accounts", 0, values, [received_ms * 1_000_000] * len(values))
    return [reject.reason for reject in line.read_accounts("accounts/0", log)]


def read_marks(line: Timeline, log: str, *ends: int, mark: float = 100.0, venue: str = VENUE) -> None:
    row = {"venue": venue, "symbol": "BTCUSDT", "window_ms": 1_000, "mark_price": mark, "mark_age_ms": 0.0}
    values = [json.dumps({**row, "window_start": end - 1_000}).encode() for end in ends]
    assert line.read_tape(log, frames("tape", int(log[-1]), values, [end * 1_000_000 for end in ends])) == []


def seconds(line: Timeline) -> list[tuple[int, list[int], int, str]]:
    return [(s.at_ms, [r.account.as_of for r in s.records], len(s.marks), s.closed_by) for s in line.seconds()]


def test_a_second_is_complete_when_every_log_has_gone_past_it():
    line = timeline()
    read_marks(line, "tape/0", 10_000, 11_000, 12_000)
    read_accounts(line, 10_400)
    assert seconds(line) == []
    read_marks(line, "tape/1", 11_000)
    assert seconds(line) == []
    read_accounts(line, 11_499)
    assert seconds(line) == [(10_000, [], 1, "event")]
    read_marks(line, "tape/1", 13_000)
    read_accounts(line, 12_500)
    assert seconds(line) == [(11_000, [10_400], 2, "event")]


def test_at_the_end_of_all_logs_what_nobody_went_past_is_closed_by_the_end():
    line = timeline()
    read_marks(line, "tape/0", 10_000, 11_000)
    line.mark(["tape/0", "tape/1", "accounts/0"])
    assert seconds(line) == [(10_000, [], 1, "event"), (11_000, [], 1, "end")]


def test_a_late_record_counts_from_the_time_that_its_own_log_had_reached():
    line = timeline()
    assert read_accounts(line, 12_000, 13_000, name="b") == []
    assert read_accounts(line, 10_000) == []
    assert [(r.account.account, r.at_ms, r.late) for _, r in line.records] == [
        ("b", 12_000, False),
        ("a", 12_501, True),
        ("b", 13_000, False),
    ]


def test_a_record_before_the_accounts_last_and_one_from_the_future_are_rejected_and_move_no_clock():
    line = timeline()
    assert read_accounts(line, 10_000, 9_999) == ["as_of 9999 is before the account's last, 10000"]
    assert read_accounts(line, 25_001, received_ms=20_000) == ["event_time_ahead"]
    assert line.clocks["accounts/0"].now_ns == 10_000_000_000


def told(line: Timeline, log: str, time_ms: int, guessed: bool = False) -> None:
    """A mark at the end of a log."""
    read = line.read_accounts if log.startswith("accounts") else line.read_tape
    assert read(log, frames(log, 0, [], [], marks=marks([(0, time_ms * 1_000_000, guessed)]))) == []


def test_a_features_log_that_never_said_anything_is_complete_up_to_its_mark():
    line = timeline()
    read_marks(line, "tape/0", 10_000, 11_000)
    read_accounts(line, 11_600)
    assert seconds(line) == []
    told(line, "tape/1", 10_999)
    assert seconds(line) == [(10_000, [], 1, "event")]
    told(line, "tape/1", 11_000)
    told(line, "tape/0", 11_000)
    assert seconds(line) == [(11_000, [], 1, "event")]


def test_accounts_that_are_silent_are_complete_up_to_a_mark_less_the_time_they_may_be_on_their_way():
    line = timeline()
    read_marks(line, "tape/0", 10_000, 11_000)
    told(line, "tape/1", 20_000)
    read_accounts(line, 9_000, received_ms=9_100)
    told(line, "accounts/0", 11_099)
    assert seconds(line) == [], "it may have been on its way for 100 ms, and for 2 s a lagging one is waited for"
    told(line, "accounts/0", 11_100)
    assert seconds(line) == [(9_000, [9_000], 0, "event"), (10_000, [], 1, "event")]


def test_the_rows_of_a_venue_that_come_behind_those_of_another_are_of_their_own_seconds():
    """A replay publishes what it has read of one venue before the other's: seven seconds of marks were taken for late."""
    log = {"tape/0": Progress(awaited=(VENUE, "bybit-linear"))}
    line = Timeline(1_000, log, {"accounts/0": clock(500, 5_000, 2_000)})
    assert read_accounts(line, 1_000, 60_000) == []
    read_marks(line, "tape/0", *range(1_000, 9_000, 1_000))
    assert seconds(line) == []
    again = Timeline(1_000, {"tape/0": Progress(awaited=(VENUE, "bybit-linear"))}, dict(line.clocks))
    again.thaw(line.freeze())
    for told in (line, again):
        read_marks(told, "tape/0", *range(1_000, 9_000, 1_000), venue="bybit-linear")
        assert [(at, marks) for at, _, marks, _ in seconds(told)] == [(at, 2) for at in range(1_000, 8_000, 1_000)]


def test_a_venue_that_is_awaited_and_never_comes_holds_nobody_up_for_long():
    line = Timeline(1_000, {"tape/0": Progress(awaited=(VENUE, "okx-swap"))}, {"accounts/0": clock(500, 5_000, 2_000)})
    assert read_accounts(line, 1_000, 500_000) == []
    read_marks(line, "tape/0", 1_000, 100_000)
    assert seconds(line) == []
    read_marks(line, "tape/0", 122_000)
    assert [at for at, *_ in seconds(line)] == [1_000, 100_000]


def test_seconds_that_a_guess_completed_say_so_and_what_comes_for_them_counts_later():
    line = timeline()
    read_marks(line, "tape/0", 10_000, 11_000, 12_000)
    told(line, "tape/1", 20_000)
    told(line, "accounts/0", 11_200, guessed=True)
    assert seconds(line) == [(10_000, [], 1, "idle")]
    read_accounts(line, 9_000, 11_600, received_ms=11_700)
    assert [(r.at_ms, r.late) for _, r in line.records] == [(10_701, True), (11_600, False)]
    assert seconds(line) == [(11_000, [9_000], 1, "event")]


def test_an_account_sent_again_and_again_with_an_old_time_holds_nobody_up():
    line = timeline()
    read_marks(line, "tape/0", *range(10_000, 41_000, 1_000))
    told(line, "tape/1", 40_000)
    for at in range(10_000, 40_000, 5_000):
        read_accounts(line, 9_000, received_ms=at)
        told(line, "accounts/0", at)
    assert [at for at, *_ in seconds(line)][-1] == 33_000


@pytest.mark.parametrize("window_ms", [1_000, 60_000])
def test_a_row_that_somebody_wrote_years_ahead_is_refused_and_closes_no_second(window_ms):
    """One record of a producer whose clock or unit was wrong made all that came after it late, for good."""
    line = timeline()
    row = {"venue": VENUE, "symbol": "BTCUSDT", "window_ms": window_ms, "mark_price": 1.0, "mark_age_ms": 0.0}
    values = [json.dumps({**row, "window_start": end - window_ms}).encode() for end in (15_000, 15_001, 10**12)]
    rejects = line.read_tape("tape/0", frames("tape", 0, values, [10_000 * 1_000_000] * 3, first_offset=7))
    assert [(r.offset, r.reason) for r in rejects] == [(8, AHEAD), (9, AHEAD)]
    read_marks(line, "tape/0", 16_000, 18_000)
    read_marks(line, "tape/1", 18_000)
    read_accounts(line, 16_200, 18_600)
    assert [(at, marks) for at, _, marks, _ in seconds(line)][-2:] == [(16_000, 1), (17_000, 0)]


def test_a_row_that_cannot_be_read_is_a_reject_with_its_reason():
    line = timeline()
    log = frames("tape", 0, [b'{"venue":1}', b"{"], [0, 0], first_offset=7)
    rejects = line.read_tape("tape/0", log)
    assert [(r.offset, r.reason) for r in rejects] == [
        (7, "Expected `str`, got `int` - at `$.venue`"),
        (8, "Input data was truncated"),
    ]


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_book_row_reads_every_band_that_is_published(side):
    read = [n for n in BookRow.__struct_fields__ if n.startswith(side)]
    assert read == [f"{side}_depth_{x}bps_usd" for x in BANDS_BPS]


def test_what_the_release_before_froze_is_taken_up():
    """Of each log it told the ends, whether it was over, and the mark; what waited, as time and row."""
    line = timeline()
    read_marks(line, "tape/0", 10_000)
    read_accounts(line, 12_000)
    was = msgspec.msgpack.decode(line.freeze())
    assert was["features"] == {"tape/0": [{VENUE: 10_000}, False, -1], "tape/1": [{}, False, -1]}
    assert [at for at, _ in was["marks"]] == [10_000]
    assert [record[0] for record in was["records"]] == [12_000]
    later = timeline()
    later.thaw(line.freeze())
    for each in (line, later):
        each.mark(["tape/0", "tape/1", "accounts/0"])
    assert seconds(later) == seconds(line) == [(10_000, [], 1, "event"), (12_000, [12_000], 0, "end")]
