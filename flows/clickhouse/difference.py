"""Difference: in what the rows of a table in one database are not those of the same table in another one.

Equal tables are told by their digests, inside the databases. Of others the keys are read in order from both sides, each
with a hash of its row, and of the first rows that differ all values: which columns it is, and where first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flows.clickhouse.client import ClickHouse
from flows.clickhouse.digest import digest, exact_columns, row_hash
from schemas.table import Table

LOOKED_AT = 200
"""Of rows that differ so many are looked at column by column."""
Key = tuple[object, ...]


@dataclass(slots=True)
class Difference:
    """A table of two sides, A and B: how many rows, which keys one alone has, which columns differ and where first."""

    table: str
    rows: tuple[int, int]
    only: tuple[int, int] = (0, 0)
    first_only: tuple[Key | None, Key | None] = (None, None)
    differing: int = 0
    looked_at: int = 0
    columns: dict[str, tuple[int, Key]] = field(default_factory=dict)
    """Column -> in how many of the rows that were looked at, and the first key."""
    one_sided: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    """Columns that only one side has."""
    missing: str = ""
    """The side, or both, that has no such table."""

    @property
    def equal(self) -> bool:
        """Whether the rows are the same, by the columns that were compared."""
        return not (any(self.only) or self.differing or self.missing)


def difference(a: ClickHouse, b: ClickHouse, table: Table, until_ms: int | None = None) -> Difference:
    """Compare a table by the columns that both sides have; `until_ms`: up to an event time, where the table has one."""
    mine, other = exact_columns(a, table.name), exact_columns(b, table.name)
    if not mine or not other:
        return Difference(
            table.name, (0, 0), missing=" and ".join("AB"[i] for i, c in enumerate((mine, other)) if not c)
        )
    common = [name for name in mine if name in other]
    where = f"`{table.time}` <= fromUnixTimestamp64Milli({until_ms})" if table.time and until_ms is not None else ""
    (rows_a, sum_a), (rows_b, sum_b) = (digest(side, table.name, common, where) for side in (a, b))
    found = Difference(table.name, (rows_a, rows_b))
    found.one_sided = [n for n in mine if n not in other], [n for n in other if n not in mine]
    if (rows_a, sum_a) == (rows_b, sum_b):
        return found
    unlike: list[Key] = []
    only = [0, 0]
    first: list[Key | None] = [None, None]
    for key, in_a, in_b in _merged(_keys(a, table, common, where), _keys(b, table, common, where)):
        if in_a and in_b:
            if in_a != in_b:
                found.differing += 1
                unlike += [key] if len(unlike) < LOOKED_AT else []
            continue
        side = 0 if in_a else 1
        only[side] += 1
        first[side] = first[side] if only[side] > 1 else key
    found.only, found.first_only, found.looked_at = (only[0], only[1]), (first[0], first[1]), len(unlike)
    for key in unlike:
        one, two = (_row(side, table, common, key) for side in (a, b))
        for name, x, y in zip(common, one, two, strict=True):
            if x != y:
                count, where_first = found.columns.get(name, (0, key))
                found.columns[name] = count + 1, where_first
    return found


def _key(table: Table) -> list[str]:
    return [
        f"toUnixTimestamp64Milli(`{name}`)" if table.column(name).dtype == "time" else f"`{name}`" for name in table.key
    ]


def _keys(side: ClickHouse, table: Table, columns: Sequence[str], where: str) -> Iterator[tuple[Key, str]]:
    """Keys in order, each with the hash of its row."""
    key = _key(table)
    hashed = row_hash(side, table.name, columns)
    such = f"WHERE {where}" if where else ""
    names = [f"k{i}" for i in range(len(key))]
    asked = ", ".join(f"{k} AS {name}" for k, name in zip(key, names, strict=True))
    sql = f"SELECT {asked}, hex({hashed}) FROM `{table.name}` FINAL {such} ORDER BY {', '.join(names)}"
    for row in side.stream(sql):
        yield row[:-1], str(row[-1])


def _row(side: ClickHouse, table: Table, columns: Sequence[str], key: Key) -> tuple[object, ...]:
    """What a row holds, column by column."""
    exact = exact_columns(side, table.name)
    kinds = {"time": ("Int64", "fromUnixTimestamp64Milli({})"), "str": ("String", "{}")}
    such, given = [], {}
    for i, (name, value) in enumerate(zip(table.key, key, strict=True)):
        kind, form = kinds.get(table.column(name).dtype, ("Int64", "{}"))
        such.append(f"`{name}` = {form.format(f'{{k{i}:{kind}}}')}")
        given[f"k{i}"] = value
    asked = ", ".join(f"hex({exact[name]})" for name in columns)
    (row,) = side.rows(f"SELECT {asked} FROM `{table.name}` FINAL WHERE {' AND '.join(such)}", **given)
    return row


def _merged(a: Iterator[tuple[Key, str]], b: Iterator[tuple[Key, str]]) -> Iterator[tuple[Key, str, str]]:
    """Two sides in the order of their keys, "" where one has none."""
    x, y = next(a, None), next(b, None)
    while x is not None or y is not None:
        if y is None or (x is not None and x[0] < y[0]):
            assert x is not None
            yield x[0], x[1], ""
            x = next(a, None)
        elif x is None or y[0] < x[0]:
            yield y[0], "", y[1]
            y = next(b, None)
        else:
            yield x[0], x[1], y[1]
            x, y = next(a, None), next(b, None)
