"""JSON Schema of an output topic, from the declaration of its table."""

from collections.abc import Collection

from schemas.column import Column, Dtype
from schemas.table import Table, describe

_TYPES: dict[Dtype, str] = {"i8": "integer", "f8": "number", "bool": "boolean", "str": "string", "time": "integer"}

_ID = {"type": "string", "description": "natural key and order of the record, by which readers recognise repeats"}


def json_schema(table: Table, first: Collection[str] | None = None) -> dict[str, object]:
    """A record of the topic; times are integer milliseconds since 1970, UTC.

    The columns that the topic began with (`first`, None: all) are in every record. Those that came later are missing
    from the records before, and others may come: readers pass over what they do not know.

    >>> from schemas.column import Column
    >>> at = Column("at", "time", "when")
    >>> json_schema(Table("t", "t", (at,), ("at",), "at", None, "at", False))["properties"]["at"]
    {'type': 'integer', 'description': 'when; milliseconds since 1970, UTC'}
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{table.topic}.json",
        "title": table.topic,
        "type": "object",
        "properties": {"id": _ID, **{column.name: _property(column) for column in table.columns}},
        "required": ["id", *(c.name for c in table.columns if first is None or c.name in first)],
    }


def _property(column: Column) -> dict[str, object]:
    kind = _TYPES[column.dtype]
    text = describe(column) + ("; milliseconds since 1970, UTC" if column.dtype == "time" else "")
    out: dict[str, object] = {"type": [kind, "null"] if column.null_when else kind, "description": text}
    if column.dtype in ("i8", "f8"):
        bounds = {"minimum": column.low, "maximum": column.high}
        out |= {name: bound for name, bound in bounds.items() if bound is not None}
    return out
