"""Rows seen: a consumer that stands at the end of the feature topics and says when rows arrive."""

import time
from collections.abc import Callable

from confluent_kafka import Consumer, Message, TopicPartition

from flows.kafka.connection import client_config
from flows.kafka.topic_making import end_offsets
from flows.refusal import Unreachable
from flows.settings.tree import Settings
from flows.tables import BY_NAME

FETCH_WAIT_MS = 2
"""The embedded broker holds a fetch for so long even when rows come meanwhile, which is no latency of the flow."""


class RowsSeen:
    """From what the topics hold when it is made."""

    def __init__(self, settings: Settings, *tables: str, embedded: bool) -> None:
        kafka = settings.kafka
        held = {"fetch.wait.max.ms": FETCH_WAIT_MS} if embedded else {}
        self._consumer = Consumer(
            {
                **client_config(kafka),
                "group.id": "alphaplus-bench-rows",
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 2,
                **held,
            }
        )
        names = [kafka.prefix + BY_NAME[t].topic for t in tables]
        ends = {t: end_offsets(kafka, t) for t in names}
        self._consumer.assign([TopicPartition(t, p, at) for t, offsets in ends.items() for p, at in enumerate(offsets)])

    def read(self, wait_s: float) -> tuple[int, list[Message]]:
        """Wall clock, ns, at which they had arrived, and the rows."""
        first = self._consumer.poll(wait_s)
        if first is None:
            return time.time_ns(), []
        messages = [first, *self._consumer.consume(1_000, 0)]
        return time.time_ns(), [m for m in messages if m.error() is None and m.value() is not None]

    def first(self, look_after: Callable[[], None], patience_s: float = 180.0) -> float:
        """When (on a clock that never steps) the first row came."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if self.read(0.02)[1]:
                return time.monotonic()
            look_after()
        raise Unreachable(f"no row came within {patience_s:.0f} s")

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()
