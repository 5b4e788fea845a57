"""Savepoints: the recovery directories of a flow at one committed epoch, copied, described, and put back.

A process that runs is asked to stop first: it commits what it has handed over and hands over nothing more, so what the
flow wrote ends where the savepoint begins. What is copied holds positions and states, sealed as they are; the key of
their seals stays where it is. `savepoint.json` is written last and says what they are: of which flow and release, made
for what, by which fingerprints of states and under which key, up to which offsets, and the checksum of every file.

A flow that is put back reads on from there. What it had written since it writes again, under the same ids, and readers
drop it as the repeats after a crash.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from flows.recovery import moves
from flows.recovery.directory import LOCK, PART, Recovery, held
from flows.recovery.durable import settle
from flows.recovery.owned import own
from flows.refusal import Refused, Unreachable
from flows.upkeep.committed import Place as Log
from flows.upkeep.committed import positions
from flows.upkeep.rescaling import Place, made_for_flow, opened

FORMAT = 1
NAME = "savepoint.json"
MANIFEST = "manifest.json"
STOPS_S = 30.0
LOOK_S = 0.1


class Process(msgspec.Struct, frozen=True):
    """The directory of one process: `offsets` are `[topic, partition, next offset]`, `sha256` by file."""

    directory: str
    offsets: list[tuple[str, int, int]]
    sha256: dict[str, str]


class Savepoint(msgspec.Struct, frozen=True):
    """What was saved; `made_for` is that of the first process."""

    format: int
    flow: str
    release: str
    taken_at_ms: int
    key: str
    made_for: dict[str, Any]
    states: dict[str, str]
    processes: list[Process]

    @property
    def offsets(self) -> dict[Log, int]:
        """The next offset of each log."""
        return {(topic, partition): offset for p in self.processes for topic, partition, offset in p.offsets}


class Restored(NamedTuple):
    """What was put back, and where what was there is now."""

    savepoint: Savepoint
    kept: list[Path]


def take(flow: str, place: Place, to: Path, key: Path | None = None, patience_s: float = STOPS_S) -> Savepoint:
    """Stop the processes of `flow` that run on this machine and copy their directories `to` a new folder.

    Refused when a directory is missing, of another flow or run, or held by a process elsewhere. What fails leaves
    nothing behind.
    """
    if to.exists() and any(to.iterdir()):
        raise Refused(f"{to} is not empty: a savepoint is a new folder")
    key = key or place(0).resolve().parent / "recovery.key"
    made = not to.exists()
    own(to)  # before a flow is stopped for it
    try:
        with ExitStack() as stack:
            return _written(flow, _stopped(stack, flow, place, key, patience_s), to, key)
    except BaseException as error:
        for begun in to.iterdir():
            shutil.rmtree(begun) if begun.is_dir() else begun.unlink()
        if made:
            to.rmdir()
        if isinstance(error, sqlite3.Error):
            raise Unreachable(
                f"{to} was not written: {error}; {flow} stands still, its directories are whole"
            ) from None
        raise


def _stopped(stack: ExitStack, flow: str, place: Place, key: Path, patience_s: float) -> list[Recovery]:
    """The directories of all processes of a flow, held once each has stopped."""
    found: list[Recovery] = []
    count = 1
    while len(found) < count:
        ordinal = len(found)
        _stop(place(ordinal), patience_s)
        recovery = opened(stack, place(ordinal), key)
        made_for = made_for_flow(recovery, flow)
        count = int(made_for["share"][1])
        found.append(recovery)
        if made_for != {**made_for_flow(found[0], flow), "share": [ordinal, count]}:
            raise Refused(f"{recovery.directory} is not of the same run of {flow} as {found[0].directory}")
        if recovery.states != found[0].states:
            raise Refused(f"{recovery.directory} and {found[0].directory} are of different releases")
    return found


def _written(flow: str, found: list[Recovery], to: Path, key: Path) -> Savepoint:
    """The directories copied, and then what they are."""
    first = found[0]
    saved = Savepoint(
        FORMAT,
        flow,
        first.saved_by,
        int(time.time() * 1e3),
        first.seal.name,
        made_for_flow(first, flow),
        first.states,
        [_copied(flow, recovery, to / f"{flow}-{i}", key) for i, recovery in enumerate(found)],
    )
    (to / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(saved)))
    (to / NAME).chmod(0o600)
    settle(to / NAME)
    settle(to)
    return saved


def read(folder: Path) -> Savepoint:
    """The savepoint in a folder, every file of it as it was written; Refused if not."""
    try:
        saved = msgspec.json.decode((folder / NAME).read_bytes(), type=Savepoint)
    except FileNotFoundError:
        raise Refused(f"{folder} is no savepoint: it has no {NAME}") from None
    except msgspec.MsgspecError as error:
        raise Refused(f"{folder / NAME} is damaged: {error}") from None
    if saved.format != FORMAT:
        raise Refused(f"{folder} is a savepoint of format {saved.format}, not {FORMAT}: of another release")
    for process in saved.processes:
        for name, digest in process.sha256.items():
            file = folder / process.directory / name
            if not file.is_file() or _sha256(file) != digest:
                raise Refused(f"{file} is not as it was saved: the savepoint is damaged")
    return saved


def restore(folder: Path, place: Place, fits: Callable[[Savepoint], str], key: Path | None = None) -> Restored:
    """Put a savepoint in the place of what is there, which is kept beside it.

    Refused while a process of the flow runs here, when the savepoint is damaged, sealed with another key, or does not
    fit: `fits` says why not, or nothing. What is in its place may be damaged.
    """
    saved = read(folder)
    journal = place(0).with_name(f"{saved.flow}{moves.MOVES}")
    moves.finish(journal)
    if why := fits(saved):
        raise Refused(f"{folder} does not fit: {why}")
    key = key or place(0).resolve().parent / "recovery.key"
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    planned: list[moves.Move] = []
    kept: list[Path] = []
    with ExitStack() as stack, ExitStack() as begun:
        for ordinal, process in enumerate(saved.processes):
            target = place(ordinal)
            if target.exists():
                stack.enter_context(held(target))  # not opened: it may be damaged, which is what a savepoint is for
                kept.append(target.with_name(f"{target.name}.{stamp}"))
                planned.append((target, kept[-1]))
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = target.with_name(f".{target.name}.{stamp}")
            begun.callback(shutil.rmtree, fresh, ignore_errors=True)
            own(fresh)
            for name in process.sha256:
                shutil.copyfile(folder / process.directory / name, fresh / name)
                settle(fresh / name)
            settle(fresh)
            made_for_flow(stack.enter_context(closing(Recovery(fresh, key))), saved.flow)
            planned.append((fresh, target))
        ordinal = len(saved.processes)
        while place(ordinal).exists():  # of more processes than the savepoint has
            stack.enter_context(held(place(ordinal)))
            kept.append(place(ordinal).with_name(f"{place(ordinal).name}.{stamp}"))
            planned.append((place(ordinal), kept[-1]))
            ordinal += 1
        begun.pop_all()  # from here on they are needed
        moves.write(journal, planned)
        moves.finish(journal)
    return Restored(saved, kept)


def unlike(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In what a savepoint was made for something else than the settings of now, "" if in nothing.

    >>> unlike({"partitions": 4, "share": [0, 2]}, {"partitions": 8, "share": [0, 1]})
    'partitions 4, not 8'
    """
    for name, value in now.items():
        if name != "share" and saved.get(name) != value:
            return f"{name} {saved.get(name)}, not {value}"
    return ""


