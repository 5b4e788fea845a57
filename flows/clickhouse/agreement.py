"""Agreement: whether a database has every column that will be written to it, of the type that is declared.

A column that is missing would lose its values in silence: a record's fields that a table does not have are passed over,
so that a store may be ahead of its writers. One that is nullable where the declaration is not will do.
"""

from collections.abc import Iterable, Sequence

from schemas.ddl import nullable
from schemas.migration import declared
from schemas.table import Table

COLUMNS = "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()"


def lacks(there: Iterable[tuple[str, ...]], tables: Sequence[Table]) -> str:
    """What is wrong with the columns (table, name, type) that are there; nothing when all is well.

    >>> from schemas.column import Column
    >>> at = Column("at", "time", "when")
    >>> walls = Table("walls", "walls", (at, Column("usd", "f8", "size", "USD")), ("at",), "", None, "at")
    >>> lacks([("walls", "at", "DateTime64(3, 'UTC')"), ("walls", "usd", "Nullable(Float64)")], [walls])
    ''
    >>> lacks([("walls", "at", "Int64")], [walls, walls])
    "walls.at is Int64, not DateTime64(3, 'UTC'), walls.usd is missing"
    """
    types: dict[str, dict[str, str]] = {}
    for table, name, kind in there:
        types.setdefault(table, {})[name] = kind
    wrong: dict[str, None] = {}
    for wanted in tables:
        if wanted.name not in types:
            wrong[f"the table {wanted.name} is missing"] = None
            continue
        for name, column in declared(wanted).columns.items():
            kind = types[wanted.name].get(name, "missing")
            if name != "ingested_at" and kind not in (column.type, nullable(column.type)):
                kind += "" if kind == "missing" else f", not {column.type}"
                wrong[f"{wanted.name}.{name} is {kind}"] = None
    more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    return ", ".join(list(wrong)[:5]) + more
