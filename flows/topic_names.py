"""Topics by their full names: what is published from outside, and what flows derive from it."""

from flows import market
from flows.job_graph import GUESSING, MODELS, derived_topics, guesses_topic
from flows.settings.tree import Settings

ACCOUNTS = "accounts"


def input_topics(settings: Settings) -> list[str]:
    """The raw topics of the settings' venues, the accounts, and what is told of models."""
    return [*market.topics(settings), *(settings.kafka.prefix + t for t in (ACCOUNTS, *MODELS))]


def written_topics(settings: Settings) -> list[str]:
    """The input topics whose writer follows event time, and marks them: raw frames and accounts."""
    return [*market.topics(settings), settings.kafka.prefix + ACCOUNTS]


def every_topic(settings: Settings) -> list[str]:
    """All topics that the flows read or write."""
    prefix = settings.kafka.prefix
    return [*input_topics(settings), *(prefix + t for t in derived_topics()), *guess_topics(settings)]


def guess_topics(settings: Settings) -> list[str]:
    """Where flows write down what they judged of logs without marks."""
    return [settings.kafka.prefix + guesses_topic(flow) for flow in GUESSING]
