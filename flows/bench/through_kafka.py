"""Through Kafka: raw frames in topics to feature rows in topics, one process, beside a plain loop on the same topics.

Measured in the flow's own process from its first rows, when its code is loaded, to the last acknowledged and committed
one.
"""

import itertools
import time

from flows.bench.alternatives import poll_loop
from flows.bench.in_process import batches, feed, finish, opened
from flows.bench.instruments import START_NS
from flows.bench.material import Material
from flows.bench.multiplied import multiplied
from flows.bench.place import place, publish, rate, raw_topics, timed
from flows.bench.result import Result, ratios
from flows.bench.size import Size
from flows.job_graph import raw_topic
from flows.kafka.topic_making import create_topics
from flows.settings.tree import Settings

RATE = 2_000.0
"""Frames a second of event time: of 20 instruments, about as the captures have them."""
IN_PROCESS = 200_000


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """The flow, the loop and the same work without Kafka, taking turns."""
    ours, loop, pure = [], [], []
    made = multiplied(material, size.instruments, RATE, START_NS)
    with place(settings, material.venue, "kafka") as session:
        told = session.settings
        kafka = told.kafka
        output = f"{kafka.prefix}loop"
        create_topics(kafka, [output], kafka.partitions, forever=True)
        first = list(itertools.islice(made, min(size.frames, IN_PROCESS)))
        steps = list(batches(material.venue, first, told.source.batch_frames))
        publish(told, material, itertools.chain(first, itertools.islice(made, size.frames - len(first))))
        session.announce(raw_topics(told))
        inputs = [kafka.prefix + raw_topic(kind, material.venue.name) for kind in ("depth", "trades")]
        for n in range(size.repeats):
            ours.append(rate(timed(session, "market", f"market-{n}"), "into"))
            read, seconds = poll_loop.run(kafka, inputs, kafka.partitions, output)
            loop.append(read / seconds)
            began = time.perf_counter()
            market = opened(material.venue, told)
            feed(market, steps)
            finish(market)
            pure.append(len(first) / (time.perf_counter() - began))
    row = "kafka to kafka"
    return [
        Result(row, "market flow", tuple(ours), "frames/s"),
        Result(row, "plain loop, dict books", tuple(loop), "frames/s"),
        Result(row, "market flow / plain loop", ratios(ours, loop), "x"),
        Result(row, "in process, same frames", tuple(pure), "frames/s"),
        Result(row, "market flow / in process", ratios(ours, pure), "x", ">= 0.6"),
    ]
