"""A flow killed at random moments writes every frame once, to a reader that drops what it has seen."""

import json
import random
import signal
import subprocess

import pytest

from flows.kafka.ends import announce
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics, end_offsets
from operators.once import Once
from schemas.frames import frames
from tests.services.flow_processes import Growth, brokers, finish, named, read, start, wait_until

pytestmark = pytest.mark.services

PARTITIONS = 2
FRAMES = 12_000


@pytest.fixture(scope="module")
def address():
    with brokers() as found:
        yield found


def publish(address: str, topics: list[str]) -> dict[str, list[list[bytes]]]:
    """Frames of uneven topics at the same pace, straight into partitions; what was written."""
    publisher = Publisher(address)
    written: dict[str, list[list[bytes]]] = {t: [[] for _ in range(PARTITIONS)] for t in topics}
    for i in range(FRAMES):
        for topic, every in zip(topics, (1, 7), strict=True):
            if i % every == 0:
                value = json.dumps({"n": i, "pad": "x" * (i % 40)}).encode()
                written[topic][i % PARTITIONS].append(value)
                publisher.publish(topic, b"k", value, 1_700_000_000_000 + i, partition=i % PARTITIONS)
    publisher.flush()
    return written


@pytest.mark.parametrize("seed", [1])
def test_twelve_kills_at_random_lose_nothing_and_what_is_doubled_is_dropped_by_once(address, tmp_path, seed):
    chance = random.Random(seed)
    *topics, derived = named("depth", "trades", "derived")
    create_topics(address, [*topics, derived], PARTITIONS, forever=True)
    written = publish(address, topics)
    setting = {
        "brokers": address,
        "directory": str(tmp_path / "recovery"),
        "topics": topics,
        "derived": derived,
        "partitions": PARTITIONS,
        "ends": str(tmp_path / "ends"),
        "epoch_ms": 20,
        "pace": {"batch_frames": 50, "epoch_bytes": 700},
    }
    growth = Growth(address, derived, PARTITIONS)
    for _ in range(12):
        growth.since_the_last_time()
        process = start("identity_flow.py", setting)
        wait_until(growth.since_the_last_time, 20)
        try:
            process.wait(chance.uniform(0, 0.3))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        assert finish(process) == (-signal.SIGKILL, ""), "it should have been killed while it had frames left"
    growth.close()
    for topic in topics:
        announce(tmp_path / "ends", topic, end_offsets(address, topic))
    setting["pace"] = {}
    assert finish(start("identity_flow.py", setting)) == (0, "")

    log = read(address, derived)
    assert sum(map(len, log)) > sum(len(p) for t in topics for p in written[t]), "no kill made a repeat: no test"
    for partition, values in enumerate(log):
        fresh, rejects = Once().select(frames(derived, partition, values, [0] * len(values)))
        assert rejects == []
        rows = [json.loads(fresh.frame(i)) for i in range(len(fresh))]
        for topic in topics:
            mine = [r for r in rows if r["id"].startswith(topic)]
            assert [r["offset"] for r in mine] == list(range(len(written[topic][partition])))
            assert [int(r["id"].rsplit("|")[1]) for r in mine] == list(range(len(mine)))
            assert [json.dumps(r["value"]).encode() for r in mine] == written[topic][partition]
