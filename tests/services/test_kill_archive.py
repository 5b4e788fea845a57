"""The archive, killed before, in and after inserts, stores every record once."""

import base64
import json
import random
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from flows.kafka.ends import announce
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics, end_offsets
from tests.services.flow_processes import brokers, finish, named, read, start, wait_until

pytestmark = pytest.mark.services

PARTITIONS = 2
RECORDS = 20_000


@pytest.fixture(scope="module")
def address():
    with brokers() as found:
        yield found


@pytest.mark.parametrize("seed", [pytest.param(1, marks=pytest.mark.campaign), 2])
def test_killed_at_random_and_at_inserts_it_stores_each_record_once_and_sets_bad_ones_aside(address, tmp_path, seed):
    chance = random.Random(seed)
    features, risk, rejects = named("features.book", "risk.accounts", "rejects")
    create_topics(address, [features, risk, rejects], PARTITIONS, forever=True)
    publisher = Publisher(address)
    good: dict[str, set[bytes]] = {features: set(), risk: set()}
    bad = set()
    for i in range(RECORDS):
        partition = i % PARTITIONS
        for topic in (features, risk) if i % 5 == 0 else (features,):
            value = f'{{"id":"{topic}|p{partition}|{i}","mid":{i}}}'.encode()
            if i % 1_999 == 7:
                value = f'{{"id":"{topic}|p{partition}|{i}","mid":unparsable}}'.encode()
            elif i % 1_499 == 3:
                value = b'{"mid":1}'
            if b"unparsable" in value or not value.startswith(b'{"id'):
                bad.add((topic, value))
            else:
                good[topic].add(value)
            repeats = 2 if i % 11 == 0 and value.startswith(b'{"id') else 1
            for _ in range(repeats):
                publisher.publish(topic, b"k", value, partition=partition)
    publisher.flush()
    setting = {
        "brokers": address,
        "directory": str(tmp_path / "recovery"),
        "store": str(tmp_path / "store.sqlite3"),
        "topics": [features, risk, rejects],
        "rejects": rejects,
        "partitions": PARTITIONS,
        "ends": str(tmp_path / "ends"),
        "rows": 97,
        "deaths": 0.04,
        "buffer_bytes": 1 << 20,
    }
    attempts = Path(f"{setting['store']}.attempts")
    attempts.touch()
    for attempt in range(12):
        process, before = start("archive_flow.py", setting | {"seed": seed * 100 + attempt}), attempts.stat().st_size
        wait_until(lambda size=before: attempts.stat().st_size > size)
        try:
            process.wait(chance.uniform(0, 0.3))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        code, text = finish(process)
        assert (code, text) == (-signal.SIGKILL, "")
    for topic in (features, risk):
        announce(tmp_path / "ends", topic, end_offsets(address, topic))
    assert finish(start("archive_flow.py", setting | {"deaths": 0, "seed": 0})) == (0, "")

    store = sqlite3.connect(setting["store"])
    try:
        repeats = store.execute("SELECT sum(repeats) FROM blocks").fetchone()[0]
        rows = store.execute("SELECT name, value FROM stored").fetchall()
    finally:
        store.close()
    assert repeats > 0, "no block came twice: no test"
    for topic, values in good.items():
        stored = [v for name, v in rows if name == topic.replace(".", "_")]
        assert len(stored) == len(values)
        assert set(stored) == values
    aside = [json.loads(v) for name, v in rows if name == rejects.replace(".", "_")]
    assert len({r["id"] for r in aside}) == len(aside)
    assert {(r["topic"], base64.b64decode(r["bytes"])) for r in aside} == bad
    assert len({v for p in read(address, rejects) for v in p}) == len(aside)
