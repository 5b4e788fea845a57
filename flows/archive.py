"""Archive: derived topics to ClickHouse, neither losing nor doubling a row, without decoding one.

Planned cuts. The snapshot of an epoch says into which blocks of offsets the next epoch cuts what is already fetched,
and the next epoch hands over exactly these. Bytewax asks for nothing of the next epoch before the snapshot is
committed, so a process that dies while inserting finds in its recovery directory how the same blocks are cut again.
`once` then drops the same repeats from them (its state is of the same snapshot), so an equal token always comes with
equal bytes, and ClickHouse drops what it has. The price is a latency of about one epoch.
"""

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows import incoming, telemetry
from flows.clickhouse.client import BadBlock, ClickHouse
from flows.clickhouse.leases import Leases
from flows.clickhouse.sink import REJECTS, ClickHouseBlocks, Fresh
from flows.epochs import Epochs, Stopping
from flows.kafka.ends import announced
from flows.kafka.log import Log
from flows.kafka.reader import Kafka, Reader
from flows.kafka.source import LONG_AGO, LOOK_S, shard_name, shards_of
from flows.recovery import Identity
from flows.refusal import Refused
from flows.settings import Settings
from flows.tables import TABLES
from flows.wiring import flow
from operators.once import Once
from schemas.frames import Frames

ARCHIVED = telemetry.ARCHIVED.counter()
RETRIES = telemetry.ARCHIVE_RETRIES.counter()

BUFFER_BYTES = 256 << 20
"""Room for what an epoch of a second plans at its fastest, 100,000 rows of 1 to 2 kB."""

Plan = tuple[int, tuple[tuple[str, str, tuple[int, ...]], ...]]
"""Format, then for each topic: name, topic id, and the cuts: the next offset, then the end of each planned block."""


class Block(NamedTuple):
    """Records of one log, cut as planned."""

    token: str
    frames: Frames


@dataclass(frozen=True, slots=True)
class BlockSize:
    """The most that goes into one block."""

    rows: int = 50_000
    bytes: int = 16 << 20


class Fresher:
    """The step `once`: each block without what was seen before, and what has no id."""

    def __init__(self, key: str, frozen: bytes | None) -> None:
        self._once = Once.thaw(frozen)

    def on_batch(self, block: Block) -> list[Fresh]:
        """Nothing for a block of repeats only."""
        new, rejects = self._once.select(block.frames)
        return [Fresh(block.token, new, tuple(rejects))] if len(new) or rejects else []

    def freeze(self) -> bytes:
        """What was seen."""
        return self._once.freeze()


