"""Raw topics that others write: compressed, in transactions of which some are aborted, without keys, with tombstones."""

import itertools

import pytest
from confluent_kafka import Producer

from flows.clickhouse.client import connect
from flows.kafka.connection import producer_config
from flows.kafka.partitioner import partition_of
from tests.faults.outage import SETS
from tests.faults.replaying import differences, run, running, services, settings_for, simulated

pytestmark = pytest.mark.services

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
AT_ONCE = 200
"""Records of a transaction."""


class Foreign:
    """Another's producer in the place of ours: each transaction once aborted and then committed, a codec each in turn."""

    def __init__(self, kafka, transactions):
        told = {k: v for k, v in producer_config(kafka).items() if k != "compression.type"}
        self._partitions, self._transactions, self.codecs = kafka.partitions, transactions, set()
        self.tombstones = 0
        self._producers = [
            (
                codec,
                Producer(told | {"compression.type": codec, "enable.idempotence": True} | self._called(kafka, codec)),
            )
            for codec in CODECS
        ]
        for _, producer in self._producers if transactions else ():
            producer.init_transactions(30.0)
        self._turn = itertools.cycle(self._producers)
        self._held = []

    def _called(self, kafka, codec):
        return {"transactional.id": f"{kafka.prefix}{codec}"} if self._transactions else {}

    def publish(self, topic, key, value, timestamp_ms, symbol=None):
        self._held.append((topic, key, value, timestamp_ms, symbol))
        if len(self._held) == AT_ONCE:
            self.flush()

    def poll(self): ...

    def flush(self):
        held, self._held = self._held, []
        if not held:
            return
        codec, producer = next(self._turn)
        self.codecs.add(codec)
        said = self.tombstones
        if self._transactions:
            producer.begin_transaction()
            self._write(producer, held)
            producer.flush(30.0)
            producer.abort_transaction(30.0)
            self.tombstones = said
            producer.begin_transaction()
        self._write(producer, held)
        if self._transactions:
            producer.commit_transaction(30.0)
        assert producer.flush(30.0) == 0

    def _write(self, producer, records):
        for n, (topic, key, value, stamp, symbol) in enumerate(records):
            headers = [("other", b"header"), *([] if symbol is None else [("symbol", symbol.encode())])]
            where = partition_of(key, self._partitions)
            raw = ".raw." in topic
            producer.produce(topic, value, None if raw else key, where, timestamp=stamp, headers=headers)
            if raw and n % 100 == 0:
                producer.produce(topic, None, b"gone", where, timestamp=stamp)
                self.tombstones += 1
            producer.poll(0)


OFFSETS = "rejects", "liquidations"
"""Tables whose rows say at which offset of a raw topic they stand."""
LIQUIDATIONS = """SELECT symbol, event_time, order_side, qty_base, price, notional_usd, nth FROM liquidations FINAL
ORDER BY ALL"""


@pytest.fixture(scope="module")
def items():
    return simulated(seconds=60, disturbed=True)


def test_frames_of_foreign_producers_count_once_however_they_are_written(broker, tmp_path, items):
    with services(tmp_path, broker.bootstrap) as session:
        told, straight = (settings_for(session.settings, SETS) for _ in range(2))
        expected = run(straight, items)
        with running(told) as under_way:
            under_way.publisher = Foreign(told.kafka, transactions=broker.durable)
            under_way.publish(items)
            under_way.settle()
            found = under_way.stored()
        liquidations = [connect(each.clickhouse).rows(LIQUIDATIONS) for each in (straight, told)]
    assert under_way.publisher.codecs == set(CODECS)
    assert differences({n: t for n, t in expected.items() if n not in OFFSETS}, found) == []
    assert liquidations[0] == liquidations[1] and liquidations[0]
    # a record without a value is no frame, and its key none of ours
    assert found["rejects"].rows == expected["rejects"].rows + under_way.publisher.tombstones
    assert under_way.publisher.tombstones > 10
