"""Services that go and come back, ports in use, two of a kind, a full disk: no row lost, and one clear line."""

import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flows.kafka.topic_making import create_topics, end_offsets
from flows.session.session import Session
from flows.topic_names import every_topic
from tests.faults.outage import SETS, outage
from tests.faults.replaying import differences, run, running, services, settings_for, simulated
from tests.services.embedded_store import EmbeddedStore

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def items():
    return simulated(seconds=60, disturbed=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of our own, to stop and kill."""
    if missing := EmbeddedStore.missing():
        pytest.skip(f"no embedded store here: {missing}; it comes with the extra `local`")
    own = EmbeddedStore(tmp_path_factory.mktemp("store"))
    own.start()
    yield own
    own.stop()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    with services(tmp_path_factory.mktemp("services")) as session:
        yield session.settings


@pytest.fixture(scope="module")
def expected(base, items):
    """What an undisturbed replay leaves; which services it is on makes no difference (`tests/golden`)."""
    return run(settings_for(base, SETS), items)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_while_clickhouse_is_away_features_go_on_and_then_history_catches_up(
    base, store, tmp_path, items, expected, how
):
    with services(tmp_path, base.kafka.brokers, f"http://127.0.0.1:{store.port}", store.sets) as session:
        found = outage(store, session.settings, items, 5.0, how)
    assert found.after > found.before
    assert differences(expected, found.tables) == []


def test_after_a_kill_of_the_broker_in_the_middle_of_a_replay_flows_go_on_where_they_were(
    one_broker, base, tmp_path, items, expected
):
    broker, at = one_broker, base.clickhouse
    if not broker.durable:
        pytest.skip(f"{broker.label} keeps nothing over a kill; Apache Kafka does (Java 17 and Maven, or Docker)")
    store = [f"clickhouse.user={at.user}", f"clickhouse.password_file={at.password_file}"]
    with services(tmp_path, broker.bootstrap, at.url, store) as session:
        told = settings_for(session.settings, SETS)
        with running(told) as under_way:
            rest = under_way.begin(items)
            half = len(rest) // 2
            under_way.publish(rest[:half])
            topic = told.kafka.prefix + "features.book"
            under_way.session.supervisor.wait(lambda: sum(end_offsets(broker.bootstrap, topic)) > 0, every_s=0.2)
            broker.kill()
            broker.restart()
            under_way.publish(rest[half:])
            under_way.settle()
            assert differences(expected, under_way.stored()) == []


def alphaplus(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "flows", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_metrics_port_in_use_is_one_line(base, tmp_path):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        brokers = f"kafka.brokers={base.kafka.brokers}"
        done = alphaplus("run", "market", "--data", str(tmp_path), "--set", brokers, "--set", f"metrics_port={port}")
    assert done.returncode != 0
    assert done.stderr.startswith("alphaplus: ") and done.stderr.count("\n") == 1
    assert "in use" in done.stderr


def test_a_second_flow_on_a_recovery_directory_refuses_in_one_line(base):
    told = settings_for(base, SETS)
    create_topics(told.kafka, every_topic(told), told.kafka.partitions)
    with Session(told, "second") as ran:
        (first,) = ran.start_flow("market")
        ran.supervisor.wait(lambda: "market: ready" in first.log.read_text(), every_s=0.2)
        directory = ran.folder / "recovery" / "market-0"
        done = alphaplus("run", "market", "--settings", str(ran.file), "--recovery", str(directory))
        assert (done.returncode, done.stderr) == (2, f"alphaplus: {directory} is in use by another process\n")
        assert not ran.supervisor.children["market-0"].finished


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """A file system of so many MB; where this user may not make one, the test is skipped."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted by this user; root can")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_recovery_disk_stops_the_flow_with_a_line_and_it_goes_on_when_there_is_space(
    base, items, expected, tmp_path
):
    told = settings_for(base, SETS)
    recovery = tmp_path / "recovery"
    with small_disk(recovery, 64):
        filler = recovery / "filler"
        with running(told, recovery=recovery) as under_way:
            rest = under_way.begin(items)
            third = len(rest) // 3
            under_way.publish(rest[:third])
            topic = told.kafka.prefix + "features.book"
            child = under_way.session.supervisor.children["market-0"]
            under_way.session.supervisor.wait(lambda: sum(end_offsets(told.kafka.brokers, topic)) > 0, every_s=0.2)
            with contextlib.suppress(OSError), filler.open("wb") as file:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            under_way.publish(rest[third : 2 * third], attend=lambda: None)
            assert child.process.wait(60) not in (0, -signal.SIGKILL)
            assert child.last_line().startswith("market: ")
            filler.unlink()
            under_way.publish(rest[2 * third :])
            under_way.settle()
            assert differences(expected, under_way.stored()) == []
