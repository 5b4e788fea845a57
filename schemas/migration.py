"""Migration: what numbered migrations add up to, and the statements that bring it to today's declarations.

Columns, tables and dense views are only ever added. A column that a table did not begin with is nullable in the store
whatever is declared of it: rows from before it have no value, and zero would be a lie. A key may grow at its end by
such columns, which then are not nullable.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.ddl import create_dense_view, create_table, nullable
from schemas.table import Table

_COLUMN = re.compile(r"`(\w+)` (.+?) COMMENT ('(?:[^'\\]|\\.)*') (CODEC\(.+\))")
_CREATE = re.compile(r"CREATE TABLE IF NOT EXISTS `(\w+)` \(\n(.+?)\n\)\n(.+)", re.DOTALL)
_VIEW = re.compile(r"CREATE (?:OR REPLACE VIEW|VIEW IF NOT EXISTS) `(\w+)_dense` AS\n(.+)", re.DOTALL)
_ALTER = re.compile(r"ALTER TABLE `(\w+)`\n(.+)", re.DOTALL)
_ADD = re.compile(r"ADD COLUMN IF NOT EXISTS (.+) AFTER `\w+`")
_SAY = re.compile(r"COMMENT COLUMN IF EXISTS `(\w+)` ('(?:[^'\\]|\\.)*')")
_ORDER = re.compile(r"ORDER BY \((.+)\)")
_REORDER = re.compile(r"MODIFY ORDER BY \((.+)\)")
_UNCHECK = "DROP CONSTRAINT IF EXISTS `finite`"
_CHECK = re.compile(r"(?:ADD CONSTRAINT IF NOT EXISTS|CONSTRAINT) `?finite`? (CHECK .+)")


class Incompatible(ValueError):
    """A declaration takes something back that is published; the message is one line and says what to do."""


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column as a statement makes it."""

    type: str
    comment: str
    codec: str


@dataclass(slots=True)
class StoredTable:
    """A table as statements made it.

    `finite` is the check of its numbers, `first` the columns that it began with, `rest` what no statement changes.
    """

    columns: dict[str, StoredColumn]
    finite: str
    rest: tuple[str, ...]
    first: tuple[str, ...]
    view: str = ""


@dataclass(slots=True)
class Store:
    """All tables that statements add up to."""

    tables: dict[str, StoredTable] = field(default_factory=dict)

    def apply(self, statement: str) -> None:
        """Take in one statement of those that are made here; ValueError for any other."""
        if found := _CREATE.fullmatch(statement):
            self.tables.setdefault(found[1], _read(found))
        elif found := _VIEW.fullmatch(statement):
            self.tables[found[1]].view = found[2]
        elif found := _ALTER.fullmatch(statement):
            for line in found[2].split("\n"):
                self._alter(self.tables[found[1]], line.strip().rstrip(","))
        else:
            raise ValueError(f"a migration has a statement that is not understood: {statement.splitlines()[0]}")

    def _alter(self, table: StoredTable, action: str) -> None:
        if (found := _ADD.fullmatch(action)) and (line := _COLUMN.fullmatch(found[1])):
            table.columns.setdefault(line[1], StoredColumn(line[2], line[3], line[4]))
        elif found := _SAY.fullmatch(action):
            was = table.columns[found[1]]
            table.columns[found[1]] = StoredColumn(was.type, found[2], was.codec)
        elif found := _CHECK.fullmatch(action):
            table.finite = found[1]
        elif action == _UNCHECK:
            table.finite = ""
        elif found := _REORDER.fullmatch(action):
            table.rest = _reordered(table.rest, found[1])
        else:
            raise ValueError(f"a migration has an action that is not understood: {action}")


def added_up(statements: Iterable[str]) -> Store:
    """What the statements make of nothing."""
    store = Store()
    for statement in statements:
        store.apply(statement)
    return store


