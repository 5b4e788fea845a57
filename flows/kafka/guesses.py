"""Guesses: what a reader judged of logs whose writer writes no marks, written down, so that a replay judges the same.

A log without marks that is at its end closes windows only if somebody says that nothing more will come for them. The
reader says so when the broker has confirmed the end of the log after later records of other logs had been read: then
the log, at that offset, has come to their time. Each such guess is a record in a
topic of the reader's own (`guesses.<flow>`), acknowledged before it is used.
A reader that starts again, or a replay, takes the recorded guesses at their offsets before it makes any of its own.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from flows.kafka.connection import Brokers, client_config
from flows.kafka.log import LATEST_MS
from flows.kafka.prefix_publisher import Publisher
from flows.monitoring.log_lines import LOG
from flows.refusal import Unreachable

EVERY_MS = 1_000
READ_S = 60.0
FETCH_WAIT_MS = 5
"""The end of a log without news is told by an empty answer, which a broker holds back for so long."""


class Guess(msgspec.Struct, frozen=True):
    """With all offsets before `offset` read, a log had come to `time_ms`, as far as the reader could see."""

    topic: str
    partition: int
    offset: int
    time_ms: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]


_decode = msgspec.json.Decoder(Guess).decode


Taken = Callable[[list[Guess], dict[int, int]], None]


class GuessLog:
    """The guesses of one flow in its topic, each in the partition of the log that it is about.

    Topics are named there without `prefix`, so that a replay under another prefix finds them.
    """

    def __init__(self, brokers: Brokers, topic: str, retry_s: float = 120.0, prefix: str = "") -> None:
        """Nothing is opened before it is needed."""
        self._brokers, self._topic, self._retry_s, self._prefix = brokers, topic, retry_s, prefix
        self._publisher: Publisher | None = None
        self._asked: list[tuple[Mapping[int, int], Taken]] = []

    def ask(self, since: Mapping[int, int], taken: Taken) -> None:
        """Have `taken` called with the guesses in some partitions from an offset on, and where each ended."""
        self._asked.append((since, taken))

    def answer(self) -> None:
        """Read what was asked for, of all parts of a process at once: each reading waits on the brokers anew."""
        if not self._asked:
            return
        found, ends = self.read({partition: offset for since, _ in self._asked for partition, offset in since.items()})
        for since, taken in self._asked:
            taken([guess for guess in found if guess.partition in since], {p: ends[p] for p in since})
        self._asked.clear()

    def write(self, guesses: Iterable[Guess]) -> None:
        """Have the guesses acknowledged."""
        if self._publisher is None:
            self._publisher = Publisher(self._brokers, self._retry_s)
        for guess in guesses:
            name = guess.topic.removeprefix(self._prefix)
            value = msgspec.json.encode(msgspec.structs.replace(guess, topic=name))
            self._publisher.publish(self._topic, name.encode(), value, guess.time_ms, partition=guess.partition)
        self._publisher.flush()

    def read(self, since: Mapping[int, int]) -> tuple[list[Guess], dict[int, int]]:
        """The guesses in each partition from an offset to the end; and where each ended.

        A record that is no guess is not of this reader: it is passed over, and told of.
        """
        settings = {
            "group.id": "alphaplus-guesses",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "log_level": 2,
        }
        consumer = Consumer(client_config(self._brokers) | settings)
        found: list[Guess] = []
        ends: dict[int, int] = {}
        deadline = time.monotonic() + READ_S
        try:
            consumer.assign([TopicPartition(self._topic, partition, offset) for partition, offset in since.items()])
            while len(ends) < len(since):
                if time.monotonic() > deadline:
                    raise Unreachable(f"the end of {self._topic} was not told within {READ_S:.0f} s")
                for message in consumer.consume(10_000, 0.1):
                    error, partition, offset = message.error(), message.partition(), message.offset()
                    value = message.value()
                    if error is not None and error.code() == KafkaError._PARTITION_EOF:
                        ends[partition or 0] = offset or 0
                    elif error is not None and not error.retriable():
                        raise Unreachable(f"{self._topic}[{partition}]: {error.str()}")
                    elif error is None and value is not None:
                        try:
                            guess = _decode(value)
                        except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
                            LOG.warning("%s[%s] offset %s is no guess: %s", self._topic, partition, offset, fault)
                            continue
                        found.append(msgspec.structs.replace(guess, topic=self._prefix + guess.topic))
        finally:
            consumer.close()
        return found, ends
