"""Paused ends: where logs end that are not fetched now; the consumer hears of an end only while it fetches."""

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from flows.kafka.connection import Brokers, Complaints, admin
from flows.kafka.log import Log

ASK_S = 10.0


class PausedEnds:
    """Asks without waiting, all paused logs at once, and again when there is an answer."""

    def __init__(self, brokers: Brokers, complaints: Complaints) -> None:
        """Nobody is asked before a log is paused."""
        self._brokers, self._complaints = brokers, complaints
        self._admin: AdminClient | None = None
        self._asked: dict[TopicPartition, Future[Any]] = {}
        self._ends: dict[tuple[str, int], int] = {}

    def ask(self, logs: Iterable[Log]) -> None:
        """Take the answers that there are, and ask of the logs that are paused."""
        for place, answer in list(self._asked.items()):
            if answer.done():
                del self._asked[place]
                if answer.exception() is None:
                    self._ends[place.topic, place.partition] = answer.result().offset
        paused = [TopicPartition(log.topic, log.partition) for log in logs if log.paused]
        if paused and not self._asked:
            self._admin = self._admin or admin(self._brokers, self._complaints)
            latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            self._asked = dict(self._admin.list_offsets(dict.fromkeys(paused, latest), request_timeout=ASK_S))

    def of(self, topic: str, partition: int) -> int:
        """Where a log ended when that was last told; 0 where it never was."""
        return self._ends.get((topic, partition), 0)
