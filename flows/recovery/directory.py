"""The recovery directory of one process: locked, checked, and bound to the flow it was made for.

Its SQLite part holds offsets and states under the names of steps. A renamed step, other topics or another share of the
partitions would find nothing there and silently begin anew, so `manifest.json` keeps what it was made for, by which
release, and the fingerprints of the states in it (`operators.evolving`). What it holds are pickles, which the engine
will load: they are read here first, by a reader that makes plain values and nothing else, and each must carry the right
keyed checksum (`flows/recovery/sealing`), so that a directory that was altered is one line and runs no code.

A process that dies while an epoch is written leaves some of its snapshots without their commit. Bytewax passes over
them at the next start but does not delete them, and numbers its epochs on from there; if a step gets nothing in the
first one, the dead snapshot passes for committed at the start after that, a state ahead of its offsets. (Seen: a flow
killed twelve times counted frames twice.) So they are deleted before each start.
"""

import fcntl
import importlib.metadata
import json
import os
import secrets
import socket
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir

from flows.recovery import moves, sealing
from flows.recovery.owned import own
from flows.recovery.sealing import BEGIN_ANEW, place
from flows.refusal import Refused, Unreachable
from operators.evolving import Changed, Part, matched

FORMAT = 3
PART = "part-0.sqlite3"
ROOM_BYTES = 1 << 20
"""A new directory takes so much at the most, before anything is in it."""
LOCK = "lock"
"""Locked by the process that uses the directory; its number and machine are in it."""
TABLES = {"parts", "exs", "fronts", "commits", "snaps"}

RESUME = """
WITH last AS (SELECT * FROM exs WHERE ex_num = (SELECT max(ex_num) FROM exs)),
told AS (SELECT worker_frontier FROM fronts WHERE ex_num = (SELECT ex_num FROM last)),
resume AS (
    SELECT worker_frontier AS epoch FROM told
    UNION ALL
    SELECT resume_epoch FROM last WHERE worker_count > (SELECT count(*) FROM told)
)
"""
"""The epoch to resume is the least that a worker of the last execution reached, where it began if it told none."""

UNCOMMITTED = f"""{RESUME}
DELETE FROM snaps WHERE snap_epoch >= coalesce((SELECT min(epoch) FROM resume), 0)
"""

NEWEST = """
SELECT step_id, state_key, ser_change FROM snaps AS s
WHERE ser_change IS NOT NULL AND snap_epoch = (
    SELECT max(snap_epoch) FROM snaps WHERE step_id = s.step_id AND state_key = s.state_key
)
ORDER BY step_id, state_key
"""
FILLED = 1
"""The epoch of all states that a directory is filled with; they are resumed in the next one."""

MOST_NAMED = 8
STATES = "SELECT step_id, state_key, ser_change FROM snaps WHERE ser_change IS NOT NULL ORDER BY step_id, state_key"
DRAINED = "what it makes again of what it reads replaces what is there"

Identity = Mapping[str, str | int | list[str] | list[int]]
Row = tuple[str, str, bytes]
"""Step, key, and the state as it is saved."""


def step_ids(dataflow: Dataflow) -> list[str]:
    """The names under which steps keep state, substeps included."""
    found: list[str] = []
    waiting: list[Any] = list(dataflow.substeps)
    while waiting:
        operator = waiting.pop(0)
        found.append(operator.step_id)
        waiting[:0] = operator.substeps
    return found


def release() -> str:
    """The version of this package, as it is installed."""
    try:
        return importlib.metadata.version("alphaplus")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


class InUse(Refused):
    """Another process holds the directory."""


def held(directory: Path) -> IO[str]:
    """The lock of a directory, whatever is in it, for this process alone until it is closed; InUse if not free."""
    own(directory)
    lock = (directory / LOCK).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(f"{os.getpid()} {socket.gethostname()}")
        lock.flush()
    except BlockingIOError:
        lock.close()
        raise InUse(f"{directory} is in use by another process") from None
    except BaseException:
        lock.close()
        raise
    return lock


