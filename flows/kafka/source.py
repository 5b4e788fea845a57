"""Shards: the partitions of this process as Bytewax source parts, each reading its number of every topic in step.

The topics of a shard are aligned by the time of receipt: none is handed over more than `align_ms` ahead of the slowest
one that is not at its end, so that no join buffers without bound. A topic with nothing fetched that is not known to be
at its end counts as standing at its last frame; a topic at its end holds nobody up, unless the step already holds
`held_rows` that wait for it: then what is ahead waits in Kafka until it is heard of again, and nothing is dropped.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.kafka.ends import announced
from flows.kafka.epochs import Epochs, Stopping
from flows.kafka.guessing import Foreign, Guessing
from flows.kafka.log import Log
from flows.kafka.reader import Kafka, Reader
from flows.kafka.tuning import Tuner
from flows.monitoring.event_time import Held
from flows.monitoring.log_lines import follow
from flows.refusal import Refused
from schemas.frames import Frames
from schemas.shard import Batch

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Always due, whatever the wall clock does: Bytewax would wait for a clock that was set back."""
LOOK_S = 0.05
FORMAT = 2

Position = tuple[int, tuple[tuple[str, str, int, int], ...], tuple[tuple[int, int], ...]]
"""Format, then for each log: name, topic id, next offset, the announced end it has told of or -1; then how far the
guesses were read, by partition."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is handed over at once, and how the topics of a shard keep step; a `tuner` goes before both amounts."""

    batch_frames: int = 5_000
    batch_bytes: int = 4 << 20
    epoch_bytes: int = 256 << 20
    align_ms: int = 2_000
    held_rows: int = 1_000_000
    """So much may wait in a shard's step for a topic that is at its end."""
    tuner: Tuner | None = None

    @property
    def frames_now(self) -> int:
        """Frames of a batch."""
        return self.batch_frames if self.tuner is None else int(self.tuner.batch.now)

    @property
    def epoch_bytes_now(self) -> int:
        """Bytes between two snapshots."""
        return self.epoch_bytes if self.tuner is None else int(self.tuner.flush.now)


def shard_name(partition: int) -> str:
    """The key of a shard and the name of its source part.

    >>> shard_name(3)
    'shard-0003'
    """
    return f"shard-{partition:04d}"


def shards_of(partitions: int, ordinal: int, count: int, broadcast: bool = False) -> list[int]:
    """The partitions of process `ordinal` of `count`; all of them where each process reads everything.

    >>> shards_of(8, 1, 3), shards_of(2, 1, 3, broadcast=True)
    ([1, 4, 7], [0, 1])
    """
    if not 0 <= ordinal < count:
        raise Refused(f"process {ordinal} of {count}: the ordinal must be from 0 to {count - 1}")
    return [p for p in range(partitions) if broadcast or p % count == ordinal]


def _resumed(
    part: str, state: Position | None, logs: Iterable[str], others: bool = False
) -> tuple[dict[str, tuple[str, int]] | None, dict[str, int], dict[int, int]]:
    """Of a recovered position: topic id and offset of each log, the ends told, and how far the guesses were read."""
    if state is None:
        return None, {}, {}
    if state[0] != FORMAT:
        raise Refused(
            f"{part}: the position was saved in format {state[0]} by an earlier version, not {FORMAT}: stop the "
            "writers, let that version read to the end, and begin with a new recovery directory"
        )
    saved = {name: (topic_id, offset) for name, topic_id, offset, _ in state[1]}
    if others:
        saved = {name: at for name, at in saved.items() if name in set(logs)}
    elif set(saved) != set(logs):
        raise Refused(f"{part} was read from {', '.join(saved)}, not from {', '.join(logs)}")
    return saved, {name: end for name, _, _, end in state[1] if end >= 0 and name in saved}, dict(state[2])


def standing(logs: Iterable[Log]) -> dict[str, int]:
    """The next offset of each log, for people."""
    return {f"{log.topic}[{log.partition}]": log.position for log in logs}