def _stop(directory: Path, patience_s: float) -> None:
    """Ask the process that holds a directory to stop, and wait until it has."""
    try:
        lock = (directory / LOCK).open("r+")
    except FileNotFoundError:
        return
    with lock:
        until = time.monotonic() + patience_s
        asked: set[str] = set()
        while not _free(lock.fileno()):
            lock.seek(0)
            holder = lock.read()
            number, _, machine = holder.partition(" ")
            if not number.isdigit() or machine != socket.gethostname():
                raise Refused(f"{directory} is in use by a process of {machine or 'an earlier release'}: stop it first")
            if holder not in asked:
                asked.add(holder)
                try:
                    os.kill(int(number), signal.SIGTERM)
                except ProcessLookupError:
                    pass
                except PermissionError:
                    raise Refused(f"{directory} is in use by process {number}, which is another user's") from None
            if time.monotonic() > until:
                raise Unreachable(f"process {number} did not let go of {directory} within {patience_s:.0f} s")
            time.sleep(LOOK_S)


def _free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lock, fcntl.LOCK_UN)
    return True


def _copied(flow: str, recovery: Recovery, to: Path, key: Path) -> Process:
    """The database and the manifest of a directory that is held, copied and on the disk."""
    own(to)
    with closing(sqlite3.connect(recovery.directory / PART)) as there, closing(sqlite3.connect(to / PART)) as copy:
        there.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file that holds all
    shutil.copyfile(recovery.directory / MANIFEST, to / MANIFEST)
    offsets = [(*log, offset) for log, offset in sorted(positions(flow, to, key).items())]
    names = (PART, MANIFEST)
    for name in names:
        (to / name).chmod(0o600)
        settle(to / name)
    settle(to)
    return Process(to.name, offsets, {name: _sha256(to / name) for name in names})


def _sha256(file: Path) -> str:
    with file.open("rb") as opened_file:
        return hashlib.file_digest(opened_file, "sha256").hexdigest()
