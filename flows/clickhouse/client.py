"""ClickHouse: the one client path, clickhouse-connect over HTTP, to a server and to the embedded store alike.

A block is stored once, whatever is lost between here and there: one INSERT is one block with a token, and a repeat of
it is recognised by the table. What ClickHouse cannot be blamed for (`BadBlock`) is told apart from trouble, which is
waited out.
"""

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3.poolmanager import PoolManager

from flows.clickhouse.errors import BadBlock, StoreError, Trouble, told_apart
from flows.refusal import Refused

__all__ = ["BadBlock", "ClickHouse", "Settings", "StoreError", "Trouble", "connect"]

from flows.settings import Clickhouse as Settings

OnRetry = Callable[[int, Exception], None]
Format = Literal["table", "csv", "json"]
_FORMATS: dict[Format, str] = {"table": "PrettyCompactMonoBlock", "csv": "CSVWithNames", "json": "JSONEachRow"}

_BLOCK = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "input_format_parallel_parsing": 0,
    "max_insert_block_size": 10**9,
    "min_insert_block_size_rows": 10**9,
    "min_insert_block_size_bytes": 10**12,
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 0,
    "precise_float_parsing": 1,
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_IF_KNOWN = {"input_format_read_datetime_number_as_raw_value": 1}
"""A bare integer is milliseconds to servers before 26.8, and to later ones with this."""


logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
"""What the client would print is in the error that it raises."""


class ClickHouse:
    """A connection that is made when it is first needed, and again when it is lost. Not for several threads at once."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._client: Client | None = None
        files = settings.ca_file, settings.certificate_file, settings.key_file
        names = ("ca_cert", "client_cert", "client_cert_key")
        self._tls: dict[str, Any] = {name: file for name, file in zip(names, files, strict=True) if file}
        self._loopback: PoolManager | None = None

    def close(self) -> None:
        """Let go of the connections; the next use makes new ones."""
        if self._client is not None:
            self._client.close()
            if self._loopback is not None:
                self._loopback.clear()
            self._client = None

    @contextmanager
    def connection(self) -> Iterator[Client]:
        """The client; what it raises becomes Trouble, BadBlock or StoreError."""
        try:
            if self._client is None:
                self._client = self._connected()
            yield self._client
        except ClickHouseError as error:
            told = told_apart(error)
            if told.code is None:
                self.close()
            raise told from error

    def _connected(self) -> Client:
        wanted = self.settings
        url = urlsplit(wanted.url)
        for name in ("ca_file", "certificate_file", "key_file"):
            if (file := getattr(wanted, name)) and not Path(file).is_file():
                raise Refused(f"clickhouse.{name}: there is no file {file}")
        if url.hostname in _LOOPBACK:
            # a proxy named in the environment does not lead to this machine
            self._loopback = self._loopback or get_pool_manager(**self._tls)
            direct: dict[str, Any] = {"pool_mgr": self._loopback}
        else:
            direct = {"dedicated_pool": True, **self._tls}
        if wanted.certificate_file and wanted.password:
            direct["tls_mode"] = "strict"  # else a certificate stands in for the password
        return clickhouse_connect.get_client(
            interface=url.scheme,
            host=url.hostname or "",
            port=url.port or (8443 if url.scheme == "https" else 8123),
            username=wanted.user,
            password=wanted.password.reveal(),
            database=wanted.database,
            connect_timeout=wanted.connect_s,
            send_receive_timeout=wanted.timeout_s,
            autogenerate_session_id=False,
            client_name="alphaplus",
            **direct,
        )

    def command(self, sql: str) -> None:
        """Run a statement for what it does."""
        with self.connection() as client:
            client.command(sql)

    def rows(self, sql: str, **parameters: object) -> list[tuple[object, ...]]:
        """The rows of a query; `{name:Type}` in it stands for a parameter."""
        with self.connection() as client:
            return [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]

    def query(self, sql: str, form: Format = "table", null: str = "") -> str:
        """The result as people read it: a table, CSV with a header (nulls as `null`), or one JSON object a row."""
        plain = {
            "output_format_pretty_color": 0,
            "output_format_pretty_row_numbers": 0,
            "format_csv_null_representation": null,
        }
        with self.connection() as client:
            asked = {"X-ClickHouse-Format": _FORMATS[form]}
            return client.raw_query(sql, settings=plain, transport_settings=asked).decode(errors="replace")

    def insert_block(self, table: str, rows: bytes, token: str, on_retry: OnRetry | None = None) -> None:
        """Store `rows`, lines of JSONEachRow of one partition, once, however often it is called with them and `token`.

        Trouble is retried for `retry_s` with growing pauses, `on_retry(attempt, error)` before each, and then raised.
        BadBlock is raised at once, StoreError for what waiting does not mend. The table remembers its last 10,000
        tokens. The bytes are part of the token, so that other rows under a used one are not taken for a repeat.
        """
        digest = hashlib.blake2b(rows, digest_size=16).hexdigest()
        until = time.monotonic() + self.settings.retry_s
        attempt = 0
        while True:
            try:
                with self.connection() as client:
                    known = {name: value for name, value in _IF_KNOWN.items() if name in client.server_settings}
                    asked = {**_BLOCK, **known, "insert_deduplication_token": f"{token}-{digest}"}
                    client.raw_insert(f"`{table}`", insert_block=rows, fmt="JSONEachRow", settings=asked)
                return
            except Trouble as trouble:
                attempt += 1
                pause = min(30.0, 0.1 * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)
                if time.monotonic() + pause > until:
                    raise
                if on_retry is not None:
                    on_retry(attempt, trouble)
                time.sleep(pause)


def connect(settings: Settings) -> ClickHouse:
    """Connect now: Trouble if ClickHouse does not answer, StoreError if it refuses."""
    clickhouse = ClickHouse(settings)
    with clickhouse.connection():
        return clickhouse