class PlannedBlocks(FixedPartitionedSource[tuple[str, Block], Plan]):
    """The derived topics of this process's partitions, as blocks; one part a shard. `ends` as in `KafkaShards`.

    `own` are the topics that the archive itself writes: their end is not announced, it is where they end once all
    else is archived and committed.
    """

    def __init__(
        self,
        kafka: Kafka,
        topics: tuple[str, ...],
        partitions: int,
        run_id: str,
        share: tuple[int, int] = (0, 1),
        size: BlockSize | None = None,
        ends: Path | None = None,
        stopping: Stopping | None = None,
        own: tuple[str, ...] = (REJECTS,),
        leases: Leases | None = None,
    ) -> None:
        self.topics = topics
        self.partitions = partitions
        self.share = share
        self.stopping = stopping or Stopping()
        self.reader = Reader(kafka, topics, partitions)
        self._run_id = run_id
        self._size = size or BlockSize()
        self._ends = ends
        self._own = own
        self._leases = leases
        self._names = {shard_name(p): p for p in shards_of(partitions, *share)}

    def list_parts(self) -> list[str]:
        """The names of this process's shards."""
        return list(self._names)

    def build_part(self, step_id: str, for_part: str, resume_state: Plan | None) -> "PlannedShard":
        """One shard, with the plan of the last committed epoch; a topic that is read since then, from its start.

        A topic that the recovery directory does not know goes on where the database says that another archive left it.
        Refused for a topic that is no longer read: what it still holds would never be stored.
        """
        partition = self._names[for_part]
        known = {} if resume_state is None else {topic: (topic_id, cuts) for topic, topic_id, cuts in resume_state[1]}
        if gone := [topic for topic in known if topic not in self.topics]:
            raise Refused(f"{for_part} was read from {', '.join(gone)} too, which is no longer archived")
        series = dict.fromkeys(self.topics, self._run_id)
        if self._leases is not None:
            ids = self.reader.ids()
            own = {topic: cuts for topic, (topic_id, cuts) in known.items() if topic_id == ids[topic]}
            left = self._leases.take({(topic, partition, ids[topic]): own.get(topic) for topic in self.topics})
            series = {topic: left[topic, partition, ids[topic]].series for topic in self.topics}
            for (topic, _, topic_id), (_, cuts) in left.items():
                if cuts and topic not in known:
                    known[topic] = topic_id, cuts
        logs = self.reader.add(partition, {topic: (topic_id, cuts[0]) for topic, (topic_id, cuts) in known.items()})
        plans = {topic: cuts for topic, (_, cuts) in known.items()}
        epochs = Epochs(for_part, self.stopping)
        return PlannedShard(
            for_part, self.reader, logs, plans, series, self._size, self._ends, self._own, epochs, self._leases
        )


class PlannedShard(StatefulSourcePartition[tuple[str, Block], Plan]):
    """One shard being read: in each epoch exactly the blocks that the snapshot before planned."""

    def __init__(
        self,
        name: str,
        reader: Reader,
        logs: dict[str, Log],
        plans: dict[str, tuple[int, ...]],
        series: dict[str, str],
        size: BlockSize,
        ends: Path | None,
        own: tuple[str, ...],
        epochs: Epochs,
        leases: Leases | None = None,
    ) -> None:
        self._name = name
        self._reader = reader
        self._logs = logs
        self._series = series
        self._size = size
        self._ends = ends
        self._own = own
        self._leases = leases
        self._epochs = epochs
        self._handed_over = True
        self._settled = False
        self._looked_s = 0.0
        self._planned: deque[tuple[str, int, int]] = deque()
        for topic, cuts in plans.items():
            logs[topic].needed = cuts[-1]
            self._planned.extend((topic, *block) for block in pairwise(cuts))
        self._next = self._planned
        self._resumes: dict[tuple[str, int], int] = {}
        self._cuts: dict[tuple[str, int, str], tuple[int, ...]] = {}

    def next_batch(self) -> Iterable[tuple[str, Block]]:
        """One planned block, as soon as all of it is fetched."""
        if self._epochs.begin():
            self._reader.committed(self._resumes)
            if self._leases is not None:
                self._leases.plan(self._cuts)
            self._settled, self._handed_over = not self._handed_over, False
        self._planned = self._next
        if self._epochs.quiet:
            time.sleep(0.001)
            return ()
        self._reader.pump()
        if not self._planned:
            if self._finished():
                self._epochs.end()
                raise StopIteration
            return ()
        topic, first, last = self._planned[0]
        log = self._logs[topic]
        if log.fetched < last:
            return ()
        self._planned.popleft()
        self._reader.busy()
        self._handed_over = True
        frames = log.take(None, last - first, 1 << 62, before=last)
        if frames is None or not len(frames) or frames.offsets[0] < first:
            raise Refused(f"{topic}[{log.partition}] no longer has the planned offsets {first} to {last - 1}")
        token = f"{self._series[topic]}-{topic}-{log.partition}-{first}-{last}"
        return ((self._name, Block(token, frames)),)

    def next_awake(self) -> datetime:
        """Always due."""
        return LONG_AGO

    def snapshot(self) -> Plan:
        """The plan for the next epoch: what this one left over, then all that is fetched."""
        self._epochs.close()
        left: dict[str, list[int]] = {topic: [log.position] for topic, log in self._logs.items()}
        for topic, _, last in self._planned:
            left[topic].append(last)
        for topic, log in self._logs.items():
            if len(left[topic]) == 1:
                log.skip_marks()
                left[topic] = [log.position]
        ids = self._reader.topic_ids
        plan = []
        for topic, log in self._logs.items():
            cuts = left[topic][:-1] + log.cuts(left[topic][-1], self._size.rows, self._size.bytes)
            plan.append((topic, ids[topic], tuple(cuts)))
        self._cuts = {(topic, self._logs[topic].partition, topic_id): cuts for topic, topic_id, cuts in plan}
        self._resumes = {(topic, self._logs[topic].partition): cuts[0] for topic, _, cuts in plan}
        self._next = deque((t, *block) for t, _, cuts in plan for block in pairwise(cuts))
        return 1, tuple(plan)

    def close(self) -> None:
        """Nothing to do: the process closes the reader that its parts share."""

    def _finished(self) -> bool:
        """Whether, an epoch after the last block, every log stands at its end."""
        if self._ends is None or not self._settled or time.monotonic() - self._looked_s < LOOK_S:
            return False
        self._looked_s = time.monotonic()
        for topic, log in self._logs.items():
            own = topic in self._own
            end = self._reader.end(topic, log.partition) if own else announced(self._ends, topic, log.partition)
            if end is not None and log.fetched > end:
                raise Refused(f"{topic}[{log.partition}] goes on to {log.fetched} beyond its announced end {end}")
            if end is None or log.position != end:
                return False
        return True


