"""The embedded store as a process, through clickhouse-connect and plain HTTP."""

import asyncio
import gzip
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pytest
from backports import zstd
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from deploy.local.process import listening

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]


def launch(data: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "deploy.local.store", "--data", str(data), *more]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


SECRETS: dict[int, dict[str, str]] = {}
"""By port and user, of the stores that tests started."""


def port_of(process: "subprocess.Popen[str]", data: Path) -> int:
    written = data / "store.json"
    for _ in range(600):
        if written.exists() and (said := json.loads(written.read_text()))["pid"] == process.pid:
            files = {"default": data / "store.secret", "reader": data / "store.reader"}
            SECRETS[said["port"]] = {user: file.read_text() for user, file in files.items()}
            return int(said["port"])
        if process.poll() is not None:
            pytest.fail(f"the store ended with {process.returncode}: {process.communicate()[1]}")
        time.sleep(0.05)
    pytest.fail("the store did not answer within 30 s")


def end(process: "subprocess.Popen[str]") -> str:
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=30)[1]


def ask(
    port: int, method: str, path: str, body: bytes | None = None, *, user: str = "default", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask as a user with his secret, as nobody for ""."""
    if user:
        headers |= {"X_ClickHouse_User": user, "X_ClickHouse_Key": SECRETS[port][user]}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    data = tmp_path_factory.mktemp("store")
    process = launch(data)
    try:
        yield port_of(process, data)
    finally:
        assert end(process) == ""
        assert process.returncode == 0


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    client = opened(port)
    yield client
    client.close()


def opened(port: int, user: str = "default", **more: Any) -> Client:
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=port, username=user, password=SECRETS[port][user], dedicated_pool=True, **more
    )


def test_the_end_of_an_answer_does_not_wait_until_the_receipt_of_its_beginning_is_confirmed() -> None:
    async def at_once() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listens = listening(0)
        async with await asyncio.start_server(answer, sock=listens):
            with socket.create_connection(listens.getsockname()):
                return await asyncio.wait_for(found, 30)

    assert asyncio.run(at_once()) == 1


def test_clickhouse_connect_finds_a_server_with_its_version_and_time_zone(client: Client) -> None:
    assert client.ping()
    assert int(client.server_version.split(".")[0]) >= 24
    assert str(client.server_tz) == "UTC"


def test_typed_parameters_are_bound_by_the_engine(client: Client) -> None:
    rows = client.query("SELECT {a:Int32} + 1, {b:String}, {c:Array(Int8)}", parameters={"a": 5, "b": "it's", "c": [1]})
    assert rows.result_rows == [(6, "it's", [1])]


def test_parameters_too_long_for_an_address_arrive_as_a_form(client: Client) -> None:
    assert client.query("SELECT length({a:String})", parameters={"a": "é" * 50_000}).result_rows == [(100_000,)]


@pytest.mark.parametrize("compression", [False, "lz4", "zstd", "gzip"])
def test_inserted_rows_come_back_as_native_and_as_arrow(port: int, compression: bool | str) -> None:
    client = opened(port, compress=compression)
    client.command(
        "CREATE OR REPLACE TABLE kinds (a Int64, b String, c Nullable(Float64)) ENGINE = MergeTree ORDER BY a"
    )
    rows = [[i, f"text {i}", None if i % 2 else i / 3] for i in range(1000)]
    assert client.insert("kinds", rows, column_names=["a", "b", "c"]).written_rows == 1000
    assert [list(row) for row in client.query("SELECT * FROM kinds ORDER BY a").result_rows] == rows
    assert client.query_arrow("SELECT c FROM kinds WHERE a = 4")["c"].to_pylist() == [4 / 3]
    client.insert_arrow("kinds", pa.table({"a": [5000], "b": ["arrow"], "c": [0.1]}))
    assert client.query("SELECT b, c FROM kinds WHERE a = 5000").result_rows == [("arrow", 0.1)]
    client.close()


def test_a_statement_without_result_differs_from_an_empty_result(client: Client) -> None:
    assert client.command("SELECT 1 WHERE 0") == ""
    assert not isinstance(client.command("CREATE TABLE IF NOT EXISTS made (a Int64) ENGINE = Memory"), str)
    assert client.query("SELECT a FROM made LIMIT 0").column_names == ("a",)


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELECT * FROM absent", 60, "UNKNOWN_TABLE"),
        ("SELECT (1", 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1)", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
    ],
)
def test_errors_carry_their_code_and_name(client: Client, sql: str, code: int, name: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        client.query(sql)
    assert (caught.value.code, caught.value.name) == (code, name)


def test_a_setting_holds_for_its_request_only(client: Client) -> None:
    sql = "SELECT value FROM system.settings WHERE name = 'max_threads'"
    assert client.query(sql, settings={"max_threads": 3}).result_rows == [("3",)]
    assert client.query(sql).result_rows != [("3",)]


def test_a_database_is_chosen_by_the_request(port: int, client: Client) -> None:
    client.command("CREATE DATABASE IF NOT EXISTS other")
    assert ask(port, "GET", "/?database=other&query=" + quote("SELECT currentDatabase()"))[2] == b"other\n"
    assert ask(port, "GET", "/?database=absent&query=SELECT+1")[0] == 404


def test_curl_gets_text_with_the_headers_of_clickhouse(port: int) -> None:
    status, headers, body = ask(
        port, "GET", "/?" + urlencode({"query": "SELECT {n:UInt8} AS n", "param_n": "7", "query_id": "q7"})
    )
    assert (status, body) == (200, b"7\n")
    assert (headers["X-ClickHouse-Format"], headers["X-ClickHouse-Query-Id"]) == ("TabSeparated", "q7")
    assert headers["X-ClickHouse-Timezone"] == "UTC"
    assert json.loads(headers["X-ClickHouse-Summary"])["read_rows"] == "1"
    assert ask(port, "GET", "/?query=SELECT+1+FORMAT+JSONEachRow")[2] == b'{"1":1}\n'
    assert ask(port, "GET", "/?default_format=CSV&query=" + quote("SELECT 'a'"))[2] == b'"a"\n'
    assert ask(port, "POST", "/", b"SELECT 2", X_ClickHouse_Format="CSVWithNames")[2] == b'"2"\n2\n'
    assert ask(port, "GET", "/ping")[2] == b"Ok.\n"
    assert ask(port, "GET", "/absent")[0] == 404


def test_get_changes_nothing(port: int) -> None:
    status, headers, _ = ask(port, "GET", "/?query=" + quote("CREATE TABLE got (a Int64) ENGINE = Memory"))
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")


def test_errors_have_the_status_that_clickhouse_gives(port: int) -> None:
    assert ask(port, "POST", "/", b"SELECT * FROM absent")[0] == 404
    assert ask(port, "POST", "/", b"SELECT 1 +")[0] == 400
    assert ask(port, "POST", "/?no_such_setting=1", b"SELECT 1")[0] == 404
    assert ask(port, "POST", "/", b"SELECT 1; SELECT 2")[0] == 400


def test_compressed_and_chunked_bodies_are_read(port: int, client: Client) -> None:
    client.command("CREATE OR REPLACE TABLE bodies (a Int64) ENGINE = MergeTree ORDER BY a")
    url = "/?query=" + quote("INSERT INTO bodies SETTINGS max_threads = 1 FORMAT JSONEachRow")
    assert ask(port, "POST", url, gzip.compress(b'{"a":1}'), Content_Encoding="gzip")[0] == 200
    assert ask(port, "POST", url, lz4.frame.compress(b'{"a":2}'), Content_Encoding="lz4")[0] == 200
    assert ask(port, "POST", url, zstd.compress(b'{"a":3}'), Content_Encoding="zstd")[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    shown = {"X-ClickHouse-User": "default", "X-ClickHouse-Key": SECRETS[port]["default"]}
    connection.request("POST", url, iter([b'{"a":4}\n', b'{"a":5}\n']), shown, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert ask(port, "POST", url, b"not gzip", Content_Encoding="gzip")[0] == 500
    assert ask(port, "POST", url, b'{"a":6}', Content_Encoding="rot13")[0] == 500
    assert client.query("SELECT groupArray(a) FROM (SELECT a FROM bodies ORDER BY a)").result_rows == [
        ([1, 2, 3, 4, 5],)
    ]


def test_half_a_body_stores_nothing(port: int, client: Client) -> None:
    client.command("CREATE OR REPLACE TABLE halves (a Int64) ENGINE = MergeTree ORDER BY a")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", "/?query=" + quote("INSERT INTO halves FORMAT JSONEachRow"))
    connection.putheader("X-ClickHouse-User", "default")
    connection.putheader("X-ClickHouse-Key", SECRETS[port]["default"])
    connection.putheader("Content-Length", "100")
    connection.endheaders(b'{"a":1}\n')
    connection.close()
    time.sleep(0.2)
    assert client.query("SELECT count() FROM halves").result_rows == [(0,)]


def test_a_refused_block_is_an_error_and_not_a_loss(client: Client) -> None:
    client.command("CREATE OR REPLACE TABLE strict (a Int64, CONSTRAINT c CHECK a > 0) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(DatabaseError) as caught:
        client.raw_insert("strict", insert_block=b'{"a":-1}\n', fmt="JSONEachRow")
    assert caught.value.code == 469
    client.command(
        "CREATE OR REPLACE TABLE full (a Int64) ENGINE = MergeTree ORDER BY a"
        " SETTINGS parts_to_throw_insert = 1, parts_to_delay_insert = 1, max_delay_to_insert = 1"
    )
    client.raw_insert("full", insert_block=b'{"a":1}\n', fmt="JSONEachRow")
    with pytest.raises(DatabaseError) as caught:
        client.raw_insert("full", insert_block=b'{"a":2}\n', fmt="JSONEachRow")
    assert caught.value.code == 252


def test_statements_that_would_end_the_process_do_not(port: int) -> None:
    for sql in (b"SYSTEM SHUTDOWN", b"/* */ system -- \n kill", b"SELECT 1; SYSTEM KILL"):
        assert ask(port, "POST", "/", sql)[0] in (400, 403)
    assert ask(port, "POST", "/", b"SELECT repeat('x', 1000000) FROM numbers(1000000)")[0] == 500
    assert ask(port, "GET", "/ping")[0] == 200


def test_a_full_disk_refuses_blocks_and_loses_none(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted by this user; root can")
    process = launch(tmp_path)
    try:
        port = port_of(process, tmp_path)
        table = b"CREATE TABLE t (a Int64, s String CODEC(NONE)) ENGINE = MergeTree ORDER BY a"
        assert ask(port, "POST", "/", table)[0] == 200
        stored, statuses = 0, []
        for i in range(40):
            block = b"".join(b'{"a":%d,"s":"%s"}\n' % (j, os.urandom(20).hex().encode()) for j in range(20_000))
            statuses.append(ask(port, "POST", f"/?query_id={i}", b"INSERT INTO t FORMAT JSONEachRow\n" + block)[0])
            stored += 20_000 * (statuses[-1] == 200)
        assert statuses[0] == 200 and statuses[-1] == 500
        assert ask(port, "GET", "/?query=SELECT+count()+FROM+t")[2] == b"%d\n" % stored
    finally:
        assert end(process) == ""
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert process.returncode == 0


@contextmanager
def failing_disk(process: "subprocess.Popen[str]", largest: int) -> Iterator[None]:
    """Of each file the system takes so many bytes, and refuses the rest."""
    most, bound = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    yield
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, bound))


def patiently(port: int, path: str, body: bytes) -> bytes:
    for _ in range(300):
        with suppress(OSError, http.client.HTTPException):
            status, _, said = ask(port, "POST", path, body)
            if status == 200:
                return said
            assert b"Code: 75. " in said
        time.sleep(0.1)
    pytest.fail(f"not answered within 30 s: {body[:80]!r}")


WIDE = ", ".join(f"c{i} Float64 DEFAULT k" for i in range(100))
SUMS = b"SELECT count(), sum(c99) FROM t"


@contextmanager
def store(data: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    process = launch(data)
    try:
        yield process, port_of(process, data)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


# the campaign's seed 71 on the embedded broker: sixty rows that were acknowledged were gone after a kill
@pytest.mark.parametrize("largest", [300, 4500], ids="{} bytes a file".format)
def test_a_block_that_a_failing_disk_cut_short_is_not_acknowledged_and_the_retry_stores_it(
    tmp_path: Path, largest: int
) -> None:
    path = "/?insert_deduplicate=1&insert_deduplication_token="
    block = b'INSERT INTO t (k) FORMAT JSONEachRow\n{"k":%d}'
    kept = "SETTINGS non_replicated_deduplication_window = 100, fsync_after_insert = 1"
    table = f"CREATE TABLE t (k UInt64, {WIDE}) ENGINE = MergeTree ORDER BY k {kept}"
    with store(tmp_path) as (process, port):
        assert ask(port, "POST", "/", table.encode())[0] == 200
        for k in range(1, 21):
            assert ask(port, "POST", f"{path}{k}", block % k)[0] == 200
        with failing_disk(process, largest):
            status, _, said = ask(port, "POST", f"{path}1000", block % 1000)
            assert status == 500 and b"Code: 75. DB::Exception: the disk refused" in said
        for k in (1, 20, 1000, 2000, 1000):
            patiently(port, f"{path}{k}", block % k)
        assert patiently(port, "/", SUMS) == b"22\t3210\n"
    with store(tmp_path) as (again, port):
        assert patiently(port, "/", SUMS) == b"22\t3210\n"
        assert "damaged and left out: default.t broken-on-start_all_21_21_0" in end(again)


def test_a_merge_that_a_failing_disk_cut_short_takes_no_rows_with_it(tmp_path: Path) -> None:
    table = f"CREATE TABLE t (k UInt64, {WIDE}) ENGINE = MergeTree ORDER BY k"
    with store(tmp_path) as (process, port):
        assert ask(port, "POST", "/", table.encode())[0] == 200
        for k in range(3):
            assert ask(port, "POST", "/", b'INSERT INTO t (k) FORMAT JSONEachRow\n{"k":%d}' % k)[0] == 200
        with failing_disk(process, 1000):
            assert ask(port, "POST", "/", b"OPTIMIZE TABLE t FINAL")[0] == 500
        assert patiently(port, "/", SUMS) == b"3\t3\n"
        assert "beginning anew on what is whole" in end(process)


def test_a_web_page_of_another_origin_is_refused(port: int) -> None:
    assert ask(port, "POST", "/", b"SELECT 1", Origin="https://example.org")[0] == 403
    assert ask(port, "GET", "/?query=SELECT+1", Host="example.org:80")[0] == 403
    assert ask(port, "GET", "/?query=SELECT+1", Origin="http://localhost:3000")[0] == 403
    assert ask(port, "GET", "/?query=SELECT+1", Sec_Fetch_Site="cross-site")[0] == 403
    assert ask(port, "GET", "/?query=SELECT+1", Host=f"localhost:{port}", Origin=f"http://localhost:{port}")[0] == 200


def test_readers_see_whole_blocks_while_a_writer_inserts(port: int, client: Client) -> None:
    client.command("CREATE OR REPLACE TABLE busy (a Int64) ENGINE = MergeTree ORDER BY a")
    block = b"".join(b'{"a":%d}\n' % i for i in range(1000))
    ended = threading.Event()

    def read(_: int) -> int:
        own = opened(port)
        seen = 0
        while not ended.is_set():
            count = own.query("SELECT count() FROM busy").result_rows[0][0]
            assert count >= seen and count % 1000 == 0
            seen = count
        own.close()
        return seen

    with ThreadPoolExecutor(3) as readers:
        reading = [readers.submit(read, i) for i in range(3)]
        for _ in range(30):
            client.raw_insert("busy", insert_block=block, fmt="JSONEachRow")
        ended.set()
        assert max(future.result() for future in reading) > 0
    assert client.query("SELECT count() FROM busy").result_rows == [(30_000,)]


def test_a_slow_query_does_not_hold_up_others(port: int) -> None:
    slow = b"SELECT sum(sleepEachRow(1)) FROM numbers(3) SETTINGS max_block_size = 1"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, port, "POST", "/", slow)
        time.sleep(0.2)
        assert ask(port, "POST", "/", b"SELECT 1")[2] == b"1\n"
        assert not waiting.done()
        assert waiting.result()[2] == b"0\n"


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    process = launch(tmp_path)
    port = port_of(process, tmp_path)
    window = b"SETTINGS non_replicated_deduplication_window = 100"
    assert (
        ask(port, "POST", "/", b"CREATE TABLE kept (a Int64) ENGINE = ReplacingMergeTree ORDER BY a " + window)[0]
        == 200
    )
    for i in range(5):
        assert (
            ask(
                port, "POST", f"/?insert_deduplication_token=t{i}", b'INSERT INTO kept FORMAT JSONEachRow {"a":%d}' % i
            )[0]
            == 200
        )
    process.kill()
    process.communicate()
    again = launch(tmp_path)
    port = port_of(again, tmp_path)
    repeated = b'INSERT INTO kept FORMAT JSONEachRow {"a":4}'
    assert ask(port, "POST", "/?insert_deduplication_token=t4", repeated)[0] == 200
    assert ask(port, "GET", "/?query=SELECT+count(),max(a)+FROM+kept")[2] == b"5\t4\n"
    assert end(again) == ""
    assert again.returncode == 0
    assert not (tmp_path / "store.json").exists()


def test_a_second_process_on_a_directory_or_port_refuses_in_one_line(port: int, tmp_path: Path) -> None:
    first = launch(tmp_path)
    port_of(first, tmp_path)
    second = launch(tmp_path)
    said = second.communicate(timeout=30)[1]
    assert second.returncode == 1
    assert said == f"store: {tmp_path} is in use by process {first.pid}; one store a directory\n"
    end(first)
    third = launch(tmp_path / "third", "--port", str(port))
    said = third.communicate(timeout=30)[1]
    assert third.returncode == 1
    assert said.startswith(f"store: port {port} cannot be used: ") and said.count("\n") == 1


def test_a_statement_under_way_ends_before_the_store_does(tmp_path: Path) -> None:
    process = launch(tmp_path)
    port = port_of(process, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            ask, port, "POST", "/", b"SELECT sum(sleepEachRow(1)) FROM numbers(2) SETTINGS max_block_size = 1"
        )
        time.sleep(0.5)
        assert end(process) == ""
        assert waiting.result()[2] == b"0\n"
    assert process.returncode == 0


def test_with_parent_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-m', 'deploy.local.store', '--data', sys.argv[1], '--with-parent'])\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    written = tmp_path / "store.json"
    for _ in range(600):
        if written.exists():
            break
        time.sleep(0.05)
    child = json.loads(written.read_text())["pid"]
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not written.exists() and not os.path.exists(f"/proc/{child}/exe"):
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the store outlived its parent by 10 s")
