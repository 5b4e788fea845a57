"""A glance at many logs at once, as one who asks does: where they end, and of when their records are.

Who asks wants an answer, or to know that there is none: brokers that are away are one line within seconds.
"""

from collections.abc import Collection, Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException

from flows.kafka.connection import Brokers, Complaints, address, admin
from flows.kafka.end_offset import bounds
from flows.kafka.recorded import Place, records
from flows.kafka.topic_making import present
from flows.kafka.written_marks import KEY
from flows.refusal import Refused, Unreachable

ANSWER_S = 4.0
"""Brokers that say nothing for so long are away."""
READ_S = 20.0
"""How long those that answer may take to tell the ends of logs, or a record of one."""
TAIL = 256
"""So many last records are looked through for a mark at first, then four times as many, to the beginning of the log."""
Bounds = Mapping[Place, tuple[int, int]]
"""First offset and exact end of each log."""


def bounds_of(brokers: Brokers, places: Collection[Place]) -> dict[Place, tuple[int, int]]:
    """Where these logs begin and end; Refused when one is not there, Unreachable when nobody answers."""
    known = present(brokers, ANSWER_S)
    for topic, partition in places:
        if partition >= known.get(topic, 0):
            raise Refused(f"no {topic}[{partition}] at {address(brokers)}")
    return bounds(brokers, places, READ_S)


def told_to_group(brokers: Brokers, group: str) -> dict[Place, int]:
    """The offsets that a consumer group has committed."""
    present(brokers, ANSWER_S)
    client = admin(brokers, Complaints(brokers))  # a client that is dropped never answers
    asked = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=READ_S)
    try:
        answered = next(iter(asked.values())).result()
    except KafkaException as error:
        raise Unreachable(f"the offsets of the group {group}: {error.args[0].str()}") from None
    return {(p.topic, p.partition): p.offset for p in answered.topic_partitions if p.offset >= 0}


def times_before(brokers: Brokers, positions: Mapping[Place, int], within: Bounds) -> dict[Place, int]:
    """Unix milliseconds of the record just before each offset, where the log still has one."""
    spans = {place: offset for place, offset in positions.items() if within[place][0] < offset <= within[place][1]}
    before = {place: offset - 1 for place, offset in spans.items()}
    return {
        (message.topic() or "", message.partition() or 0): message.timestamp()[1]
        for message in records(brokers, spans, before, READ_S)
    }


def last_marks(brokers: Brokers, within: Bounds) -> dict[Place, int]:
    """Up to which time, Unix milliseconds, the writer of each log says that it has come; none where it says nothing."""
    found: dict[Place, int] = {}
    left, tail = {place: end for place, (low, end) in within.items() if end > low}, TAIL
    while left:
        since = {place: max(within[place][0], end - tail) for place, end in left.items()}
        for message in records(brokers, left, since, READ_S):
            if message.value() is None and message.key() == KEY:
                place = message.topic() or "", message.partition() or 0
                found[place] = max(found.get(place, -1), message.timestamp()[1])
        left = {p: since[p] for p in left if p not in found and since[p] > within[p][0]}
        tail *= 4
    return found
