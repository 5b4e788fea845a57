"""No flow lets durable data out through a DynamicSink: recovery does not wait for one, so its rows can be lost."""

from collections.abc import Iterator

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink
from bytewax.testing import TestingSink, TestingSource

from flows.archive import PlannedBlocks, archive
from flows.clickhouse.blocks_sink import ClickHouseBlocks
from flows.engine.wiring import flow
from flows.kafka.reader import Kafka
from flows.kafka.rows_sink import KafkaRows
from flows.kafka.source import KafkaShards


def dynamic_outputs(dataflow: Dataflow) -> list[str]:
    """The steps that write to a DynamicSink, substeps included."""

    def walk(steps: list) -> Iterator[str]:
        for step in steps:
            if isinstance(getattr(step, "sink", None), DynamicSink):
                yield step.step_id
            yield from walk(step.substeps)

    return sorted(set(walk(dataflow.substeps)))


def test_the_law_finds_a_dynamic_sink():
    dataflow = Dataflow("leaky")
    op.output("out", op.input("in", dataflow, TestingSource([1])), TestingSink([]))
    assert dynamic_outputs(dataflow) == ["leaky.out"]


def test_a_flow_from_kafka_to_kafka_has_none():
    source, sink = KafkaShards(Kafka("nowhere:9"), ("a",), 1), KafkaRows("nowhere:9", 1)
    dataflow = flow("market", source, [], sink)
    assert dynamic_outputs(dataflow) == []
    assert dataflow.substeps[-1].sink.sealed is sink, "the walk sees sinks at all"


def test_the_archive_has_none():
    source = PlannedBlocks(Kafka("nowhere:9"), ("alerts",), 1, "run")
    sink = ClickHouseBlocks([lambda table, rows, token: None], ValueError, "nowhere:9", 1)
    assert dynamic_outputs(archive(source, sink)) == []
