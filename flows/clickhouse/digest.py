"""Digest: whether two tables hold the same rows, to the last bit of every float and whatever their order."""

from flows.clickhouse.client import ClickHouse, StoreError


def row_hash(clickhouse: ClickHouse, table: str) -> str:
    """SQL for a 128-bit hash of a row of a table; StoreError if there is no such table.

    Columns are those that are inserted: what the store adds itself (`ingested_at`) is left out. A row is hashed as its
    columns by name, a number as its eight bytes, a time as milliseconds, text with its length; null is distinct from
    every value.
    """
    found = clickhouse.rows(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
        " AND default_kind IN ('', 'DEFAULT') ORDER BY name",
        table=table,
    )
    if not found:
        raise StoreError(f"there is no table {table}", 60)
    row = ", ".join(f"'{name}', {_exact(f'`{name}`', str(kind))}" for name, kind in found)
    return f"sipHash128(concat({row}))"


def digest(clickhouse: ClickHouse, table: str) -> tuple[int, str]:
    """Number of rows and the sum, modulo 2**128, of the hash of each, as hex; 32 zeros for an empty table.

    Rows are those of FINAL.
    """
    hashed = row_hash(clickhouse, table)
    sql = f"SELECT count(), sum(reinterpretAsUInt128({hashed})) FROM `{table}` FINAL"
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
