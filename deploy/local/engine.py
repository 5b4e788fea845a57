"""The engine: chDB on one directory, asked by many threads at once.

Rows of an INSERT are given to it as a file in memory (INFILE). Its own `send_insert` must not be used: it reports
success when the table refuses the block (disk full, too many parts, a constraint), and the rows are gone.

What the system refuses to write (a disk that fails) it passes over: files are cut short or empty, the block counts as
stored, and a merge puts such a part in the place of good ones. But it counts them. So that counter is asked before a
write is acknowledged (`whole`); once it has moved nothing more is answered, and the process begins anew on what is
whole (`store.py`).

Each request has a session of its own (opening one takes a millisecond), so that what it sets is not seen by others
and readers run beside a writer. Requests beyond `AT_ONCE` wait for their turn.

What a statement may do is for the engine to say (`rights.py`). What it has no right for, because in a library nobody
asks (INTO OUTFILE, the function `file`, KILL), is looked for in the statement as the engine's own parser writes it
down: one statement, without comments, its words in one case.
"""

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from chdb.session import Session

from deploy.local import rights
from deploy.local.damage import SQL, damaged
from deploy.local.statement import read, words


class _Result(Protocol):
    def bytes(self) -> bytes: ...
    def rows_read(self) -> int: ...
    def bytes_read(self) -> int: ...
    def rows_written(self) -> int: ...
    def bytes_written(self) -> int: ...


class _Session(Protocol):
    """What is used of chDB's session, which has no types of its own."""

    def query(self, sql: str, fmt: str = ..., *, params: dict[str, str] | None = ...) -> _Result: ...
    def close(self) -> None: ...


