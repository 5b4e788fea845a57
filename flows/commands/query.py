"""`alphaplus query`: SQL on the embedded store or the configured server."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from flows.clickhouse.client import connect
from flows.commands.options import Data, File, Sets, settings
from flows.refusal import Refused
from flows.session import Session, running_store


def query(
    sql: Annotated[str, Parameter(help="one statement")],
    *,
    format: Annotated[Literal["table", "csv", "json"], Parameter(help="how to print the rows")] = "table",
    null: Annotated[str, Parameter(help="what CSV has for a null; `\\N` is ClickHouse's own")] = "",
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Run one SQL statement and print its rows; works while flows write."""
    told = settings(config, set, data)
    folder = Path(told.data)
    if not told.clickhouse.url:
        url = running_store(folder)
        if url is None and not (folder / "store").exists():
            raise Refused(f"{folder}: no embedded store here yet; run `alphaplus demo` or `alphaplus replay` first")
        if url is None:
            kafka = msgspec.structs.replace(told.kafka, brokers="none")
            with Session(msgspec.structs.replace(told, kafka=kafka), "query") as session:
                print(connect(session.settings.clickhouse).query(sql, format, null), end="")
            return 0
        told = msgspec.structs.replace(told, clickhouse=msgspec.structs.replace(told.clickhouse, url=url))
    print(connect(told.clickhouse).query(sql, format, null), end="")
    return 0
