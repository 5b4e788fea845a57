"""Blocks to ClickHouse tables: one insert a block, one token a block, and bad rows set aside.

Blocks are inserted on lanes, threads beside the flow's, so that ClickHouse stores a block while the next one is read.
Only the end of an epoch waits for all of its blocks, and Bytewax commits the epoch after that.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.kafka.connection import Brokers
from flows.kafka.producer import Publisher
from flows.kafka.source import shard_name
from flows.refusal import Refused
from schemas.frames import Frames, Reject
from schemas.rejected import records

Insert = Callable[[str, bytes, str, int], object]
"""Table, JSONEachRow, deduplication token, how many rows; returns when they are stored, or were already."""

AHEAD = 2
"""Blocks of a shard that may be under way: one being stored and one ready to follow it."""
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


class Lane:
    """One insert after another, on a thread of its own, which does not keep a process that failed from ending."""

    def __init__(self, insert: Insert) -> None:
        self.insert = insert
        self._jobs: queue.SimpleQueue[tuple[Future[list[Reject]], Callable[[], list[Reject]]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, job: Callable[[], list[Reject]]) -> Future[list[Reject]]:
        """Do it after what was submitted before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="insert", daemon=True)
            self._thread.start()
        future: Future[list[Reject]] = Future()
        self._jobs.put((future, job))
        return future

    def _work(self) -> None:
        while True:
            future, job = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)


class ClickHouseBlocks(FixedPartitionedSink[Fresh, int]):
    """Items `(shard key, Fresh)`. Each of `inserts` serves one lane; a shard's blocks stay in order on one.

    An insert retries and raises, `bad_block` for rows that do not parse.

    Rows that do not parse are found by halving the block, each half under the token and its place in it, and go to
    the topic `rejects` on their shard's partition.
    """

    def __init__(
        self,
        inserts: Sequence[Insert],
        bad_block: type[Exception],
        brokers: Brokers,
        partitions: int,
        rejects: str = REJECTS,
    ) -> None:
        self._lanes = [Lane(insert) for insert in inserts]
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
        lane = self._lanes[self._names.index(for_part) % len(self._lanes)]
        return BlocksPart(lane, self._bad_block, self._publisher, self._rejects)


class BlocksPart(StatefulSinkPartition[Fresh, int]):
    """The blocks of one shard."""

    def __init__(self, lane: Lane, bad_block: type[Exception], publisher: Publisher, rejects: str) -> None:
        self._lane = lane
        self._bad_block = bad_block
        self._publisher = publisher
        self._rejects = rejects
        self._under_way: deque[tuple[Fresh, Future[list[Reject]]]] = deque()

    def write_batch(self, values: list[Fresh]) -> None:
        """Pass the blocks on to the lane, and wait while too many are under way."""
        for fresh in values:
            frames = fresh.frames
            self._under_way.append(
                (fresh, self._lane.submit(partial(self._store, frames, 0, len(frames), fresh.token)))
            )
            while len(self._under_way) > AHEAD or (self._under_way and self._under_way[0][1].done()):
                self._settle()
        self._publisher.poll()

    def snapshot(self) -> int:
        """Wait until all rows are stored and the rejects are written too."""
        while self._under_way:
            self._settle()
        self._publisher.flush()
        return 1

    def close(self) -> None:
        """Nothing to wait for: a run that ends well has just taken a snapshot.

        One that fails is unwound by the engine, which aborts the process without a word if anything is raised here.
        """

    def _settle(self) -> None:
        (_, frames, rejects), stored = self._under_way.popleft()
        for key, value in records(READER, [*rejects, *stored.result()], self._rejects.removesuffix(REJECTS)):
            self._publisher.publish(self._rejects, key, value, partition=frames.partition)

    def _store(self, frames: Frames, start: int, stop: int, token: str) -> list[Reject]:
        if start == stop:
            return []
        bounds = frames.starts[start : stop + 1].tolist()
        rows = b"\n".join([frames.data[a:b] for a, b in pairwise(bounds)])
        try:
            self._lane.insert(table(frames.topic), rows, token, stop - start)
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
