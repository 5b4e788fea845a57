"""`alphaplus metrics`: the definition of every published number."""

from typing import Annotated

from cyclopts import Parameter

from flows.settings.tree import SettingsError
from flows.tables import TABLES
from schemas.column import Column
from schemas.table import declared


def _lines(column: Column) -> list[str]:
    said = declared(column)
    unit = said.pop("unit", "")
    head = f"  {column.name} [{unit}]: {column.meaning}" if unit else f"  {column.name}: {column.meaning}"
    return [head, *(f"      {name}: {text}" for name, text in said.items())]


def metrics(table: Annotated[str, Parameter(help="only this table")] = "") -> int:
    """Print the definition of every published number: unit, formula, sign, bounds, source, when it is null."""
    chosen = [t for t in TABLES if table in ("", t.name)]
    if not chosen:
        raise SettingsError(f"there is no table {table!r}; there are: {', '.join(t.name for t in TABLES)}")
    for t in chosen:
        print(f"{t.name}  (topic {t.topic}, key {', '.join(t.key)})")
        print("\n".join(line for c in t.columns for line in _lines(c)), end="\n\n")
    return 0
