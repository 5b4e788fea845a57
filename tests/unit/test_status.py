"""What commands say while they run and when they are through: flows of themselves, replays of what was rejected."""

import io
import time

from prometheus_client import REGISTRY
from rich.console import Console

from flows.commands.reasons import MOST, Reason, grid
from flows.kafka.epochs import COMMITTED
from flows.monitoring import status


def test_a_minute_says_what_was_read_and_written_in_it():
    before = {"alphaplus_read_messages_total": 100.0, "alphaplus_rows_total": 5.0}
    now = {
        "alphaplus_read_messages_total": 6_100.0,
        "alphaplus_rows_total": 25.0,
        "alphaplus_lag_messages": 41.0,
        "alphaplus_rejects_total": 2.0,
        "alphaplus_last_commit_seconds": 1_700_000_039.5,
    }
    assert status.minute("market", before, now, 60.0, 1_700_000_040.0) == (
        "market: 22:14:00 UTC, 100 messages/s, lag 41 messages, 20 rows, 2 rejects, committed 0.5 s ago"
    )
    assert status.minute("market", {}, {}, 60.0, 0.0).endswith("0 rejects, nothing committed yet")


def test_a_flow_says_that_it_is_ready_once_an_epoch_is_committed_and_then_a_line_at_each_turn(monkeypatch):
    monkeypatch.setattr(status, "LOOK_S", 0.01)
    said: list[str] = []
    was = REGISTRY.get_sample_value("alphaplus_last_commit_seconds")
    COMMITTED.set(0)
    end = status.tell("market", said.append, every_s=0.01)
    time.sleep(0.1)
    assert said == []
    COMMITTED.set(1_700_000_000.0)
    until = time.monotonic() + 30
    while len(said) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    end()
    COMMITTED.set(was or 0)
    assert said[0].startswith("market: ready after ")
    assert all(line.startswith("market: ") and "messages/s" in line for line in said[1:3])


def test_a_process_says_where_its_figures_are():
    line = status.beginning("risk", list("abcdefgh"), "b:9092", range(3), "risk.accounts", "state", 9100)
    assert line == (
        "risk: reads a, b, c, d, e, f and 2 more of b:9092, partitions 0, 1, 2; writes risk.accounts; state in state"
        "; metrics at http://127.0.0.1:9100/metrics"
    )


def reason(why: str, frame: bytes = b"{}", times: int = 3) -> Reason:
    return Reason("market", "raw.depth.binance-usdm", times, 2, 17, why, frame)


def test_a_reject_says_what_to_do_where_that_is_known():
    assert "murmur2" in reason("misplaced BTC").advice and "market.misplaced=use" in reason("misplaced BTC").advice
    assert "clock.ahead_ms" in reason("event_time_ahead").advice
    assert "windows.lateness_ms" in reason("late").advice
    assert "cut short" in reason("not_json").advice and "cut short" in reason("not_json line 7").advice
    for times in ('"E":1741000000000123', '"ts":"1741000000000123"'):
        assert "microseconds?" in reason("out_of_range E", f"{{{times}}}".encode()).advice
    assert reason("out_of_range E", b'{"E":-1}').advice == ""
    assert reason("missing_field s").advice == ""


def test_reasons_are_shown_with_counts_and_the_place_of_the_first_and_not_without_end():
    out = io.StringIO()
    Console(file=out, width=240).print(grid([reason(f"missing_field f{n}", times=1_000) for n in range(MOST + 5)]))
    lines = out.getvalue().splitlines()
    assert len(lines) == MOST + 2
    assert lines[1].split()[:4] == ["1,000", "market", "missing_field", "f0"]
    assert "raw.depth.binance-usdm[2] offset 17" in lines[1]
    assert lines[-1].split()[:5] == ["5,000", "of", "5", "other", "kinds"]
