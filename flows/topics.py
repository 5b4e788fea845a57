"""Topics by their full names: what is published from outside, and what flows derive from it."""

from flows import market
from flows.graph import MODELS, derived_topics
from flows.settings import Settings

ACCOUNTS = "accounts"


def input_topics(settings: Settings) -> list[str]:
    """The raw topics of the settings' venues, the accounts, and what is told of models."""
    return [*market.topics(settings), *(settings.kafka.prefix + t for t in (ACCOUNTS, *MODELS))]


def every_topic(settings: Settings) -> list[str]:
    """All topics that the flows read or write."""
    return [*input_topics(settings), *(settings.kafka.prefix + t for t in derived_topics())]
