"""What the flows rely on in a ClickHouse, on every store there is: blocks that a token keeps single, durability."""

import uuid
from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from tests.services.backend import Store

ENGINE = "MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100"


@pytest.fixture
def client(store: Store) -> Iterator[Client]:
    opened = clickhouse_connect.get_client(host=store.host, port=store.port, password=store.password)
    yield opened
    opened.close()


@pytest.fixture
def table(client: Client) -> str:
    name = f"t_{uuid.uuid4().hex[:12]}"
    client.command(f"CREATE TABLE {name} (id Int64, what String) ENGINE = {ENGINE}")
    return name


def rows(client: Client, table: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in client.query(f"SELECT id, what FROM {table} ORDER BY id").result_rows]


def test_what_is_inserted_is_selected(client: Client, table: str) -> None:
    client.insert(table, [[1, "a"], [2, "ü"]], column_names=["id", "what"])
    assert rows(client, table) == [(1, "a"), (2, "ü")]


def test_the_same_block_with_the_same_token_is_stored_once(client: Client, table: str) -> None:
    settings = {"insert_deduplicate": 1, "insert_deduplication_token": "market-0-17", "async_insert": 0}
    for _ in range(3):
        client.insert(table, [[1, "a"]], column_names=["id", "what"], settings=settings)
    assert rows(client, table) == [(1, "a")]


def test_rows_that_were_acknowledged_survive_a_kill(store: Store, client: Client, table: str) -> None:
    client.insert(table, [[1, "a"]], column_names=["id", "what"], settings={"async_insert": 0})
    store.kill()
    store.restart()
    assert rows(client, table) == [(1, "a")]
