"""Reach: the services of a command that starts none of its own flows, configured ones first, then running ones."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from flows.commands.options import DEMO
from flows.refusal import Refused
from flows.session.embedded import asking, newest_database, running_store, runs
from flows.settings.services import Clickhouse
from flows.settings.sources import environment, load
from flows.settings.tree import Settings, SettingsError


def of_newest_run(told: Settings) -> Settings:
    """The settings with the database of the newest run in the embedded store, unless another one is named."""
    if told.clickhouse.database != Clickhouse().database or not (newest := newest_database(Path(told.data))):
        return told
    return msgspec.structs.replace(told, clickhouse=msgspec.structs.replace(told.clickhouse, database=newest))


@contextmanager
def store(told: Settings, *, reads: bool = True) -> Iterator[Settings]:
    """The settings with a ClickHouse: the configured one, the embedded one that runs, or the embedded one started.

    With the secret of one who only `reads`, or of one who writes. Of an embedded one, where no database is named, that
    of the newest run.
    """
    folder = Path(told.data)
    if told.clickhouse.url:
        yield told
        return
    told = of_newest_run(told)
    if url := running_store(folder):
        yield msgspec.structs.replace(told, clickhouse=asking(told.clickhouse, url, folder, reads=reads))
        return
    if not (folder / "store").exists():
        raise Refused(f"{folder}: no embedded store here yet; run `alphaplus demo` or `alphaplus replay` first")
    from flows.session.session import Session  # noqa: PLC0415 - only who starts a store needs what starts flows

    kafka = msgspec.structs.replace(told.kafka, brokers="none")
    with Session(msgspec.structs.replace(told, kafka=kafka), "read") as session:
        found = session.settings.clickhouse
        asker = asking(found, found.url, folder, reads=reads)
        yield msgspec.structs.replace(session.settings, kafka=told.kafka, clickhouse=asker)


def with_broker(told: Settings) -> Settings:
    """The settings with the configured brokers, else those of a session that runs in this data folder, else none."""
    if told.kafka.brokers:
        return told
    found = _running(Path(told.data))
    return told if found is None else msgspec.structs.replace(told, kafka=found[0].kafka)


def running_broker(told: Settings) -> tuple[Settings, Path]:
    """The settings with the brokers of the demo or replay that runs in this data folder, and the folder of its run."""
    found, folder = under_way(told)
    return msgspec.structs.replace(told, kafka=found.kafka), folder


def under_way(told: Settings) -> tuple[Settings, Path]:
    """The settings of the demo or replay that runs in this data folder, and the folder of its run."""
    folder = Path(told.data)
    for data in (folder, folder / DEMO):
        if (found := _running(data)) is not None:
            return found
    raise SettingsError(f"kafka.brokers is not set, and no demo or replay runs on {folder}")


def _running(data: Path) -> tuple[Settings, Path] | None:
    """Settings and folder of the newest demo or replay whose broker answers; a `verify` beside it is not meant."""
    for file in runs(data):
        try:
            found = load(file, environment())
            host, _, port = found.kafka.brokers.partition(",")[0].rpartition(":")
            with socket.create_connection((host, int(port)), timeout=1):
                return found, file.parent
        except (OSError, ValueError):
            continue
    return None
