"""`alphaplus diff`: whether the rows of two runs, deployments or stores are the same, and where not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cyclopts import Parameter
from rich.table import Table as Grid

from flows.clickhouse.client import ClickHouse, connect
from flows.clickhouse.difference import Difference, difference
from flows.commands.options import Data, File, Sets, settings
from flows.commands.printer import Printer
from flows.commands.reach import store
from flows.printable import printable
from flows.refusal import Refused
from flows.settings.services import Clickhouse
from flows.settings.tree import Settings, SettingsError
from flows.tables import BY_NAME, TABLES

WHERE = "a database of the store in the settings, URL/DATABASE, or the data folder of an embedded store[/DATABASE]"


def diff(
    a: Annotated[str, Parameter(help=WHERE)],
    b: Annotated[str, Parameter(help=WHERE)],
    *,
    table: Annotated[tuple[str, ...], Parameter(negative=(), help="only these tables, as often as needed")] = (),
    until: Annotated[datetime | None, Parameter(help="up to this event time, UTC, where a table has one")] = None,
    common: Annotated[
        bool, Parameter(negative=(), help="a column that only one side has is no difference, as after an upgrade")
    ] = False,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Compare every table: rows only in A, only in B, and columns that differ, each with the first key. 1 if any does.

    For two deployments of one input (`kafka.prefix`, `clickhouse.database`) before a cut-over, or two replays.
    """
    for name in table:
        if name not in BY_NAME:
            raise SettingsError(f"there is no table {name!r}; there are: {', '.join(BY_NAME)}")
    told = settings(config, set, data)
    until_ms = None if until is None else int(until.replace(tzinfo=until.tzinfo or UTC).timestamp() * 1e3)
    with _side(told, a) as one, _side(told, b) as other:
        found = [difference(one, other, t, until_ms) for t in TABLES if not table or t.name in table]
    absent = [d for d in found if d.missing == "A and B"]
    if len(absent) == len(found):
        raise Refused(f"neither {a} nor {b} has any of the tables")
    found = [d for d in found if d not in absent]
    say = Printer()
    say.print(grid(found, common))
    lines = [line for d in found for line in told_of(d, common)]
    for line in lines:
        say.print(line, soft_wrap=True)
    if lines:
        more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
        print(printable(f"alphaplus: {lines[0]}{more}"), file=sys.stderr)
    return 1 if lines else 0


@contextmanager
def _side(told: Settings, text: str) -> Iterator[ClickHouse]:
    """One of the two sides."""
    path = Path(text)
    if "://" in text:
        parts = urlsplit(text)
        database = parts.path.strip("/")
        url = f"{parts.scheme}://{parts.netloc}"
        at = msgspec.structs.replace(told.clickhouse, url=url, database=database or told.clickhouse.database)
        asked = msgspec.structs.replace(told, clickhouse=at).check()
    elif (path / "store").is_dir():
        asked = msgspec.structs.replace(told, data=text, clickhouse=Clickhouse())
    elif (path.parent / "store").is_dir() and len(path.parts) > 1:
        at = Clickhouse(database=path.name)
        asked = msgspec.structs.replace(told, data=str(path.parent), clickhouse=at)
    elif len(path.parts) > 1:
        raise Refused(f"{text}: there is no embedded store")
    else:
        at = msgspec.structs.replace(told.clickhouse, database=text)
        asked = msgspec.structs.replace(told, clickhouse=at)
    with store(asked) as reached:
        client = connect(reached.clickhouse)
        try:
            yield client
        finally:
            client.close()


def grid(found: list[Difference], common: bool = False) -> Grid:
    """All tables, for people; `common` as in `told_of`."""
    table = Grid("table", "rows in A", "in B", "only in A", "only in B", "differ", "", box=None, pad_edge=False)
    for column in table.columns[1:6]:
        column.justify = "right"
    for d in found:
        counts = [f"{n:,}" for n in (*d.rows, *d.only, d.differing)]
        table.add_row(d.table, *counts, "DIFFERENT" if told_of(d, common) else "equal")
    return table


def told_of(d: Difference, common: bool = False) -> list[str]:
    """Each difference of a table in a line."""
    if d.missing:
        return [f"{d.table}: {d.missing} has no such table"]
    out = []
    for side, count, first in zip("AB", d.only, d.first_only, strict=True):
        if first is not None:
            out.append(f"{d.table}: {count:,} rows are only in {side}, the first is {_named(first)}")
    if d.differing:
        of = "" if d.looked_at == d.differing else f" (of the first {d.looked_at:,})"
        names = sorted(d.columns.items(), key=lambda item: (-item[1][0], item[0]))
        said = ", ".join(f"{name} in {count:,}, first {_named(key)}" for name, (count, key) in names)
        out.append(f"{d.table}: {d.differing:,} rows differ{of}: {said}")
    for side, names_of in zip("AB", d.one_sided, strict=True):
        if names_of and not common:
            out.append(f"{d.table}: only {side} has the columns {', '.join(names_of)} (--common passes over them)")
    return out


def _named(key: tuple[object, ...]) -> str:
    return "|".join(map(str, key))
