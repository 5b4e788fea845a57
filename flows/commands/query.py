"""`alphaplus query`: SQL on the embedded store or the configured server."""

import sys
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from cyclopts import Parameter

from flows.clickhouse.client import connect
from flows.commands.options import Data, File, Sets, asked
from flows.commands.reach import of_newest_run, store
from flows.printable import printable
from flows.refusal import Refused
from flows.session.embedded import asking, running_store
from flows.settings.services import Clickhouse
from flows.settings.tree import Settings, SettingsError


def query(
    sql: Annotated[str, Parameter(help="one statement")] = "",
    *,
    url: Annotated[
        bool, Parameter(negative=(), help="print where a running demo's store is read, secret included")
    ] = False,
    format: Annotated[Literal["table", "csv", "json"], Parameter(help="how to print the rows")] = "table",
    null: Annotated[str, Parameter(help="what CSV has for a null; `\\N` is ClickHouse's own")] = "",
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Run one SQL statement and print its rows; works while flows write. On the embedded store it only reads."""
    told = asked(config, set, data)
    if url:
        print(_address(told))
        return 0
    if not sql.strip():
        raise SettingsError("write a statement, or --url")
    with store(told) as reached:
        rows = connect(reached.clickhouse).query(sql, format, null)
    print(shown(rows, format, sys.stdout.isatty()), end="")
    if not rows:
        print("no rows", file=sys.stderr)
    return 0


def shown(rows: str, format: Literal["table", "csv", "json"], terminal: bool) -> str:
    """What is for eyes holds nothing that acts on a terminal; what a file or a program reads stays as it is."""
    return printable(rows, keep="\n\t") if terminal or format == "table" else rows


def _address(told: Settings) -> str:
    """The running embedded store as curl, notebooks and Grafana take it: it reads and cannot write."""
    folder = Path(told.data)
    if told.clickhouse.url:
        raise Refused(f"--url is of the embedded store, and clickhouse.url is {told.clickhouse.url}")
    found = running_store(folder)
    if found is None:
        raise Refused(f"{folder}: no store runs here; `alphaplus demo` and `alphaplus replay` run one while they last")
    reader, place = asking(told.clickhouse, found, folder, reads=True), urlsplit(found)
    database = of_newest_run(told).clickhouse.database
    which = f"?database={quote(database)}" if database != Clickhouse().database else ""
    return f"{place.scheme}://{reader.user}:{reader.password.reveal()}@{place.netloc}/{which}"
