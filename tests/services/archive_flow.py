"""The archive into a fake ClickHouse on SQLite; run as a process by the tests.

The fake stores a block and its token in one transaction and drops a block whose token it has, as ClickHouse does; but
it also remembers the bytes and refuses, for ever, a token that comes with others. Now and then it dies by itself,
before or after the commit.
"""

import hashlib
import json
import os
import random
import signal
import sqlite3
import sys
from pathlib import Path

from flows.archive import BlockSize, PlannedBlocks, archive
from flows.clickhouse.blocks_sink import ClickHouseBlocks
from flows.engine.runner import run
from flows.kafka.reader import Kafka
from flows.recovery.directory import Recovery


class BadBlock(Exception):
    """A row that does not parse."""


class FakeClickHouse:
    def __init__(self, path: str, deaths: float, seed: int) -> None:
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE IF NOT EXISTS blocks (token TEXT PRIMARY KEY, digest TEXT, repeats INT)")
        self.database.execute("CREATE TABLE IF NOT EXISTS stored (name TEXT, value BLOB)")
        self.attempts = Path(f"{path}.attempts").open("a")  # noqa: SIM115
        self.deaths = deaths
        self.chance = random.Random(seed)

    def insert(self, table: str, rows: bytes, token: str, count: int) -> None:
        values = rows.split(b"\n")
        if any(b"unparsable" in v for v in values):
            raise BadBlock("a row does not parse")
        self.attempts.write(".")
        self.attempts.flush()
        digest = hashlib.sha256(table.encode() + rows).hexdigest()
        known = self.database.execute("SELECT digest FROM blocks WHERE token = ?", (token,)).fetchone()
        if known is not None and known[0] != digest:
            raise AssertionError(f"token {token} came again with other rows")
        self.perhaps_die()
        self.database.execute("BEGIN IMMEDIATE")
        if known is None:
            self.database.execute("INSERT INTO blocks VALUES (?, ?, 0)", (token, digest))
            self.database.executemany("INSERT INTO stored VALUES (?, ?)", [(table, v) for v in values])
        else:
            self.database.execute("UPDATE blocks SET repeats = repeats + 1 WHERE token = ?", (token,))
        self.database.execute("COMMIT")
        self.perhaps_die()

    def perhaps_die(self) -> None:
        if self.chance.random() < self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)


def main(setting: dict) -> int:
    recovery = Recovery(Path(setting["directory"]))
    source = PlannedBlocks(
        Kafka(setting["brokers"], buffer_bytes=setting.get("buffer_bytes", 64 << 20)),
        tuple(setting["topics"]),
        setting["partitions"],
        recovery.run_id,
        size=BlockSize(setting["rows"]),
        ends=Path(setting["ends"]),
        own=(setting["rejects"],),
    )
    fakes = [FakeClickHouse(setting["store"], setting["deaths"], setting["seed"] + i) for i in range(2)]
    sink = ClickHouseBlocks(
        [f.insert for f in fakes], BadBlock, setting["brokers"], setting["partitions"], setting["rejects"]
    )
    identity = {"topics": list(source.topics), "partitions": source.partitions, "share": list(source.share)}
    return run(archive(source, sink), recovery, identity, source.stopping, setting.get("epoch_ms", 50))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
