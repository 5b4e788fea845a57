"""Published: the files made from the declarations, the first migration and the JSON Schemas of topics.

`python -m flows.published` writes them; a test compares them with what stands in the repository. A table that users
already have is changed by a new numbered migration written by hand, never by making the first one again.
"""

import importlib.resources
import sys
from pathlib import Path

import msgspec

from flows.tables import TABLES
from schemas.ddl import create_dense_view, create_table
from schemas.json_schema import json_schema


def folder(package: str) -> Path:
    """Where a package of ours keeps its files."""
    return Path(str(importlib.resources.files(package)))


def files() -> dict[Path, str]:
    """Path -> content of every generated file."""
    statements = [s for t in TABLES for s in (create_table(t), *((create_dense_view(t),) if t.dense else ()))]
    out = {folder("deploy") / "clickhouse" / "0001_tables.sql": ";\n\n".join(statements) + ";\n"}
    for table in TABLES:
        text = msgspec.json.format(msgspec.json.encode(json_schema(table)), indent=2).decode() + "\n"
        out[folder("schemas") / "json" / f"{table.topic}.json"] = text
    return out


def main() -> int:
    """Write them."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
