"""Where a log begins and ends, the end exact, where the broker says so; and what brokers answer that will pass."""

import time
from collections.abc import Collection
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
Place = tuple[str, int]
"""Topic and partition."""


def end_offset(brokers: Brokers, topic: str, partition: int, timeout_s: float) -> int:
    """The exact end of a log."""
    return bounds(brokers, [(topic, partition)], timeout_s)[topic, partition][1]


def bounds(brokers: Brokers, places: Collection[Place], timeout_s: float) -> dict[Place, tuple[int, int]]:
    """The first offset and the exact end of each log, Unreachable when one of them is not told in time.

    They are read on from their high watermarks (which may be too low) until the broker says that they end.
    """
    deadline = time.monotonic() + timeout_s
    settings = {**client_config(brokers), "group.id": "alphaplus-ends", "enable.auto.commit": False}
    # A broker holds a fetch at the end of a log back for `fetch.wait.max.ms`; here only the end is asked for.
    at_once = {"fetch.wait.max.ms": 5, "enable.partition.eof": True, "auto.offset.reset": "error", "log_level": 2}
    consumer = Consumer(settings | at_once)
    told: dict[Place, tuple[int, int]] = {}
    found: dict[Place, tuple[int, int]] = {}
    at = next(iter(places), ("", 0))
    try:
        for at in places:
            told[at] = watermarks(consumer, *at, deadline)
        consumer.assign([TopicPartition(*place, high) for place, (_, high) in told.items()])
        while len(found) < len(places) and time.monotonic() < deadline:
            message = consumer.poll(0.1)
            error = None if message is None else message.error()
            if message is None or error is None:
                continue
            offset, topic = message.offset(), message.topic()
            at = at if topic is None else (topic, message.partition() or 0)
            if error.code() == KafkaError._PARTITION_EOF and offset is not None:
                found[at] = told[at][0], offset
            elif error.code() not in UNSETTLED:
                raise Unreachable(f"{at[0]}[{at[1]}]: {error.str()}")
    except KafkaException as error:
        raise Unreachable(f"{at[0]}[{at[1]}]: {error.args[0].str()}") from None
    finally:
        consumer.close()
    if missing := [place for place in places if place not in found]:
        raise Unreachable(f"the end of {missing[0][0]}[{missing[0][1]}] was not told within {timeout_s:.0f} s")
    return found


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
