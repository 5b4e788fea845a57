"""Writing Kafka so that what arrives is a prefix: nothing after a lost record ever reaches its partition.

Readers drop what is not newer than what they have seen of a key (`operators/once`), so a record that failed while a
later one arrived would be lost for good. Hence: idempotence, no time limit of librdkafka's own (a record that expired
would leave a gap), a permanent error stops the producer (`enable.gapless.guarantee`), and after `retry_s` without an
acknowledgement what is still queued is thrown away and the process ends; it then writes the same records again.
"""

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from flows.kafka.connection import LOG, Brokers, Complaints, address, producer_config
from flows.refusal import Unreachable
from flows.settings.services import Kafka

LINGER_MS = 0.5
"""Where no settings say otherwise: records that belong together are queued in one go, waiting longer delays them."""
QUEUED_KBYTES = 262_144


class Publisher:
    """An idempotent producer whose failures are raised."""

    def __init__(
        self,
        brokers: Brokers,
        retry_s: float | None = None,
        linger_ms: float | None = None,
    ) -> None:
        """`retry_s`, and how long records wait for company, are as the brokers' settings say where they are not given.

        Each sent by itself is a batch of its own, and each fetch costs the embedded broker all batches of a log.
        """
        self._address = address(brokers)
        self._complaints = Complaints(brokers)
        told = Kafka(linger_ms=LINGER_MS) if isinstance(brokers, str) else brokers
        self._retry_s = told.retry_s if retry_s is None else retry_s
        self._failed: KafkaError | None = None
        self._linger_ms = linger_ms = told.linger_ms if linger_ms is None else linger_ms
        self._config: dict[str, Any] = {
            **producer_config(brokers),
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,
            "acks": "all",
            "message.timeout.ms": 0,
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": QUEUED_KBYTES,
            "reconnect.backoff.max.ms": 1_000,
            "error_cb": self._error,
        }
        self._producer = Producer({**self._config, "linger.ms": linger_ms}, logger=LOG)

    def linger(self, ms: float) -> None:
        """How long records wait for company from now on; when nothing is queued, for what is queued keeps its order."""
        if ms != self._linger_ms and len(self._producer) == 0 and self._failed is None:
            # librdkafka takes it once, when a producer is made
            self._linger_ms, self._producer = ms, Producer({**self._config, "linger.ms": ms}, logger=LOG)

    def publish(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        timestamp_ms: int | None = None,
        symbol: str | None = None,
        partition: int | None = None,
        hole: bytes | None = None,
    ) -> None:
        """Queue one record; by its key unless a partition is given. `symbol`, `hole` become headers of those names."""
        headers: list[tuple[str, str | bytes | None]] | None = None if symbol is None else [("symbol", symbol.encode())]
        if hole is not None:
            headers = [*(headers or ()), ("hole", hole)]
        stamp = 0 if timestamp_ms is None else timestamp_ms
        where = -1 if partition is None else partition
        waiting_since = None
        while True:
            try:
                self._producer.produce(
                    topic, value, key, where, on_delivery=self._report, timestamp=stamp, headers=headers
                )
                return
            except BufferError:
                waiting_since = waiting_since or time.monotonic()
                self._producer.poll(0.05)
                self._check(waiting_since)
            except KafkaException as error:
                self._give_up(f"{topic}: a record of {len(value or b'')} bytes was not taken: {error.args[0].str()}")

    def poll(self) -> None:
        """Serve delivery reports without waiting; raise what went wrong."""
        self._producer.poll(0)
        self._check(None)

    def flush(self) -> None:
        """Wait until everything queued is acknowledged."""
        since = time.monotonic()
        while self._producer.flush(0.2) > 0:
            self._check(since)
        self._check(None)

    @property
    def complaint(self) -> str:
        """What the brokers last had against this client; nothing while they only take their time."""
        return self._complaints.line() or ""

    def _check(self, since: float | None) -> None:
        if self._failed is not None:
            self._give_up(f"a record was not written: {self._failed.str()}")
        if since is not None and time.monotonic() - since > self._retry_s:
            waiting = len(self._producer)
            why = self._complaints.line() or f"{self._address} acknowledged nothing"
            self._give_up(f"{why} (waited {self._retry_s:.0f} s, {waiting} records wait)")

    def _give_up(self, reason: str) -> None:
        self._producer.purge()
        raise Unreachable(reason)

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = error

    def _error(self, error: KafkaError) -> None:
        self._complaints(error)
        if error.fatal() and self._failed is None:
            self._failed = error
