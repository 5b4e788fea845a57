"""`alphaplus topics`: create the topics that the settings call for."""

from flows.commands.options import Data, File, Sets, settings
from flows.job_graph import MODELS
from flows.kafka import glance
from flows.kafka.topic_making import create_topics, present
from flows.settings.tree import SettingsError
from flows.topic_names import ACCOUNTS, every_topic


def topics(*, set: Sets = (), config: File = None, data: Data = None) -> int:
    """Create raw and derived topics on the configured brokers; existing ones are checked, not changed.

    What was told of models is kept whatever its age: a flow that starts anew reads from it which version is in force.
    """
    told = settings(config, set, data)
    if not told.kafka.brokers:
        raise SettingsError("kafka.brokers is not set")
    present(told.kafka, glance.ANSWER_S)
    for name in every_topic(told):
        forever = name.removeprefix(told.kafka.prefix) in MODELS
        keyed = name == told.kafka.prefix + ACCOUNTS
        create_topics(told.kafka, [name], told.kafka.partitions, forever=forever, keyed=keyed)
        print(name)
    return 0
