"""Commands: every mistake is one clear line on standard error and a non-zero exit, and nothing is begun."""

import fcntl
import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from flows.__main__ import COMMANDS, app, main
from flows.commands import lag as lagging
from flows.commands import live as receiving
from flows.commands import query as asking
from flows.commands.reach import running_broker, with_broker
from flows.engine import compiled
from flows.job_graph import mermaid
from flows.kafka import glance
from flows.monitoring.log_lines import speak
from flows.refusal import Refused
from flows.settings.sources import load, written
from flows.settings.tree import Settings
from flows.stops import stops
from flows.tables import TABLES

LINE = b'1723161255030314667 {"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":1,"p":"1","q":"1","X":"MARKET","m":true}\n'

SNAPSHOT = b'1723161255030314667 {"lastUpdateId":1,"bids":[],"asks":[]}\n'


@pytest.fixture(autouse=True)
def _apart(tmp_path, monkeypatch):
    """A folder of its own, none of this machine's settings, and nothing that a command changes stays changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiled, "cache", lambda: None)
    before = {number: signal.getsignal(number) for number in stops()}
    for name in [n for n in os.environ if n.startswith("ALPHAPLUS_")]:
        monkeypatch.delenv(name)
    yield
    speak("")
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def refused(capsys, tmp_path):
    def run(*arguments, code=2, left=()):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out = capsys.readouterr()
        assert caught.value.code == code
        assert out.out == ""
        assert out.err.startswith("alphaplus: ")
        assert out.err.count("\n") == 1
        assert "Traceback" not in out.err
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted(left), "something was begun"
        return out.err.removeprefix("alphaplus: ").rstrip()

    return run


def nobody():
    """An address on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert command in capsys.readouterr().out


def test_help_says_what_each_command_does_in_the_order_in_which_one_meets_them(capsys):
    text = " ".join(re.sub(r"[│\s]+", " ", ran(capsys, "--help")).split())
    places = [text.index(f"{command} {does}") for command, does in COMMANDS.items()]
    assert places == sorted(places)
    assert next(iter(COMMANDS)) == "demo"


@pytest.mark.parametrize("words", [["metrics"], ["graph"]])
def test_a_reader_that_has_read_enough_ends_a_command_without_a_word(words):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.Popen(
        [sys.executable, "-m", "flows", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    )
    assert told.stdout is not None and told.stderr is not None
    told.stdout.close()
    assert told.stderr.read() == ""
    told.stderr.close()
    assert told.wait(60) == 141


@pytest.mark.parametrize(
    ("closed", "words", "code"),
    [(">&-", "graph", 0), ("2>&-", "query 'SELECT 1'", 2), ("<&- >&- 2>&-", "query 'SELECT 1'", 2)],
)
def test_a_stream_that_is_closed_changes_no_exit_code_and_its_number_goes_to_no_file(tmp_path, closed, words, code):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = f"{sys.executable} -m flows {words} {closed}"
    told = subprocess.run(line, check=False, shell=True, capture_output=True, text=True, env=environ, cwd=tmp_path)
    assert (told.returncode, told.stderr) == (code, "")


def test_a_folder_that_is_gone_is_one_line_whatever_is_asked(tmp_path):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"rmdir {gone}; {sys.executable} -P -m flows demo"
    told = subprocess.run(line, check=False, shell=True, capture_output=True, text=True, env=environ, cwd=gone)
    said = "alphaplus: the folder in which this was started is gone: change to one that is there\n"
    assert (told.returncode, told.stdout, told.stderr) == (2, "", said)


def test_the_commands_are_those_of_the_design():
    assert {name for name in app if not name.startswith("-")} >= set(COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["--settings", "x.toml", "query", "SELECT 1"], "alphaplus COMMAND --settings ..."),
        (["--set", "kafka.brokers=a:1", "run", "market"], "alphaplus COMMAND --set ..."),
        (["models", "--data", "x", "list"], "alphaplus models COMMAND --data ..."),
    ],
)
def test_an_option_before_the_command_is_told_where_it_goes(refused, arguments, where):
    assert f"options stand behind the command: {where}" in refused(*arguments)


