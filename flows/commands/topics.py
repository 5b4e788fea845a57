"""`alphaplus topics`: create the topics that the settings call for."""

from flows.commands.options import Data, File, Sets, settings
from flows.kafka_topics import create_topics
from flows.settings import SettingsError
from flows.topics import every_topic


def topics(set: Sets = (), config: File = None, data: Data = None) -> int:
    """Create raw and derived topics on the configured brokers; existing ones are checked, not changed."""
    told = settings(config, set, data)
    if not told.kafka.brokers:
        raise SettingsError("kafka.brokers is not set")
    names = every_topic(told)
    create_topics(
        told.kafka.brokers,
        names,
        told.kafka.partitions,
        replication=told.kafka.replication,
        message_max_bytes=told.kafka.message_max_bytes,
    )
    print("\n".join(names))
    return 0
