"""Digest: whether two tables hold the same rows, to the last bit of every float and whatever their order."""

from collections.abc import Sequence

from flows.clickhouse.client import ClickHouse, StoreError


def exact_columns(clickhouse: ClickHouse, table: str) -> dict[str, str]:
    """The columns of a table that are inserted, by name, each with the SQL for what it holds; none without the table.

    A number is its eight bytes, a time milliseconds, text comes with its length; null is distinct from every value.
    What the store adds itself (`ingested_at`) is left out.
    """
    found = clickhouse.rows(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
        " AND default_kind IN ('', 'DEFAULT') ORDER BY name",
        table=table,
    )
    return {str(name): _exact(f"`{name}`", str(kind)) for name, kind in found if name != "ingested_at"}


def row_hash(clickhouse: ClickHouse, table: str, columns: Sequence[str] | None = None) -> str:
    """SQL for a 128-bit hash of a row of a table, of all its columns or of some; StoreError if there is no such table.

    A row is hashed as its columns by name.
    """
    found = exact_columns(clickhouse, table)
    if not found:
        raise StoreError(f"there is no table {table}", 60)
    row = ", ".join(f"'{name}', {found[name]}" for name in found if columns is None or name in columns)
    return f"sipHash128(concat({row}))"


def digest(
    clickhouse: ClickHouse, table: str, columns: Sequence[str] | None = None, where: str = ""
) -> tuple[int, str]:
    """Number of rows and the sum, modulo 2**128, of the hash of each, as hex; 32 zeros for an empty table.

    Rows are those of FINAL, all of them or those `where` says.
    """
    hashed = row_hash(clickhouse, table, columns)
    such = f" WHERE {where}" if where else ""
    sql = f"SELECT count(), sum(reinterpretAsUInt128({hashed})) FROM `{table}` FINAL{such}"
    ((rows, total),) = clickhouse.rows(sql)
    assert isinstance(rows, int) and isinstance(total, int)
    return rows, f"{total % 2**128:032x}"


def _exact(column: str, kind: str) -> str:
    """SQL for the text that says what a value is, exactly."""
    bare = kind
    for wrapping in ("LowCardinality(", "Nullable("):
        if bare.startswith(wrapping):
            bare = bare.removeprefix(wrapping).removesuffix(")")
    value = f"assumeNotNull({column})"
    if bare in ("Float64", "Int64"):
        text = f"'=', reinterpretAsFixedString({value})"
    elif bare.startswith("DateTime64"):
        text = f"'=', reinterpretAsFixedString(toUnixTimestamp64Milli({value}))"
    else:
        text = f"toString(length(toString({value}))), ':', toString({value})"
    return f"if(isNull({column}), '!', concat({text}))"
