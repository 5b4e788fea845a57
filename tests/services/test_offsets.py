"""Offsets: ordinary tools see what a flow has committed as the offsets of a consumer group, and so its lag."""

import time

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from flows.engine import incoming
from flows.kafka.offsets import Offsets
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.reader import Kafka
from flows.kafka.source import KafkaShards, Pace
from flows.kafka.topic_making import create_topics
from flows.settings.sources import load

pytestmark = pytest.mark.services


@pytest.fixture
def apache(broker):
    if broker.name == "embedded":
        pytest.skip("the embedded broker keeps no offsets of groups without members; `--backends kafka` names Apache's")
    return broker.bootstrap


def told(address, group):
    client = AdminClient({"bootstrap.servers": address})  # a client that is dropped never answers
    answers = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    (asked,) = answers.values()
    return {(p.topic, p.partition): p.offset for p in asked.result(20).topic_partitions}


def test_only_what_is_committed_is_told_and_the_rest_is_lag(apache, topic_name):
    topic, group = topic_name("lag"), topic_name("group")
    create_topics(apache, [topic], 1, forever=True)
    publisher = Publisher(apache)
    for i in range(100):
        publisher.publish(topic, b"k", b"%d" % i, 1_700_000_000_000 + i)
    publisher.flush()
    source = KafkaShards(Kafka(apache, offsets_group=group), (topic,), 1, pace=Pace(batch_frames=30))
    part = source.build_part("read", source.list_parts()[0], None)
    until = time.monotonic() + 30

    def read(frames):
        seen = 0
        while seen < frames and time.monotonic() < until:
            seen += sum(len(f) for _, batch in part.next_batch() for f in batch.frames)
        assert seen == frames

    read(30)
    part.snapshot()
    read(30)  # the first of these batches says that the snapshot is committed; these frames themselves are not
    source.reader.close()
    assert told(apache, group) == {(topic, 0): 30}


def test_offsets_that_are_told_again_move_on(apache, topic_name):
    topic, group = topic_name("lag"), topic_name("group")
    create_topics(apache, [topic], 2)
    offsets = Offsets(apache, group, every_s=0.2)
    offsets.committed({(topic, 0): 0, (topic, 1): 0})
    offsets.committed({(topic, 1): 0})
    offsets.close()
    assert told(apache, group) == {(topic, 0): 0, (topic, 1): 0}


def test_a_group_is_of_one_flow_and_nothing_is_told_unless_it_is_asked_for():
    assert incoming.kafka(load(None, {}), "risk").offsets_group == ""
    asked = load(None, {}, ["kafka.offsets_group=alphaplus", "kafka.prefix=x."])
    assert incoming.kafka(asked, "risk").offsets_group == "x.alphaplus.risk"
