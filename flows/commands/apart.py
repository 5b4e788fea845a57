"""Apart: simulated and replayed data keep to topics and tables of their own on services that others use too."""

import re

import msgspec

from flows.clickhouse.client import connect
from flows.settings import Settings


def apart(told: Settings, run: str) -> Settings:
    """The settings with a prefix and a database named after the run, where brokers and ClickHouse are configured.

    Embedded ones are the run's own as they are.

    >>> from flows.settings import load
    >>> on = apart(load(None, {}, ["kafka.brokers=b:9092", "kafka.prefix=eu.", "clickhouse.url=http://c"]), "simulated")
    >>> on.kafka.prefix, on.clickhouse.database
    ('eu.simulated.', 'default_simulated')
    >>> apart(load(None, {}), "simulated") == load(None, {})
    True
    """
    kafka, clickhouse = told.kafka, told.clickhouse
    if kafka.brokers:
        kafka = msgspec.structs.replace(kafka, prefix=f"{kafka.prefix}{run}.")
    if clickhouse.url:
        database = f"{clickhouse.database}_{re.sub(r'[^A-Za-z0-9_]', '_', run)}"
        clickhouse = msgspec.structs.replace(clickhouse, database=database)
    return msgspec.structs.replace(told, kafka=kafka, clickhouse=clickhouse)


def make_database(configured: Settings, told: Settings) -> None:
    """Create the database of a run that is `apart` from what is configured."""
    if told.clickhouse.database != configured.clickhouse.database:
        server = connect(configured.clickhouse)
        server.command(f"CREATE DATABASE IF NOT EXISTS `{told.clickhouse.database}`")
        server.close()
