"""Publisher: how long its records wait for company, and how long they may be."""

import msgspec
import pytest

from flows.engine.outgoing import sink
from flows.kafka import prefix_publisher
from flows.settings.services import Kafka
from flows.settings.tree import Settings


@pytest.mark.parametrize(
    ("brokers", "given", "lingers"),
    [(Kafka(linger_ms=200.0), None, 200.0), (Kafka(linger_ms=200.0), 3.0, 3.0), ("localhost:1", None, 0.5)],
)
def test_records_wait_as_the_settings_of_the_brokers_say_unless_whoever_writes_knows_better(
    brokers, given, lingers, monkeypatch
):
    """Sent one by one, 1.2 million frames of a replay were as many batches of an embedded broker, which then took
    seconds to half a minute to say where a log ends.
    """
    told = {}
    monkeypatch.setattr(prefix_publisher, "Producer", lambda config, logger: told.update(config))
    prefix_publisher.Publisher(brokers, linger_ms=given)
    assert told["linger.ms"] == lingers


def test_whoever_writes_makes_no_batch_that_is_longer_than_the_topics_take(monkeypatch):
    """The sink of rows and the log of guesses wrote batches of a megabyte into topics made for less: refused for ever."""
    told = []
    monkeypatch.setattr(prefix_publisher, "Producer", lambda config, logger: told.append(config["message.max.bytes"]))
    settings = msgspec.structs.replace(Settings(), kafka=Kafka(brokers="localhost:1", message_max_bytes=500_000))
    sink(settings).build_part("out", "shard-0000", None)
    prefix_publisher.Publisher("localhost:1")
    assert told == [500_000, 16_000_000]
