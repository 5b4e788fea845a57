"""JSON Schema of an output topic, from the declaration of its table."""

from schemas.column import Column, Dtype
from schemas.table import Table, describe

_TYPES: dict[Dtype, str] = {"i8": "integer", "f8": "number", "bool": "boolean", "str": "string", "time": "integer"}

_ID = {"type": "string", "description": "natural key and order of the record, by which readers recognise repeats"}


def json_schema(table: Table) -> dict[str, object]:
    """A record of the topic; times are integer milliseconds since 1970, UTC, and every column is there.

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
        "required": ["id", *(column.name for column in table.columns)],
        "additionalProperties": False,
    }


def _property(column: Column) -> dict[str, object]:
    kind = _TYPES[column.dtype]
    text = describe(column) + ("; milliseconds since 1970, UTC" if column.dtype == "time" else "")
    out: dict[str, object] = {"type": [kind, "null"] if column.null_when else kind, "description": text}
    if column.dtype in ("i8", "f8"):
        bounds = {"minimum": column.low, "maximum": column.high}
        out |= {name: bound for name, bound in bounds.items() if bound is not None}
    return out
