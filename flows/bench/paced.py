"""Paced: frames into the raw topics at the pace of the wall clock, and when each window's last frame was in the log.

It is in the log when the broker has acknowledged it: what waits in this process is not the flow's delay.

`python -m flows.bench.paced --settings FILE --instruments N --per-s R --seconds S --out FILE [VENUE=FILE ...]` writes
`{kind: {base: [[k, ns], ...]}}`: when the log had the first frame whose time is at least `k * base_ms + lateness_ms`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from flows.bench.material import Material, materials
from flows.bench.multiplied import SECOND_NS, multiplied
from flows.bench.place import raw_topics
from flows.job_graph import raw_topic
from flows.kafka.connection import producer_config
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.written_marks import Marks
from flows.refusal import Unreachable
from flows.session.supervisor import end_with_parent
from flows.settings.sources import environment, load
from flows.settings.tree import Settings

Closing = dict[str, dict[str, list[tuple[int, int]]]]
Headers = list[tuple[str, str | bytes | None]] | None
NAP_S = 0.001
LEAST_LINGER_MS = 5.0
"""What Kafka's clients do unless told otherwise: a request a few frames would be measuring broker and load."""


class Clocked:
    """When the broker had acknowledged the first frame whose time passes each `k`, by kind and base."""

    def __init__(self) -> None:
        self.closing: Closing = {"depth": {}, "trades": {}}
        self._reached: dict[tuple[str, str], int] = {}

    def report(self, kind: str, base: str, k: int) -> Callable[[KafkaError | None, Message], None] | None:
        """What to call when a frame that passes `k` is delivered; None where another one did before."""
        if self._reached.get((kind, base), -1) >= k:
            return None
        self._reached[kind, base] = k

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise Unreachable(f"a frame was not written: {error.str()}")
            self.closing[kind].setdefault(base, []).append((k, time.time_ns()))

        return delivered


def publish(settings: Settings, material: Material, instruments: int, per_s: float, seconds: float) -> Closing:
    """Publish each frame when it is due."""
    producer = Producer(
        {
            **producer_config(settings.kafka),
            "enable.idempotence": True,
            "linger.ms": max(LEAST_LINGER_MS, settings.kafka.linger_ms),
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    venue, prefix, windows = material.venue, settings.kafka.prefix, settings.windows
    start_ns = (time.time_ns() // SECOND_NS + 2) * SECOND_NS
    clocked = Clocked()
    kafka = settings.kafka
    marks = Marks(Publisher(kafka), raw_topics(settings), kafka.partitions, kafka.mark_ms, windows)
    keys: dict[str, str] = {}
    for count, frame in enumerate(multiplied(material, instruments, per_s, start_ns)):
        if frame.received_ns > start_ns + seconds * SECOND_NS:
            break
        while frame.received_ns > time.time_ns():
            producer.poll(NAP_S)
        assert frame.kind is not None and frame.symbol is not None
        key = keys.get(frame.symbol) or keys.setdefault(frame.symbol, venue.base(frame.symbol))
        ms = frame.received_ns // 1_000_000
        marks.come_to(ms)
        report = clocked.report(frame.kind, key, (ms - windows.lateness_ms) // windows.base_ms)
        headers: Headers = None if frame.named else [("symbol", frame.symbol.encode())]
        topic = prefix + raw_topic(frame.kind, venue.name)
        producer.produce(topic, frame.data, key.encode(), timestamp=ms, headers=headers, on_delivery=report)
        marks.wrote(key.encode(), ms)
        if count % 256 == 0:
            producer.poll(0)
    if producer.flush(30.0):
        raise Unreachable("the broker did not take all frames")
    return clocked.closing


def main() -> int:
    """As a process."""
    parser = argparse.ArgumentParser(prog="python -m flows.bench.paced", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--instruments", type=int, required=True)
    parser.add_argument("--per-s", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("spec", nargs="*")
    given = parser.parse_args()
    end_with_parent()
    (material,) = materials(given.spec)
    closing = publish(load(given.settings, environment()), material, given.instruments, given.per_s, given.seconds)
    given.out.write_text(json.dumps(closing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
