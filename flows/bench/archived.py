"""Archived: feature rows in topics to committed rows in ClickHouse, one process, every row counted in the end."""

from collections.abc import Iterator

from flows.archive import topics
from flows.bench.in_process import batches, feed, opened
from flows.bench.instruments import START_NS
from flows.bench.material import Material
from flows.bench.multiplied import multiplied
from flows.bench.place import place, rate, timed
from flows.bench.result import Result
from flows.bench.size import Size
from flows.clickhouse import connect
from flows.clickhouse_sink import REJECTS
from flows.kafka_producer import Publisher
from flows.migrations import FOLDER, apply_migrations
from flows.refusal import Refused
from flows.rows import records
from flows.settings import Settings
from flows.tables import BY_NAME

RATE_EACH = 2.0
"""Frames a second and instrument: so slow that rows, not frames, are what is made."""


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """A quarter as many rows as frames elsewhere."""
    wanted = max(1_000, size.frames // 4)
    rates = []
    with place(settings, material.venue, "archive") as session:
        told = session.settings
        kafka = told.kafka
        publisher = Publisher(kafka.brokers, kafka.retry_s)
        published = dict.fromkeys(BY_NAME, 0)
        for table, rows in _rows(material, told, size.many):
            for key, value in rows:
                publisher.publish(kafka.prefix + BY_NAME[table].topic, key, value)
            publisher.poll()
            published[table] += len(rows)
            if sum(published.values()) >= wanted:
                break
        publisher.flush()
        session.announce([t for t in topics(told) if t != kafka.prefix + REJECTS])
        client = connect(told.clickhouse)
        apply_migrations(client, FOLDER)
        for n in range(size.repeats):
            for table in BY_NAME:
                client.command(f"TRUNCATE TABLE `{table}`")
            rates.append(rate(timed(session, "archive", f"archive-{n}"), "out"))
            for table, count in published.items():
                ((stored,),) = client.rows(f"SELECT count() FROM `{table}` FINAL")
                if stored != count:
                    raise Refused(f"{table} holds {stored} rows of {count}")
        client.close()
    return [Result("kafka to clickhouse", "archive flow", tuple(rates), "rows/s", ">= 100,000")]


def _rows(material: Material, settings: Settings, instruments: int) -> Iterator[tuple[str, list[tuple[bytes, bytes]]]]:
    """Records of many instruments, second by second, without end."""
    market = opened(material.venue, settings)
    frames = multiplied(material, instruments, RATE_EACH * instruments, START_NS)
    for step in batches(material.venue, frames, settings.source.batch_frames):
        for published in feed(market, [step]):
            yield published.table, records(published, BY_NAME[published.table].columns)
