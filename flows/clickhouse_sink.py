"""Blocks to ClickHouse tables: one insert a block, one token a block, and bad rows set aside."""

from collections.abc import Callable
from typing import NamedTuple

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.kafka_producer import Publisher
from flows.kafka_source import shard_name
from flows.refusal import Refused
from schemas.frames import Frames, Reject
from schemas.rejected import records

Insert = Callable[[str, bytes, str], object]
"""Table, JSONEachRow lines, deduplication token; returns when the rows are stored, or were already."""

READER = "archive"
REJECTS = "rejects"


class Fresh(NamedTuple):
    """The new records of a block, and those that cannot become rows."""

    token: str
    frames: Frames
    rejects: tuple[Reject, ...] = ()


def table(topic: str) -> str:
    """The table of a topic.

    >>> table("features.book")
    'features_book'
    """
    return topic.replace(".", "_")


class ClickHouseBlocks(FixedPartitionedSink[Fresh, int]):
    """Items `(shard key, Fresh)`. `insert` retries and raises, `bad_block` for rows that do not parse.

    Rows that do not parse are found by halving the block, each half under the token and its place in it, and go to
    the topic `rejects` on their shard's partition.
    """

    def __init__(
        self, insert: Insert, bad_block: type[Exception], brokers: str, partitions: int, rejects: str = REJECTS
    ) -> None:
        self._insert = insert
        self._bad_block = bad_block
        self._brokers = brokers
        self._rejects = rejects
        self._names = [shard_name(p) for p in range(partitions)]
        self._publisher: Publisher | None = None

    def list_parts(self) -> list[str]:
        """Every shard: a part costs nothing until it is written to."""
        return self._names

    def part_fn(self, item_key: str) -> int:
        """A shard's blocks go to its part."""
        return self._names.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "BlocksPart":
        """There is nothing to resume: the source cuts unfinished blocks again."""
        if self._publisher is None:
            self._publisher = Publisher(self._brokers)
        return BlocksPart(self._insert, self._bad_block, self._publisher, self._rejects)


class BlocksPart(StatefulSinkPartition[Fresh, int]):
    """The blocks of one shard."""

    def __init__(self, insert: Insert, bad_block: type[Exception], publisher: Publisher, rejects: str) -> None:
        self._insert = insert
        self._bad_block = bad_block
        self._publisher = publisher
        self._rejects = rejects

    def write_batch(self, values: list[Fresh]) -> None:
        """Insert each block; when this returns its rows are stored."""
        for token, frames, rejects in values:
            bad = self._store(frames, 0, len(frames), token) if len(frames) else []
            for key, value in records(READER, [*rejects, *bad], self._rejects.removesuffix(REJECTS)):
                self._publisher.publish(self._rejects, key, value, partition=frames.partition)
        self._publisher.poll()

    def snapshot(self) -> int:
        """Wait until the rejects are written too."""
        self._publisher.flush()
        return 1

    def close(self) -> None:
        """Nothing may be left behind at the end of a bounded run."""
        self._publisher.flush()

    def _store(self, frames: Frames, start: int, stop: int, token: str) -> list[Reject]:
        rows = b"\n".join([frames.frame(i) for i in range(start, stop)])
        try:
            self._insert(table(frames.topic), rows, token)
        except self._bad_block as error:
            if stop - start > 1:
                middle = (start + stop) // 2
                return [
                    *self._store(frames, start, middle, f"{token}.0"),
                    *self._store(frames, middle, stop, f"{token}.1"),
                ]
            if frames.topic == self._rejects and rows.startswith(f'{{"id":"{READER}|'.encode()):
                raise Refused(f"the table {table(self._rejects)} does not take what it is made for: {error}") from None
            return [Reject(frames.topic, frames.partition, int(frames.offsets[start]), str(error), rows)]
        return []
