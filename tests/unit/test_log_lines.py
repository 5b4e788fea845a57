"""Log lines: each one line, as text or JSON, with flow, shard and where the shard stands; nothing is printed past them."""

import ast
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import flows
from flows.monitoring import event_time, log_lines
from flows.monitoring.log_lines import ALL, LOG, fail, follow, speak

FLOWS = Path(next(iter(flows.__path__)))
FOR_PEOPLE = ("commands", "bench", "learning", "dashboards")
MAKERS = ("published.py", "walk.py", "simulate.py")
"""Programs of their own, and what commands print for whoever asked: not what a flow says."""


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    speak("")
    log_lines._LINES.offsets.clear()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_of_a_shard_says_where_its_logs_stand(capsys):
    speak("market", "json")
    follow("3", lambda: {"raw.depth.x[3]": 8})
    LOG.warning("market: shard %s closes again", "3", extra={"shard": "3"})
    LOG.info("market: ready after 1.0 s")
    out = capsys.readouterr()
    (line,) = lines(out.err)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "flow": "market",
        "shard": "3",
        "offset": {"raw.depth.x[3]": 8},
        "message": "shard 3 closes again",
    }
    (line,) = lines(out.out)
    assert (line["shard"], line["offset"], line["message"]) == (None, None, "ready after 1.0 s")


@pytest.mark.parametrize("form", ["text", "json"])
def test_half_a_character_from_outside_is_written_out_in_either_form_and_to_other_handlers(capsys, caplog, form):
    speak("market", form)
    LOG.error("no topic %s", "\ud800\x1b[2J")
    ALL.getChild("elsewhere").warning("no topic %s", "\ud800")
    capsys.readouterr().err.encode()
    messages = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("no topic ") for text in messages) == 2
    assert all(map(str.encode, messages))


def test_a_shard_of_several_partitions_is_found_by_its_first(capsys):
    speak("risk", "json")
    follow("1", lambda: {"accounts[1]": 4})
    LOG.warning("x", extra={"shard": "1,3,5"})
    (line,) = lines(capsys.readouterr().err)
    assert (line["shard"], line["offset"]) == ("1,3,5", {"accounts[1]": 4})


def test_text_is_for_people_one_line_with_the_flow_before_it_once_and_nothing_that_acts(capsys):
    LOG.warning("two\nlines \x1b[2J")
    speak("market")
    LOG.warning("shard-0001 hands over again")
    LOG.warning("market: shard 1 closes again")
    ALL.getChild("kafka").warning("a broker is away")
    ALL.getChild("kafka").info("chatter")
    fail("no Kafka broker\nanswers")
    assert capsys.readouterr().err.splitlines() == [
        r"two\nlines \x1b[2J",
        "market: shard-0001 hands over again",
        "market: shard 1 closes again",
        "market: a broker is away",
        "alphaplus: no Kafka broker answers",
    ]


def test_what_stands_still_says_so_as_json_with_its_shard(capsys, monkeypatch):
    speak("market", "json")
    follow("2", lambda: {"raw.depth.x[2]": 5})
    clock = iter(range(1_000))
    monkeypatch.setattr(event_time.time, "monotonic", lambda: float(next(clock)))
    held = event_time.Held("shard-0002", lambda: "raw.depth.x[2]")
    for _ in range(40):
        held.looked(True)
    held.looked(False)
    still, again = lines(capsys.readouterr().err)
    assert still["shard"] == again["shard"] == "2"
    assert still["offset"] == {"raw.depth.x[2]": 5}
    assert again["message"] == "shard-0002 hands over again"


def test_nothing_that_a_flow_runs_prints_past_the_log():
    found = []
    for path in FLOWS.rglob("*.py"):
        of = path.relative_to(FLOWS).parts
        if of[0] in FOR_PEOPLE or of[-1] in MAKERS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "print",
                "sys.stderr.write",
                "sys.stdout.write",
            ):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


def test_a_line_that_cannot_be_written_ends_nothing(monkeypatch):
    """A log on a full disk, or a terminal that was closed, ended the flow that said something."""
    full = Path("/dev/full").open("w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", full)
    LOG.info("market: ready")
    with contextlib.suppress(OSError):
        full.close()


def test_every_line_of_a_flow_process_is_json_from_its_first_to_its_last(tmp_path):
    said = ["--set", "kafka.brokers=127.0.0.1:9", "--set", "log.format=json", "--data", str(tmp_path)]
    started = subprocess.Popen(
        [sys.executable, "-m", "flows", "run", "alerts", *said],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert started.stdout is not None
    first = json.loads(started.stdout.readline())
    assert first["message"].startswith("reads features.book, ")
    until = time.monotonic() + 60
    while not (tmp_path / "recovery" / "alerts-0" / "crash.log").exists():  # from here on it hears signals
        assert time.monotonic() < until
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 1
    last = lines(err)[-1]
    assert {line["flow"] for line in [*lines(out), *lines(err)]} == {"alerts"}
    assert (last["level"], last["shard"]) == ("error", None)
    assert last["message"].startswith("did not come to a stop within ")
