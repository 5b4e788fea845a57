"""DDL: ClickHouse's statements for a declared table and its dense view.

Rows come as JSONEachRow in which a time is an integer, milliseconds since 1970, UTC: what `DateTime64(3, 'UTC')` keeps,
so nothing is rounded, and twice as fast to read as ISO text. Servers from 26.8 read a bare integer as seconds unless
`input_format_read_datetime_number_as_raw_value` is set; the client path sets it where the server knows it.
"""

from collections.abc import Iterable

from schemas.column import Column, Dtype
from schemas.table import Table, describe

IN_FORCE_MS = 120_000
"""How long a row of a dense table says what is, if no later one comes: two keyframes."""

_TEXT = ("id", "text", "json", "bytes")
"""Units of text with a value of its own in each row; so is what is named `..._id`. Other text has a vocabulary."""
_TYPES: dict[Dtype, str] = {"i8": "Int64", "f8": "Float64", "bool": "Bool", "time": "DateTime64(3, 'UTC')"}
_CODECS: dict[Dtype, str] = {
    "i8": "Delta, ZSTD(1)",
    "f8": "Gorilla, ZSTD(1)",
    "bool": "ZSTD(1)",
    "str": "ZSTD(3)",
    "time": "DoubleDelta, ZSTD(1)",
}
_INGESTED = (
    "`ingested_at` DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC')"
    " COMMENT 'when the store took the row; not part of the record' CODEC(Delta, ZSTD(1))"
)
_SETTINGS = "non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1"


def create_table(table: Table) -> str:
    """The statement; one partition a month of the event time.

    Rows are dropped `ttl_days` after they were *written*: by event time a replay of an old log would be deleted as it
    arrives. A number that is not finite is refused. Tokens of the last 10,000 blocks are remembered, and a block is on
    the disk before it is acknowledged.
    """
    lines = [_line(c) for c in table.columns]
    lines.append(_INGESTED)
    if table.time:
        lines.append(f"INDEX by_time `{table.time}` TYPE minmax GRANULARITY 1")
    if numbers := [c.name for c in table.columns if c.dtype == "f8"]:
        lines.append(f"CONSTRAINT `finite` {finite(numbers)}")
    tail = [
        f"ENGINE = ReplacingMergeTree{f'(`{table.version}`)' if table.version else ''}",
        *([f"PARTITION BY toYYYYMM(`{table.time}`)"] if table.time else []),
        f"ORDER BY ({', '.join(f'`{name}`' for name in table.key)})",
    ]
    if table.ttl_days is not None:
        tail.append(f"TTL toDateTime(`ingested_at`) + INTERVAL {table.ttl_days} DAY DELETE")
    tail.append(f"SETTINGS {_SETTINGS}")
    tail.append(f"COMMENT {_quoted(f'records of the topic {table.topic}')}")
    body = ",\n  ".join(lines)
    return f"CREATE TABLE IF NOT EXISTS `{table.name}` (\n  {body}\n)\n" + "\n".join(tail)


def finite(columns: Iterable[str]) -> str:
    """The check that none of these numbers is infinite or not a number; null is neither.

    One function over an array: a term a column, joined by AND, is planned anew by each insert and took half its time.

    >>> finite(["mid", "ofi"])
    'CHECK arrayAll(x -> ifNull(isFinite(x), true), [`mid`, `ofi`])'
    """
    return f"CHECK arrayAll(x -> ifNull(isFinite(x), true), [{', '.join(f'`{name}`' for name in columns)}])"


def create_dense_view(table: Table) -> str:
    """`<table>_dense`: for each key the row in force at each step of `window_ms`.

    A row is in force from its own time until the next row of its key, but for 120 s at most: nothing is invented
    across an outage. Nor is anything given after the newest row of that `window_ms` in the table, whichever key it is
    of. `in_force_since` is the time of the row itself. ValueError if the table is not dense.
    """
    if not table.dense:
        raise ValueError(f"{table.name} is not dense: each of its rows is an event")
    group = ", ".join(f"`{name}`" for name in table.key if name != table.time)
    at = f"toUnixTimestamp64Milli(`{table.time}`)"
    step = f"fromUnixTimestamp64Milli(_at + _step * `window_ms`, 'UTC') AS `{table.time}`"
    columns = ",\n  ".join(step if c.name == table.time else f"`{c.name}`" for c in table.columns)
    stored = ", ".join(f"`{c.name}`" for c in table.columns if c.name != table.time)
    last = f"least(_next - 1, _at + {IN_FORCE_MS}, greatest(_at, _newest[`window_ms`]))"
    return f"""CREATE VIEW IF NOT EXISTS `{table.name}_dense` AS
WITH (
  SELECT mapFromArrays(groupArray(`window_ms`), groupArray(newest))
  FROM (SELECT `window_ms`, max({at}) AS newest FROM `{table.name}` GROUP BY `window_ms`)
) AS _newest
SELECT
  {columns},
  fromUnixTimestamp64Milli(_at, 'UTC') AS `in_force_since`
FROM (
  SELECT {stored}, {at} AS _at,
    leadInFrame(_at, 1, toInt64({2**62})) OVER (
      PARTITION BY {group} ORDER BY _at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS _next
  FROM `{table.name}` FINAL
)
ARRAY JOIN range(toUInt64(1 + intDivOrZero({last} - _at, `window_ms`))) AS _step"""


def nullable(kind: str) -> str:
    """The type that also holds null.

    >>> nullable("Float64"), nullable("LowCardinality(String)"), nullable("Nullable(Bool)")
    ('Nullable(Float64)', 'LowCardinality(Nullable(String))', 'Nullable(Bool)')
    """
    if "Nullable(" in kind:
        return kind
    if kind.startswith("LowCardinality("):
        return f"LowCardinality({nullable(kind.removeprefix('LowCardinality(').removesuffix(')'))})"
    return f"Nullable({kind})"


def _line(column: Column) -> str:
    if column.dtype == "str":
        free = column.unit in _TEXT or column.name.endswith("_id")
        kind = "String" if free else "LowCardinality(String)"
    else:
        kind = _TYPES[column.dtype]
    kind = nullable(kind) if column.null_when else kind
    return f"`{column.name}` {kind} COMMENT {_quoted(describe(column))} CODEC({_CODECS[column.dtype]})"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
