"""Apart: simulated and replayed rows keep to topics and a database of their own, whose names say what they are."""

import re

import msgspec

from flows.clickhouse.client import connect
from flows.settings.services import Clickhouse
from flows.settings.tree import Settings


def apart(told: Settings, run: str) -> Settings:
    """The settings with a prefix (on configured brokers) and a database that are named after the run.

    The embedded broker is the run's own; the embedded store is not, so the run has a database there too.

    >>> from flows.settings.sources import load
    >>> on = apart(load(None, {}, ["kafka.brokers=b:9092", "kafka.prefix=eu.", "clickhouse.url=http://c"]), "simulated")
    >>> on.kafka.prefix, on.clickhouse.database
    ('eu.simulated.', 'default_simulated')
    >>> on = apart(load(None, {}), "replay-18fa")
    >>> on.kafka.prefix, on.clickhouse.database
    ('', 'replay_18fa')
    """
    kafka, clickhouse = told.kafka, told.clickhouse
    if kafka.brokers:
        kafka = msgspec.structs.replace(kafka, prefix=f"{kafka.prefix}{run}.")
    name = re.sub(r"[^A-Za-z0-9_]", "_", run)
    if clickhouse.url or clickhouse.database != Clickhouse().database:
        name = f"{clickhouse.database}_{name}"
    clickhouse = msgspec.structs.replace(clickhouse, database=name)
    return msgspec.structs.replace(told, kafka=kafka, clickhouse=clickhouse)


def make_database(told: Clickhouse, through: str) -> None:
    """Create the database of a run, `through` one that is there."""
    if told.database != through:
        server = connect(msgspec.structs.replace(told, database=through))
        server.command(f"CREATE DATABASE IF NOT EXISTS `{told.database}`")
        server.close()
