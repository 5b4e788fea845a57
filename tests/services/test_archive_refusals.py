"""The archive as a process before a database that is away, behind, wrong or lying: one line, the right code, no loss."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flows.clickhouse.client import ClickHouse, connect
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.tables import BY_NAME, TABLES
from tests.services.backend import Broker, Store
from tests.services.flow_processes import ROOT, wait_until
from tests.services.store_relay import Answer, is_block, relay
from tests.services.test_upgrade_store import of, record

BOOK = BY_NAME["features_book"]
WAIT_S = 90.0


@dataclass
class Between:
    """A proxy before the store. `lie` says what it answers to blocks, of which then nothing reaches the store."""

    target: int
    lie: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    told: int = 0

    def serve(self) -> AbstractContextManager[int]:
        return relay(self.target, self._before, lambda _: False)

    def _before(self, path: str) -> Answer | None:
        if not self.lie or not is_block(path) or "archive_leases" in path:
            return None
        headers, content = self.lie[self.told % len(self.lie)]
        self.told += 1
        return Answer(200, headers, content)


@dataclass
class Place:
    """Topics under a prefix and a database of their own."""

    broker: Broker
    store: Store
    name: str
    folder: Path
    clickhouse: ClickHouse
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def publish(self, first: int, count: int) -> None:
        publisher = Publisher(self.broker.bootstrap)
        names = [c.name for c in BOOK.columns]
        for i in range(first, first + count):
            row = {"id": f"v|S{i}|1000|{i}", **record(names, BOOK, i)}
            publisher.publish(
                f"{self.name}.{BOOK.topic}", b"k", json.dumps(row, separators=(",", ":")).encode(), partition=i % 2
            )
        publisher.flush()

    def rows(self) -> int:
        return int(str(self.clickhouse.rows("SELECT count() FROM features_book")[0][0]))

    def archive(self, port: int | None = None, **sets: object) -> "subprocess.Popen[str]":
        told = {
            "kafka.brokers": self.broker.bootstrap,
            "kafka.prefix": f"{self.name}.",
            "kafka.partitions": 2,
            "clickhouse.url": f"http://127.0.0.1:{port or self.store.port}",
            "clickhouse.database": self.name,
            "recovery.epoch_ms": 200,
            **sets,
        }
        given = [a for name, value in told.items() for a in ("--set", f"{name}={value}")]
        given += [a for one in self.store.sets for a in ("--set", one)]
        command = [sys.executable, "-m", "flows", "run", "archive", "--data", str(self.folder), *given]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
        self.started.append(process)
        return process


@pytest.fixture
def place(broker: Broker, store: Store, tmp_path: Path, topic_name) -> Iterator[Place]:
    name = re.sub(r"\W", "_", topic_name("refuse"))
    connect(of(store)).command(f"CREATE DATABASE {name}")
    clickhouse = connect(of(store, name))
    apply_migrations(clickhouse, FOLDER)
    create_topics(broker.bootstrap, [f"{name}.{t.topic}" for t in TABLES], 2, forever=True)
    found = Place(broker, store, name, tmp_path, clickhouse)
    yield found
    for process in found.started:
        process.kill()
        process.communicate()
    clickhouse.command(f"DROP DATABASE {name}")
    clickhouse.close()


def ended(process: "subprocess.Popen[str]", within_s: float = 90.0) -> tuple[int, str]:
    try:
        said = process.communicate(timeout=within_s)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it did not end within {within_s} s: {process.communicate()[1]}")
    return process.returncode, said


@contextmanager
def stopped_at_the_end(process: "subprocess.Popen[str]") -> Iterator[None]:
    yield
    process.terminate()
    ended(process, 40)


TAGGED = b"__exception__\r\nabc\r\nCode: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)\r\n"
LIES = [
    ({}, b"Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)\n"),
    ({"X-ClickHouse-Exception-Tag": "abc"}, TAGGED),
    ({"X-ClickHouse-Summary": json.dumps({"written_rows": "0"})}, b""),
    ({"X-ClickHouse-Exception-Code": "241"}, b"Code: 241. DB::Exception: Memory limit exceeded.\n"),
    ({}, b""),
]


def test_an_answer_of_200_counts_only_when_it_says_that_all_rows_were_written(place: Place) -> None:
    between = Between(place.store.port, lie=LIES)
    with between.serve() as port, stopped_at_the_end(place.archive(port)):
        place.publish(0, 300)
        wait_until(lambda: between.told >= len(LIES), WAIT_S)
        place.publish(300, 300)
        between.lie = []
        wait_until(lambda: place.rows() >= 600, WAIT_S)
    assert place.rows() == 600


def test_a_database_that_lacks_a_column_or_table_is_refused_at_the_start_in_one_line(place: Place) -> None:
    place.clickhouse.command("ALTER TABLE liquidations DROP COLUMN closed_by")
    place.clickhouse.command("DROP TABLE quality")
    code, said = ended(place.archive())
    url = f"http://127.0.0.1:{place.store.port}"
    wanted = f"{url}, database {place.name}: liquidations.closed_by is missing, the table quality is missing"
    assert (code, said) == (2, f"alphaplus: {wanted}; run `alphaplus migrate`\n")


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ("ALTER TABLE features_book DROP CONSTRAINT finite, DROP COLUMN stale_ms", "features_book.stale_ms is missing"),
        ("RENAME TABLE features_book TO elsewhere", "the table features_book is missing"),
    ],
)
def test_what_went_while_it_runs_is_one_line_and_an_exit_code_and_no_abort(
    place: Place, change: str, lacking: str
) -> None:
    process = place.archive()
    place.publish(0, 20)
    wait_until(lambda: place.rows() == 20, WAIT_S)
    place.clickhouse.command(change)
    place.publish(20, 20)
    code, said = ended(process)
    assert code == 2 and said.count("\n") == 1, (code, said)
    assert said.startswith("archive: http://") and said.endswith(f"{lacking}; run `alphaplus migrate`\n")


def test_an_archive_without_a_database_says_so_and_ends_when_it_is_told_to(place: Place) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        process = place.archive(nobody.getsockname()[1])
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("archive: waiting for ClickHouse: ")
        process.send_signal(signal.SIGTERM)
        ended(process, 30)


def test_an_archive_whose_database_went_away_ends_within_seconds_of_being_told_to(place: Place) -> None:
    process = place.archive()
    place.publish(0, 20)
    wait_until(lambda: place.rows() == 20, WAIT_S)
    place.store.pause()
    place.publish(20, 20)
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    code, said = ended(process, 40)
    assert (code, said.count("\n")) == (1, 1), said
    assert said.startswith("archive: did not come to a stop within 6 s and was ended")
    place.store.resume()
    with stopped_at_the_end(place.archive()):
        wait_until(lambda: place.rows() >= 40, WAIT_S)
    assert place.rows() == 40
