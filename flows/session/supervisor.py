"""Supervisor: the processes of a demo or replay; restarts what dies, ends all that it started."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.monitoring.log_lines import LOG, told
from flows.printable import printable

MOST_FAILURES = 20
"""Ends by an error, one after another, after which a process is given up: about a minute and a half."""
SAYER = {"sayer": "alphaplus"}
ROOM_BYTES = 1 << 20
"""A disk with less is full: what is written comes in blocks."""
WELL_S = 60.0
"""How long a process runs before what ended those before it no longer counts."""
FROM_OUTSIDE, AT_ONCE_S = (-signal.SIGKILL, -signal.SIGTERM), 1.0
"""Signals that nobody sends to himself: not an error, unless it happens at once, for want of memory perhaps. Other
signals, an abort among them, are errors like any exit code."""


class ProcessFailed(RuntimeError):
    """A process that cannot be kept running; the message is one line and carries its own last line."""


@dataclass(slots=True)
class Child:
    """One process: how it is started, where it writes, how often it was started again."""

    name: str
    argv: list[str]
    log: Path
    process: subprocess.Popen[bytes]
    keep: bool
    vital: bool = True
    restarts: int = 0
    failures: int = 0
    """Ends by an error since it last ran well."""
    started_s: float = field(default_factory=time.monotonic)
    due_s: float = 0.0
    """When, on a clock that never steps, it is to be started again; 0 while that is not so."""
    finished: bool = False
    told: str = ""
    """Why it ended, as it was said last: what goes on failing for the same reason says so once."""

    def last_line(self, none: str = "it wrote nothing") -> str:
        """The last line that it wrote."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return printable(told(lines[-1].strip())) if lines else none

    def why(self) -> str:
        """Its last line, and whether it could write one."""
        full = shutil.disk_usage(self.log.parent).free < ROOM_BYTES
        return self.last_line() + (f"; the disk of {self.log.parent} is full" if full else "")


@dataclass(slots=True)
class Supervisor:
    """Children live in sessions of their own, so that a terminal's Ctrl-C reaches only the supervisor."""

    folder: Path
    most_restarts: int = 1_000_000
    children: dict[str, Child] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """The children's variables: what must not stand in arguments and files travels there."""

    def start(self, name: str, module: str, *arguments: str, keep: bool = True, vital: bool = True) -> Child:
        """Run `python -m module arguments`; `keep` means that it is started again when it dies by a signal or error.

        One that is neither kept nor `vital` may fail, and the others go on.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", module, *arguments]
        log = self.folder / f"{name}.log"
        child = Child(name, argv, log, self._spawn(argv, log), keep, vital)
        self.children[name] = child
        return child

    def _spawn(self, argv: list[str], log: Path) -> subprocess.Popen[bytes]:
        environ = {**self.environ, "PARENT_OF_ALPHAPLUS": str(os.getpid())}
        with log.open("ab") as out:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environ,
            )

    def check(self) -> None:
        """See to every child: note those that are done, start again those that died, raise when one keeps dying."""
        for child in self.children.values():
            code = child.process.poll()
            if code is None or child.finished:
                continue
            if child.due_s:
                if time.monotonic() >= child.due_s:
                    child.due_s = 0.0
                    child.process, child.started_s = self._spawn(child.argv, child.log), time.monotonic()
            elif code == 0 or not (child.keep or child.vital):
                child.finished = True
            elif not child.keep or code == 2 or child.restarts >= self.most_restarts:
                raise ProcessFailed(f"{child.name} ended with {code}: {child.why()}")
            else:
                child.restarts += 1
                lived_s = time.monotonic() - child.started_s
                failed = code not in FROM_OUTSIDE or lived_s < AT_ONCE_S
                child.failures = failed + (child.failures if lived_s < WELL_S else 0)
                if child.failures > MOST_FAILURES:
                    raise ProcessFailed(f"{child.name} failed {child.failures} times: {child.why()}")
                if failed and child.told != (why := child.why()):
                    child.told = why
                    LOG.warning("%s ended with %d and is started again: %s", child.name, code, why, extra=SAYER)
                waits_s = min(0.2 * child.failures, 5.0) if child.failures > 3 and failed else 0.0
                child.due_s = time.monotonic() + waits_s

    def wait(self, done: Callable[[], bool], every_s: float = 0.05, timeout_s: float = float("inf")) -> bool:
        """Look after the children until `done`; False when the time ran out first."""
        until = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > until:
                return False
            self.check()
            time.sleep(every_s)
        return True

    def stop(self, *names: str, patience_s: float = 8.0) -> None:
        """Ask children to end, last started first; kill what has not ended in time."""
        chosen = [self.children[n] for n in names] if names else list(reversed(self.children.values()))
        for child in chosen:
            child.finished = True
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + patience_s
        for child in chosen:
            try:
                child.process.wait(max(0.05, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def end_with_parent() -> None:
    """In a child: end when the supervisor has gone, however it went."""
    parent = os.environ.get("PARENT_OF_ALPHAPLUS")
    if not parent:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
