"""What comes from outside is data wherever it is printed: nothing acts on the terminal, nothing is markup, nothing raises."""

import io
import unicodedata
from collections import Counter, deque
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from flows.__main__ import main
from flows.bench.result import Result, table
from flows.commands.printer import Printer
from flows.commands.query import shown
from flows.kafka.topic_tail import Seen
from flows.monitoring.health import Health
from flows.printable import printable
from flows.refusal import Refused
from flows.session.demo_pages import PAGES, screen
from flows.session.supervisor import Supervisor
from flows.session.view import line

EVIL = (
    "\x1b[2J\x1b]0;owned\x07",
    "[/x]",
    "[bold red]x[/bold red]",
    "[link=http://evil]x[/link]",
    ":warning:",
    "\u202egnp.exe",
    "\x9b31m",
    "a\rb\x08\x08",
    "\u200b\u2066\ufeff",
    "\ud800",
    "[",
    "\\[",
)
OUTSIDE = st.one_of(st.sampled_from(EVIL), st.text(max_size=12), st.text(st.characters(categories=("Cc", "Cf", "Cs"))))


def acts(text: str, keep: str = "\n") -> list[str]:
    return [c for c in text if c not in keep and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]


def printed(*parts: object) -> str:
    out = io.StringIO()
    Printer(file=out, width=400, color_system=None).print(*parts)
    return out.getvalue()


@given(text=OUTSIDE)
def test_nothing_that_acts_is_left_and_what_is_plain_stays(text: str) -> None:
    assert acts(printable(text), keep="") == []
    assert printable(printable(text)) == printable(text)
    if not acts(text, keep=""):
        assert printable(text) == text


def seen_with(words: list[str]) -> Seen:
    a, b, c, d, e = words
    book = {"symbol": a, "venue": b, "window_ms": 1000, "best_bid": 1.0, "best_ask": 2.0, "spread_bps": 1.0}
    book |= {"imbalance_1": 0.5, "ofi": 0.0, "book_ok": True}
    forced = {"event_time": 0, "symbol": a, "position_side": c, "price": None, "notional_usd": 1.0}
    account = {"account": d, "risk_level": e, "equity_usd": 1.0, "leverage_total": None, "margin_utilisation": 0.1}
    account |= {"maintenance_ratio": None, "nearest_liquidation_bps": None, "var_99_1h": None, "tail_reason": c}
    alert = {"at": 0, "kind": "raise", "severity": e, "rule": b, "subject": a, "value": None}
    burst = {"symbol": a, "position_side": c, "horizon_min": 5, "p_burst": 0.1, "risk_level": e}
    burst |= {"abstain_reason": d, "model_version": b}
    rows = {"features.book": {a: book}, "risk.accounts": {d: account}, "forecasts.liquidation": {a: burst}}
    return Seen(
        rows=rows,
        latest={"liquidations": deque([forced]), "alerts": deque([alert])},
        counts=Counter({"liquidations": 1}),
    )


@given(words=st.lists(OUTSIDE, min_size=5, max_size=5), head=OUTSIDE)
def test_the_screen_and_the_line_of_a_demo_show_symbols_accounts_and_rules_as_they_are(
    words: list[str], head: str
) -> None:
    health = {words[0]: Health(False, {})}
    text = "".join(printed(screen(page, seen_with(words), "", health, {}, 1.0, head)) for page in PAGES)
    assert acts(text) == []
    assert acts(line(seen_with(words), "", health), keep="") == []
    for word in words:
        if word and len(word) > 3 and not acts(word) and word.isascii() and " " not in word:
            assert word in text


@given(text=OUTSIDE)
def test_tables_and_lines_of_commands_take_no_markup(text: str) -> None:
    grid = Table(text, title=text)
    grid.add_row(text)
    for out in (printed(grid), printed(text), printed(f"saved {text} in {text}")):
        assert acts(out) == []
    assert acts(printed(table([Result(text, text, (1.0,), text)]))) == []
    if text.startswith("[") and not acts(text):
        assert text in printed(text)


@given(rows=OUTSIDE)
def test_rows_of_a_query_act_on_no_terminal_and_files_get_them_as_they_are(rows: str) -> None:
    for form in ("table", "csv", "json"):
        assert acts(shown(rows, form, True), keep="\n\t") == []
    assert shown(rows, "csv", False) == rows == shown(rows, "json", False)


@pytest.mark.parametrize("text", EVIL)
def test_an_error_line_shows_what_it_quotes(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise Refused(f"account {text} is nobody's")

    monkeypatch.setattr("flows.__main__.app", refuses)
    monkeypatch.setattr("flows.engine.compiled.cache", lambda: None)
    with pytest.raises(SystemExit):
        main(["any"])
    said = capsys.readouterr().err
    assert acts(said) == [] and said.count("\n") == 1


@pytest.mark.parametrize("text", [e for e in EVIL if e != "\ud800"])
def test_the_last_line_of_a_process_is_quoted_as_data(text: str, tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start("p", "tests.unit.nothing", keep=False, vital=False)
    child.process.wait()
    child.log.write_text(f"first\nlast {text} line\n")
    assert acts(child.last_line(), keep="") == []
    supervisor.stop()
