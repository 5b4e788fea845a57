"""A topic as a test writes it and reads it back: every record acknowledged, every partition to its exact end."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """A record where it stands."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


def create(bootstrap: str, topic: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
    """Create a topic and wait until its partitions have leaders."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(30)
    end = time.monotonic() + 30
    while True:
        found = admin.list_topics(topic, timeout=10).topics[topic].partitions
        if len(found) == partitions and all(p.leader >= 0 for p in found.values()):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{topic} has no leader for each of its {partitions} partitions after 30 s")
        time.sleep(0.05)


def producer(bootstrap: str, **settings: object) -> Producer:
    """A producer as flows use it: acks=all, idempotent, keys placed as the Java client places them."""
    base = {
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "message.timeout.ms": 120_000,
        "reconnect.backoff.max.ms": 500,
        "log_level": 0,
    }
    return Producer(base | settings)


def append(
    bootstrap: str, topic: str, records: Iterable[tuple[bytes | None, bytes]], timestamp_ms: int = 0
) -> list[Record]:
    """Write key-value pairs; the acknowledged records, in the order given. An undelivered one raises."""
    landed: list[Record | KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        landed.append(error or record(message))

    client = producer(bootstrap)
    count = 0
    for key, value in records:
        client.produce(topic, key=key, value=value, timestamp=timestamp_ms, on_delivery=delivered)
        client.poll(0)
        count += 1
    client.flush(60)
    acknowledged = [r for r in landed if isinstance(r, Record)]
    if len(acknowledged) != count:
        raise RuntimeError(f"{topic}: {len(acknowledged)} of {count} records acknowledged; {landed[-1:]}")
    return acknowledged


def read(bootstrap: str, topic: str, limit_s: float = 60.0) -> list[Record]:
    """Every record of a topic, each partition read to its end, by partition and offset."""
    settings = {"bootstrap.servers": bootstrap, "group.id": f"{topic}.reader", "enable.auto.commit": False}
    client = Consumer(settings | {"enable.partition.eof": True, "auto.offset.reset": "error", "log_level": 0})
    try:
        known = client.list_topics(topic, timeout=30).topics[topic]
        if known.error is not None:
            raise KafkaException(known.error)
        client.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in known.partitions])
        found: list[Record] = []
        unfinished = set(known.partitions)
        end = time.monotonic() + limit_s
        while unfinished:
            if time.monotonic() > end:
                raise TimeoutError(f"{topic}: no end of partitions {sorted(unfinished)} within {limit_s:g} s")
            for message in client.consume(5_000, 0.2):
                error = message.error()
                if error is None:
                    found.append(record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    unfinished.discard(message.partition())
                else:
                    raise KafkaException(error)
        return sorted(found, key=lambda r: (r.partition, r.offset))
    finally:
        client.close()


def record(message: Message) -> Record:
    """A delivered or a read message as a record."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return Record(partition, offset, message.key(), message.value(), message.timestamp()[1])
