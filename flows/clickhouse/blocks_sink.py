"""Blocks to ClickHouse tables: one insert a block, one token a block, and bad rows set aside.

Blocks are inserted on lanes, threads beside the flow's, so that ClickHouse stores a block while the next one is read.
The blocks of a log stay in order. Only the end of an epoch waits for all of its blocks, and Bytewax commits the epoch
after that.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.kafka.connection import Brokers
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.source import shard_name
from flows.monitoring.log_lines import LOG
from flows.refusal import Refused
from schemas.frames import Frames, Reject
from schemas.rejected import records

Insert = Callable[[str, bytes, str, int], object]
"""Table, JSONEachRow, deduplication token, how many rows; returns when they are stored, or were already."""

AHEAD = 2
"""Blocks a lane that may be under way: one being stored and one ready to follow it."""
SAID_S, PATIENCE = 10.0, 10
"""An insert that takes longer is spoken of: of a database that hangs the client says nothing for minutes. It is waited
for in so many parts, and however long this process stood meanwhile counts as one of them."""
READER = "archive"
REJECTS = "rejects"


class Fresh(NamedTuple):
    """The new records of a block, all of one topic, and those that cannot become rows."""

    token: str
    frames: tuple[Frames, ...]
    rejects: tuple[Reject, ...] = ()


Rows = Sequence[tuple[Frames, int, int]]
"""Records from here to before there, of several logs of one topic."""


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
    """Items `(key of the share, Fresh)`. Each of `inserts` serves one lane.

    An insert retries and raises, `bad_block` for rows that do not parse.

    Rows that do not parse are found by halving the block, each half under the token and its place in it, and go to
    the topic `rejects` on the partition that they came from.
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
        """Every share: a part costs nothing until it is written to."""
        return self._names

    def part_fn(self, item_key: str) -> int:
        """A share's blocks go to its part."""
        return self._names.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "BlocksPart":
        """There is nothing to resume: the source cuts unfinished blocks again."""
        if self._publisher is None:
            self._publisher = Publisher(self._brokers)
        return BlocksPart(self._lanes, self._bad_block, self._publisher, self._rejects)


class BlocksPart(StatefulSinkPartition[Fresh, int]):
    """The blocks of one share."""

    def __init__(self, lanes: Sequence[Lane], bad_block: type[Exception], publisher: Publisher, rejects: str) -> None:
        self._lanes = lanes
        self._bad_block = bad_block
        self._publisher = publisher
        self._rejects = rejects
        self._under_way: deque[tuple[Fresh, int, Future[list[Reject]]]] = deque()
        self._on: dict[tuple[str, int], int] = {}

    def write_batch(self, values: list[Fresh]) -> None:
        """Pass the blocks on to the lanes, and wait while too many are under way."""
        for fresh in values:
            rows = [(frames, 0, len(frames)) for frames in fresh.frames]
            lane = self._lane(fresh)
            future = self._lanes[lane].submit(partial(self._store, self._lanes[lane].insert, rows, fresh.token))
            self._under_way.append((fresh, lane, future))
            while len(self._under_way) > AHEAD * len(self._lanes) or (self._under_way and self._under_way[0][2].done()):
                self._settle()
        self._publisher.poll()

    def snapshot(self) -> int:
        """Wait until all rows are stored and the rejects are written too."""
        while self._under_way:
            self._settle()
        self._on.clear()
        self._publisher.flush()
        return 1

    def close(self) -> None:
        """Nothing to wait for: a run that ends well has just taken a snapshot.

        One that fails is unwound by the engine, which aborts the process without a word if anything is raised here.
        """

    def _lane(self, fresh: Fresh) -> int:
        """The lane that has blocks of these logs, else the one with the least to do."""
        logs = [(frames.topic, frames.partition) for frames in fresh.frames]
        busy = {self._on[log] for log in logs if log in self._on}
        if len(busy) == 1:
            (lane,) = busy
        else:
            while busy and self._under_way:
                self._settle()
            waiting = [sum(at == lane for _, at, _ in self._under_way) for lane in range(len(self._lanes))]
            lane = waiting.index(min(waiting))
        self._on |= dict.fromkeys(logs, lane)
        return lane

    def _settle(self) -> None:
        fresh, _, stored = self._under_way.popleft()
        if not any(wait([stored], SAID_S / PATIENCE).done for _ in range(PATIENCE)):
            into = ", ".join(dict.fromkeys(table(frames.topic) for frames in fresh.frames))
            LOG.warning("ClickHouse has not answered for %.0f s to an insert into %s", SAID_S, into)
        found: dict[int, list[Reject]] = {}
        for reject in (*fresh.rejects, *stored.result()):
            found.setdefault(reject.partition, []).append(reject)
        for partition, of in found.items():
            for key, value in records(READER, of, self._rejects.removesuffix(REJECTS)):
                self._publisher.publish(self._rejects, key, value, partition=partition)

    def _store(self, insert: Insert, rows: Rows, token: str) -> list[Reject]:
        count = sum(stop - start for _, start, stop in rows)
        if count == 0:
            return []
        lines: list[bytes] = []
        for frames, start, stop in rows:
            bounds = frames.starts[start : stop + 1].tolist()
            lines += [frames.data[a:b] for a, b in pairwise(bounds)]
        frames, at, _ = rows[0]
        try:
            insert(table(frames.topic), b"\n".join(lines), token, count)
        except self._bad_block as error:
            if count > 1:
                first, second = _halved(rows, count // 2)
                return [*self._store(insert, first, f"{token}.0"), *self._store(insert, second, f"{token}.1")]
            if frames.topic == self._rejects and lines[0].startswith(f'{{"id":"{READER}|'.encode()):
                raise Refused(f"the table {table(self._rejects)} does not take what it is made for: {error}") from None
            return [Reject(frames.topic, frames.partition, int(frames.offsets[at]), str(error), lines[0])]
        return []


def _halved(rows: Rows, count: int) -> tuple[Rows, Rows]:
    """The first so many records, and the others."""
    first: list[tuple[Frames, int, int]] = []
    second: list[tuple[Frames, int, int]] = []
    for frames, start, stop in rows:
        middle = min(stop, start + count)
        count -= middle - start
        first += [(frames, start, middle)] if middle > start else []
        second += [(frames, middle, stop)] if stop > middle else []
    return first, second
