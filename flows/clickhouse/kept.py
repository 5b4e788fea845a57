"""Kept: whether tables hold what their topics hold: every record, once, to the last bit, and nothing else.

The records are inserted a second time, into tables of the same columns in a scratch database, and the two are compared
inside the database. The run may go on meanwhile: what is not stored yet is waited for, and what is stored since the
topics were read is looked for in what they have gained.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from flows.clickhouse.client import ClickHouse
from flows.clickhouse.digest import row_hash
from flows.settings.services import Clickhouse
from schemas.table import Table

BLOCK = 10_000
LOOK_S = 1.0
Record = tuple[str, bytes]
"""The name of a table, and a row of it as its topic has it."""


class Kept:
    """The stored tables of a run, and beside them what its topics hold; made by `beside`."""

    def __init__(self, stored: ClickHouse, scratch: ClickHouse, tables: Iterable[Table], since_ms: int) -> None:
        self._stored, self._scratch = stored, scratch
        self._tables = tuple(tables)
        self._hash = {table.name: row_hash(stored, table.name) for table in self._tables}
        self._rows = {
            t.name: f"`{stored.settings.database}`.`{t.name}` WHERE ingested_at >= fromUnixTimestamp64Milli({since_ms})"
            for t in self._tables
        }
        self._blocks = 0
        for table in self._tables:
            like = f"`{stored.settings.database}`.`{table.name}`"
            scratch.command(f"CREATE TABLE `{table.name}` AS {like} ENGINE = Memory")

    def take(self, records: Iterable[Record]) -> None:
        """Records of the topics."""
        waiting: dict[str, list[bytes]] = defaultdict(list)
        for name, row in records:
            waiting[name].append(row)
            if len(waiting[name]) >= BLOCK:
                self._insert(name, waiting.pop(name))
        for name, rows in waiting.items():
            self._insert(name, rows)

    def _insert(self, table: str, rows: list[bytes]) -> None:
        self._blocks += 1
        self._scratch.insert_block(table, b"\n".join(rows), f"block-{self._blocks}", count=len(rows))

    def counts(self) -> dict[str, int]:
        """How many keys the topics hold, by table."""
        found = {}
        for table in self._tables:
            ((count,),) = self._scratch.rows(f"SELECT uniqExact{_key(table)} FROM `{table.name}`")
            found[table.name] = int(str(count))
        return found

    def differences(self, more: Callable[[], Iterable[Record]], still_s: float) -> dict[str, str]:
        """A line on each table that differs. `more` gives what the topics have gained since they were read."""
        self._wait(still_s)
        found = {}
        for table in self._tables:
            count, first = self.missing(table)
            if count:
                found[table.name] = f"{count} records are not stored, the first is {first}"
        # what is stored while the topics are read once more, and while the tables are compared, is not theirs yet
        ((until_ms,),) = self._stored.rows("SELECT toUnixTimestamp64Milli(now64(3))")
        self.take(more())
        for table in self._tables:
            for what, (count, first) in (("not as the topic has them", self._other(table, int(str(until_ms)))),
                                         ("stored more than once", self._twice(table))):  # fmt: skip
                if count:
                    found.setdefault(table.name, f"{count} stored rows are {what}, the first is {first}")
        return found

    def missing(self, table: Table) -> tuple[int, str]:
        """Keys of the topic that the table lacks."""
        mine, key = f"`{self._scratch.settings.database}`.`{table.name}`", _key(table)
        return self._first(
            f"SELECT DISTINCT {key} AS k FROM {mine} WHERE k NOT IN (SELECT {key} FROM {self._rows[table.name]})"
        )

    def _other(self, table: Table, until_ms: int) -> tuple[int, str]:
        """Rows, stored by a moment before the topics were read for the last time, that no record says."""
        mine, hashed = f"`{self._scratch.settings.database}`.`{table.name}`", self._hash[table.name]
        return self._first(
            f"SELECT {_key(table)} AS k FROM {self._rows[table.name]} "
            f"AND ingested_at <= fromUnixTimestamp64Milli({until_ms}) AND {hashed} NOT IN (SELECT {hashed} FROM {mine})"
        )

    def _twice(self, table: Table) -> tuple[int, str]:
        """Keys that are stored more than once; several versions of one are meant to be."""
        key = f"({', '.join(f'`{name}`' for name in (*table.key, table.version) if name)})"
        return self._first(f"SELECT {key} AS k FROM {self._rows[table.name]} GROUP BY k HAVING count() > 1")

    def _first(self, keys: str) -> tuple[int, str]:
        ((count, first),) = self._stored.rows(f"SELECT count(), toString(min(k)) FROM ({keys})")
        return int(str(count)), str(first)

    def _wait(self, still_s: float) -> None:
        """Until all is stored, or no more comes."""
        left, since_s = -1, time.monotonic()
        while (now := sum(self.missing(table)[0] for table in self._tables)) and time.monotonic() - since_s < still_s:
            if now != left:
                left, since_s = now, time.monotonic()
            time.sleep(LOOK_S)


def _key(table: Table) -> str:
    return f"({', '.join(f'`{name}`' for name in table.key)})"


@contextmanager
def beside(settings: Clickhouse, name: str, tables: Iterable[Table], since_ms: int = 0) -> Iterator[Kept]:
    """A scratch database of this name beside that of the settings, dropped afterwards.

    Only what was stored since a time counts, where a run shares its tables with earlier ones.
    """
    stored, scratch = ClickHouse(settings), ClickHouse(msgspec.structs.replace(settings, database=name))
    stored.command(f"CREATE DATABASE `{name}`")
    try:
        yield Kept(stored, scratch, tables, since_ms)
    finally:
        stored.command(f"DROP DATABASE `{name}`")
        scratch.close()
        stored.close()