def test_an_unknown_command_is_named(refused):
    assert "nonsense" in refused("nonsense")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("graph", "x"), "'x'"),
        (("metrics", "nope"), "there is no table 'nope'; there are: features_book, "),
        (("query",), "write a statement, or --url"),
        (("query", "SELECT 1", "--format", "xml"), "xml"),
        (("query", "SELECT 1"), ".alphaplus: no embedded store here yet; "),
        (("query", "SELECT 1", "--data", "nowhere"), "nowhere: no embedded store here yet; "),
        (("query", "SELECT 1", "--set", "clickhouse.url=here"), "clickhouse.url: 'here' is not http://host:port"),
        (("replay",), "no captures: write VENUE=FILE"),
        (("replay", "binance-usdm"), "'binance-usdm': write VENUE=FILE, with VENUE one of binance-usdm, "),
        (("replay", "nasdaq=frames.log"), "'nasdaq=frames.log': write VENUE=FILE, with VENUE one of binance-usdm, "),
        (("replay", "binance-usdm=none.log"), "none.log: there is no such file"),
        (("replay", "binance-usdm=."), ".: there is no such file"),
        (("replay", "binance-usdm=x", "--speed", "2"), "2"),
        (("run",), "which flow? There are: market, "),
        (("run", "nope"), "there is no flow 'nope'; there are: market, "),
        (("run", "market"), "kafka.brokers is not set: "),
        (("run", "market", "--set", "kafka.broker=x"), "there is no setting 'kafka.broker'; kafka has: "),
        (("run", "market", "--settings", "none.toml"), "settings none.toml: No such file or directory"),
        (("run", "market", "--set", "kafka.brokers=x", "--set", "market.venues=[\"y\"]"), "market.venues: there is no"),
        (("run", "market", "archive", "--set", "kafka.brokers=x", "--recovery", "r"), "--recovery and --ends are"),
        (("lag",), "kafka.brokers is not set, and no demo or replay runs on .alphaplus"),
        (("lag", "nope"), "there is no flow 'nope'; there are: market, "),
        (("lag", "--recovery", "x-{}"), "--recovery 'x-{}' is of one flow, with {} where the ordinal stands"),
        (("lag", "risk", "--set", "kafka.brokers=x"), "risk: nothing is committed in .alphaplus/recovery/risk-{}"),
        (("rejects",), ".alphaplus: no embedded store here yet; "),
        (("rejects", "replay"), "kafka.brokers is not set, and no demo runs"),
        (("rejects", "replay", "--most", "0"), "--most must be at least 1"),
        (("savepoint", "nope", "--to", "s"), "there is no flow 'nope'; there are: market, risk, forecast, alerts"),
        (("savepoint", "archive", "--to", "s"), "archive has nothing to save: it goes on where the database says"),
        (("savepoint", "risk", "--to", "s"), ".alphaplus/recovery/risk-0 is no recovery directory"),
        (("savepoint", "risk", "--to", "s", "--recovery", "x"), "--recovery 'x': write {} where the ordinal stands"),
        (("restore", "nowhere"), "nowhere is no savepoint: it has no savepoint.json"),
        (("rejects", "why"), "Unused Tokens: ['why']"),
        (("models", "show", "a", "b"), "Unused Tokens: ['b']"),
        (("verify", "a"), "Unused Tokens: ['a']"),
        (("record", "deribit:BTC-PERPETUAL", "--minutes", "-1"), "--minutes. Must be >= 0"),
        (("live", "deribit:BTC-PERPETUAL", "--minutes", "nan"), "--minutes. Must be <= "),
        (("live", "binance-usdm:btcusdt"), "'binance-usdm:btcusdt': write symbols as the venue does, BTCUSDT"),
        (
            ("record", "deribit:BTC-PERPETUAL", "--set", 'live.sockets={"binance-usdm":"http://x"}'),
            "live.sockets: there is no 'binance-usdm'; there are: binance-coinm, binance-spot, binance-usdm/market, ",
        ),
        (
            ("live", "deribit:BTC-PERPETUAL", "--set", 'live.rest={"okx":"http://x"}'),
            "live.rest: there is no 'okx'; there are: binance-coinm, ",
        ),
        (("train", "--days", "0"), "--days. Must be >= 1"),
        (("evaluate", "--days", "-1"), "--days. Must be >= 1"),
        (("microprice", "--days", "-1"), "--days. Must be >= 1"),
        (("topics",), "kafka.brokers is not set"),
        (("topics", "--set", "kafka.message_max_bytes=1"), "kafka.message_max_bytes: '1' is not a whole number from 1000 to 1000000000"),
        (("topics", "--set", "kafka.partitions=0"), "kafka.partitions: '0' is not a whole number above 0"),
        (("topics", "--set", "kafka"), "--set 'kafka': write section.key=value"),
        (("migrate",), "clickhouse.url is not set"),
        (("record", os.fsdecode(b"deribit:\xff"), "--minutes", "0.01"), "'book.\\udcff.100ms' is not text, in UTF-8"),
        (("diff", "no/such", "no/other"), "no/such: there is no embedded store"),
        (("demo", "--instruments", "0"), "--instruments must be at least 1"),
        (("demo", "--minutes", "soon"), "soon"),
        (("demo", "--set", "windows.base_ms=7"), "windows."),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_line_and_begins_nothing(refused, arguments, why):
    assert why in refused(*arguments)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("empty.log", b"", "holds no frames"),
        ("short.gz", gzip.compress(LINE * 500)[:-9], "unreadable after line "),
        ("two.log", LINE + LINE.replace(b"BTC", b"ETH") + SNAPSHOT, "line 3 names no symbol"),
    ],
)  # fmt: skip
def test_a_capture_that_is_broken_anywhere_is_refused_before_anything_is_published(refused, tmp_path, name, data, why):
    (tmp_path / name).write_bytes(data)
    assert why in refused("replay", f"binance-usdm={name}", left=[name])


