"""Place: a broker, a store and topics of its own for one row that goes through Kafka, and what runs there."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from flows import market
from flows.bench.material import KINDS, Material
from flows.captures.capture import Recorded
from flows.job_graph import raw_topic
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics, delete_topics
from flows.session.session import Session
from flows.session.supervisor import Child
from flows.settings.tree import Settings
from flows.topic_names import every_topic
from schemas.venue import Venue


@contextmanager
def place(base: Settings, venue: Venue, row: str) -> Iterator[Session]:
    """A session on topics that nobody else uses; on brokers that are not ours they are deleted afterwards."""
    prefix = f"{base.kafka.prefix}bench-{row}-{time.time_ns():x}."
    kafka = msgspec.structs.replace(base.kafka, prefix=prefix)
    with Session(
        msgspec.structs.replace(base, kafka=kafka, market=base.market.only([venue.name])), f"bench-{row}"
    ) as session:
        told = session.settings
        topics = every_topic(told)
        create_topics(told.kafka, topics, told.kafka.partitions, forever=True)
        try:
            yield session
        finally:
            session.supervisor.stop(*[n for n, c in session.supervisor.children.items() if c.keep])
            if "broker" not in session.embedded:
                delete_topics(told.kafka, topics)


def raw_topics(settings: Settings) -> list[str]:
    """All raw topics of the venue, those without frames too."""
    return list(market.topics(settings))


def empty_topics(settings: Settings) -> list[str]:
    """The raw topics of kinds that are not measured."""
    return [topic for topic, (_, kind) in market.topics(settings).items() if kind not in KINDS]


def publish(settings: Settings, material: Material, frames: Iterable[Recorded]) -> int:
    """Write frames to their raw topics as fast as it goes; how many."""
    publisher = Publisher(settings.kafka, settings.kafka.retry_s)
    venue, count = material.venue, 0
    for count, frame in enumerate(frames, 1):
        assert frame.kind is not None and frame.symbol is not None
        topic = settings.kafka.prefix + raw_topic(frame.kind, venue.name)
        key = venue.base(frame.symbol).encode()
        named = None if frame.named else frame.symbol
        publisher.publish(topic, key, frame.data, frame.received_ns // 1_000_000, named)
        if count % 10_000 == 0:
            publisher.poll()
    publisher.flush()
    return count


class Sample(NamedTuple):
    """Since the process began to read: seconds, what went in (frames) and what came out (rows)."""

    at_s: float
    into: float
    out: float


def timed(session: Session, flow: str, name: str) -> list[Sample]:
    """Run a flow over its bounded topics in a process of its own; what it told, the last sample being its end."""
    out = session.folder / f"{name}.samples.json"
    given = ["--settings", str(session.file), "--recovery", str(session.folder / "recovery" / name)]
    given += ["--ends", str(session.ends), "--out", str(out)]
    child = session.supervisor.start(name, "flows.bench.timed", flow, *given, keep=False)
    session.supervisor.wait(lambda: child.finished)
    return [Sample(*s) for s in json.loads(out.read_bytes())]


def rate(samples: list[Sample], amount: str) -> float:
    """Amount (`into` or `out`) a second from the first rows on, when all code is loaded, to the last commit."""
    last = samples[-1]
    warm = next((s for s in samples if s.out > 0 and getattr(s, amount) < getattr(last, amount)), samples[0])
    return float((getattr(last, amount) - getattr(warm, amount)) / (last.at_s - warm.at_s))


def start_flow(session: Session, flow: str, name: str, recovery: str, *, bounded: bool) -> Child:
    """The command `run` as a process that is not restarted when it dies."""
    given = ["--settings", str(session.file), "--recovery", str(session.folder / "recovery" / recovery)]
    more = ["--ends", str(session.ends)] if bounded else []
    return session.supervisor.start(name, "flows", "run", flow, *given, *more, keep=False)


def end(session: Session, name: str, *, kill: bool = False) -> None:
    """End a process that `start_flow` started, and forget it."""
    child = session.supervisor.children.pop(name)
    if kill:
        child.process.kill()
        child.process.wait()
    else:
        session.supervisor.children[name] = child
        session.supervisor.stop(name)
        del session.supervisor.children[name]
