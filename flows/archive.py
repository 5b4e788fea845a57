"""Archive: derived topics to ClickHouse, neither losing nor doubling a row, without decoding one.

Planned cuts. The snapshot of an epoch says into which blocks of offsets the next epoch cuts what is already fetched,
and the next epoch hands over exactly these. Bytewax asks for nothing of the next epoch before the snapshot is
committed, so a process that dies while inserting finds in its recovery directory how the same blocks are cut again.
`once` then drops the same repeats from them (its state is of the same snapshot), so an equal token always comes with
equal bytes, and ClickHouse drops what it has. The price is a latency of about one epoch.

All logs of a process are one part: what is little is gathered over logs (`flows/clickhouse/inserts`), and all of it is
handed over at the first turn of an epoch. An epoch that takes longer than it should has no second turn: handed over
block by block, a slow database would get one an epoch while a dozen are planned, and the archive would fall behind for
ever.
"""

import os
import socket
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition

from flows.clickhouse.blocks_sink import REJECTS, ClickHouseBlocks, Fresh
from flows.clickhouse.client import BadBlock, ClickHouse
from flows.clickhouse.inserts import Cuts, Insert, Piece, Place, gather, inserts, told
from flows.clickhouse.leases import Leases
from flows.engine import incoming
from flows.engine.wiring import flow
from flows.kafka.ends import announced
from flows.kafka.epochs import Epochs, Stopping
from flows.kafka.log import Log
from flows.kafka.reader import Kafka, Reader
from flows.kafka.source import LONG_AGO, LOOK_S, log_name, shard_name, shards_of, standing
from flows.monitoring import telemetry
from flows.monitoring.log_lines import LOG, follow
from flows.recovery.directory import Identity
from flows.recovery.sealing import BEGIN_ANEW
from flows.refusal import Refused
from flows.settings.tree import Settings
from flows.tables import TABLES
from operators.once import Once
from schemas.frames import Frames, Reject

ARCHIVED = telemetry.ARCHIVED.counter()
RETRIES = telemetry.ARCHIVE_RETRIES.counter()

BUFFER_BYTES = 256 << 20
"""Room for what an epoch of a second plans at its fastest, 100,000 rows of 1 to 2 kB."""
FETCH_MIN_BYTES = 1 << 20
"""Rows are stored an epoch at a time, so none waits for longer because it is fetched `kafka.fetch_wait_ms` later."""

FORMAT = 2
Plan = tuple[int, tuple[tuple[str, int, str, Cuts], ...]]
"""Format, then for each log: topic, partition, topic id, and its cuts (`flows/clickhouse/inserts`)."""


NAME = "archive"


def offsets(plan: Plan) -> dict[Place, int]:
    """The next offset of each log, as a plan says.

    >>> offsets((2, (("features.tape", 1, "id", (40, 50)),)))
    {('features.tape', 1): 40}
    """
    if plan[0] != FORMAT:
        raise Refused(f"the plan was saved in format {plan[0]}, not {FORMAT}, by another version")
    return {(topic, partition): cuts[0] for topic, partition, _, cuts in plan[1]}


class Block(NamedTuple):
    """Records of one topic, cut and gathered as planned."""

    token: str
    frames: tuple[Frames, ...]


@dataclass(frozen=True, slots=True)
class BlockSize:
    """The most that goes into one block."""

    rows: int = 50_000
    bytes: int = 16 << 20


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(dict[int, bytes]).decode
ORDERS_PER_MS = {table.topic: per_ms for table in TABLES if (per_ms := table.orders_per_ms) is not None}


class Fresher:
    """The step `once`: each block without what was seen before in its log, what has no id and what is ahead."""

    def __init__(
        self, key: str, frozen: bytes | None, ahead_ms: int = 5_000, per_ms: Mapping[str, int] = ORDERS_PER_MS
    ) -> None:
        """`per_ms`: by topic how many orders a millisecond has, where orders are times."""
        self._ahead_ms, self._per_ms = ahead_ms, per_ms
        self._frozen = {} if frozen is None else _decode(frozen)
        self._seen: dict[int, Once] = {}
        self._changed: set[int] = set()

    def on_batch(self, block: Block) -> list[Fresh]:
        """Nothing for a block of repeats only."""
        kept: list[Frames] = []
        rejects: list[Reject] = []
        for frames in block.frames:
            partition = frames.partition
            if partition not in self._seen:
                self._seen[partition] = Once.thaw(self._frozen.get(partition))
            per_ms = self._per_ms.get(frames.topic)
            ahead_ms = None if per_ms is None else self._ahead_ms
            new, refused = self._seen[partition].select(frames, ahead_ms, per_ms or 1)
            self._changed.add(partition)
            rejects += refused
            if len(new):
                kept.append(new)
        return [Fresh(block.token, tuple(kept), tuple(rejects))] if kept or rejects else []

    def freeze(self) -> bytes:
        """What was seen, by partition; a partition that had nothing since is as it was."""
        self._frozen |= {partition: self._seen[partition].freeze() for partition in sorted(self._changed)}
        self._changed.clear()
        return _encode(self._frozen)


