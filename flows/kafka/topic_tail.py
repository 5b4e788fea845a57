"""The tail of topics: what a screen shows is read from the output topics, as any consumer of them would."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import Consumer, TopicPartition

from flows.kafka.connection import Brokers, client_config
from flows.kafka.reader import FETCH_WAIT_MS

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Seen:
    """The latest records by natural key, the latest events, and how many records came."""

    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    latest: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class Tail:
    """Reads all partitions of some topics from their end on."""

    def __init__(
        self,
        brokers: Brokers,
        topics: tuple[str, ...],
        partitions: int,
        fetch_wait_ms: int = FETCH_WAIT_MS,
        keep: int = 8,
    ) -> None:
        """`keep`: how many latest records of each topic to remember."""
        self.seen = Seen(latest={t: deque(maxlen=keep) for t in topics}, rows={t: {} for t in topics})
        self._consumer = Consumer(
            {
                **client_config(brokers),
                "group.id": "alphaplus-screen",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": fetch_wait_ms,
            }
        )
        self._consumer.assign([TopicPartition(t, p, 0) for t in topics for p in range(partitions)])

    def read(self, for_s: float) -> Seen:
        """Take in what comes within a time."""
        until = time.monotonic() + for_s
        while (left := until - time.monotonic()) > 0:
            for message in self._consumer.consume(2_000, min(left, 0.2)):
                value, topic = message.value(), message.topic()
                if message.error() is not None or value is None or topic is None:
                    continue
                record = _decode(value)
                key = str(record["id"]).rpartition("|")[0]
                self.seen.rows[topic][key] = record
                self.seen.latest[topic].append(record)
                self.seen.counts[topic] += 1
        return self.seen

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
