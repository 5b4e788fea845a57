"""Archived: feature rows in topics to committed rows in ClickHouse, one process, every row counted in the end.

Beside it the bound: ClickHouse merely storing the same bytes, in blocks as large and as many at a time.
"""

import threading
import time
from collections.abc import Iterator

from flows.archive import BlockSize, topics
from flows.bench.in_process import batches, feed, opened
from flows.bench.instruments import START_NS
from flows.bench.material import Material
from flows.bench.multiplied import multiplied
from flows.bench.place import Sample, place, timed
from flows.bench.result import Result, ratios
from flows.bench.size import Size
from flows.clickhouse import leases
from flows.clickhouse.blocks_sink import REJECTS
from flows.clickhouse.client import ClickHouse, connect
from flows.clickhouse.migrations import FOLDER, apply_migrations
from flows.engine.json_rows import records
from flows.kafka.prefix_publisher import Publisher
from flows.refusal import Refused
from flows.settings.tree import Settings
from flows.tables import BY_NAME

RATE_EACH = 2.0
"""Frames a second and instrument: so slow that rows, not frames, are what is made."""


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """A quarter as many rows as frames elsewhere."""
    wanted = max(1_000, size.frames // 4)
    ours, bound = [], []
    with place(settings, material.venue, "archive") as session:
        told = session.settings
        kafka = told.kafka
        publisher = Publisher(kafka, kafka.retry_s)
        made: dict[str, list[bytes]] = {name: [] for name in BY_NAME}
        for table, rows in _rows(material, told, size.many):
            for key, value in rows:
                publisher.publish(kafka.prefix + BY_NAME[table].topic, key, value)
            publisher.poll()
            made[table] += [value for _, value in rows]
            if sum(map(len, made.values())) >= wanted:
                break
        publisher.flush()
        session.announce([t for t in topics(told) if t != kafka.prefix + REJECTS])
        client = connect(told.clickhouse)
        apply_migrations(client, FOLDER)

        def stored_exactly() -> None:
            for table, rows in made.items():
                ((stored,),) = client.rows(f"SELECT count() FROM `{table}` FINAL")
                if stored != len(rows):
                    raise Refused(f"{table} holds {stored} rows of {len(rows)}")
                client.command(f"TRUNCATE TABLE `{table}`")
            client.command(f"TRUNCATE TABLE `{leases.NAME}`")

        for n in range(size.repeats):
            ours.append(_rate(timed(session, "archive", f"archive-{n}")))
            stored_exactly()
            blocks = list(_blocks(made, BlockSize(rows=told.clickhouse.block_rows)))
            bound.append(sum(map(len, made.values())) / _insert_s(told, blocks, f"bound-{n}"))
            stored_exactly()
        client.close()
    row = "kafka to clickhouse"
    return [
        Result(row, "archive flow", tuple(ours), "rows/s", ">= 100,000"),
        Result(row, "ClickHouse, storing only", tuple(bound), "rows/s"),
        Result(row, "archive flow / storing only", ratios(ours, bound), "x"),
    ]


def _rate(samples: list[Sample]) -> float:
    """Rows a second from the first that was read until all were stored, the epoch that plans the first blocks included.

    >>> _rate([Sample(0, 0, 0), Sample(1, 5, 0), Sample(3, 8, 4), Sample(5, 8, 8), Sample(7, 8, 8)])
    2.0
    """
    began = next(s.at_s for s in samples if s.into > 0)
    stored = next(s.at_s for s in samples if s.out == samples[-1].out)
    return samples[-1].out / (stored - began)


def _blocks(made: dict[str, list[bytes]], size: BlockSize) -> Iterator[tuple[str, bytes]]:
    """Table and lines of every block."""
    for table, rows in made.items():
        block: list[bytes] = []
        held = 0
        for value in rows:
            if block and (len(block) == size.rows or held + len(value) > size.bytes):
                yield table, b"\n".join(block)
                block, held = [], 0
            block.append(value)
            held += len(value)
        if block:
            yield table, b"\n".join(block)


def _insert_s(settings: Settings, blocks: list[tuple[str, bytes]], token: str) -> float:
    """Seconds until all blocks are stored."""
    left = list(enumerate(blocks))

    def work() -> None:
        clickhouse = ClickHouse(settings.clickhouse)
        while left:
            n, (table, rows) = left.pop()
            clickhouse.insert_block(table, rows, f"{token}-{n}")
        clickhouse.close()

    threads = [threading.Thread(target=work) for _ in range(settings.clickhouse.inserts)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def _rows(material: Material, settings: Settings, instruments: int) -> Iterator[tuple[str, list[tuple[bytes, bytes]]]]:
    """Records of many instruments, second by second, without end."""
    market = opened(material.venue, settings)
    frames = multiplied(material, instruments, RATE_EACH * instruments, START_NS)
    for step in batches(material.venue, frames, settings.source.batch_frames):
        for published in feed(market, [step]):
            yield published.table, records(published, BY_NAME[published.table].columns)