def test_a_capture_that_is_named_twice_is_refused(refused, tmp_path):
    """Every frame of it would have come twice: books lost their trust, and what has no id counted again."""
    (tmp_path / "frames.log").write_bytes(LINE)
    said = ("replay", "binance-usdm=frames.log", "binance-usdm=./frames.log")
    assert refused(*said, left=["frames.log"]) == "./frames.log: it is named twice"


def test_a_replay_with_wrong_instruments_is_refused_before_anything_starts(refused, tmp_path):
    (tmp_path / "frames.log").write_bytes(LINE)
    (tmp_path / "info.json").write_bytes(b'{"symbols":[{"symbol":"X"}]}')
    said = 'market.instruments_json={"binance-usdm":"info.json"}'
    line = refused("replay", "binance-usdm=frames.log", "--set", said, left=["frames.log", "info.json"])
    assert line.startswith("market.instruments_json: info.json: ")
    said = 'market.instruments_json={"deribit":"info.json"}'
    line = refused("replay", "binance-usdm=frames.log", "--set", said, left=["frames.log", "info.json"])
    assert line == "market.instruments_json: 'deribit' is not among market.venues"
    row = '{"venue":"binance-usdm","symbol":"X","base":"X","quote":"USDT","kind":"linear","tick":"0","lot":"1"}'
    line = refused(
        "replay", "binance-usdm=frames.log", "--set", f"market.instruments=[{row}]", left=["frames.log", "info.json"]
    )
    assert line == "market.instruments: X: a step must be positive, not '0'"


