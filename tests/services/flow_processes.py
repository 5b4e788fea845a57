"""Flows as processes, topics of their own, and whole logs, for the tests of this folder."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from flows.kafka.end_offset import watermarks
from flows.kafka.topic_making import end_offsets
from tests.services.broker_tansu import Tansu

ROOT = Path(__file__).parents[2]


@contextmanager
def brokers() -> Iterator[str]:
    """ALPHAPLUS_TEST_KAFKA where it is set (an Apache Kafka), else an embedded broker."""
    if "ALPHAPLUS_TEST_KAFKA" in os.environ:
        yield os.environ["ALPHAPLUS_TEST_KAFKA"]
    else:
        with Tansu() as tansu:
            yield tansu.address


def named(*names: str) -> list[str]:
    """Topic names that no other test uses."""
    tail = secrets.token_hex(4)
    return [f"{name}.{tail}" for name in names]


def start(script: str, setting: dict) -> subprocess.Popen:
    """A flow as a process; its standard error is a pipe."""
    command = [sys.executable, str(Path(__file__).parent / script), json.dumps(setting)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen, timeout_s: float = 60) -> tuple[int, str]:
    """Exit code and the lines on standard error."""
    _, text = process.communicate(timeout=timeout_s)
    return process.returncode, text.strip()


def read(address: str, topic: str) -> list[list[bytes]]:
    """Every value of a topic, a list a partition; marks are passed over, as any consumer does."""
    ends = end_offsets(address, topic)
    settings = {
        "bootstrap.servers": address,
        "group.id": "read",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
    }
    consumer = Consumer(settings)
    consumer.assign([TopicPartition(topic, p, 0) for p, end in enumerate(ends) if end > 0])
    values: list[list[bytes]] = [[] for _ in ends]
    try:
        left = sum(ends)
        while left > 0:  # a log that grows meanwhile gives more
            for message in consumer.consume(5_000, 1.0):
                assert message.error() is None, message.error()
                left -= 1
                if (value := message.value()) is not None:
                    values[message.partition()].append(value)
    finally:
        consumer.close()
    return values


class Growth:
    """Whether a topic grew, cheaply: by watermarks, which move with every batch."""

    def __init__(self, address: str, topic: str, partitions: int) -> None:
        self.consumer = Consumer({"bootstrap.servers": address, "group.id": "growth"})
        self.logs = [TopicPartition(topic, p) for p in range(partitions)]
        self.seen = self.now()

    def now(self) -> list[int]:
        until = time.monotonic() + 30
        return [watermarks(self.consumer, log.topic, log.partition, until)[1] for log in self.logs]

    def since_the_last_time(self) -> bool:
        before, self.seen = self.seen, self.now()
        return self.seen != before

    def close(self) -> None:
        self.consumer.close()


def wait_until(condition, timeout_s: float = 30) -> None:
    """Ask until it holds, at most a fifth of the time: a broker or store that is asked works for it."""
    deadline = time.monotonic() + timeout_s
    asked = time.monotonic()
    while not condition():
        now = time.monotonic()
        assert now < deadline, "waited too long"
        time.sleep(min(0.02 + 4 * (now - asked), 0.5))
        asked = time.monotonic()
