"""ClickHouse: the one client path, clickhouse-connect over HTTP, to a server and to the embedded store alike.

A block is stored once, whatever is lost between here and there: one INSERT is one block with a token, and a repeat of
it is recognised by the table. It counts as stored when the answer says that all of its rows were written, not when it
says 200. What ClickHouse cannot be blamed for (`BadBlock`) is told apart from trouble, which is waited out.
"""

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager
from clickhouse_connect.driver.summary import QuerySummary
from urllib3.poolmanager import PoolManager

from flows.clickhouse.agreement import COLUMNS, lacks
from flows.clickhouse.errors import BadBlock, StoreError, Trouble, in_answer
from flows.clickhouse.told_apart import told_apart
from flows.monitoring.log_lines import LOG
from flows.refusal import Refused

__all__ = ["BadBlock", "ClickHouse", "Settings", "StoreError", "Trouble", "connect"]

from flows.settings.certificate_files import refuse_unusable
from flows.settings.secret import Secret
from flows.settings.services import Clickhouse as Settings
from schemas.table import Table

OnRetry = Callable[[int, Exception], None]
Format = Literal["table", "csv", "json"]
_FORMATS: dict[Format, str] = {"table": "PrettyCompactMonoBlock", "csv": "CSVWithNames", "json": "JSONEachRow"}

_BLOCK = {
    "async_insert": 0,
    "wait_end_of_query": 1,
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
GONE = (16, 47, 60)
"""Codes of a column or table that is not there: the database then disagrees with what is written to it."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_IF_KNOWN = {"input_format_read_datetime_number_as_raw_value": 1}
"""A bare integer is milliseconds to servers before 26.8, and to later ones with this."""


logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
"""What the client would print is in the error that it raises."""


class ClickHouse:
    """A connection that is made when it is first needed, and again when it is lost. Not for several threads at once.

    Each new connection is refused if the database lacks a column of `writes` or has it of another type, and so is a
    block if a column went since: its values would be passed over.
    """

    def __init__(self, settings: Settings, writes: Sequence[Table] = ()):
        self.settings = settings
        self.writes = writes
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
            told = told_apart(error, self.settings.url)
            if told.code is None:
                self.close()
            raise told from error

    def _connected(self) -> Client:
        wanted = self.settings
        url = urlsplit(wanted.url)
        refuse_unusable("clickhouse", wanted.ca_file, wanted.certificate_file, wanted.key_file, Secret(""))
        if url.hostname in _LOOPBACK:
            # a proxy named in the environment does not lead to this machine
            self._loopback = self._loopback or get_pool_manager(**self._tls)
            direct: dict[str, Any] = {"pool_mgr": self._loopback}
        else:
            direct = {"dedicated_pool": True, **self._tls}
        if wanted.certificate_file and wanted.password:
            direct["tls_mode"] = "strict"  # else a certificate stands in for the password
        client = clickhouse_connect.get_client(
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
        if self.writes:
            there = [tuple(map(str, row)) for row in client.query(COLUMNS).result_rows]
            if lacking := lacks(there, self.writes):
                client.close()
                raise Refused(f"{wanted.url}, database {wanted.database}: {lacking}; run `alphaplus migrate`")
        return client

    def command(self, sql: str) -> None:
        """Run a statement for what it does."""
        with self.connection() as client:
            answer = client.command(sql)
            if isinstance(answer, str) and "DB::Exception" in answer:
                raise in_answer(answer)

    def patient_command(self, sql: str) -> None:
        """Run a statement that may run twice; trouble is waited out for `retry_s`, and said once."""

        def told(attempt: int, error: Exception) -> None:
            if attempt == 1:
                LOG.warning("%s; trying again for up to %.0f s", error, self.settings.retry_s)

        self._patiently(lambda _: self.command(sql), told)

    def rows(self, sql: str, **parameters: object) -> list[tuple[object, ...]]:
        """The rows of a query; `{name:Type}` in it stands for a parameter."""
        with self.connection() as client:
            return [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]

    def stream(self, sql: str) -> Iterator[tuple[object, ...]]:
        """The rows of a query, one after another as they come."""
        with self.connection() as client, client.query_rows_stream(sql) as rows:
            for row in rows:
                yield tuple(row)

    def patient_rows(self, sql: str, **parameters: object) -> list[tuple[object, ...]]:
        """The rows of a query; trouble is waited out for `retry_s`."""
        out: list[tuple[object, ...]] = []

        def ask(client: Client) -> None:
            out[:] = [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]

        self._patiently(ask, None)
        return out

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

    def insert_block(
        self, table: str, rows: bytes, token: str, on_retry: OnRetry | None = None, count: int | None = None
    ) -> None:
        """Store `rows`, JSONEachRow of one partition, once, however often it is called with them and `token`.

        There are `count` of them, None: one a line.

        Trouble is retried for `retry_s` with growing pauses, `on_retry(attempt, error)` before each, and then raised.
        BadBlock is raised at once, StoreError for what waiting does not mend. The table remembers its last 10,000
        tokens. The bytes are part of the token, so that other rows under a used one are not taken for a repeat.
        """
        digest = hashlib.blake2b(rows, digest_size=16).hexdigest()
        sent = rows.count(b"\n") + (not rows.endswith(b"\n")) if count is None else count
        names = next(([f"`{c.name}`" for c in t.columns] for t in self.writes if t.name == table), [])
        into = f"`{table}` ({', '.join(names)})" if names else f"`{table}`"
        asked = {**_BLOCK, "insert_deduplication_token": f"{token}-{digest}"}

        def store(client: Client) -> None:
            known = {name: value for name, value in _IF_KNOWN.items() if name in client.server_settings}
            _insert(client, into, rows, {**asked, **known}, sent)

        try:
            self._patiently(store, on_retry)
        except StoreError as error:
            if error.code in GONE:
                self.close()
                with self.connection():
                    raise
            raise

    def reach(self, on_retry: Callable[[Exception], None]) -> None:
        """Return once it answers, and has the columns of `writes`; `on_retry(error)` before the first wait."""
        self._patiently(lambda client: None, lambda attempt, error: on_retry(error) if attempt == 1 else None)

    def _patiently(self, act: Callable[[Client], None], on_retry: OnRetry | None) -> None:
        """Act on a connection; trouble is met for `retry_s` with growing pauses, and then raised."""
        until = time.monotonic() + self.settings.retry_s
        attempt = 0
        while True:
            try:
                with self.connection() as client:
                    act(client)
                return
            except Trouble as trouble:
                attempt += 1
                pause = min(30.0, 0.1 * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)
                if time.monotonic() + pause > until:
                    raise
                if on_retry is not None:
                    on_retry(attempt, trouble)
                time.sleep(pause)


def _insert(client: Client, table: str, rows: bytes, asked: dict[str, object], sent: int) -> None:
    """One INSERT; Trouble unless the answer says that all rows were written. Views may write more of their own."""
    answer = client.command(f"INSERT INTO {table} FORMAT JSONEachRow", data=rows, settings=asked)
    if not isinstance(answer, QuerySummary):
        raise in_answer(str(answer))
    written = answer.summary.get("written_rows")
    if written is None or int(written) < sent:
        raise Trouble(
            f"{table.partition(' ')[0]}: {sent} rows were sent, the answer says that {written or 'none'} were written",
            None,
        )


def connect(settings: Settings) -> ClickHouse:
    """Connect now: Trouble if ClickHouse does not answer, StoreError if it refuses."""
    clickhouse = ClickHouse(settings)
    with clickhouse.connection():
        return clickhouse
