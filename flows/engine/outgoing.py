"""Outgoing: what a shard publishes and what it rejects, counted, as the records of their topics, and where they go."""

from collections.abc import Iterable, Mapping, Sequence

from flows.engine.json_rows import records
from flows.kafka.rows_sink import KafkaRows
from flows.kafka.tuning import Tuner
from flows.kafka.written_marks import KEY
from flows.monitoring import telemetry
from flows.settings.tree import Settings
from flows.tables import BY_NAME
from operators.published_rows import Published
from schemas import rejected
from schemas.frames import Reject
from schemas.shard import Rows

MARKED_MS = 500
REJECTED = telemetry.REJECTS.counter()
ROWS = telemetry.ROWS.counter()


def sink(settings: Settings, tuner: Tuner | None = None) -> KafkaRows:
    """Where every computing flow writes."""
    kafka = settings.kafka
    return KafkaRows(kafka, kafka.partitions, kafka.retry_s, kafka.linger_ms, tuner)


def rows(published: Published, prefix: str, partition: int) -> Rows:
    """The rows of a table, for the topic of that table."""
    table = BY_NAME[published.table]
    made = records(published, table.columns)
    ROWS.labels(published.table).inc(len(made))
    return Rows(prefix + table.topic, partition, made, published.at_ms)


class MarkTimes:
    """The marks of one shard of a flow on the topics that it derives: how far it has come, at most twice a second."""

    def __init__(self, topics: Iterable[str], prefix: str, behind_ms: Mapping[str, int] | None = None) -> None:
        """No mark yet; `behind_ms` of a topic: how much later its rows come than those of the others."""
        self._topics = [(prefix + topic, (behind_ms or {}).get(topic, 0)) for topic in topics]
        self._next_ms = 0

    def come_to(self, time_ms: int | None, partition: int) -> list[Rows]:
        """The marks after all rows up to an event time; none while nothing is known or too little has passed."""
        if time_ms is None or time_ms < self._next_ms or time_ms <= 0:
            return []
        self._next_ms = time_ms + MARKED_MS
        return [Rows(topic, partition, [(KEY, None)], [time_ms - behind_ms]) for topic, behind_ms in self._topics]


def rejects(reader: str, found: Sequence[Reject], prefix: str, partition: int) -> Iterable[Rows]:
    """What `reader` could not use of one log, for the topic `rejects`; nothing for nothing."""
    for reject in found:
        REJECTED.labels(reject.topic, reject.reason.split(" ")[0]).inc()
    if found:
        yield Rows(prefix + "rejects", partition, rejected.records(reader, found, prefix))