_open: Callable[[str], _Session] = Session
AT_ONCE = 16
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CODE = re.compile(r"Code: (\d+)\. ")
_TWICE = re.compile(r"^(Code: \d+\. DB::Exception: )\1+")
_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
_MOST = {
    "max_memory_usage": min(4 * 2**30, _MEMORY // 4),
    "max_memory_usage_for_user": _MEMORY // 2,
    "max_result_bytes": min(2**29, _MEMORY // 16),
    "max_execution_time": 600,
}
_DEFAULTS = {"async_insert": "0", **{name: str(limit) for name, limit in _MOST.items()}}
_READS = frozenset(("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "("))
_OUTSIDE = frozenset(("OUTFILE", "INFILE", "EXECUTABLEPOOL"))
_CALLS_OUTSIDE = frozenset(("FILE", "EXECUTABLE", "DISK", "PYTHON"))
_KEPT, _KEPT_CHARACTERS = 1_000, 20_000
"""Of how many statements, and up to what length, it is kept what the parser said."""
_PARSED = "SELECT formatQuerySingleLine({statement:String})"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_FAILED_WRITES = "SELECT value FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
_SPOILT = "the disk refused what the engine wrote; it begins anew as soon as the disk takes something"
_OF_PARSER = re.compile(r"[: ]*: [Ii]n scope SELECT formatQuerySingleLine\(.*\)(?=\. \([A-Z_]+\))", re.DOTALL)


class Refusal(Exception):
    """A statement that failed: ClickHouse's error code and its message."""

    def __init__(self, message: str, code: int | None = None):
        found = _CODE.search(message)
        self.code = code if code is not None else int(found.group(1)) if found else 1002
        full = message[found.start() :] if found else f"Code: {self.code}. DB::Exception: {message}"
        super().__init__(_TWICE.sub(r"\1", full))


@dataclass(frozen=True, slots=True)
class Answer:
    """A result; `format` is empty for a statement that has none."""

    body: bytes
    format: str
    summary: dict[str, str]


class Engine:
    """chDB on `path`. RuntimeError says that the directory cannot be opened."""

    def __init__(self, path: Path):
        self._path = f"{path}?config-file={rights.written(path, _MOST)}"
        self._asks_base = threading.Lock()
        self._base = _open(self._path)
        self.damaged = damaged(self._base_says(SQL))
        """Parts that could not be read and are left out."""
        self._spoilt = threading.Event()
        self._turns = threading.Semaphore(AT_ONCE)
        self._looked_into: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.version = self._base_says("SELECT version()")

    def whole(self) -> bool:
        """Whether the system took all that the engine wrote; once it did not, False for ever."""
        if not self._spoilt.is_set() and self._base_says(_FAILED_WRITES) not in ("", "0"):
            self._spoilt.set()
        return not self._spoilt.is_set()

    def _base_says(self, sql: str) -> str:
        with self._asks_base:
            return bytes(self._base.query(sql, "TSVRaw").bytes()).decode().strip()

    def close(self, within_s: float = 10.0) -> None:
        """Let what runs end, for at most `within_s`, and close; later requests wait for ever."""
        until = time.monotonic() + within_s
        for _ in range(AT_ONCE):
            self._turns.acquire(timeout=max(0.0, until - time.monotonic()))
        self._base.close()

    def run(
        self,
        text: bytes,
        parameters: Mapping[str, str],
        settings: Mapping[str, str],
        database: str,
        default_format: str,
        *,
        writes: bool,
    ) -> Answer:
        """Run one statement, an INSERT with its rows behind it included; Refusal carries the engine's error.

        Unless it `writes`, nothing that changes anything is run.
        """
        statement = read(text)
        if statement.several:
            raise Refusal("Syntax error (Multi-statements are not allowed)", 62)
        try:
            sql, clause = statement.text.decode(), statement.settings.decode()
        except UnicodeDecodeError as error:
            raise Refusal(f"Syntax error (the statement is not UTF-8: {error})", 62) from None
        named = statement.format or (default_format if statement.answers else "")
        started = time.monotonic()
        with self._turns, self._session() as session:
            if self._spoilt.is_set():
                raise Refusal(_SPOILT, 75)
            self._look_into(session, sql if statement.data is None else f"{sql} FORMAT {statement.format}", writes)
            roles = rights.WRITER_ROLES if statement.data is None else rights.ROWS_ROLES
            _prepare(session, settings, database, roles if writes else rights.READER_ROLES)
            if statement.data is None:
                result = session.query(sql, named or "TabSeparated", params=dict(parameters))
            else:
                with _file(memoryview(text)[statement.data :]) as rows:
                    insert = f"{sql} FROM INFILE {_quoted(rows)} {clause} FORMAT {statement.format}"
                    result = session.query(insert, "Null", params=dict(parameters))
            body = bytes(result.bytes())
            if self._spoilt.is_set() or (writes and not statement.answers and not self.whole()):
                raise Refusal(_SPOILT, 75)
            summary = {"read_rows": result.rows_read(), "read_bytes": result.bytes_read()}
            summary |= {"written_rows": result.rows_written(), "written_bytes": result.bytes_written()}
        summary["elapsed_ns"] = int((time.monotonic() - started) * 1e9)
        return Answer(body, named if statement.data is None else "", {name: str(n) for name, n in summary.items()})

    def _look_into(self, session: _Session, sql: str, writes: bool) -> None:
        """Refuse what reaches beyond the tables, and what is not for those who only read.

        What the parser said of a text is kept: inserts are the same text again and again, and asking costs as much as
        a small statement.
        """
        said = self._looked_into.get(sql)
        if said is None:
            said = _parsed(session, sql)
            if len(sql) <= _KEPT_CHARACTERS:
                if len(self._looked_into) >= _KEPT:
                    self._looked_into.clear()
                self._looked_into[sql] = said
        first, reaching = said
        if reaching:
            raise Refusal(f"Not enough privileges: {', '.join(reaching)} reaches beyond the embedded store", 497)
        if not writes and first not in _READS:
            raise Refusal("Cannot execute query in readonly mode: this user only reads", 164)

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """A session of its own; whatever goes wrong in it is a Refusal."""
        try:
            session = _open(self._path)
            try:
                yield session
            finally:
                session.close()
        except UnicodeDecodeError as error:
            # chDB's message quotes the bytes of the row
            raise Refusal(error.object.decode(errors="replace")) from None
        except (RuntimeError, ValueError, OSError, MemoryError) as error:
            raise Refusal(str(error)) from None


def _parsed(session: _Session, sql: str) -> tuple[str, tuple[str, ...]]:
    """The first word of a statement, and those of its words that reach beyond the tables."""
    try:
        told = bytes(session.query(_PARSED, "TSVRaw", params={"statement": sql.translate(_ESCAPED)}).bytes()).decode()
    except (RuntimeError, ValueError) as error:
        raise Refusal(_OF_PARSER.sub("", str(error))) from None
    found = words(told)
    calls = {word for word, following in pairwise(found) if following == "("}
    return found[0] if found else "", tuple(sorted((_OUTSIDE & set(found)) | (_CALLS_OUTSIDE & calls)))


def _prepare(session: _Session, settings: Mapping[str, str], database: str, roles: str) -> None:
    wanted = {**_DEFAULTS, **settings}
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise Refusal(f"Unknown setting {name!r}", 115)
    for name, most in _MOST.items():
        if not wanted[name].isdecimal() or not 1 <= int(wanted[name]) <= most:
            raise Refusal(f"Setting {name} is a number from 1 to {most}, not {wanted[name]!r}", 452)
    session.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in wanted.items()), "Null")
    if database:
        session.query("USE `" + database.replace("\\", "\\\\").replace("`", "\\`") + "`", "Null")
    session.query(f"SET ROLE {roles}", "Null")
    if roles == rights.READER_ROLES:
        session.query("SET readonly = 2", "Null")


@contextmanager
def _file(data: memoryview) -> Iterator[str]:
    """The path of a file with `data`, in memory where the system has that."""
    if sys.platform != "linux":
        with tempfile.NamedTemporaryFile(suffix=".rows") as stored:
            stored.write(data)
            stored.flush()
            yield stored.name
        return
    number = os.memfd_create("rows")
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
