"""The reader of a process: what it asks of the broker, when it may block, and what it holds."""

import json
from typing import Any, ClassVar

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from prometheus_client import REGISTRY

from flows import archive, market
from flows.kafka import end_offset, presence
from flows.kafka import reader as reading
from flows.kafka.epochs import Stopping
from flows.kafka.reader import BUSY_TURNS, Kafka, Reader
from flows.refusal import Refused, Unreachable
from flows.settings.sources import load

TOPICS = ("a", "b", "c", "d")


class Consumer:
    """Gives the messages it was told to, and remembers what was asked."""

    def __init__(self) -> None:
        self.next: list[Message] = []
        self.blocked = 0
        self.paused: set[str] = set()
        self.assigned: list[tuple[str, int]] = []
        self.asked_late = 0

    def consume(self, count: int, wait_s: float) -> list[Message]:
        given, self.next = self.next, []
        return given

    def poll(self, wait_s: float) -> None:
        self.blocked += 1

    def get_watermark_offsets(self, where: TopicPartition, timeout: float) -> tuple[int, int]:
        self.asked_late += bool(self.assigned)
        return 0, 0

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self.assigned += [(p.topic, p.partition) for p in places]

    def pause(self, places: list[TopicPartition]) -> None:
        self.paused |= {p.topic for p in places}

    def resume(self, places: list[TopicPartition]) -> None:
        self.paused -= {p.topic for p in places}


def reader(partitions: int = 1, buffer_bytes: int = 128 << 20) -> tuple[Reader, Consumer]:
    found, consumer = Reader(Kafka("nowhere:9", buffer_bytes), TOPICS, partitions), Consumer()
    found._consumer = consumer  # type: ignore[assignment]
    for partition in range(partitions):
        found.add(partition, None)
    return found, consumer


def megabytes(topic: str, offsets: range) -> list[Message]:
    return [Message(topic, 0, i, key=None, value=b"x" * (1 << 20), timestamp=(1, 1_000)) for i in offsets]


@pytest.fixture
def asked(monkeypatch):
    """What a consumer is opened with, of which none is."""
    told: dict[str, Any] = {}

    def open_consumer(config: dict[str, Any], **_: Any) -> None:
        told.update(config)
        raise Refused("seen")

    monkeypatch.setattr(reading, "Consumer", open_consumer)
    return told


def test_how_long_a_broker_may_hold_a_fetch_and_how_much_may_wait_are_settings_that_reach_the_consumer(asked):
    told = ["kafka.brokers=nowhere:9", "kafka.fetch_wait_ms=7", "source.buffer_bytes=33554432"]
    settings = load(None, {}, told)
    sealed = market.build(settings, "run", Stopping(), None).substeps[0].source  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="seen"):
        sealed._source.reader.pump()
    assert (asked["fetch.wait.max.ms"], asked["fetch.min.bytes"]) == (7, 1)
    assert asked["queued.max.messages.kbytes"] == 16_384, "half of what may wait in the reader"


def test_the_archive_lets_a_broker_gather_what_it_fetches(asked):
    """80 fetches a second of 400 logs, each for a record, took a fifth of a core of the broker, 8 of the same nothing."""
    how = archive.reading(load(None, {}, ["kafka.brokers=nowhere:9", "kafka.fetch_wait_ms=7"]))
    with pytest.raises(Refused, match="seen"):
        Reader(how, TOPICS, 1).pump()
    assert (asked["fetch.wait.max.ms"], asked["fetch.min.bytes"]) == (7, archive.FETCH_MIN_BYTES)
    assert archive.FETCH_MIN_BYTES > 100_000


def test_no_part_blocks_before_all_have_had_nothing_for_long_and_none_after_one_handed_something_over():
    found, consumer = reader(partitions=3)
    for _ in range(3 * BUSY_TURNS + 1):
        found.pump()
    assert consumer.blocked == 0
    found.pump()
    assert consumer.blocked == 1
    found.busy()
    found.pump()
    assert consumer.blocked == 1


def test_nothing_is_fetched_before_all_parts_have_asked_where_their_logs_begin():
    """An answer waits behind the fetches of its connection: 224 logs took 10.3 s to start so, 0.2 s without."""
    found, consumer = reader(partitions=16)
    assert (consumer.asked_late, consumer.assigned) == (0, [])
    found.pump()
    found.pump()
    assert sorted(consumer.assigned) == [(topic, p) for topic in TOPICS for p in range(16)]