class KafkaShards(FixedPartitionedSource[tuple[str, Batch], Position]):
    """The shards of one process. With `ends` the run is bounded, without it is live.

    `ends` is the directory in which the end of each topic is announced; a bounded part finishes when every topic has
    reached its announced end, and waits as long as one is not announced. `foreign` topics may be without marks.
    """

    def __init__(
        self,
        kafka: Kafka,
        topics: tuple[str, ...],
        partitions: int,
        share: tuple[int, int] = (0, 1),
        broadcast: bool = False,
        pace: Pace | None = None,
        ends: Path | None = None,
        stopping: Stopping | None = None,
        others: bool = False,
        foreign: Foreign | None = None,
        held: Mapping[str, int] | None = None,
    ) -> None:
        """`others`: positions of other topics may be met; a new topic is then read from its beginning.

        `held`: by shard how many rows its step holds until other topics have come as far.
        """
        self.topics, self.others = topics, others
        self.partitions = partitions
        self.share = share
        self.stopping = stopping or Stopping()
        self._names = {shard_name(p): p for p in shards_of(partitions, *share, broadcast)}
        self._pace = pace or Pace()
        self._ends = ends
        self._foreign = foreign
        self._held = {} if held is None else held
        self.reader = Reader(kafka, topics, partitions)

    def list_parts(self) -> list[str]:
        """The names of this process's shards."""
        return list(self._names)

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> "Shard":
        """One shard, from where the last committed epoch left it."""
        partition = self._names[for_part]
        saved, told, read = _resumed(for_part, resume_state, self.topics, self.others)
        logs = self.reader.add(partition, saved)
        guessing = None if self._foreign is None else Guessing(self._foreign, self.reader, logs, read)
        epochs = Epochs(for_part, self.stopping)
        follow(str(partition), partial(standing, logs.values()))
        return Shard(
            for_part, self.reader, logs, self._pace, self._ends, told, epochs, guessing=guessing, held=self._held
        )


def log_name(topic: str, partition: int) -> str:
    """What a log is called in a batch that holds several partitions of a topic.

    >>> log_name("features.tape", 2)
    'features.tape/2'
    """
    return f"{topic}/{partition}"


def offsets(shard: str, state: Position) -> dict[tuple[str, int], int]:
    """The next offset of each log of a shard, as its position says.

    >>> offsets("shard-0003", (2, (("raw.trades.x", "id", 7, -1),), ()))
    {('raw.trades.x', 3): 7}
    >>> offsets("shard-0000", (2, (("features.tape/2", "id", 7, -1),), ()))
    {('features.tape', 2): 7}
    """
    if state[0] != FORMAT:
        raise Refused(f"{shard}: the position was saved in format {state[0]}, not {FORMAT}, by another version")
    found = {}
    for name, _, offset, _ in state[1]:
        topic, _, partition = name.partition("/")
        found[topic, int(partition or shard.rpartition("-")[2])] = offset
    return found


class KafkaShare(FixedPartitionedSource[tuple[str, Batch], Position]):
    """This process's partitions of `topics`, and every partition of the `shared` topics, as one part.

    For a flow that keeps one topic by key and needs all of another. Logs are called by `log_name`. Bounded, nothing is
    handed over that is ahead of a log of which nothing is known, so that what waits for it waits in Kafka.
    """

    def __init__(
        self,
        kafka: Kafka,
        topics: tuple[str, ...],
        shared: tuple[str, ...],
        partitions: int,
        share: tuple[int, int] = (0, 1),
        pace: Pace | None = None,
        ends: Path | None = None,
        stopping: Stopping | None = None,
        foreign: Foreign | None = None,
        held: Mapping[str, int] | None = None,
    ) -> None:
        """`held`: under the part's name how many records its step holds until other logs have come as far."""
        self.stopping = stopping or Stopping()
        self.share = share
        own = shards_of(partitions, *share)
        places = [(t, p) for t in topics for p in own] + [(t, p) for t in shared for p in range(partitions)]
        self.logs = {log_name(topic, partition): (topic, partition) for topic, partition in places} if own else {}
        self.reader = Reader(kafka, (*topics, *shared), partitions)
        self._pace = pace or Pace()
        self._ends = ends
        self._foreign = foreign
        self._held = {} if held is None else held

    def list_parts(self) -> list[str]:
        """One part, none where this process has no partition."""
        return [shard_name(self.share[0])] if self.logs else []

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> "Shard":
        """The share, from where the last committed epoch left it."""
        saved, told, read = _resumed(for_part, resume_state, self.logs)
        logs = self.reader.add_logs(self.logs, saved)
        guessing = None if self._foreign is None else Guessing(self._foreign, self.reader, logs, read)
        epochs = Epochs(for_part, self.stopping)
        follow(str(self.share[0]), partial(standing, logs.values()))
        strict = self._ends is not None
        return Shard(for_part, self.reader, logs, self._pace, self._ends, told, epochs, strict, guessing, self._held)


