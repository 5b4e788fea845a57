"""Marks: whoever writes a topic also writes, to every partition, how far it has come.

A mark is a record without a value, under the key `\\0mark`; its timestamp says that every record up to that time (of
receipt on raw topics and `accounts`, event time on derived ones) stands before it in the partition. A consumer skips
it as it skips any tombstone. Readers close windows by records and marks alone, so a partition that has nothing holds
nobody up, and what a mark closes live it closes in every replay. A partition has one writer at a time.
"""

from collections.abc import Iterable

from flows.kafka.prefix_publisher import Publisher

KEY = b"\x00mark"
"""No account is called so: names are printable, and a record without a value under a name removes that account."""


class Marks:
    """The marks of a writer that comes to all partitions of some topics at the same pace."""

    def __init__(self, publisher: Publisher, topics: Iterable[str], partitions: int, every_ms: int) -> None:
        """Nothing written yet; `every_ms`, of the time that is written, between two marks."""
        self._publisher = publisher
        self._places = [(topic, partition) for topic in topics for partition in range(partitions)]
        self._every_ms = every_ms
        self._next_ms: int | None = None

    def come_to(self, time_ms: int) -> None:
        """Every record up to this time is handed to the publisher, none will follow; writes a mark when one is due."""
        if self._next_ms is None or time_ms >= self._next_ms:
            self._next_ms = time_ms + self._every_ms
            for topic, partition in self._places:
                self._publisher.publish(topic, KEY, None, time_ms, partition=partition)

    def hole(self, time_ms: int, what: bytes) -> None:
        """Say in every log, at once, that records up to this time are missing there: `what` is JSON about them.

        To readers it is a mark like any other; the header `hole` is for whoever asks the log what it lacks.
        """
        for topic, partition in self._places:
            self._publisher.publish(topic, KEY, None, time_ms, partition=partition, hole=what)