RULE = """[[rule]]
name = "level"
table = "risk_accounts"
metric = "risk_level"
comparison = "above"
raise = { warning = 1 }
clear = 0
subject = ["account"]
"""
MISTAKES = {
    "alerts.rules=rules.toml": (
        RULE,
        "alerts.rules: rules.toml: rule 1 \"level\", metric, line 4: column 'risk_level' is a text, metric needs a number",
    ),
    "alerts.rules=fatal.toml": (
        RULE.replace("warning", "fatal"),
        "alerts.rules: fatal.toml: rule 1 \"level\", raise, line 6: Invalid enum value 'fatal'; there are info, warning, ",
    ),
    'risk.brackets_json={"binance-usdm":"brackets.json"}': ("[", "risk.brackets_json: brackets.json: "),
    "risk.taker_fee.bybit=0.0001": (
        "",
        "risk.taker_fee: 'bybit' counts no fee within margins, only bybit-linear, okx-swap",
    ),
    "risk.candles.binance=.": ("", "risk.candles: there is no venue 'binance'; there are: binance-usdm, "),
    "market.micro_price=fitted.json": ("[", "market.micro_price: fitted.json: "),
    "forecast.horizons_min=[]": ("", "forecast.horizons_min: name at least one horizon"),
}


@pytest.mark.parametrize("command", ["demo", "replay", "run", "several"])
@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_in_a_file_that_some_flow_reads_is_refused_before_any_process_starts(
    refused, tmp_path, command, said
):
    text, why = MISTAKES[said]
    name = re.sub(r'.*[=":]([a-z]+\.[a-z]+).*', r"\1", said) if text else "none"
    (tmp_path / name).write_text(text)
    (tmp_path / "frames.log").write_bytes(LINE)
    broker = ["--set", f"kafka.brokers={nobody()}"]
    flow = {"alerts": "alerts", "risk": "risk", "forecast": "forecast", "market": "market"}[said.split(".")[0]]
    words = {
        "demo": ["demo", "--minutes", "0.01"],
        "replay": ["replay", "binance-usdm=frames.log"],
        "run": ["run", flow, *broker],
        "several": ["run", "archive", flow, *broker],
    }[command]
    assert refused(*words, "--set", said, left=["frames.log", name]).startswith(why)


def test_replay_on_no_process_at_all_is_refused(refused, tmp_path):
    (tmp_path / "frames.log").write_bytes(LINE)
    line = refused("replay", "binance-usdm=frames.log", "--processes", "0", left=["frames.log"])
    assert line == "--processes must be at least 1"


@pytest.mark.parametrize("words", [["topics"], ["verify"], ["lag", "risk", "--set", "kafka.offsets_group=x"]])
def test_a_broker_that_does_not_answer_is_named_within_seconds(refused, monkeypatch, words):
    assert glance.ANSWER_S <= 4
    monkeypatch.setattr(glance, "ANSWER_S", 0.2)
    where = nobody()
    assert refused(*words, "--set", f"kafka.brokers={where}", code=1) == f"no Kafka broker answers at {where}"