def archive(source: PlannedBlocks, sink: ClickHouseBlocks) -> Dataflow:
    """Blocks, once each, to their tables."""
    return flow("archive", source, [("once", Fresher)], sink)


def topics(settings: Settings) -> tuple[str, ...]:
    """Every topic that has a table."""
    return tuple(settings.kafka.prefix + table.topic for table in TABLES)


def build(settings: Settings, run_id: str, stopping: Stopping, ends: Path | None) -> Dataflow:
    """The flow on the settings' brokers and database."""
    kafka, share = settings.kafka, settings.share
    rejects = kafka.prefix + REJECTS
    prefix = kafka.prefix.replace(".", "_")

    def insert(clickhouse: ClickHouse, table: str, rows: bytes, token: str, count: int) -> None:
        leases.settle()
        name = table.removeprefix(prefix)
        clickhouse.insert_block(name, rows, token, lambda attempt, error: RETRIES.labels(name).inc(), count)
        ARCHIVED.labels(name).inc(count)

    def say(text: str) -> None:
        print(f"archive: {text}", file=sys.stderr, flush=True)

    place = f"{socket.gethostname()}, process {os.getpid()}"
    leases = Leases(ClickHouse(settings.clickhouse), run_id, place, say)
    source = PlannedBlocks(
        replace(incoming.kafka(settings, "archive"), buffer_bytes=BUFFER_BYTES),
        topics(settings),
        kafka.partitions,
        run_id,
        (share.ordinal, share.count),
        BlockSize(rows=settings.clickhouse.block_rows),
        ends,
        stopping,
        own=(rejects,),
        leases=leases,
    )
    # a connection is not for several threads at once
    lanes = [ClickHouse(settings.clickhouse, TABLES) for _ in range(settings.clickhouse.inserts)]
    lanes[0].reach(lambda error: say(f"waiting for ClickHouse: {error}"))
    inserts = [partial(insert, lane) for lane in lanes]
    return archive(source, ClickHouseBlocks(inserts, BadBlock, kafka, kafka.partitions, rejects))


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps; a plan itself names its topics, to which more may come."""
    return incoming.identity(settings, [settings.kafka.prefix])
