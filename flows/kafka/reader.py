"""Reading Kafka fast and exactly: one consumer a process, assigned to its logs, never committing, never guessing.

librdkafka's own threads are the prefetch: `pump` moves what they fetched into the logs, on the flow's thread, so there
is nothing to hand between threads and no second thread contending for the interpreter. While more than `buffer_bytes`
are held, logs that hold more than their share of it are paused. An offset that is not in the log is an error
(`auto.offset.reset=error`), the end of a log is where the broker says so (`enable.partition.eof`), and only messages
can move a position.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition

from flows.kafka.connection import LOG, Brokers, Complaints, address, admin, client_config
from flows.kafka.end_offset import TRANSIENT, end_offset, watermarks
from flows.kafka.log import Chunk, Log, chunk, stamp_ns
from flows.kafka.offsets import Offsets, Positions
from flows.kafka.paused_ends import PausedEnds
from flows.kafka.presence import Broker, Presence
from flows.kafka.written_marks import KEY
from flows.monitoring import telemetry
from flows.refusal import Refused, Unreachable

READ = telemetry.READ.counter()
GAPS = telemetry.GAPS.counter()
LAG = telemetry.LAG.gauge()
FETCH_WAIT_MS = 100
"""Some brokers hold a fetch for all of its time, whatever comes meanwhile; librdkafka's own 500 ms would be seen."""
PULL = 20_000
"""So many messages at once that each of several shards finds a whole batch."""
WAIT_S = 0.005
BUSY_TURNS = 16
"""So many turns of all parts without anything before one may block: what a part handed over moves one hop a turn. More
only spins: with 64, flows of 16 partitions that are mostly empty took a quarter more of the processors."""


class _Partition(msgspec.Struct):
    hi_offset: int


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition]


class _Statistics(msgspec.Struct):
    brokers: dict[str, Broker]
    topics: dict[str, _Topic]


_statistics = msgspec.json.Decoder(_Statistics).decode


@dataclass(frozen=True, slots=True)
class Kafka:
    """How to reach and read Kafka. `nameless` says, a topic, how the values begin whose header `symbol` is read.

    `fetch_wait_ms` is how long a broker holds a fetch that finds less than `fetch_min_bytes`. With one byte, Apache
    Kafka answers when something comes. Each answer goes through all logs: who reads hundreds asks for more at a time.
    """

    brokers: Brokers
    buffer_bytes: int = 128 << 20
    start_s: float = 30.0
    retry_s: float = 120.0
    fetch_wait_ms: int = FETCH_WAIT_MS
    fetch_min_bytes: int = 1
    nameless: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    offsets_group: str = ""
    """The consumer group to which committed offsets are told; none: they are told to nobody."""