def test_a_database_that_does_not_answer_is_one_line_also_from_the_process_itself():
    where = nobody()
    said = ["--set", f"clickhouse.url=http://{where}", "--set", "clickhouse.retry_s=1"]
    done = subprocess.run(
        [sys.executable, "-m", "flows", "query", "SELECT 1", *said],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"alphaplus: ClickHouse at http://{where}: Connection refused\n"


def test_several_flows_end_in_good_order_when_told_to_stop(tmp_path):
    said = ["--set", f"kafka.brokers={nobody()}", "--data", str(tmp_path)]
    started = subprocess.Popen(
        [sys.executable, "-m", "flows", "run", "market", "archive", "market", *said],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    logs = [tmp_path / "logs" / f"{name}.log" for name in ("market", "archive")]
    end = time.monotonic() + 60
    while not all(log.exists() for log in logs):
        assert started.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    out, _ = started.communicate(timeout=60)
    assert started.returncode == 0
    assert all(line.startswith(("market: reads ", "archive: reads ")) for line in out.splitlines())
    assert sorted(p.name for p in (tmp_path / "logs").iterdir()) == ["archive.log", "market.log"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("command", "begins", "words"),
    [
        ("flows.commands.verify", "compare", "verify"),
        ("flows.commands.replay", "captures", "replay"),
        ("flows.upkeep.resubmission", "_store", "rejects"),
    ],
)
def test_a_command_that_is_told_to_stop_takes_away_what_it_began(tmp_path, command, begins, words, number):
    began, left = tmp_path / "began", tmp_path / "left"
    code = f"""
import time, pathlib, {command} as module
from flows import __main__
from flows.commands import rejects, replay, verify

def work(*given, **more):
    try:
        pathlib.Path({str(began)!r}).touch()
        time.sleep(60)
    finally:
        pathlib.Path({str(left)!r}).touch()

module.{begins} = work
verify.present = lambda *given: None
rejects.connect = lambda told: None
rejects._chosen = lambda *given: [rejects.Rejected("archive", "walls", 0, 0, "")]
rejected = ["rejects", "replay", "--set", "clickhouse.url=http://nobody:1"]
arguments = rejected if {words!r} == "rejects" else [{words!r}]
__main__.main([*arguments, "--set", "kafka.brokers=nobody:1", "--data", {str(tmp_path)!r}])
"""
    was = signal.getsignal(number)
    signal.signal(number, signal.SIG_DFL)  # whoever runs the tests with nohup ignores a hang-up, and so would the child
    try:
        started = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )
    finally:
        signal.signal(number, was)
    with started:
        try:
            end = time.monotonic() + 60
            while not began.exists():
                assert started.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            started.send_signal(number)
            assert started.wait(30) == 130
            assert left.exists()
        finally:
            started.kill()


def ran(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "out", "err"), [("", "", "no rows\n"), ("a\x1b[2J\u202e\n", "a\\x1b[2J\\u202e\n", "")]
)
def test_a_query_says_when_there_are_no_rows_and_shows_no_row_that_acts_on_a_terminal(
    rows, out, err, monkeypatch, capsys
):
    monkeypatch.setattr(asking, "store", nullcontext)
    monkeypatch.setattr(asking, "connect", lambda _: SimpleNamespace(query=lambda *_: rows))
    assert asking.query("SELECT a") == 0
    assert capsys.readouterr() == (out, err)


def test_graph_prints_the_picture(capsys):
    assert ran(capsys, "graph") == mermaid() + "\n"


def test_metrics_defines_every_column_of_every_table_and_of_one_alone(capsys):
    whole = ran(capsys, "metrics")
    for table in TABLES:
        assert f"{table.name}  (topic {table.topic}, key {', '.join(table.key)})" in whole
        for c in table.columns:
            assert re.search(rf"^  {c.name}( \[|:)", whole, re.MULTILINE)
    ratio = ("formula: buy volume / volume", "null when: no trade in the window", "at least: 0", "at most: 1")
    assert "\n      ".join(ratio) in ran(capsys, "metrics", "features_tape")
    alone = ran(capsys, "metrics", "liquidations")
    assert alone in whole
    assert "features_book" not in alone


def test_a_venue_that_no_flow_of_these_settings_reads_is_said_before_anything_is_received(monkeypatch, capfd):
    monkeypatch.setattr(receiving, "create_topics", lambda *_: sys.exit(7))
    for said, warned in (([], True), (["--set", 'market.venues=["deribit"]'], False)):
        with pytest.raises(SystemExit, match="7"):
            main(["live", "deribit:BTC-PERPETUAL", "--set", f"kafka.brokers={nobody()}", *said])
        line = "live: deribit is not among market.venues: flows with these settings do not read it"
        assert (line in capfd.readouterr().err.splitlines()) == warned