def test_a_log_may_hold_more_than_its_share_as_long_as_the_others_leave_room():
    found, consumer = reader(buffer_bytes=8 << 20)
    consumer.next = megabytes("a", range(6))
    found.pump()
    assert consumer.paused == set()
    consumer.next = [*megabytes("a", range(6, 8)), *megabytes("b", range(1))]
    found.pump()
    assert consumer.paused == {"a"}, "b holds less than its share"
    log = found._logs["a", 0]
    log.take(None, 5, 1 << 62)
    found.pump()
    assert consumer.paused == {"a"}, "half of the buffer must be free again"
    log.take(None, 1, 1 << 62)
    found.pump()
    assert consumer.paused == set()


def test_the_first_offsets_that_are_missing_are_seen_as_growth_for_the_count_was_told_before():
    topic, count = "holed", "alphaplus_read_offset_gaps_total"
    found, consumer = Reader(Kafka("nowhere:9"), (topic,), 1), Consumer()
    found._consumer = consumer  # type: ignore[assignment]
    found.add(0, None)
    assert REGISTRY.get_sample_value(count, {"topic": topic}) == 0
    consumer.next = [Message(topic, 0, i, key=None, value=b"{}", timestamp=(1, 1_000)) for i in (0, 1, 5)]
    found.pump()
    assert REGISTRY.get_sample_value(count, {"topic": topic}) == 3


@pytest.mark.parametrize("code", [KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_the_end_of_a_log_is_waited_for_while_a_broker_that_comes_back_does_not_know_the_partition(monkeypatch, code):
    """As after SIGSTOP of an Apache Kafka: `announce` and `replay` ask for ends."""

    class Stalled:
        answers: ClassVar[list[Any]] = [code, (0, 7)]

        def __init__(self, config: dict[str, Any]) -> None: ...

        def get_watermark_offsets(self, where: TopicPartition, timeout: float) -> tuple[int, int]:
            answer = self.answers[0]
            if isinstance(answer, int):
                raise KafkaException(KafkaError(answer))
            return self.answers.pop(0)

        def list_topics(self, topic: str, timeout: float) -> None:
            """The first answer is kept until the broker is asked again, as librdkafka keeps it."""
            self.answers.pop(0)

        def assign(self, places: list[TopicPartition]) -> None: ...

        def poll(self, wait_s: float) -> Message:
            error = KafkaError(code if self.answers == [] else KafkaError._PARTITION_EOF)
            self.answers = [None]
            return Message("a", 0, 7, error=error)

        def close(self) -> None: ...

    monkeypatch.setattr(end_offset, "Consumer", Stalled)
    assert end_offset.end_offset("nowhere:9", "a", 0, 5.0) == 7


def second(answers: int, owed: int, state: str = "UP") -> str:
    """What librdkafka says of a broker each second."""
    broker = {"state": state, "nodeid": 1, "rx": answers, "waitresp_cnt": owed}
    return json.dumps({"brokers": {"b:9/1": broker}, "topics": {}})


def test_a_broker_that_hangs_is_spoken_of_within_seconds_and_again_when_it_answers(monkeypatch, capsys):
    """Suspended, it was not noticed for a minute: "lag 0 messages, committed 0.5 s ago"."""
    monkeypatch.setattr(presence, "SAID_S", 0.0)
    found, _ = reader()
    for n in range(20):
        found._statistics(second(n, 1))
    for _ in range(presence.MUTE_S + 20):
        found._statistics(second(20, 0))
    found.pump()
    assert capsys.readouterr().err == "", "it answers, or is asked nothing"
    for _ in range(presence.MUTE_S + 2):
        found._statistics(second(20, 1))
    found.pump()
    found.pump()
    assert capsys.readouterr().err.endswith("no Kafka broker answers at nowhere:9; it is waited for, 120 s at most\n")
    found._statistics(second(21, 1))
    assert capsys.readouterr().err.endswith("nowhere:9 answers again\n")


def test_a_broker_that_is_away_for_too_long_ends_the_flow():
    found = Reader(Kafka("nowhere:9", retry_s=-1.0), TOPICS, 1)
    found._consumer = Consumer()  # type: ignore[assignment]
    found._statistics(second(0, 0, "DOWN"))
    with pytest.raises(Unreachable, match="no Kafka broker at nowhere:9 for"):
        found.pump()
