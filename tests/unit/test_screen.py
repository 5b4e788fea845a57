"""The terminal view and the health of flows: what is shown is what the rows and the endpoints say."""

import io
import socket
from collections import Counter, deque

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client import Counter as Counted
from rich.console import Console

from flows.health import Health, scrape
from flows.kafka.tail import Seen
from flows.session import running_store
from flows.view import line, screen
from tests.laws.test_market import Run, lines_of

UP = Health(
    True,
    {
        "alphaplus_read_messages_total": 300.0,
        "alphaplus_lag_messages": 41.0,
        "alphaplus_rows_total": 7.0,
        "alphaplus_rejects_total": 2.0,
    },
    {"alphaplus_event_time_lag_seconds": 3.25},
)
BEFORE = Health(True, {"alphaplus_read_messages_total": 100.0})


@pytest.fixture(scope="module")
def seen():
    run = Run("binance-usdm", lines_of("binance-usdm", 1)).end()
    books = {r["id"].rpartition("|")[0]: r for r in run.decoded("features_book")}
    forced = run.decoded("liquidations")
    return Seen(
        rows={"p.features.book": books},
        latest={"p.liquidations": deque(forced, maxlen=8)},
        counts=Counter({"p.features.book": len(books), "p.liquidations": len(forced)}),
    )


def shown(*parts):
    out = io.StringIO()
    Console(file=out, width=160, color_system=None).print(*parts)
    return out.getvalue()


def test_the_screen_shows_the_one_second_rows_the_liquidations_and_the_flows(seen):
    text = shown(
        screen(seen, "p.", {"market-0": UP, "archive-0": Health(False, {})}, {"market-0": BEFORE}, 2.0, "HEAD")
    )
    assert "HEAD" in text
    assert text.count("BTCUSDT binance-usdm") == 1
    assert text.count("BTCUSDT_250627 binance-usdm") == 1
    market = next(row for row in text.splitlines() if "market-0" in row)
    assert [cell.strip() for cell in market.strip("│ ").split("│")] == ["market-0", "100", "41", "3.2", "7", "2", "-"]
    assert "starting" in next(row for row in text.splitlines() if "archive-0" in row)
    last = seen.latest["p.liquidations"][-1]
    assert f"{last['price']:,.6g}" in text


def test_a_book_that_is_not_trusted_says_so_and_nulls_are_dashes(seen):
    row = next(r for r in seen.rows["p.features.book"].values() if r["window_ms"] == 1000)
    nulls = dict.fromkeys(("best_bid", "best_ask", "spread_bps", "imbalance_1", "ofi"))
    bad = Seen(rows={"p.features.book": {"k": {**row, **nulls, "book_ok": False}}}, latest={"p.liquidations": deque()})
    text = shown(screen(bad, "p.", {}, {}, 1.0, ""))
    shown_row = next(r for r in text.splitlines() if row["symbol"] in r)
    cells = [cell.strip() for cell in shown_row.strip("│ ").split("│")]
    assert cells[1:] == ["-", "-", "-", "-", "-", "not trusted"]


def test_without_a_terminal_the_same_is_one_line(seen):
    text = line(seen, "p.", {"market-0": UP, "archive-0": Health(False, {})})
    forced = seen.counts["p.liquidations"]
    assert text.startswith(
        f"1/2 flows up, {sum(seen.counts.values()):,} rows, {forced} liquidations, 0 alert records, 2 rejects, lag 41, "
        "event time lag 3.2 s; "
    )
    assert "\n" not in text


def test_health_sums_the_samples_of_a_metric_over_its_labels():
    registry = CollectorRegistry()
    counted = Counted("alphaplus_rows", "rows", ["table"], registry=registry)
    counted.labels("a").inc(3)
    counted.labels("b").inc(4)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        got = scrape(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert got.up
    assert got.totals["alphaplus_rows_total"] == 7.0


def test_a_process_that_does_not_answer_is_not_up():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        assert scrape(s.getsockname()[1]) == Health(False, {})


@pytest.mark.parametrize("text", [b"", b"[]", b"5", b"{}", b'{"pid": 0}', b'{"pid": "x", "port": 1}'])
def test_a_note_of_a_store_that_makes_no_sense_is_no_running_store(tmp_path, text):
    assert running_store(tmp_path) is None
    (tmp_path / "store.json").write_bytes(text)
    assert running_store(tmp_path) is None