class Recovery:
    """An opened recovery directory; the lock lasts as long as the process. `run_id` was drawn when it was made."""

    def __init__(self, directory: Path, key: Path | None = None) -> None:
        """`key` is the file with the key of its states, by default beside the directory, made with the first one."""
        self.directory = directory
        self.evolved = ""
        if journal := moves.cut_short(directory):
            raise Refused(
                f"{directory} was about to change places, and that was cut short ({journal}): run the `rescale` or"
                " `restore` again, which ends it"
            )
        self._lock = held(directory)
        try:
            self._manifest = self._read()
            key = key or directory.resolve().parent / "recovery.key"
            self.seal = sealing.kept(key, make=self._manifest is None)
            if self._manifest is None:
                self._make()
            else:
                if self._manifest.get("key") != self.seal.name:
                    raise Refused(
                        f"{directory} was sealed with another key than {key}: name that one (recovery.key_file), or"
                        " start with a new recovery directory"
                    )
                self._inspect()
            sealing.use(self.seal)
        except BaseException:
            self.close()
            raise

    @property
    def run_id(self) -> str:
        """Random, made with the directory: what tells this history of states from any other."""
        assert self._manifest is not None
        return str(self._manifest["run_id"])

    @property
    def made_for(self) -> dict[str, Any] | None:
        """What it was made for, None before the first `bind`."""
        assert self._manifest is not None
        return self._manifest.get("made_for")

    @property
    def states(self) -> dict[str, str]:
        """The fingerprints of the states in it."""
        assert self._manifest is not None
        return dict(self._manifest.get("states", {}))

    @property
    def saved_by(self) -> str:
        """The release that used it last."""
        assert self._manifest is not None
        return str(self._manifest.get("release", ""))

    def committed(self) -> list[Row]:
        """The newest committed states."""
        with closing(sqlite3.connect(self.directory / PART)) as database:
            return [(str(step), str(key), bytes(saved)) for step, key, saved in database.execute(NEWEST)]

    def fill(self, made_for: Mapping[str, Any], states: Mapping[str, str], rows: Iterable[Row]) -> None:
        """Make a new directory one that has committed these states, for what they were made for."""
        assert self._manifest is not None
        if self.made_for is not None:
            raise Refused(f"{self.directory} is not new")
        part = self.directory / PART
        try:
            with closing(sqlite3.connect(part)) as database, database:
                database.execute("INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (0, 1, ?)", (FILLED,))
                database.execute(
                    "INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (0, 0, ?)", (FILLED + 1,)
                )
                database.execute("INSERT INTO commits (part_index, commit_epoch) VALUES (0, ?)", (FILLED,))
                database.executemany(
                    f"INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, {FILLED}, ?)", rows
                )
        except sqlite3.OperationalError as error:
            raise Unreachable(f"{part} cannot be written: {error}") from None
        self._write({**self._manifest, "made_for": dict(made_for), "release": release(), "states": dict(states)})

    def bind(self, dataflow: Dataflow, identity: Identity, parts: Iterable[Part] = ()) -> RecoveryConfig:
        """Refuse a directory made for something else, saying what differs; remember it in a new one.

        `identity` is what else the positions and states in it depend on: topics, partition count, share. `parts` are
        the states that the flow keeps: `evolved` then says which are new, gone or begin anew, and it is refused if one
        changed that may not. What an earlier release depended on and this one does not, may differ.
        """
        assert self._manifest is not None
        now = {"flow": dataflow.flow_id, "steps": step_ids(dataflow), **identity}
        made_for, declared = self._manifest.get("made_for"), list(parts)
        states = {part.name: part.fingerprint for part in declared}
        if made_for is not None:
            for name in now:
                if made_for.get(name) != now.get(name):
                    raise Refused(
                        f"{self.directory} was made for {_difference(name, made_for.get(name), now.get(name))}"
                    )
            self._compare(self._manifest.get("states", {}), states, declared)
        if made_for is None or states != self._manifest.get("states") or release() != self._manifest.get("release"):
            self._write({**self._manifest, "made_for": now, "release": release(), "states": states})
        return RecoveryConfig(str(self.directory))  # type: ignore[no-untyped-call]

    def _compare(self, there: Mapping[str, str], now: Mapping[str, str], declared: list[Part]) -> None:
        try:
            known = matched(there, declared)
        except Changed as error:
            raise Refused(f"{self.directory}: {error}; {BEGIN_ANEW}") from None
        told = {
            "new, empty": [p.name for p in declared if p.name not in there and p.changed != "goes on"],
            "gone": [name for name in there if name not in now],
            "changed, begins anew": [name for name in now if name in there and name not in known],
            "changed, counts from here on": [
                f"{name} {there[name]} to {now[name]}" for name in now if name in known and there[name] != now[name]
            ],
        }
        self.evolved = "; ".join(f"{what}: {_some(names)}" for what, names in told.items() if names)

    def close(self) -> None:
        """Give the directory free."""
        self._lock.close()

    def _read(self) -> dict[str, Any] | None:
        path = self.directory / "manifest.json"
        try:
            manifest = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise Refused(f"{path} is damaged: {error}") from None
        if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int) or "run_id" not in manifest:
            raise Refused(f"{path} is damaged: it does not say what it is")
        if manifest["format"] < FORMAT:
            raise Refused(
                f"{self.directory} was left by an earlier release (format {manifest['format']}, not {FORMAT}):"
                f" {BEGIN_ANEW}: {DRAINED}"
            )
        if manifest["format"] > FORMAT:
            raise Refused(f"{self.directory} was left by a later release (format {manifest['format']}, not {FORMAT})")
        return manifest

    def _write(self, manifest: dict[str, Any]) -> None:
        partial = self.directory / ".manifest.partial"
        with partial.open("w") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.directory / "manifest.json")
        listing = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(listing)
        finally:
            os.close(listing)
        self._manifest = manifest

    def _make(self) -> None:
        part = self.directory / PART
        if part.exists() and self._count(part, "exs") > 0:
            raise Refused(f"{self.directory} holds recovered state but no manifest.json")
        for leftover in self.directory.glob(f"{PART}*"):
            leftover.unlink()
        try:
            part.write_bytes(bytes(ROOM_BYTES))  # where there is no room the engine would end in a panic
        except OSError as error:
            raise Unreachable(f"{part} cannot be written: {error.strerror}") from None
        finally:
            part.unlink(missing_ok=True)
        init_db_dir(self.directory, 1)  # type: ignore[no-untyped-call]
        self._write({"format": FORMAT, "release": release(), "run_id": secrets.token_hex(8), "key": self.seal.name})

    def _inspect(self) -> None:
        part = self.directory / PART
        if not part.exists():
            raise Refused(f"{part} is missing: restore it, or start with a new directory")
        try:
            with closing(sqlite3.connect(part)) as database:
                tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                faults = [row[0] for row in database.execute("PRAGMA quick_check(1)")]
        except sqlite3.OperationalError as error:
            raise Unreachable(f"{part} cannot be read: {error}") from None
        except sqlite3.DatabaseError as error:
            raise Refused(f"{part} is damaged: {error}") from None
        if not tables >= TABLES or faults != ["ok"]:
            what = faults[0] if tables >= TABLES else f"no table {', '.join(sorted(TABLES - tables))}"
            raise Refused(f"{part} is damaged: {what}")
        try:
            with closing(sqlite3.connect(part)) as database, database:
                database.execute(UNCOMMITTED)
        except sqlite3.OperationalError as error:
            raise Unreachable(f"{part} cannot be written: {error}") from None
        with closing(sqlite3.connect(part)) as database:
            for step, key, saved in database.execute(STATES):
                where = place(step, key)
                try:
                    self.seal.open(where, sealing.plain(saved))
                except Exception as error:  # whatever a reader of altered bytes may raise
                    raise Refused(f"{self.directory}: the state of {where} cannot be used: {error}") from None

    def _count(self, part: Path, table: str) -> int:
        try:
            with closing(sqlite3.connect(part)) as database:
                return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
        except sqlite3.DatabaseError as error:
            raise Refused(f"{part} is damaged: {error}") from None


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _difference(name: str, then: object, now: object) -> str:
    if isinstance(then, list) and isinstance(now, list):
        gone = [str(x) for x in then if x not in now]
        new = [str(x) for x in now if x not in then]
        if gone or new:
            return f"other {name}: {', '.join(gone) or 'nothing'} is gone, {', '.join(new) or 'nothing'} is new"
    return f"{name} {then}, not {now}"
