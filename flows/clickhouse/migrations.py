"""Migrations: numbered SQL files, each applied once, in order, and never edited afterwards."""

import hashlib
import importlib.resources
import re
from pathlib import Path

from flows.clickhouse.client import ClickHouse

FOLDER = Path(str(importlib.resources.files("deploy"))) / "clickhouse"
_FILE = re.compile(r"(\d+)_\w+\.sql")
_STATEMENT = re.compile(
    r"(?:'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|--[^\n]*|/\*.*?\*/|[^;])+", re.DOTALL
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_RECORD = """CREATE TABLE IF NOT EXISTS `schema_migrations` (
  `number` Int64 COMMENT 'the number its file begins with',
  `name` String COMMENT 'the name of its file',
  `digest` String COMMENT 'BLAKE2b of its bytes, 16 bytes, hex',
  `applied_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when it had been applied'
)
ENGINE = ReplacingMergeTree(`applied_at`)
ORDER BY `number`
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'which migrations have been applied'"""


class MigrationError(Exception):
    """The files and what was applied do not agree; the message is one line."""


def statements(sql: str) -> list[str]:
    """The statements of a file, without the semicolons between them.

    >>> statements("-- a; b\\nSELECT ';';\\n\\nSELECT 2;\\n")
    ["-- a; b\\nSELECT ';'", 'SELECT 2']
    """
    found = (part.strip() for part in _STATEMENT.findall(sql))
    return [part for part in found if _COMMENT.sub("", part).strip()]


def apply_migrations(clickhouse: ClickHouse, folder: Path) -> list[str]:
    """Apply what is new of the files `<number>_<name>.sql`; their names.

    A statement may run again if the process ends between it and the record, hence IF NOT EXISTS in each. MigrationError
    if an applied file was edited, renamed or removed, if two files have one number, or if a name has no number.
    """
    files = _files(folder)
    clickhouse.command(_RECORD)
    done: dict[int, tuple[str, str]] = {}
    for number, name, digest in clickhouse.rows(
        "SELECT number, name, digest FROM schema_migrations FINAL ORDER BY number"
    ):
        assert isinstance(number, int)
        done[number] = (str(name), str(digest))
    for number, (name, digest) in done.items():
        path = files.get(number)
        if path is None or path.name != name:
            raise MigrationError(f"migration {name} has been applied, but {folder} does not have it")
        if _digest(path) != digest:
            raise MigrationError(f"migration {name} has been applied and was edited since; add a new one instead")
    new = [path for number, path in sorted(files.items()) if number not in done]
    for path in new:
        for statement in statements(path.read_text()):
            clickhouse.command(statement)
        number = _FILE.fullmatch(path.name)
        assert number is not None
        values = f"({int(number.group(1))}, '{path.name}', '{_digest(path)}')"
        clickhouse.command(f"INSERT INTO schema_migrations (number, name, digest) VALUES {values}")
    return [path.name for path in new]


def _files(folder: Path) -> dict[int, Path]:
    files: dict[int, Path] = {}
    for path in sorted(folder.glob("*.sql")):
        found = _FILE.fullmatch(path.name)
        if found is None:
            raise MigrationError(f"{path.name} is not named <number>_<name>.sql")
        number = int(found.group(1))
        if number in files:
            raise MigrationError(f"{files[number].name} and {path.name} have the same number")
        files[number] = path
    return files


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
