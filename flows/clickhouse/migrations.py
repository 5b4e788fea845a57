"""Migrations: numbered SQL files, each applied once, in order, and never edited once it is released.

`released.txt` beside them holds the digest of each released one. What is not in it yet is still being written: a store
that has an earlier state of it takes it again, which is why each statement may run twice.
"""

import hashlib
import importlib.resources
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from flows.clickhouse import leases
from flows.clickhouse.client import ClickHouse
from flows.clickhouse.errors import MigrationError

FOLDER = Path(str(importlib.resources.files("deploy"))) / "clickhouse"
RELEASED = "released.txt"
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


_REPLICATED = (
    ("\nENGINE = ReplacingMergeTree", "\nENGINE = ReplicatedReplacingMergeTree"),
    (
        "\nSETTINGS non_replicated_deduplication_window = 10000,",
        "\nSETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,",
    ),
)
"""What a statement says otherwise for replicated tables. By default a replicated table forgets tokens after an hour."""


def replicated(statement: str) -> str:
    """The statement for tables that are replicated: where their parts are is the server's `default_replica_path`.

    >>> replicated("CREATE TABLE `t` (`a` Int64)\\nENGINE = ReplacingMergeTree(`v`)\\nORDER BY `a`").splitlines()[1]
    'ENGINE = ReplicatedReplacingMergeTree(`v`)'
    """
    for alone, together in _REPLICATED:
        statement = statement.replace(alone, together)
    return statement


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
    files, final = migrations(folder), released(folder)
    told: Callable[[str], str] = replicated if clickhouse.settings.replicated else str
    clickhouse.patient_command(told(_RECORD))
    clickhouse.patient_command(told(leases.CREATE))
    done = applied(clickhouse)
    refuse_ahead(done, files, folder)
    for number, (name, there) in done.items():
        if digest(files[number]) != there and (final is None or name in final):
            raise MigrationError(f"migration {name} has been applied and was edited since; add a new one instead")
    new = [path for number, path in files.items() if number not in done or digest(path) != done[number][1]]
    for path in new:
        for statement in statements(path.read_text()):
            clickhouse.patient_command(told(statement))
        values = f"({_number(path)}, '{path.name}', '{digest(path)}')"
        clickhouse.patient_command(f"INSERT INTO schema_migrations (number, name, digest) VALUES {values}")
    return [path.name for path in new]


def applied(clickhouse: ClickHouse) -> dict[int, tuple[str, str]]:
    """Number -> name and digest of what a store has taken, in order."""
    rows = clickhouse.patient_rows("SELECT number, name, digest FROM schema_migrations FINAL ORDER BY number")
    return {int(str(number)): (str(name), str(there)) for number, name, there in rows}


def refuse_ahead(done: Mapping[int, tuple[str, str]], files: Mapping[int, Path], folder: Path) -> None:
    """MigrationError if the store has taken what this release does not know."""
    for number, (name, _) in done.items():
        if files and number > max(files):
            raise MigrationError(
                f"the store is ahead: it has migration {name}, this release ends at {files[max(files)].name};"
                " run the release that brought it up"
            )
        if number not in files or files[number].name != name:
            raise MigrationError(f"migration {name} has been applied, but {folder} does not have it")


def migrations(folder: Path) -> dict[int, Path]:
    """Number -> file, in order. MigrationError if a name has no number, or a released file was edited or is gone."""
    files: dict[int, Path] = {}
    for path in sorted(folder.glob("*.sql")):
        if _FILE.fullmatch(path.name) is None:
            raise MigrationError(f"{path.name} is not named <number>_<name>.sql")
        number = _number(path)
        if number in files:
            raise MigrationError(f"{files[number].name} and {path.name} have the same number")
        files[number] = path
    for name, known in (released(folder) or {}).items():
        path = folder / name
        if not path.exists() or digest(path) != known:
            what = "was edited" if path.exists() else "is gone"
            raise MigrationError(
                f"{path} is released and {what}: restore it; `python -m flows.published` appends a new one"
            )
    return dict(sorted(files.items()))


def released(folder: Path) -> dict[str, str] | None:
    """Name -> digest of each released file; None where the folder does not say, and all count as released."""
    path = folder / RELEASED
    if not path.exists():
        return None
    return {name: known for known, name in (line.split() for line in path.read_text().splitlines() if line)}


def digest(path: Path) -> str:
    """BLAKE2b of a file's bytes, 16 bytes, hex."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def _number(path: Path) -> int:
    return int(path.name.partition("_")[0])