class Reader:
    """The consumer of a process and its logs. Opened by the first log; safe to share between worker threads."""

    def __init__(self, kafka: Kafka, topics: tuple[str, ...], partitions: int) -> None:
        self._kafka = kafka
        self._address = address(kafka.brokers)
        self._complaints = Complaints(kafka.brokers)
        self._topics = topics
        self._partitions = partitions
        self._lock = threading.RLock()
        self._consumer: Consumer | None = None
        self._offsets: Offsets | None = None
        self._logs: dict[tuple[str, int], Log] = {}
        self._new: list[Log] = []
        self._presence = Presence(kafka.brokers, self._complaints, kafka.retry_s, kafka.fetch_wait_ms)
        self._parts = 0
        self._still = 0
        self._more = ""
        self._paused_ends = PausedEnds(kafka.brokers, self._complaints)
        self.topic_ids: dict[str, str] = {}
        self.newest_ns = 0
        """The latest time of any record or mark that was read."""

    def ids(self) -> dict[str, str]:
        """Topic -> its id, which another one of that name will not have."""
        with self._lock:
            self._open()
            return self.topic_ids

    def add(self, partition: int, resume: Mapping[str, tuple[str, int]] | None) -> dict[str, Log]:
        """The logs of a partition, one a topic; see `add_logs`."""
        return self.add_logs({topic: (topic, partition) for topic in self._topics}, resume)

    def add_logs(
        self, wanted: Mapping[str, tuple[str, int]], resume: Mapping[str, tuple[str, int]] | None
    ) -> dict[str, Log]:
        """Logs under names of the caller's, from the recovered (topic id, offset) or the start of a log without one.

        Refuses offsets that a log no longer or not yet has, and topics that were made anew. They are fetched from the
        next `pump` on: what is asked about a log waits behind fetches, which some brokers hold.
        """
        with self._lock:
            consumer = self._open()
            self._parts += 1
            logs = {}
            for name, (topic, partition) in wanted.items():
                GAPS.labels(topic)  # there before the first: a series that begins with a gap has not grown by it
                low, high = self._watermarks(consumer, topic, partition)
                offset = low
                if resume is not None and name in resume:
                    topic_id, offset = resume[name]
                    self._check(topic, partition, topic_id, offset, low, high)
                logs[name] = self._logs[topic, partition] = Log(topic, partition, offset, offset)
            self._new += logs.values()
            return logs

    def busy(self) -> None:
        """A part handed something over: nobody may block before it is through."""
        self._still = 0

    def pump(self) -> None:
        """Move fetched messages into the logs; wait up to 5 ms for the first one when no part has had any for long."""
        with self._lock:
            consumer = self._open()
            if self._new:
                consumer.incremental_assign([TopicPartition(g.topic, g.partition, g.position) for g in self._new])
                self._new = []
            self._relieve(consumer)
            messages = consumer.consume(PULL, 0)
            if not messages and self._still > BUSY_TURNS * self._parts:
                first = consumer.poll(WAIT_S)
                if first is not None:
                    messages = [first, *consumer.consume(PULL - 1, 0)]
            self._still += 1
            if messages:
                self._still = 0
                self._distribute(messages)
                self._restrain(consumer)
            if self._more:
                raise Refused(self._more)
            self._presence.check()

    def ask(self, log: Log) -> None:
        """Have the broker say again where a log ends: when it has (`confirmed`), all that is known now is older."""
        with self._lock:
            log.asked_ns = self.newest_ns
            try:
                self._open().seek(TopicPartition(log.topic, log.partition, log.fetched))
            except KafkaException:  # the broker is away, or the partition is being found again: asked later
                log.asked_ns = None

    def end(self, topic: str, partition: int) -> int:
        """The exact end of a log now."""
        return end_offset(self._kafka.brokers, topic, partition, self._kafka.start_s)

    def committed(self, positions: Positions) -> None:
        """Everything before these offsets is committed."""
        if self._kafka.offsets_group and positions:
            if self._offsets is None:
                self._offsets = Offsets(self._kafka.brokers, self._kafka.offsets_group)
            self._offsets.committed(positions)

    def close(self) -> None:
        """Leave the brokers."""
        if self._offsets is not None:
            self._offsets.close()
            self._offsets = None
        with self._lock:
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def _open(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    **client_config(self._kafka.brokers),
                    "group.id": "alphaplus-positions-are-in-the-recovery-directory",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "fetch.queue.backoff.ms": 2,
                    "fetch.wait.max.ms": self._kafka.fetch_wait_ms,
                    "fetch.min.bytes": self._kafka.fetch_min_bytes,
                    "queued.min.messages": 200_000,
                    "queued.max.messages.kbytes": max(1, min(65_536, self._kafka.buffer_bytes >> 11)),
                    "reconnect.backoff.max.ms": 1_000,
                    "topic.metadata.refresh.interval.ms": 30_000,
                    "statistics.interval.ms": 1_000,
                    "stats_cb": self._statistics,
                    "error_cb": self._error,
                },
                logger=LOG,
            )
            self._meet(self._consumer)
        return self._consumer

    def _meet(self, consumer: Consumer) -> None:
        deadline = time.monotonic() + self._kafka.start_s
        while True:
            trouble = self._trouble(consumer)
            if trouble is None:
                break
            consumer.poll(0)
            self._complaints.check()
            if time.monotonic() >= deadline:
                raise Unreachable(f"{self._complaints.line() or trouble} (waited {self._kafka.start_s:.0f} s)")
            time.sleep(0.2)
        client = admin(self._kafka.brokers, self._complaints)
        described = client.describe_topics(TopicCollection(list(self._topics)), request_timeout=10)
        try:
            self.topic_ids = {topic: str(future.result().topic_id) for topic, future in described.items()}
        except KafkaException as error:
            raise Unreachable(f"{self._address} does not describe its topics: {error.args[0].str()}") from None

    def _trouble(self, consumer: Consumer) -> str | None:
        try:
            known = consumer.list_topics(timeout=1.0).topics
        except KafkaException:
            return self._complaints.away()
        missing = [t for t in self._topics if t not in known or known[t].error is not None]
        if missing:
            return f"no topic {', '.join(missing)} at {self._address}"
        for topic in self._topics:
            if len(known[topic].partitions) != self._partitions:
                raise Refused(f"{topic} has {len(known[topic].partitions)} partitions, not {self._partitions}")
        return None

    def _watermarks(self, consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
        try:
            return watermarks(consumer, topic, partition, time.monotonic() + self._kafka.start_s)
        except KafkaException as error:
            raise Unreachable(f"{topic}[{partition}]: {error.args[0].str()}") from None

    def _check(self, topic: str, partition: int, topic_id: str, offset: int, low: int, high: int) -> None:
        where = f"{topic}[{partition}]"
        if topic_id != self.topic_ids[topic]:
            raise Refused(f"{where} was made anew since offset {offset} was read; start with a new recovery directory")
        if offset < low:
            raise Refused(
                f"{where} must resume at offset {offset} but begins at {low}: retention deleted what lay between"
            )
        if offset > high:
            end = self.end(topic, partition)
            if offset > end:
                raise Refused(f"{where} must resume at offset {offset} but ends at {end}: the log was cut or made anew")

    def _distribute(self, messages: list[Message]) -> None:
        marks = [m for m in messages if m.error() is not None]
        if marks:
            messages = [m for m in messages if m.error() is None]
        topics = [m.topic() or "" for m in messages]
        partitions = [m.partition() or 0 for m in messages]
        if messages and topics.count(topics[0]) == len(topics) and partitions.count(partitions[0]) == len(topics):
            self._fill(self._logs[topics[0], partitions[0]], messages)
        else:
            groups: dict[tuple[str, int], list[Message]] = {}
            for key, message in zip(zip(topics, partitions, strict=True), messages, strict=True):
                groups.setdefault(key, []).append(message)
            for key, group in groups.items():
                self._fill(self._logs[key], group)
        for mark in marks:
            self._mark(mark)

    def _fill(self, log: Log, messages: list[Message]) -> None:
        before = log.fetched
        values = [m.value() for m in messages]
        told: list[Message] = []
        if not all(values):
            told = [m for m, value in zip(messages, values, strict=True) if value is None and m.key() == KEY]
        if told:
            framed = [m for m, value in zip(messages, values, strict=True) if value is not None or m.key() != KEY]
            values = [m.value() for m in framed]
        else:
            framed = messages
        piece = _chunk(framed, values, self._kafka.nameless.get(log.topic, ())) if framed else None
        if piece is not None:
            log.add(piece)
        for mark in told:
            log.mark(mark.offset() or 0, stamp_ns(mark.timestamp()[1]))
        self.newest_ns = max(self.newest_ns, piece.latest_ns if piece else 0, log.marked_ns or 0)
        READ.labels(log.topic).inc(len(messages))
        if log.fetched - before != len(messages):
            GAPS.labels(log.topic).inc(log.fetched - before - len(messages))

    def _mark(self, message: Message) -> None:
        error, offset = message.error(), message.offset()
        assert error is not None
        log = self._logs.get((message.topic() or "", message.partition() or 0))
        if error.code() == KafkaError._PARTITION_EOF and log is not None and offset is not None:
            log.reached(offset)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET and log is not None:
            raise Refused(
                f"{log.topic}[{log.partition}] has no offset {log.fetched} any more: "
                f"retention deleted it before it was read, or the log was cut ({error.str()})"
            )
        elif error.code() in TRANSIENT or error.retriable():
            self._error(error)
        else:
            raise Unreachable(f"{message.topic()}[{message.partition()}]: {error.str()}")

    def _restrain(self, consumer: Consumer) -> None:
        if self._held() <= self._kafka.buffer_bytes:
            return
        share = self._share()
        full = [
            log for log in self._logs.values() if log.bytes > share and not log.paused and log.fetched >= log.needed
        ]
        if full:
            consumer.pause([TopicPartition(log.topic, log.partition) for log in full])
            for log in full:
                log.paused = True

    def _relieve(self, consumer: Consumer) -> None:
        paused = [log for log in self._logs.values() if log.paused]
        if not paused:
            return
        # half, because what librdkafka has fetched of a log is lost when it is paused
        room, share = self._held() < self._kafka.buffer_bytes // 2, self._share() // 2
        low = [log for log in paused if room or log.bytes < share or log.fetched < log.needed]
        if low:
            consumer.resume([TopicPartition(log.topic, log.partition) for log in low])
            for log in low:
                log.paused = False

    def _held(self) -> int:
        return sum(log.bytes for log in self._logs.values())

    def _share(self) -> int:
        return max(1 << 20, self._kafka.buffer_bytes // len(self._logs))

    def _error(self, error: KafkaError) -> None:
        self._complaints(error)
        if error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT):
            self._presence.lost()

    def _statistics(self, text: str) -> None:
        told = _statistics(text)
        self._paused_ends.ask(self._logs.values())
        for topic, of in told.topics.items():
            there = sum(int(number) >= 0 for number in of.partitions)
            if topic in self._topics and there > self._partitions:
                self._more = (
                    f"{topic} has {there} partitions now, not {self._partitions}: what is in the new ones is not read; "
                    f"give every topic as many, set kafka.partitions={there} and begin with new recovery directories"
                )
            lags = [
                max(0, p.hi_offset - log.position, self._paused_ends.of(topic, int(number)) - log.position)
                for number, p in of.partitions.items()
                if (log := self._logs.get((topic, int(number)))) is not None
            ]
            LAG.labels(topic).set(sum(lags))
        self._presence.told(told.brokers)


def _chunk(messages: list[Message], found: list[bytes | None], nameless: tuple[bytes, ...]) -> Chunk:
    values = [value or b"" for value in found]
    symbols = {}
    if nameless:
        for i, value in enumerate(values):
            if value.startswith(nameless):
                symbol = dict(messages[i].headers() or ()).get("symbol")
                if isinstance(symbol, bytes):
                    symbols[i] = symbol.decode(errors="replace")
    for i, message in enumerate(messages):
        if not values[i] and isinstance(key := message.key(), bytes):
            symbols[i] = key.decode(errors="replace")
    return chunk(values, [m.offset() or 0 for m in messages], [m.timestamp()[1] for m in messages], symbols)
