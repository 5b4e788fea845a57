"""Where a log begins and ends, the end exact, where the broker says so; and what brokers answer that will pass."""

import time
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from flows.kafka.connection import Brokers, client_config
from flows.refusal import Unreachable

TRANSIENT = frozenset(
    (
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
    )
)
UNSETTLED = TRANSIENT | {KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART}
"""What a broker that comes back from a stall, or a topic that was just made, also answers for a while."""


def end_offset(brokers: Brokers, topic: str, partition: int, timeout_s: float) -> int:
    """The exact end of a log: read on from its high watermark (which may be too low) until the broker says it ends."""
    deadline = time.monotonic() + timeout_s
    settings = {**client_config(brokers), "group.id": "alphaplus-ends", "enable.auto.commit": False}
    # A broker holds a fetch at the end of a log back for `fetch.wait.max.ms`; here only the end is asked for.
    at_once = {"fetch.wait.max.ms": 5, "enable.partition.eof": True, "auto.offset.reset": "error", "log_level": 2}
    consumer = Consumer(settings | at_once)
    try:
        consumer.assign([TopicPartition(topic, partition, watermarks(consumer, topic, partition, deadline)[1])])
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            error = None if message is None else message.error()
            offset = None if message is None else message.offset()
            if error is not None and error.code() == KafkaError._PARTITION_EOF and offset is not None:
                return offset
            if error is not None and error.code() not in UNSETTLED:
                raise Unreachable(f"{topic}[{partition}]: {error.str()}")
    except KafkaException as error:
        raise Unreachable(f"{topic}[{partition}]: {error.args[0].str()}") from None
    finally:
        consumer.close()
    raise Unreachable(f"the end of {topic}[{partition}] was not told within {timeout_s:.0f} s")


def watermarks(consumer: Consumer, topic: str, partition: int, deadline: float) -> tuple[int, int]:
    """Where a log begins, and its high watermark; a topic that was just made may have no leader yet."""
    while True:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5.0)
            return int(low), int(high)
        except KafkaException as error:
            why = error.args[0]
            if (why.code() not in UNSETTLED and not why.retriable()) or time.monotonic() > deadline:
                raise
        # librdkafka goes on saying what a broker that came back knew first, for minutes, unless it is asked again
        with suppress(KafkaException):
            consumer.list_topics(topic, timeout=1.0)
        time.sleep(0.05)
