"""Migrations for replicated tables: all of them differ where they must, and ClickHouse's own engine takes them.

The engine within the tests' process makes such tables with a real ZooKeeper, whose address ALPHAPLUS_TEST_ZOOKEEPER
says; without a server around it they stay read-only, so what changes tables is not asked of it.
"""

import json
import os
import re
import subprocess
import sys
import uuid

import pytest

from flows.clickhouse import leases
from flows.clickhouse.migrations import _RECORD, FOLDER, apply_migrations, migrations, replicated, statements
from flows.settings.services import Clickhouse

ZOOKEEPER = os.environ.get("ALPHAPLUS_TEST_ZOOKEEPER", "")


class Heard:
    """A database that remembers what it is told."""

    def __init__(self, settings):
        self.settings, self.commands = settings, []

    def patient_command(self, sql):
        self.commands.append(sql)

    def patient_rows(self, sql):
        return []


def made(settings):
    heard = Heard(settings)
    apply_migrations(heard, FOLDER)
    return heard.commands


def test_every_table_of_a_replicated_database_is_replicated_and_knows_blocks_again():
    alone, together = made(Clickhouse()), made(Clickhouse(replicated=True))
    assert len(alone) == len(together)
    tables = [s for s in together if s.startswith("CREATE TABLE")]
    assert all("\nENGINE = ReplicatedReplacingMergeTree" in s for s in tables)
    assert not any("non_replicated" in s for s in together)
    windows = [s for s in alone if "non_replicated_deduplication_window" in s]
    assert len(windows) == sum("SETTINGS replicated_deduplication_window = 10000, " in s for s in together) > 20
    assert [s for s in alone if not s.startswith("CREATE TABLE")] == [
        s for s in together if not s.startswith("CREATE TABLE")
    ]
    assert not any("Replicated" in s or " replicated_" in s for s in alone)


CODE = """
import json, os, sys
import chdb
connection = chdb.connect(sys.argv[1])
connection.query("CREATE DATABASE replicas ENGINE = Atomic")
connection.query("USE replicas")
for statement in json.load(sys.stdin):
    connection.query(statement)
print(connection.query("SELECT name, engine_full FROM system.tables WHERE database = 'replicas'", "JSON"), flush=True)
os._exit(0)
"""


@pytest.mark.services
@pytest.mark.skipif(not ZOOKEEPER, reason="set ALPHAPLUS_TEST_ZOOKEEPER to the host:port of a ZooKeeper")
def test_the_engine_makes_every_replicated_table_with_a_zookeeper(tmp_path):
    host, _, port = ZOOKEEPER.partition(":")
    config = tmp_path / "config.xml"
    path = f"/clickhouse/tables/{uuid.uuid4().hex}/{{database}}/{{table}}/{{shard}}"
    config.write_text(
        f"<clickhouse><zookeeper><node><host>{host}</host><port>{port}</port></node></zookeeper>"
        "<macros><shard>1</shard><replica>a</replica></macros>"
        f"<default_replica_path>{path}</default_replica_path>"
        "<default_replica_name>{replica}</default_replica_name></clickhouse>"
    )
    told = [_RECORD, leases.CREATE, *(s for p in migrations(FOLDER).values() for s in statements(p.read_text()))]
    tables = [replicated(s) for s in told if s.startswith("CREATE TABLE")]
    ran = subprocess.run(
        [sys.executable, "-c", CODE, f"file:{tmp_path / 'data'}?config-file={config}"],
        input=json.dumps(tables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    rows = {row["name"]: row["engine_full"] for row in json.loads(ran.stdout)["data"]}
    assert set(rows) == {re.search(r"`(\w+)`", s)[1] for s in tables}
    for name, engine in rows.items():
        assert engine.startswith("ReplicatedReplacingMergeTree("), name
