"""Offsets: what a flow has committed, told to the brokers as the offsets of a consumer group without members.

Positions are kept in the recovery directory, and nothing reads these again: they are for ordinary tools, which know lag
as what a group has not committed (Kafka's own, exporters, autoscalers). Telling them is never waited for.
"""

import atexit
import logging
import threading
import time
from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from flows.kafka.connection import Brokers, Complaints, admin
from flows.monitoring import telemetry

FAILED = telemetry.NOT_EXPORTED.counter()
LOG = logging.getLogger("alphaplus.kafka")
EVERY_S = 5.0
REQUEST_S = 3.0
LAST_TRIES = 4
"""At the end what is left is told, tried so often, with a pause between."""
PAUSE_S = 0.2
PASSING = frozenset(
    (
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError._TIMED_OUT,
    )
)
"""A broker that has just started says these for a while."""
Positions = Mapping[tuple[str, int], int]


class Offsets:
    """The offsets of one group, told now and then from a thread of its own."""

    def __init__(self, brokers: Brokers, group: str, every_s: float = EVERY_S) -> None:
        self._client = admin(brokers, Complaints(brokers))
        self._group = group
        self._every_s = every_s
        self._lock = threading.Lock()
        self._new: dict[tuple[str, int], int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="offsets", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def committed(self, positions: Positions) -> None:
        """The next offsets of some partitions, all before them being committed."""
        with self._lock:
            self._new.update(positions)

    def close(self) -> None:
        """Tell what is left, and end."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        last = 0
        while last < LAST_TRIES:
            if last:
                time.sleep(PAUSE_S)
            last += self._over.wait(self._every_s)
            with self._lock:
                told, self._new = self._new, {}
            if not told:
                if last:
                    return
                continue
            error = self._tell(told)
            if error is None:
                continue
            with self._lock:
                self._new = told | self._new
            if error.code() not in PASSING:
                FAILED.inc()
                LOG.warning("offsets of the group %s were not told: %s", self._group, error.str())

    def _tell(self, positions: Positions) -> KafkaError | None:
        """Why it failed; None when it did not."""
        where = [TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()]
        group = ConsumerGroupTopicPartitions(self._group, where)
        asked = self._client.alter_consumer_group_offsets([group], request_timeout=REQUEST_S)
        try:
            answered = next(iter(asked.values())).result()
        except KafkaException as error:
            found: KafkaError = error.args[0]
            return found
        return next((p.error for p in answered.topic_partitions if p.error is not None), None)
