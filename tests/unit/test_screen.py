"""The terminal view and the health of flows: what is shown is what the rows and the endpoints say."""

import io
import re
import socket
from collections import Counter, deque

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client import Counter as Counted
from rich.console import Console

from flows.kafka.topic_tail import Seen
from flows.monitoring.health import Health, scrape
from flows.session.demo_pages import NOTHING_YET, PAGES, screen, state
from flows.session.embedded import running_store
from flows.session.view import line
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


def shown(*parts, width=160, height=60):
    out = io.StringIO()
    Console(file=out, width=width, height=height, color_system=None, force_terminal=True).print(*parts)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())


def cells(text, name):
    row = next(r for r in text.splitlines() if r.strip().startswith(name))
    return re.split(r"\s{2,}", row.strip())


def test_the_pages_show_the_one_second_rows_the_liquidations_and_the_flows(seen):
    health = {"market-0": UP, "archive-0": Health(False, {})}
    books = shown(screen("books", seen, "p.", health, {"market-0": BEFORE}, 2.0, "HEAD"))
    assert "HEAD" in books
    assert books.count("BTCUSDT binance-usdm") == 1
    assert books.count("BTCUSDT_250627 binance-usdm") == 1
    flows = shown(screen("flows", seen, "p.", health, {"market-0": BEFORE}, 2.0, "", ("broker  127.0.0.1:1",)))
    named = dict(zip(cells(flows, "flow "), cells(flows, "market-0"), strict=True))
    assert named["event time lag s"] == "3.2"
    assert (named["messages/s"], named["lag"], named["rows"], named["rejects"]) == ("100", "41", "7", "2")
    assert "starting" in cells(flows, "archive-0")
    assert "broker  127.0.0.1:1" in flows
    last = seen.latest["p.liquidations"][-1]
    assert f"{last['price']:,.6g}" in shown(screen("liquidations", seen, "p.", {}, {}, 2.0, ""))


def test_a_book_that_is_not_trusted_says_so_and_nulls_are_dashes(seen):
    row = next(r for r in seen.rows["p.features.book"].values() if r["window_ms"] == 1000)
    nulls = dict.fromkeys(("best_bid", "best_ask", "spread_bps", "imbalance_1", "ofi"))
    bad = Seen(rows={"p.features.book": {"k": {**row, **nulls, "book_ok": False}}}, latest={"p.liquidations": deque()})
    text = shown(screen("books", bad, "p.", {}, {}, 1.0, ""))
    assert cells(text, row["symbol"])[1:] == ["-", "-", "-", "-", "-", "not trusted"]


def crowded(seen):
    """More of everything than a terminal has lines."""
    book = next(r for r in seen.rows["p.features.book"].values() if r["window_ms"] == 1000)
    books = {
        f"b{n}": {**book, "symbol": f"SIM{n:03d}USDT", "best_bid": 60_123.4, "best_ask": 60_123.5} for n in range(40)
    }
    numbers = dict.fromkeys(
        ("leverage_total", "margin_utilisation", "maintenance_ratio", "nearest_liquidation_bps"), 0.5
    )
    risk = {
        f"a{n}": {
            "account": f"a{n:02}",
            "risk_level": "critical" if n == 33 else "low",
            "equity_usd": 12_345.0,
            **numbers,
        }
        | {"var_99_1h": None, "tail_reason": "fewer than 500 returns of an hour are known"}
        for n in range(40)
    }
    alert = {
        "at": 0,
        "kind": "raise",
        "severity": "critical",
        "rule": "margin_utilisation",
        "subject": "a33",
        "value": 0.9,
    }
    names = ("p.features.book", "p.risk.accounts")
    latest = {"p.liquidations": seen.latest["p.liquidations"], "p.alerts": deque([alert] * 30)}
    return Seen(rows=dict(zip(names, (books, risk), strict=True)), latest=latest, counts=seen.counts)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 50)])
def test_every_page_fits_the_terminal(seen, page, width, height):
    health = {f"{name}-0": UP for name in ("market", "risk", "forecast", "alerts", "archive")}
    text = shown(
        screen(page, crowded(seen), "p.", health, {}, 1.0, "HEAD\nMODEL", ("x" * 200,)), width=width, height=height
    )
    lines = text.splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert any(f"{PAGES.index(page) + 1} {page}" in line for line in lines)
    assert "5/5 flows up, event time lag " in text


def test_before_the_first_row_the_overview_says_what_is_waited_for():
    nothing = Seen(rows={}, latest={}, counts=Counter())
    lines = shown(screen("overview", nothing, "p.", {}, {}, 1.0, "HEAD"), width=80, height=24).splitlines()
    assert lines[-1].strip() == NOTHING_YET
    assert "…" not in lines[-1]


def test_the_overview_has_the_most_important_first_and_whole_numbers(seen):
    lines = shown(screen("overview", crowded(seen), "p.", {}, {}, 1.0, "HEAD"), width=80, height=24).splitlines()
    alert, account, book = (
        next(i for i, line in enumerate(lines) if text in line) for text in ("margin_u", "a33 ", "SIM000")
    )
    assert alert < book and account < book
    assert "60,123.4" in lines[book] and "ok" in lines[book]
    assert any("more" in line for line in lines)


def test_the_lag_in_event_time_is_that_of_the_flow_that_is_furthest_behind(seen):
    assert "1/1 flows up, event time lag 3.2 s, 41 messages behind, 2 rejects" in state({"market-0": UP})
    assert "event time lag -" in state({})


def test_without_a_terminal_the_same_is_one_line(seen):
    text = line(seen, "p.", {"market-0": UP, "archive-0": Health(False, {})})
    forced = seen.counts["p.liquidations"]
    assert text.startswith(
        f"1/2 flows up, {sum(seen.counts.values()):,} rows, {forced} liquidations, 0 alert records, 2 rejects, lag 41, "
        "event time lag 3.2 s; "
    )
    assert "\n" not in text


def test_the_line_of_a_market_of_many_instruments_names_a_few_and_counts_the_rest(seen):
    row = next(r for r in seen.rows["p.features.book"].values() if r["window_ms"] == 1_000)
    many = {str(i): row | {"symbol": f"ZZ{i:03d}"} for i in range(200)}
    text = line(Seen({"p.features.book": many}, {}, Counter()), "p.", {"market-0": UP})
    assert "ZZ007" in text and "ZZ008" not in text and text.endswith(", 192 more")
    assert line(Seen({"p.features.book": {}}, {}, Counter()), "p.", {"market-0": UP}).endswith("; no book yet")


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