class PlannedBlocks(FixedPartitionedSource[tuple[str, Block], Plan]):
    """The derived topics of this process's partitions, as blocks; one part. `ends` as in `KafkaShards`.

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
        self._places = [(topic, p) for p in shards_of(partitions, *share) for topic in topics]

    def list_parts(self) -> list[str]:
        """One part, none where this process has no partition."""
        return [shard_name(self.share[0])] if self._places else []

    def build_part(self, step_id: str, for_part: str, resume_state: Plan | None) -> "PlannedShare":
        """The share, with the plan of the last committed epoch; a topic that is read since then, from its start.

        A log that the recovery directory does not know goes on where the database says that another archive left it.
        Refused for a topic that is no longer read: what it still holds would never be stored.
        """
        if resume_state is not None and resume_state[0] != FORMAT:
            raise Refused(
                f"{for_part}: the plan was saved in format {resume_state[0]}, not {FORMAT}, by an earlier version:"
                f" {BEGIN_ANEW}"
            )
        known: dict[Place, tuple[str, Cuts]] = {}
        for topic, partition, topic_id, cuts in () if resume_state is None else resume_state[1]:
            known[topic, partition] = topic_id, tuple(cuts)
        if gone := sorted({topic for topic, _ in known} - set(self.topics)):
            raise Refused(f"{for_part} was read from {', '.join(gone)} too, which is no longer archived")
        series = dict.fromkeys(self._places, self._run_id)
        if self._leases is not None:
            ids = self.reader.ids()
            own = {place: cuts for place, (topic_id, cuts) in known.items() if topic_id == ids[place[0]]}
            left = self._leases.take({(t, p, ids[t]): own.get((t, p)) for t, p in self._places})
            for (topic, partition, topic_id), (begin, cuts) in left.items():
                series[topic, partition] = begin
                if cuts and (topic, partition) not in known:
                    known[topic, partition] = topic_id, cuts
        resume = {log_name(*place): (topic_id, cuts[0]) for place, (topic_id, cuts) in known.items()}
        logs = self.reader.add_logs({log_name(*place): place for place in self._places}, resume)
        by_place = {place: logs[log_name(*place)] for place in self._places}
        plan = {place: cuts for place, (_, cuts) in known.items()}
        epochs = Epochs(for_part, self.stopping)
        follow(str(self.share[0]), partial(standing, logs.values()))
        return PlannedShare(
            for_part, self.reader, by_place, plan, series, self._size, self._ends, self._own, epochs, self._leases
        )


class PlannedShare(StatefulSourcePartition[tuple[str, Block], Plan]):
    """The logs of a process being read: in each epoch what the snapshot before planned."""

    def __init__(
        self,
        name: str,
        reader: Reader,
        logs: dict[Place, Log],
        plan: dict[Place, Cuts],
        series: dict[Place, str],
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
        for place, cuts in plan.items():
            logs[place].needed = cuts[-1]
        self._planned: deque[Insert] = deque(inserts(plan, series))
        self._next = self._planned
        self._left_over = False
        self._resumes: dict[Place, int] = {}
        self._cuts: dict[tuple[str, int, str], Cuts] = {}

    def next_batch(self) -> Iterable[tuple[str, Block]]:
        """What is planned and fetched, as much as a block may hold; the rest in the next turns, or the next epoch."""
        try:
            committed = self._epochs.begin()
        except AbortExecution:
            if not self._left_over:
                # nothing of the plan can be stored already: whoever goes on need not cut as this one would have
                self._tell({log: cuts[:1] for log, cuts in self._cuts.items()})
            raise
        if committed:
            self._reader.committed(self._resumes)
            self._tell(self._cuts)
            self._settled, self._handed_over = not self._handed_over, False
        self._planned = self._next
        if self._epochs.quiet:
            time.sleep(0.001)
            return ()
        self._reader.pump()
        if not self._planned and self._finished():
            self._epochs.end()
            raise StopIteration
        handed: list[tuple[str, Block]] = []
        size = 0
        while self._planned and size < self._size.bytes and self._fetched(self._planned[0]):
            token, pieces = self._planned.popleft()
            frames = tuple(map(self._cut, pieces))
            size += sum(len(f.data) for f in frames)
            handed.append((self._name, Block(token, frames)))
        if handed:
            self._reader.busy()
            self._handed_over = True
        return handed

    def next_awake(self) -> datetime:
        """Always due."""
        return LONG_AGO

    def snapshot(self) -> Plan:
        """The plan for the next epoch: what this one left over, as it was, then all that is fetched."""
        self._epochs.close()
        left: dict[Place, list[tuple[int, bool]]] = defaultdict(list)
        for _, pieces in self._planned:
            for topic, partition, _, last in pieces:
                left[topic, partition].append((last, len(pieces) > 1))
        self._left_over = bool(left)
        waiting = {topic for (topic, _), of in left.items() if any(gathered for _, gathered in of)}
        new: dict[Place, list[int]] = {}
        for place, log in self._logs.items():
            if place not in left:
                log.skip_marks()
            if place[0] not in waiting:
                start = left[place][-1][0] if place in left else log.position
                new[place] = log.cuts(start, self._size.rows, self._size.bytes)
        little = {p: (c[1] - c[0], self._logs[p].bytes) for p, c in new.items() if len(c) == 2 and p not in left}
        together = gather(little, self._series, self._size.rows, self._size.bytes)
        cuts = {}
        for place, log in self._logs.items():
            planned = [*left.get(place, ()), *((end, place in together) for end in new.get(place, ())[1:])]
            cuts[place] = told(log.position, planned)
        ids = self._reader.topic_ids
        self._cuts = {(topic, partition, ids[topic]): of for (topic, partition), of in cuts.items()}
        self._resumes = {place: of[0] for place, of in cuts.items()}
        self._next = deque(inserts(cuts, self._series))
        return FORMAT, tuple((*log, of) for log, of in self._cuts.items())

    def close(self) -> None:
        """Nothing to do: the process closes the reader that its parts share."""

    def _tell(self, cuts: dict[tuple[str, int, str], Cuts]) -> None:
        if self._leases is not None:
            self._leases.plan(cuts)

    def _fetched(self, insert: Insert) -> bool:
        return all(self._logs[topic, partition].fetched >= last for topic, partition, _, last in insert.pieces)

    def _cut(self, piece: Piece) -> Frames:
        topic, partition, first, last = piece
        frames = self._logs[topic, partition].take(None, last - first, 1 << 62, before=last)
        if frames is None or not len(frames) or frames.offsets[0] < first:
            raise Refused(f"{topic}[{partition}] no longer has the planned offsets {first} to {last - 1}")
        return frames

    def _finished(self) -> bool:
        """Whether, an epoch after the last block, every log stands at its end."""
        if self._ends is None or not self._settled or time.monotonic() - self._looked_s < LOOK_S:
            return False
        self._looked_s = time.monotonic()
        # asking the broker takes a while: last
        for (topic, partition), log in sorted(self._logs.items(), key=lambda item: item[0][0] in self._own):
            own = topic in self._own
            end = self._reader.end(topic, partition) if own else announced(self._ends, topic, partition)
            if end is not None and log.fetched > end:
                raise Refused(f"{topic}[{partition}] goes on to {log.fetched} beyond its announced end {end}")
            if end is None or log.position != end:
                return False
        return True


def archive(source: PlannedBlocks, sink: ClickHouseBlocks, prefix: str = "", ahead_ms: int = 5_000) -> Dataflow:
    """Blocks, once each, to their tables; topics begin with `prefix`."""
    per_ms = {prefix + topic: per_ms for topic, per_ms in ORDERS_PER_MS.items()}
    return flow("archive", source, [("once", partial(Fresher, ahead_ms=ahead_ms, per_ms=per_ms))], sink)


def topics(settings: Settings) -> tuple[str, ...]:
    """Every topic that has a table."""
    return tuple(settings.kafka.prefix + table.topic for table in TABLES)


def reading(settings: Settings) -> Kafka:
    """How topics are read: much at a time, for an answer goes through all logs, of which there are hundreds."""
    of = incoming.kafka(settings, NAME)
    return replace(of, buffer_bytes=BUFFER_BYTES, fetch_min_bytes=FETCH_MIN_BYTES)


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
        LOG.warning("archive: %s", text)

    place = f"{socket.gethostname()}, process {os.getpid()}"
    leases = Leases(ClickHouse(settings.clickhouse), run_id, place, say)
    source = PlannedBlocks(
        reading(settings),
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
    sink = ClickHouseBlocks(inserts, BadBlock, kafka, kafka.partitions, rejects)
    return archive(source, sink, kafka.prefix, settings.clock.ahead_ms)


def identity(settings: Settings) -> Identity:
    """What the recovered state depends on besides the steps; a plan itself names its topics, to which more may come."""
    return incoming.identity(settings, [settings.kafka.prefix])
