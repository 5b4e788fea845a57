"""Rows to Kafka: a partitioned sink whose snapshot waits until everything handed to it is acknowledged.

Records are queued as they come and travel at once; only the end of an epoch waits for them. Bytewax commits an epoch
after the sink's snapshot of it, so nothing is committed that Kafka does not hold, and a flush a batch is spared.
"""

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.kafka.connection import Brokers
from flows.kafka.prefix_publisher import LINGER_MS, Publisher
from flows.kafka.source import shard_name
from flows.kafka.tuning import Tuner
from schemas.shard import Rows


class KafkaRows(FixedPartitionedSink[Rows, int]):
    """Items `(shard key, Rows)`; one part a shard of this process, one producer for all."""

    def __init__(
        self,
        brokers: Brokers,
        partitions: int,
        retry_s: float = 120.0,
        linger_ms: float = LINGER_MS,
        tuner: Tuner | None = None,
    ) -> None:
        self._brokers = brokers
        self._retry_s = retry_s
        self._linger_ms = linger_ms
        self._tuner = tuner
        self._names = [shard_name(p) for p in range(partitions)]
        self._publisher: Publisher | None = None

    def list_parts(self) -> list[str]:
        """Every shard: a part costs nothing until it is written to."""
        return self._names

    def part_fn(self, item_key: str) -> int:
        """A shard's rows go to its part."""
        return self._names.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "RowsPart":
        """There is nothing to resume: an unfinished epoch is written again."""
        if self._publisher is None:
            self._publisher = Publisher(self._brokers, self._retry_s, self._linger_ms)
        return RowsPart(self._publisher, self._tuner)


class RowsPart(StatefulSinkPartition[Rows, int]):
    """The rows of one shard."""

    def __init__(self, publisher: Publisher, tuner: Tuner | None = None) -> None:
        self._publisher = publisher
        self._tuner = tuner

    def write_batch(self, values: list[Rows]) -> None:
        """Queue the records, in order."""
        for topic, partition, records, timestamps_ms in values:
            for i, (key, value) in enumerate(records):
                stamp = None if timestamps_ms is None else timestamps_ms[i]
                self._publisher.publish(topic, key, value, stamp, partition=partition)
        self._publisher.poll()

    def snapshot(self) -> int:
        """Wait until Kafka holds all of them."""
        self._publisher.flush()
        if self._tuner is not None:
            self._publisher.linger(self._tuner.linger.now)
        return 1

    def close(self) -> None:
        """Nothing to wait for: a run that ends well has just taken a snapshot.

        One that fails is unwound by the engine, which aborts the process without a word if anything is raised here.
        """
