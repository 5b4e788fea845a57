"""Backends are chosen as asked, reported truthfully, fetched once, and never outlive the tests."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flows.session import free_ports as picking
from tests.services import run
from tests.services.backend import Unavailable, free_ports
from tests.services.kafka_kraft.broker import KraftBroker
from tests.services.kafka_kraft.jars import jars
from tests.services.tansu import TansuBroker

ROOT = Path(__file__).parents[2]
ONE_TEST = "tests/services/test_brokers.py::test_what_is_produced_is_consumed_with_its_key"


class Here(TansuBroker):
    name = "embedded"

    @classmethod
    def missing(cls) -> str | None:
        return None


class Absent(KraftBroker):
    name = "kafka"

    @classmethod
    def missing(cls) -> str | None:
        return "no java"


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "KINDS", {"broker": (Here, Absent), "store": (Here,)})


@pytest.mark.usefixtures("kinds")
def test_without_a_word_all_that_can_run_are_chosen_and_the_others_are_reported() -> None:
    chosen = run.Run(run.parse(""))
    assert chosen.choose("broker") == [Here]
    chosen.used["broker"] = {"embedded": "embedded tansu 1"}
    assert chosen.lines() == ["services brokers: embedded tansu 1; not used: kafka (no java)"]


@pytest.mark.usefixtures("kinds")
def test_a_named_backend_is_chosen_even_if_it_cannot_run_so_that_its_tests_fail() -> None:
    chosen = run.Run(run.parse("kafka"))
    assert chosen.choose("broker") == [Absent]
    # no store is called kafka: naming a broker says nothing about stores
    assert chosen.choose("store") == [Here]
    assert chosen.lines() == [
        "services brokers: none; not used: embedded (not named in --backends), kafka (no selected test ran on it)",
        "services stores: none; not used: embedded (no selected test ran on it)",
    ]


def pytest_with(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *options]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_name_that_is_no_backend_is_refused_in_one_line() -> None:
    refused = pytest_with("--backends", "redpanda", ONE_TEST)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--backends: redpanda is none of embedded, kafka, docker" in refused.stderr


def test_a_named_backend_that_is_not_there_fails_the_run_and_an_unnamed_one_does_not(tmp_path: Path) -> None:
    failed = pytest_with("--backends", "kafka", ONE_TEST, PATH=str(tmp_path))
    assert failed.returncode == pytest.ExitCode.TESTS_FAILED
    assert "--backends names kafka, but as a broker it cannot run here: no java" in failed.stdout
    # the guard of the embedded broker is a shell, so the shell stays on the path
    (tmp_path / "sh").symlink_to("/bin/sh")
    passed = pytest_with(ONE_TEST, PATH=str(tmp_path), DOCKER_HOST="unix:///nowhere.sock")
    assert passed.returncode == pytest.ExitCode.OK
    assert "not used: kafka (no java), docker (no engine answers)" in passed.stdout


@pytest.mark.services
def test_a_broker_dies_with_the_process_that_started_it_even_if_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.services.tansu import TansuBroker\n"
        "b = TansuBroker(Path(sys.argv[1])); b.start(); print(b.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        os.kill(pid, 0)
        owner.send_signal(signal.SIGKILL)
    for _ in range(500):
        if not alive(pid):
            break
        time.sleep(0.02)
    assert not alive(pid)


@pytest.mark.services
def test_a_backend_that_a_test_killed_is_started_again_and_one_that_died_by_itself_is_reported_too(
    tmp_path: Path,
) -> None:
    backend = TansuBroker(tmp_path)
    backend.start()
    try:
        backend.pause()
        backend.mend()
        assert not backend.paused
        backend.kill()
        backend.mend()
        assert backend.running
        os.kill(backend.pid, signal.SIGKILL)
        assert backend.process is not None
        backend.process.wait()
        with pytest.raises(RuntimeError, match=r"embedded tansu .* ended by itself"):
            backend.mend()
        assert backend.running
    finally:
        backend.stop()


def test_a_process_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    backend = Mute(tmp_path)
    with pytest.raises(RuntimeError, match=r"embedded tansu .* ended with 4\nwhy it could not"):
        backend.start()
    assert not backend.running


class Mute(TansuBroker):
    def command(self) -> list[str]:
        return [sys.executable, "-S", "-c", "print('why it could not'); raise SystemExit(4)"]


def alive(pid: int) -> bool:
    try:
        # a killed orphan may wait as a zombie for a parent that never asks
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven that takes its time, writes one jar into the folder it is told, and notes each call."""
    calls = tmp_path / "calls"
    script = tmp_path / "bin" / "mvn"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\necho x >> {calls}\nfor a; do case $a in -DoutputDirectory=*) d="${{a#*=}}";; esac; done\n'
        'sleep 0.3\nmkdir -p "$d" && echo jar > "$d/kafka_2.13-4.1.1.jar"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return script


def test_runs_that_start_together_fetch_the_jars_once(maven: Path, tmp_path: Path) -> None:
    found: list[Path] = []
    together = [threading.Thread(target=lambda: found.append(jars())) for _ in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert (tmp_path / "calls").read_text() == "x\n"
    assert len(found) == 4
    assert {(folder / "kafka_2.13-4.1.1.jar").read_text() for folder in found} == {"jar\n"}


def test_a_failed_fetch_says_why_and_leaves_nothing_that_looks_complete(maven: Path, tmp_path: Path) -> None:
    maven.write_text("#!/bin/sh\necho '[ERROR] cannot resolve kafka_2.13'\nexit 1\n")
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"could not fetch the jars of Apache Kafka: \[ERROR\] cannot resolve"):
            jars()
    assert [p.suffix for p in (tmp_path / "cache" / "alphaplus").iterdir()] == [".lock"]


def test_ports_are_distinct_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(20_000 <= p < 32_768 for p in ports)


PICKER = """
import sys
from flows.session import free_ports as picked
picked.FIRST, picked.BEYOND = 24_000, 24_040
print(*(picked.free_port() for _ in range(20)), flush=True)
sys.stdin.read()
"""


def test_a_port_that_is_picked_is_nobody_elses_before_anybody_listens_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "FIRST", 24_000)
    monkeypatch.setattr(picking, "BEYOND", 24_040)
    other = subprocess.Popen([sys.executable, "-c", PICKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    theirs = {int(port) for port in other.stdout.readline().split()}
    ours: list[int] = []
    with pytest.raises(OSError, match="no port from 24000 to 24039 is free"):
        while True:
            ours.append(picking.free_port())
    other.communicate()
    assert len(theirs) == 20 and ours and len(set(ours)) == len(ours)
    assert theirs.isdisjoint(ours)
    assert picking.free_port() in theirs, "who is gone claims nothing"
