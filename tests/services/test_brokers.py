"""What the flows rely on in a broker, on every broker there is."""

from collections.abc import Callable

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.services import topic_log
from tests.services.backend import Broker

TopicName = Callable[[str], str]
NEW_YEAR_2020_MS = 1_577_836_800_000
KEEP = {"retention.ms": "-1"}


def test_what_is_produced_is_consumed_with_its_key(broker: Broker, topic_name: TopicName) -> None:
    topic = topic_name("roundtrip")
    topic_log.create(broker.bootstrap, topic)
    topic_log.append(broker.bootstrap, topic, [(b"BTC", b'{"a":1}'), (None, b""), (b"ETH", b"\x00\xff")])
    found = topic_log.read(broker.bootstrap, topic)
    # an empty value is not null
    assert [(r.offset, r.key, r.value) for r in found] == [
        (0, b"BTC", b'{"a":1}'),
        (1, None, b""),
        (2, b"ETH", b"\x00\xff"),
    ]


def test_a_partition_keeps_the_order_of_its_records_and_numbers_them_without_gap(
    broker: Broker, topic_name: TopicName
) -> None:
    topic = topic_name("order")
    topic_log.create(broker.bootstrap, topic, partitions=4)
    topic_log.append(broker.bootstrap, topic, [(f"asset{i % 7}".encode(), str(i).encode()) for i in range(5_000)])
    found = topic_log.read(broker.bootstrap, topic)
    assert sorted(int(r.value or b"") for r in found) == list(range(5_000))
    for partition in range(4):
        part = [r for r in found if r.partition == partition]
        assert [r.offset for r in part] == list(range(len(part)))
        values = [int(r.value or b"") for r in part]
        assert values == sorted(values)


def test_the_time_that_the_producer_gave_is_the_record_timestamp(broker: Broker, topic_name: TopicName) -> None:
    topic = topic_name("timestamps")
    topic_log.create(broker.bootstrap, topic, config=KEEP)
    topic_log.append(broker.bootstrap, topic, [(b"BTC", b"1")], timestamp_ms=NEW_YEAR_2020_MS)
    topic_log.append(broker.bootstrap, topic, [(b"BTC", b"0")], timestamp_ms=NEW_YEAR_2020_MS - 1)
    # not sorted, not clipped, not the time of the append
    assert [r.timestamp_ms for r in topic_log.read(broker.bootstrap, topic)] == [NEW_YEAR_2020_MS, NEW_YEAR_2020_MS - 1]


def test_the_end_of_a_partition_is_told_exactly(broker: Broker, topic_name: TopicName) -> None:
    topic = topic_name("end")
    topic_log.create(broker.bootstrap, topic, partitions=2)
    records: list[tuple[bytes | None, bytes]] = [(b"21", str(i).encode()) for i in range(123)]
    (partition,) = {r.partition for r in topic_log.append(broker.bootstrap, topic, records)}
    settings = {"bootstrap.servers": broker.bootstrap, "group.id": topic, "enable.partition.eof": True}
    reader = Consumer(settings | {"enable.auto.commit": False})
    try:
        reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in (0, 1)])
        ends: dict[int | None, int | None] = {}
        seen = 0
        for _ in range(600):
            for message in reader.consume(1_000, 0.1):
                error = message.error()
                if error is None:
                    seen += 1
                else:
                    assert error.code() == KafkaError._PARTITION_EOF
                    ends[message.partition()] = message.offset()
            if len(ends) == 2:
                break
    finally:
        reader.close()
    # an empty partition ends at 0, before anything was read; the other only behind its last record
    assert ends == {partition: 123, 1 - partition: 0}
    assert seen == 123


