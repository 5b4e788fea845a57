"""Published: rows on their way out of an operator, as columns, with what makes them records of a topic."""

from collections.abc import Mapping
from dataclasses import dataclass

from operators.contract import Array


@dataclass(frozen=True, slots=True)
class Published:
    """Rows of one table: their record keys (base assets), natural keys, orders within these, and declared columns.

    `at_ms` is the event time for which a row holds (the end of its window), which becomes the record's timestamp.
    """

    table: str
    base: list[str]
    natural: list[str]
    order: list[int]
    at_ms: list[int]
    columns: Mapping[str, Array | list[str]]


def listed(values: Array) -> Array | list[str]:
    """A column as it is published: words as a list."""
    return values.tolist() if values.dtype.kind == "U" else values
