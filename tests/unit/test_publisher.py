"""Publisher: how long its records wait for company."""

import pytest

from flows.kafka import prefix_publisher
from flows.settings.services import Kafka


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