def steps(store: Store, tables: Iterable[Table]) -> list[str]:
    """The statements after which the store holds what is declared; each may run twice. Incompatible if none do."""
    declared = {table.name: table for table in tables}
    for name in store.tables:
        if name not in declared:
            raise Incompatible(f"{name} is no longer declared: a published table stays, declare it again")
    out = []
    for name, table in declared.items():
        there = store.tables.get(name)
        out += _made(table) if there is None else _brought_up(there, table)
    return out


def _made(table: Table) -> list[str]:
    return [create_table(table), *([create_dense_view(table)] if table.dense else [])]


def _brought_up(there: StoredTable, table: Table) -> list[str]:
    wanted = declared(table)
    grown = _added_to_key(there, wanted)
    if there.rest != wanted.rest and not grown:
        raise Incompatible(
            f"{table.name}: its key, version, time or lifetime is declared otherwise than published:"
            " declare a new table"
        )
    for name in there.columns:
        if name not in wanted.columns:
            raise Incompatible(
                f"{table.name}.{name} is no longer declared: a published column stays, declare it again (null where"
                " nothing computes it any more)"
            )
    actions, before = [], ""
    for name, column in wanted.columns.items():
        stored = there.columns.get(name)
        kind = column.type if name in (*there.first, *_keys(wanted)) else nullable(column.type)
        if stored is None:
            if not before:
                raise Incompatible(f"{table.name}.{name}: a new column cannot be the first one")
            actions.append(
                f"ADD COLUMN IF NOT EXISTS `{name}` {kind} COMMENT {column.comment} {column.codec} AFTER `{before}`"
            )
        elif (stored.type, stored.codec) != (kind, column.codec):
            raise Incompatible(
                f"{table.name}.{name} is published as {stored.type} and declared as {kind}: a published column keeps"
                " its type and whether it can be null, declare a new one of another name"
            )
        elif stored.comment != column.comment:
            actions.append(f"COMMENT COLUMN IF EXISTS `{name}` {column.comment}")
        before = name
    if wanted.finite != there.finite:
        actions += [_UNCHECK, f"ADD CONSTRAINT IF NOT EXISTS `finite` {wanted.finite}"]
    if grown:
        actions.append(f"MODIFY ORDER BY ({', '.join(f'`{name}`' for name in _keys(wanted))})")
    out = [f"ALTER TABLE `{table.name}`\n  " + ",\n  ".join(actions)] if actions else []
    if wanted.view != there.view:
        if not wanted.view:
            raise Incompatible(f"{table.name} is no longer declared dense: a published view stays")
        out.append(f"CREATE OR REPLACE VIEW `{table.name}_dense` AS\n{wanted.view}")
    return out


def _keys(table: StoredTable) -> list[str]:
    found = _ORDER.search(table.rest[0])
    return re.findall(r"`(\w+)`", found[1]) if found else []


def _reordered(rest: tuple[str, ...], order: str) -> tuple[str, ...]:
    return _ORDER.sub(f"ORDER BY ({order})", rest[0], count=1), *rest[1:]


def _added_to_key(there: StoredTable, wanted: StoredTable) -> list[str]:
    """The new columns at the end of the key, where nothing else differs: rows from before hold their empty value."""
    had, keys = _keys(there), _keys(wanted)
    new = keys[len(had) :]
    order = ", ".join(f"`{name}`" for name in keys)
    fits = keys[: len(had)] == had and all(name not in there.columns for name in new)
    return new if fits and _reordered(there.rest, order) == wanted.rest else []


def declared(table: Table) -> StoredTable:
    """A table as its declaration alone would make it."""
    store = added_up(_made(table))
    return store.tables[table.name]


def _read(found: re.Match[str]) -> StoredTable:
    """A table from its CREATE statement."""
    columns: dict[str, StoredColumn] = {}
    finite = ""
    rest = [found[3]]
    for line in found[2].split("\n"):
        text = line.strip().rstrip(",")
        if column := _COLUMN.fullmatch(text):
            columns[column[1]] = StoredColumn(column[2], column[3], column[4])
        elif check := _CHECK.fullmatch(text):
            finite = check[1]
        else:
            rest.append(text)
    return StoredTable(columns, finite, tuple(rest), tuple(columns))
