"""The walk, as printed: every command of its page runs, says what the page says, and leaves the picture.

The dashboards are asked about it too: each panel's SQL of the store that the walk leaves, each panel's and each rule's
PromQL of a Prometheus, where this machine has one, that scraped the flows meanwhile.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec
import pytest
import yaml
from prometheus_client import CollectorRegistry, start_http_server

from flows.captures import walk
from flows.clickhouse.client import connect
from flows.commands.options import asked
from flows.commands.reach import store
from flows.monitoring import telemetry
from flows.tables import BY_NAME
from tests.services.flow_processes import wait_until
from tests.services.prometheus import LastSaid, Prometheus, ports_below

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
PAGE = walk.FOLDER / "README.md"


def test_the_recording_is_what_the_simulator_makes():
    for path, content in walk.files().items():
        assert path.read_bytes() == content, f"{path.name}: python -m flows.captures.walk writes it"


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Iterator[tuple[Path, Prometheus | None]]:
    """The folder in which the page was walked, and the Prometheus that looked on."""
    folder = tmp_path_factory.mktemp("walk")
    prometheus = Prometheus(folder / "prometheus") if Prometheus.binary() else None
    with prometheus or nullcontext():
        with scraped(prometheus, folder):
            walk_the_page(folder)
        yield folder, prometheus


NOT_OF_THE_WALK = (
    *(f for f in telemetry.FIGURES if f.name.startswith("alphaplus_live_")),
    telemetry.MODEL_IN_FORCE,
    telemetry.MODEL_LOADS,
    telemetry.TUNED,
    telemetry.TUNING_DECISIONS,
    telemetry.REJECTS,
    telemetry.GAPS,
    telemetry.ARCHIVE_RETRIES,
)
"""Nothing is received in the walk, no model is in force, none is tuned and nothing goes wrong: a series of each is
made up."""


@contextmanager
def scraped(prometheus: Prometheus | None, folder: Path) -> Iterator[None]:
    """Processes that run below `folder` are found and scraped while this lasts, and what is not of the walk."""
    if prometheus is None:
        yield
        return
    registry, over = CollectorRegistry(), threading.Event()
    for figure in NOT_OF_THE_WALK:
        made = getattr(figure, figure.kind)(registry)
        of_labels = made.labels(*figure.labels) if figure.labels else made
        of_labels.inc()
    server, _ = start_http_server(0, "127.0.0.1", registry)
    said = LastSaid()

    def look() -> None:
        while not over.wait(0.2):
            said.ask([*ports_below(folder), server.server_port])
            prometheus.targets(said)

    threads = [threading.Thread(target=run, daemon=True) for run in (look, said.serve_forever)]
    for thread in threads:
        thread.start()
    try:
        yield
        wait_until(prometheus.scraped_all, 60)
    finally:
        over.set()
        said.shutdown()
        for thread in threads:
            thread.join()
        said.server_close()
        server.shutdown()
        server.server_close()


def walk_the_page(tmp_path: Path) -> None:
    """Every command in turn; what it says is what the page says."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    for name, module in (
        ("alphaplus", f'exec {sys.executable} -m flows "$@"'),
        ("python", f'exec {sys.executable} "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{module}\n")
        (tmp_path / name).chmod(0o755)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ALPHAPLUS_")}
    environ |= {"PATH": f"{tmp_path}:{environ['PATH']}", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    said, steps = "", 0
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if language == "text":
            assert said == text
            continue
        assert language == "sh"
        done = subprocess.run(
            ["sh", "-e", "-c", text], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said, steps = done.stdout, steps + 1
        if "replay" in text:
            assert "gaps 0, rejects 0" in said
            assert re.search(r"^alerts +1 ", said, re.MULTILINE)
            query = said.splitlines()[-1]
            assert query.startswith("alphaplus query --data ")
            again = subprocess.run(
                ["sh", "-c", query], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
            )
            assert "BTCUSDT" in again.stdout
    assert steps == 4
    assert (tmp_path / "walk.png").read_bytes().startswith(b"\x89PNG")
    assert "180 rows of account.csv" in said
    (tmp_path / "plot.txt").write_text(said)


def test_every_command_of_the_walk_does_what_the_page_says(walked):
    assert (walked[0] / "walk.png").exists()


def test_the_walk_joins_to_each_second_the_book_that_was_known_then_and_not_that_of_the_next(walked):
    joined = re.findall(r"│ (\S+ \S+) +┆ (\d\S+) +┆", (walked[0] / "plot.txt").read_text())
    assert len(joined) == 3
    with store(asked(None, (), walked[0] / "walk")) as told:
        client = connect(told.clickhouse)
        for at, mid in joined:
            known = client.rows(
                "SELECT mid FROM features_book FINAL WHERE window_ms = 1000 AND window_start < {at:DateTime64(3, 'UTC')}"
                " ORDER BY window_start DESC LIMIT 1",
                at=at,
            )
            assert float(mid) == pytest.approx(known[0][0], abs=0.01), at


BOARDS = {p.name: json.loads(p.read_text()) for p in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))}
PANELS = [(f"{n}: {p['title']}", t) for n, b in BOARDS.items() for p in b["panels"] for t in p["targets"]]
NOTHING_OF = {"model_versions", "forecast_scores", "rejects", "lead_lag", "price_discovery"}
"""Tables of which the walk has no row: no model is in force, nothing is refused, and there is one book; a row of each
is made up."""


def made_up(table: str, chosen: dict, at_ms: int) -> bytes:
    """A row of a table, of what is chosen where it has such a column."""
    values = {"str": "made up", "bool": True, "time": at_ms, "i8": 1, "f8": 0.5}
    row = {c.name: values[c.dtype] for c in BY_NAME[table].columns} | {"position_side": "long"}
    row |= {name: chosen[name][0] for name in ("venue", "symbol", "asset", "account")}
    return msgspec.json.encode({c.name: row[c.name] for c in BY_NAME[table].columns})


def test_every_panel_of_the_dashboards_gets_an_answer_from_the_store(walked):
    with store(asked(None, (), walked[0] / "walk"), reads=False) as told:
        client = connect(told.clickhouse)
        ((first_ms, last_ms),) = client.rows(
            "SELECT toUnixTimestamp64Milli(min(as_of)), toUnixTimestamp64Milli(max(as_of)) FROM risk_accounts"
        )

        chosen = {"window": "60000"}
        for board in BOARDS.values():
            for variable in board["templating"]["list"]:
                if variable["name"] == "side":
                    chosen["side"] = variable["query"].split(",")
                elif variable["type"] == "query":
                    found = [row[0] for row in client.rows(filled(variable["query"], chosen))]
                    assert found, variable
                    chosen[variable["name"]] = found
        asks = " ".join(t["rawSql"] for _, t in PANELS if "rawSql" in t)
        tables = set(re.findall(r"FROM (\w+?)(?:_dense| FINAL)", asks))
        assert {name for name in tables if client.rows(f"SELECT count() FROM {name}") == [(0,)]} == NOTHING_OF
        for name in NOTHING_OF:
            client.insert_block(name, made_up(name, chosen, last_ms), name)
        empty = []
        for title, target in PANELS:
            if "rawSql" in target:
                sql = shown(filled(target["rawSql"], chosen), first_ms - 60_000, last_ms)
                assert "$" not in sql, sql
                if not client.rows(sql):
                    empty.append(title)
    assert empty == []


def test_what_all_accounts_have_is_told_only_where_that_of_each_is_known(walked):
    with store(asked(None, (), walked[0] / "walk"), reads=False) as told:
        client = connect(told.clickhouse)
        (asks,) = (t["rawSql"] for title, t in PANELS if title == "portfolio.json: all accounts")
        sql = re.sub(r"\$__timeFilter_ms\((\w+)\)", "1", asks)
        names = ["one", "another"]
        for name, equity in (("one", 10.0), ("another", 5.0), ("another", None)):
            row = msgspec.json.decode(
                made_up("risk_accounts", {key: ["x"] for key in ("venue", "symbol", "asset")} | {"account": [name]}, 1)
            )
            row |= {"equity_usd": equity, "gross_usd": 1.0, "as_of": 2 if equity is None else 1}
            client.insert_block("risk_accounts", msgspec.json.encode(row), f"{name} {equity}")
            if name == "another":
                shown = client.rows(filled(sql, {"account": names}))[0][:2]
                assert shown == ((None, 2.0) if equity is None else (15.0, 2.0))


def shown(sql: str, first_ms: int, last_ms: int) -> str:
    """What the data source makes of the time that a dashboard shows; what is stored today is within it."""
    first, last = (f"fromUnixTimestamp64Milli({ms})" for ms in (first_ms, last_ms))
    sql = re.sub(r"\$__timeFilter_ms\((?!ingested_at)(\w+)\)", rf"\1 BETWEEN {first} AND {last}", sql)
    sql = sql.replace("$__timeFilter_ms(ingested_at)", "ingested_at <= now64(3)")
    return sql.replace("$__fromTime_ms", first).replace("$__toTime_ms", last)


def filled(sql: str, chosen: dict) -> str:
    """What Grafana makes of variables."""
    for name, value in chosen.items():
        if isinstance(value, list):
            sql = sql.replace(f"${{{name}:singlequote}}", ",".join("'" + v.replace("'", r"\'") + "'" for v in value))
        else:
            sql = sql.replace(f"${{{name}}}", value)
    return sql


def test_every_panel_and_every_rule_gets_an_answer_from_prometheus(walked):
    prometheus = walked[1]
    if prometheus is None:
        pytest.skip(
            "no prometheus on the path (Debian package `prometheus`): PromQL is checked by names and labels only"
        )
    unanswered = []
    for title, target in PANELS:
        if "expr" in target:
            expr = target["expr"].replace("$__rate_interval", "10s")
            # a rate is of two samples, and some series of a walk at full speed live for one
            once = re.sub(r"\b(rate|increase)\(", "last_over_time(", expr)
            if not (prometheus.ever(expr) or prometheus.ever(once)):
                unanswered.append(title)
    assert unanswered == []
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert {r["name"] for r in prometheus.rules()} == {r["alert"] for r in rules}
    assert [r["name"] for r in prometheus.rules() if r["health"] != "ok"] == []
    for rule in rules:
        for selected in re.findall(r"(?:alphaplus_\w+|up)(?:\{[^}]*\})?", rule["expr"]):
            assert prometheus.ever(selected), f"{rule['alert']} asks for {selected}, of which there is no series"