class Shard(StatefulSourcePartition[tuple[str, Batch], Position]):
    """Logs being read in step, under their names: in a shard of one partition the topics."""

    def __init__(
        self,
        name: str,
        reader: Reader,
        logs: dict[str, Log],
        pace: Pace,
        ends: Path | None,
        told: dict[str, int],
        epochs: Epochs,
        strict: bool = False,
        guessing: Guessing | None = None,
        held: Mapping[str, int] | None = None,
    ) -> None:
        """`strict`: a log at its end holds the others up too, unless that end was announced."""
        self._strict = strict
        self._held = {} if held is None else held
        self._guessing = guessing
        self._name = name
        self._reader = reader
        self._logs = logs
        self._pace = pace
        self._ends = ends
        self._epochs = epochs
        self._found: dict[str, int] = {}
        self._looked_s = 0.0
        self._told: dict[str, int] = {}
        self._budget = pace.epoch_bytes
        self._resumes: dict[tuple[str, int], int] = {}
        self._full = False
        self._still = Held(name, self._furthest_behind)
        if ends is not None:
            self._look()
            self._told = {t: end for t, end in told.items() if self._found.get(t) == end == logs[t].position}

    def next_batch(self) -> Iterable[tuple[str, Batch]]:
        """At most one item: what is ready of every topic, and the marks."""
        if self._epochs.begin():
            self._budget = self._pace.epoch_bytes_now
            self._reader.committed(self._resumes)
        if self._epochs.quiet:
            time.sleep(0.001)
            return ()
        if len(self._told) == len(self._logs) and self._ends is not None:
            self._epochs.end()
            raise StopIteration
        if self._guessing is not None:
            self._guessing.begin()
        if not self._full or self._budget <= 0:
            self._reader.pump()
            if self._guessing is not None and self._ends is None:
                self._guessing.go_on()
        frames = self._ready() if self._budget > 0 else ()
        if self._ends is None:
            waiting = any(log.head_ns is not None for log in self._logs.values())
            self._still.looked(not frames and self._budget > 0 and waiting)
        ended = self._ended()
        grown = len(ended) > len(self._told)
        self._told = ended
        if not frames and not grown:
            return ()
        self._reader.busy()
        if self._pace.tuner is not None and (times := [int(f.received_ns[-1]) for f in frames if len(f)]):
            self._pace.tuner.handed(max(times), self._full)
        return ((self._name, Batch(frames, tuple(ended))),)

    def next_awake(self) -> datetime:
        """Always due."""
        return LONG_AGO

    def snapshot(self) -> Position:
        """Where to go on: after what was handed over."""
        self._epochs.close()
        ids = self._reader.topic_ids
        self._resumes = {(log.topic, log.partition): log.position for log in self._logs.values()}
        logs = tuple((n, ids[log.topic], log.position, self._told.get(n, -1)) for n, log in self._logs.items())
        return FORMAT, logs, () if self._guessing is None else tuple(self._guessing.used().items())

    def close(self) -> None:
        """Nothing to do: the process closes the reader that its parts share."""

    def _ready(self) -> tuple[Frames, ...]:
        now_at = [log.time_ns for log in self._behind()]
        if any(at is None for at in now_at):
            return ()
        limit = min((at for at in now_at if at is not None), default=0) + self._pace.align_ms * 1_000_000
        frames, size = self._pace.frames_now, self._pace.batch_bytes
        taken: dict[str, Frames] = {}
        heads = [(log.head_ns, topic) for topic, log in self._logs.items() if log.head_ns is not None or log.marked]
        for _, topic in sorted((head or 0, topic) for head, topic in heads):
            part = self._logs[topic].take(limit, frames, size) if size > 0 else None
            if part is not None:
                taken[topic] = part
                frames -= len(part)
                size -= len(part.data)
                self._budget -= len(part.data)
        self._full = frames <= 0 or size <= 0
        return tuple(taken[topic] for topic in self._logs if topic in taken)

    def _behind(self) -> list[Log]:
        over = {t for t, log in self._logs.items() if self._found.get(t) == log.position}
        full = self._held.get(self._name, 0) >= self._pace.held_rows

        def waited_for(log: Log) -> bool:
            return self._strict or not log.at_end or (full and log.time_ns is not None)

        return [log for t, log in self._logs.items() if t not in over and waited_for(log)]

    def _furthest_behind(self) -> str:
        log = min(self._behind(), key=lambda log: log.time_ns or 0)
        return f"{log.topic}[{log.partition}]"

    def _ended(self) -> dict[str, int]:
        if self._ends is None:
            return {}
        waiting = [t for t, log in self._logs.items() if t not in self._told and log.head_ns is None]
        if any(t not in self._found for t in waiting) and time.monotonic() - self._looked_s > LOOK_S:
            self._look()
        for topic, end in self._found.items():
            log = self._logs[topic]
            if log.fetched > end:
                raise Refused(f"{log.topic}[{log.partition}] goes on to {log.fetched} beyond its announced end {end}")
        return self._told | {t: self._found[t] for t in waiting if self._found.get(t) == self._logs[t].position}

    def _look(self) -> None:
        assert self._ends is not None
        self._looked_s = time.monotonic()
        for topic, log in self._logs.items():
            end = announced(self._ends, log.topic, log.partition)
            if end is not None:
                self._found[topic] = end
