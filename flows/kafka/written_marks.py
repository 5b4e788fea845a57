"""Marks: whoever writes a topic also writes, to every partition, how far it has come.

A mark is a record without a value, under the key `\\0mark`; its timestamp says that every record up to that time (of
receipt on raw topics and `accounts`, event time on derived ones) stands before it in the partition. A consumer skips
it as it skips any tombstone. Readers close windows by records and marks alone, so a partition that has nothing holds
nobody up, and what a mark closes live it closes in every replay. A partition has one writer at a time.

A mark costs a broker as much as a record: a request of its own. So a partition into which nothing has been written for
long is marked once a pane, when that lets its readers close one: as time passes the pane's end plus the lateness.
"""

from collections.abc import Iterable

from flows.kafka.partitioner import partition_of
from flows.kafka.prefix_publisher import Publisher
from flows.settings.tree import Windows

KEY = b"\x00mark"
"""No account is called so: names are printable, and a record without a value under a name removes that account."""


SECOND_MS = 1_000
"""No log goes longer without a mark."""
QUIET_MS = 10_000
"""After so long without a record a partition is quiet."""


class Marks:
    """The marks of a writer that comes to all partitions of some topics at the same pace."""

    def __init__(
        self,
        publisher: Publisher,
        topics: Iterable[str],
        partitions: int,
        every_ms: int,
        windows: Windows | None = None,
    ) -> None:
        """Nothing written yet; `every_ms`, of the time that is written, between two marks.

        With `windows`, as the readers cut them, quiet partitions are marked as they close; else like all.
        """
        self._publisher = publisher
        self._topics = tuple(topics)
        self._every_ms = every_ms
        self._windows = windows
        self._next_ms = 0
        self._next_pane = 0
        self._written_ms = [0] * partitions
        self._partition_of: dict[bytes, int] = {}

    def wrote(self, key: bytes, time_ms: int) -> None:
        """A record of this key and time is handed to the publisher."""
        partition = self._partition_of.get(key)
        if partition is None:
            partition = self._partition_of[key] = partition_of(key, len(self._written_ms))
        self._written_ms[partition] = time_ms

    def come_to(self, time_ms: int) -> None:
        """Every record up to this time is handed to the publisher, none will follow; writes the marks that are due."""
        pane, quiet_ms = 0, -1
        if self._windows is not None:
            pane_ms = max(self._every_ms, min(self._windows.base_ms, SECOND_MS))
            pane, quiet_ms = (time_ms - self._windows.lateness_ms) // pane_ms, time_ms - QUIET_MS
        often, closes = time_ms >= self._next_ms, pane >= self._next_pane
        if not often and not closes:
            return
        if often:
            self._next_ms = time_ms + self._every_ms
        self._next_pane = pane + 1
        due = [p for p, written_ms in enumerate(self._written_ms) if (often if written_ms > quiet_ms else closes)]
        for topic in self._topics:
            for partition in due:
                self._publisher.publish(topic, KEY, None, time_ms, partition=partition)

    def hole(self, time_ms: int, what: bytes) -> None:
        """Say in every log, at once, that records up to this time are missing there: `what` is JSON about them.

        To readers it is a mark like any other; the header `hole` is for whoever asks the log what it lacks.
        """
        for topic in self._topics:
            for partition in range(len(self._written_ms)):
                self._publisher.publish(topic, KEY, None, time_ms, partition=partition, hole=what)
