"""A backend: a broker or a store that tests can start, stop, kill, restart, pause and resume."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from flows.session.free_ports import free_port


class Unavailable(Exception):
    """This machine cannot provide the backend; the message says what is missing."""


class Backend(ABC):
    """One node on one loopback port, which it keeps for life, as it keeps its data folder when it is durable."""

    name: ClassVar[str]
    """How `--backends` calls it."""
    durable: ClassVar[bool]
    """Whether acknowledged data survive a kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paused = False
        self.ended_by_us = True
        (self.port,) = free_ports(1)

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Why it cannot run here, None if it can: found out without starting anything."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What it is, with versions, for the run's report."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether its process lives (a paused one does)."""

    @abstractmethod
    def start(self) -> None:
        """Start on the data that are there and return when it answers; RuntimeError with its log if it does not."""

    @abstractmethod
    def stop(self) -> None:
        """Ask it to end and wait until it has."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once, without a chance to write anything more."""

    @abstractmethod
    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""

    @abstractmethod
    def resume(self) -> None:
        """Undo `pause`."""

    @abstractmethod
    def log_tail(self) -> str:
        """The last lines of its log."""

    def restart(self) -> None:
        """Stop it if it runs, then start it; after `kill` this is the recovery."""
        if self.running:
            self.stop()
        self.start()

    def mend(self) -> None:
        """Undo what a test left behind; RuntimeError if the backend ended without having been told to."""
        if self.paused:
            self.resume()
        if self.running:
            return
        crashed = not self.ended_by_us
        tail = self.log_tail()
        self.start()
        if crashed:
            raise RuntimeError(f"{self.label} ended by itself; its log before it was started again:\n{tail}")


class Broker(Backend):
    """A Kafka-compatible broker."""

    expires: ClassVar[bool] = True
    """Whether time-based retention deletes records with old timestamps."""

    @property
    def bootstrap(self) -> str:
        """What clients take as `bootstrap.servers`."""
        return f"127.0.0.1:{self.port}"


class Store(Backend):
    """A ClickHouse over HTTP."""

    host: ClassVar[str] = "127.0.0.1"
    password_file: str = ""
    """The file with the password of the user `default`, where it has one."""

    @property
    def password(self) -> str:
        """What the user `default` shows."""
        return Path(self.password_file).read_text() if self.password_file else ""

    @property
    def sets(self) -> tuple[str, ...]:
        """What settings need besides its address."""
        return (f"clickhouse.password_file={self.password_file}",) if self.password_file else ()


def free_ports(count: int) -> tuple[int, ...]:
    """Distinct loopback ports that nothing listens on."""
    return tuple(free_port() for _ in range(count))
