"""Recorded topics: copied record by record, and digested however their partitions were interleaved."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from flows.kafka.connection import Brokers, client_config, producer_config
from flows.kafka.written_marks import KEY
from flows.refusal import Refused, Unreachable

Place = tuple[str, int]
"""Topic and partition."""
STILL_S = 60.0
CONSUMER = {
    "group.id": "alphaplus-recorded",
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "log_level": 2,
}


def consumer(brokers: Brokers, places: Iterable[Place], since: Mapping[Place, int] = {}) -> Consumer:
    """A consumer of these logs from their very first record, or from where `since` says."""
    made = Consumer(client_config(brokers) | CONSUMER | {"fetch.queue.backoff.ms": 2})
    made.assign([TopicPartition(*place, since.get(place, 0)) for place in places])
    return made


def records(
    brokers: Brokers, ends: Mapping[Place, int], since: Mapping[Place, int] = {}, still_s: float = STILL_S
) -> Iterator[Message]:
    """All records of logs, or those from `since` on, up to their ends.

    Refused when a log no longer begins at its first record.
    """
    left = {place: end for place, end in ends.items() if end > since.get(place, 0)}
    reading = consumer(brokers, left, since)
    came_s = time.monotonic()
    try:
        while left:
            for message in reading.consume(10_000, 0.2):
                error, place, offset = (
                    message.error(),
                    (message.topic() or "", message.partition() or 0),
                    message.offset(),
                )
                if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
                    raise Refused(f"{place[0]}[{place[1]}] no longer begins at its first record: it cannot be replayed")
                if error is not None and error.code() == KafkaError._PARTITION_EOF and offset is not None:
                    if offset >= left.get(place, offset + 1):  # its last offsets hold no record: a transaction's end
                        del left[place]
                    continue
                if error is not None or place not in left or offset is None:
                    continue
                came_s = time.monotonic()
                if offset < left[place]:
                    yield message
                if offset >= left[place] - 1:
                    del left[place]
            if time.monotonic() - came_s > still_s:
                (topic, partition), end = next(iter(left.items()))
                raise Unreachable(
                    f"{topic}[{partition}] was not read to its end {end} within {still_s:.0f} s of silence"
                )
    finally:
        reading.close()


def copy(brokers: Brokers, ends: Mapping[Place, int], named: Callable[[str], str]) -> int:
    """Copy logs into topics of other names: each record with its place, key, value, time and headers."""
    failed: list[KafkaError] = []

    def report(error: KafkaError | None, message: Message) -> None:
        failed.extend([error] if error is not None else [])

    writing = Producer(
        {
            **producer_config(brokers),
            "enable.idempotence": True,
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    count = 0
    for message in records(brokers, ends):
        place, value, key = (named(message.topic() or ""), message.partition() or 0), message.value(), message.key()
        while True:
            try:
                writing.produce(
                    place[0],
                    value,
                    key,
                    place[1],
                    timestamp=message.timestamp()[1],
                    headers=message.headers(),
                    on_delivery=report,
                )
                break
            except BufferError:
                writing.poll(0.1)
        count += 1
    if writing.flush(120.0) or failed:
        raise Unreachable(f"records were not copied: {failed[0].str() if failed else 'the broker did not take them'}")
    return count


@dataclass(slots=True)
class Derived:
    """What was read of one derived log: its records by id, repeats dropped, and its last mark."""

    rows: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    """By id: the time of the record, and a digest of its value."""
    marked_ms: int = -1

    def take(self, message: Message) -> None:
        """The next record."""
        value, at_ms = message.value(), message.timestamp()[1]
        if value is None:
            if message.key() == KEY:
                self.marked_ms = max(self.marked_ms, at_ms)
            return
        name = value[: value.find(b'"', 7)]
        self.rows.setdefault(name, (at_ms, hashlib.blake2b(value, digest_size=16).digest()))

    def up_to(self, time_ms: int) -> dict[bytes, bytes]:
        """The records up to a time, by id."""
        return {name: digest for name, (at_ms, digest) in self.rows.items() if at_ms <= time_ms}


def digest(found: Iterable[Mapping[bytes, bytes]]) -> tuple[int, str]:
    """How many records, and a digest of them all that does not depend on their order."""
    count, total = 0, 0
    for rows in found:
        for value in rows.values():
            count, total = count + 1, (total + int.from_bytes(value)) % 2**128
    return count, f"{total:032x}"
