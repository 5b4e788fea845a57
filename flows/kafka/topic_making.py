"""Topics: made as replay and recovery need them, refused when they would lose what is written, measured exactly."""

import time
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from flows.kafka.connection import Brokers, Complaints, address, admin
from flows.kafka.end_offset import bounds
from flows.refusal import Refused, Unreachable
from flows.settings.services import Kafka


def create_topics(
    brokers: Brokers,
    topics: Iterable[str],
    partitions: int,
    forever: bool = False,
    timeout_s: float = 30.0,
    keyed: bool = False,
) -> None:
    """Make the topics that are not there, with the copies and for the records that the brokers' settings say; `forever`
    keeps records whatever their age. `keyed`: the last record of a key stands for those before it.

    Refuses a topic with another number of partitions, one that stamps records with the broker's time, one that compacts
    what is not `keyed`, and with `forever` one that would expire or compact records at all.
    """
    complaints = Complaints(brokers)
    client = admin(brokers, complaints)
    deadline = time.monotonic() + timeout_s
    told = Kafka() if isinstance(brokers, str) else brokers
    config = {"message.timestamp.type": "CreateTime", "max.message.bytes": str(told.message_max_bytes)}
    config |= {} if keyed else {"cleanup.policy": "delete"}
    config |= {"retention.ms": "-1", "retention.bytes": "-1"} if forever else {}
    wanted = list(dict.fromkeys(topics))
    present = _metadata(client, complaints, deadline)
    for topic in wanted:
        if topic in present and present[topic] != partitions:
            raise Refused(f"{topic} has {present[topic]} partitions, not {partitions}")
        if topic in present:
            _accept(client, topic, forever, keyed)
    new = [NewTopic(t, partitions, told.replication, config=config) for t in wanted if t not in present]
    if new:
        for topic, future in client.create_topics(new, request_timeout=timeout_s).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise Refused(f"{topic} was not created: {error.args[0].str()}") from None
    while missing := [t for t in wanted if _metadata(client, complaints, deadline).get(t) != partitions]:
        if time.monotonic() > deadline:
            raise Unreachable(f"{', '.join(missing)} did not appear with {partitions} partitions in {timeout_s:.0f} s")
        time.sleep(0.05)


def delete_topics(brokers: Brokers, topics: Iterable[str]) -> None:
    """Delete topics; Unreachable names the first that is there still, and why."""
    client = admin(brokers, Complaints(brokers))
    for topic, future in client.delete_topics(list(topics)).items():
        try:
            future.result()
        except KafkaException as error:
            raise Unreachable(f"{topic} was not deleted: {error.args[0].str()}") from None


def present(brokers: Brokers, timeout_s: float = 30.0) -> dict[str, int]:
    """The topics that are there, with their partitions; Unreachable when nobody answers in time."""
    complaints = Complaints(brokers)
    return _metadata(admin(brokers, complaints), complaints, time.monotonic() + timeout_s)


def end_offsets(brokers: Brokers, topic: str, timeout_s: float = 30.0) -> list[int]:
    """Where each partition of a topic ends, exactly: as the reader of a partition is told, not from a watermark."""
    known = present(brokers, timeout_s)
    if topic not in known:
        raise Refused(f"no topic {topic} at {address(brokers)}")
    found = bounds(brokers, [(topic, partition) for partition in range(known[topic])], timeout_s)
    return [found[topic, partition][1] for partition in range(known[topic])]


def _metadata(client: AdminClient, complaints: Complaints, deadline: float) -> dict[str, int]:
    while True:
        try:
            return {t: len(m.partitions) for t, m in client.list_topics(timeout=1.0).topics.items() if m.error is None}
        except KafkaException:
            client.poll(0)
            complaints.check()
            if time.monotonic() > deadline:
                raise Unreachable(complaints.away()) from None
            time.sleep(0.1)


def _accept(client: AdminClient, topic: str, forever: bool, keyed: bool) -> None:
    described = client.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)])
    try:
        told = next(iter(described.values())).result()
    except KafkaException as error:
        raise Unreachable(f"{topic}: its settings are not told: {error.args[0].str()}") from None
    config = {name: entry.value for name, entry in told.items()}
    if config.get("message.timestamp.type", "CreateTime") != "CreateTime":
        raise Refused(f"{topic} stamps records with the broker's time (LogAppendTime), not the time of receipt")
    if not keyed and "compact" in (policy := config.get("cleanup.policy", "")):
        raise Refused(f"{topic} has cleanup.policy={policy} and would lose records: many have one key, the base asset")
    if forever:
        for name, needed in (("retention.ms", "-1"), ("retention.bytes", "-1"), ("cleanup.policy", "delete")):
            default = {"retention.ms": "604800000"}.get(name, needed)
            if config.get(name, default) != needed:
                raise Refused(f"{topic} has {name}={config.get(name, default)} and would lose replayed records")