def test_old_records_stay_where_retention_is_off_and_go_where_it_is_not(broker: Broker, topic_name: TopicName) -> None:
    """Kafka keeps seven days by default, so frames of 2020 go at its next look; the embedded broker never looks."""
    kept, expiring = topic_name("kept"), topic_name("expiring")
    topic_log.create(broker.bootstrap, kept, config=KEEP)
    topic_log.create(broker.bootstrap, expiring)
    records: list[tuple[bytes | None, bytes]] = [(b"BTC", str(i).encode()) for i in range(10)]
    topic_log.append(broker.bootstrap, kept, records, timestamp_ms=NEW_YEAR_2020_MS)
    topic_log.append(broker.bootstrap, expiring, records, timestamp_ms=NEW_YEAR_2020_MS)
    left = topic_log.read(broker.bootstrap, expiring)
    for _ in range(120 if broker.expires else 0):
        if not left:
            break
        left = topic_log.read(broker.bootstrap, expiring)
    assert len(left) == (0 if broker.expires else 10)
    assert len(topic_log.read(broker.bootstrap, kept)) == 10


def test_a_paused_broker_acknowledges_nothing_and_everything_after_it_resumes(
    broker: Broker, topic_name: TopicName
) -> None:
    topic = topic_name("pause")
    topic_log.create(broker.bootstrap, topic)
    topic_log.append(broker.bootstrap, topic, [(b"BTC", b"before")])
    landed: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        landed.append(error)

    writer = topic_log.producer(broker.bootstrap)
    broker.pause()
    for i in range(100):
        writer.produce(topic, key=b"BTC", value=str(i).encode(), on_delivery=delivered)
    assert writer.flush(1.0) == 100
    assert landed == []
    broker.resume()
    assert writer.flush(60) == 0
    assert landed == [None] * 100
    assert [r.value for r in topic_log.read(broker.bootstrap, topic)] == [
        b"before",
        *(str(i).encode() for i in range(100)),
    ]


def test_a_kill_amid_writing_loses_no_acknowledged_record_of_a_durable_broker(
    broker: Broker, topic_name: TopicName
) -> None:
    topic = topic_name("kill")
    topic_log.create(broker.bootstrap, topic, partitions=2, config=KEEP)
    landed: list[topic_log.Record] = []
    without_offset: list[Message] = []
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failed.append(error)
        elif message.offset() is None:
            # written before the kill, acknowledged after: of a repeated batch a broker may not know any more where it is
            without_offset.append(message)
        else:
            landed.append(topic_log.record(message))

    if not broker.durable:
        topic_log.append(broker.bootstrap, topic, [(b"BTC", b"0")])
        broker.kill()
        broker.restart()
        assert topic not in AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
        return
    writer = topic_log.producer(broker.bootstrap)
    written = 0
    while len(landed) < 500:
        writer.produce(topic, key=str(written % 9).encode(), value=str(written).encode(), on_delivery=delivered)
        written += 1
        writer.poll(0 if len(writer) < 1_000 else 0.01)
    broker.kill()
    for _ in range(100):
        writer.produce(topic, key=str(written % 9).encode(), value=str(written).encode(), on_delivery=delivered)
        written += 1
    broker.restart()
    assert writer.flush(120) == 0
    assert failed == []
    found = topic_log.read(broker.bootstrap, topic)
    assert len(landed) + len(without_offset) == written
    places = {(r.partition, r.offset, r.value) for r in found}
    assert [r for r in landed if (r.partition, r.offset, r.value) not in places] == []
    # idempotent: what was sent again after the kill stands there once
    assert sorted(int(r.value or b"") for r in found) == list(range(written))


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_a_key_lands_in_the_partition_that_the_java_client_would_choose(
    broker: Broker, topic_name: TopicName, key: str, murmur2: int
) -> None:
    topic = topic_name("partitioner")
    topic_log.create(broker.bootstrap, topic, partitions=6)
    (landed,) = topic_log.append(broker.bootstrap, topic, [(key.encode(), b"")])
    assert landed.partition == (murmur2 & 0x7FFFFFFF) % 6