def test_what_settings_know_of_venues_that_a_command_has_nothing_to_do_with_is_no_mistake(
    monkeypatch, tmp_path, capsys
):
    """The settings of a deployment of two venues, for what receives or replays one of them."""
    (tmp_path / "info.json").write_text('{"instType":"nothing"}')
    (tmp_path / "frames.log").write_bytes(LINE)
    said = ["--set", 'market.venues=["binance-usdm","deribit","okx-swap"]']
    said += ["--set", 'market.instruments_json={"okx-swap":"info.json"}']
    monkeypatch.setattr(receiving, "create_topics", lambda *_: sys.exit(7))
    with pytest.raises(SystemExit, match="7"):
        main(["live", "deribit:BTC-PERPETUAL", "--set", f"kafka.brokers={nobody()}", *said])
    assert "features_tape  binance-usdm BTCUSDT" in ran(capsys, "sanity", "binance-usdm=frames.log", *said)


def test_a_recording_has_somewhere_to_go_before_anything_is_received_and_says_when_nothing_was(
    monkeypatch, refused, tmp_path
):
    monkeypatch.setattr("flows.live.receivers.run", lambda *_, **__: None)
    said = ["record", "deribit:BTC-PERPETUAL", "--minutes", "1", "--to"]
    assert refused(*said, "captures", code=1) == "nothing was received of deribit:BTC-PERPETUAL, and nothing recorded"
    (tmp_path / "full").write_text("a file")
    assert refused(*said, "full/a/b", left=["full"]).startswith("--to full/a/b: ")
    assert refused(*said, "full", left=["full"]) == "--to full: full is not a folder"


def test_a_port_of_metrics_that_is_taken_is_named_by_whoever_receives(monkeypatch, refused):
    monkeypatch.setattr(receiving, "create_topics", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = ["--set", f"kafka.brokers={nobody()}", "--set", f"metrics_port={port}"]
        line = refused("live", "binance-usdm:BTCUSDT", *said)
    assert line == f"metrics_port: 127.0.0.1:{port} cannot be used: Address already in use"


@pytest.mark.parametrize(("low", "end"), [(0, 10), (600, 900)])
def test_a_log_that_was_made_anew_or_lost_what_is_to_be_read_is_no_lag_of_nothing(monkeypatch, low, end):
    monkeypatch.setattr(lagging, "bounds_of", lambda *_: {("t", 0): (low, end)})
    with pytest.raises(Refused, match=rf"archive is to go on in t\[0\] at offset 500, and it has {low} to {end}: "):
        lagging.lags(Settings(), "archive", {("t", 0): 500})


def test_who_asks_a_demo_that_is_being_verified_asks_the_demo_and_not_the_copies_of_its_topics(tmp_path):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        brokers = f"127.0.0.1:{listening.getsockname()[1]}"
        for name, prefix in (("demo-20261128T022721-1", ""), ("verify-20261128T022921-2", "verify-1a.")):
            folder = tmp_path / "runs" / name
            folder.mkdir(parents=True)
            of = load(None, {}, [f"data={tmp_path}", f"kafka.brokers={brokers}", f"kafka.prefix={prefix}"])
            (folder / "settings.json").write_bytes(written(of))
        asks = load(None, {}, [f"data={tmp_path}"])
        assert with_broker(asks).kafka.prefix == ""
        assert running_broker(asks)[1].name == "demo-20261128T022721-1"


def test_a_demo_that_has_ended_left_no_topics_to_verify(refused, tmp_path):
    folder = tmp_path / "d" / "runs" / "demo-20261128T022721-1"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_bytes(written(load(None, {}, [f"data={tmp_path}", f"kafka.brokers={nobody()}"])))
    said = refused("verify", "--data", str(tmp_path / "d"), left=["d"])
    assert said == f"kafka.brokers is not set, and no demo or replay runs on {tmp_path / 'd'}"


def test_a_store_that_somebody_else_is_just_opening_is_one_line(tmp_path, capsys):
    (tmp_path / "store").mkdir()
    with (tmp_path / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        with pytest.raises(SystemExit) as ended:
            main(["query", "SELECT 1", "--data", str(tmp_path)])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("alphaplus: the embedded store ended with 1: store: ")
    assert "is in use by process 4711; one store a directory" in said
