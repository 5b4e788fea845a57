"""What somebody can take of the embedded store's machine: little, and others are served meanwhile."""

import contextlib
import gzip
import os
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import lz4.frame
import pytest
from backports import zstd

from deploy.local.body import LARGEST, Room
from deploy.local.engine import Refusal
from tests.services.test_store import SECRETS, ask, end, launch, port_of

pytestmark = pytest.mark.services
ROWS = "/?query=INSERT+INTO+bombed+FORMAT+CSV"


@pytest.fixture(scope="module")
def bombed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Port and process of a store of our own."""
    data = tmp_path_factory.mktemp("bombs")
    process = launch(data)
    try:
        port = port_of(process, data)
        assert ask(port, "POST", "/", b"CREATE TABLE bombed (a String) ENGINE = Null")[0] == 200
        yield port, process.pid
    finally:
        assert end(process) == ""


def peak_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def is_socket(link: str) -> bool:
    """A descriptor that was closed since it was listed is none."""
    with contextlib.suppress(FileNotFoundError):
        return "socket" in os.readlink(link)
    return False


def of_nothing(encoding: str, size: int) -> bytes:
    """A body of `size` zeros."""
    part = bytes(2**24)
    if encoding == "lz4":
        with lz4.frame.LZ4FrameCompressor() as lz4_packs:
            return (
                lz4_packs.begin()
                + b"".join(lz4_packs.compress(part) for _ in range(size // len(part)))
                + lz4_packs.flush()
            )
    packs = zstd.ZstdCompressor() if encoding == "zstd" else zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)
    return b"".join(packs.compress(part) for _ in range(size // len(part))) + packs.flush()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_a_small_body_that_unpacks_into_gigabytes_is_refused_before_it_has_taken_them(
    bombed: tuple[int, int], encoding: str
) -> None:
    port, pid = bombed
    before = peak_mb(pid)
    body = of_nothing(encoding, 2**30)
    assert len(body) < 2**25
    answer = None
    for _ in range(5):  # the answer may come, and the connection be reset, while the body is still being sent
        with suppress(ConnectionError):
            answer = ask(port, "POST", ROWS, body, Content_Encoding=encoding)
            break
    assert answer is not None
    assert (answer[0], answer[1]["X-ClickHouse-Exception-Code"]) == (413, "162")
    assert peak_mb(pid) - before < 3 * LARGEST // 2**20


def test_a_body_without_end_is_refused(bombed: tuple[int, int]) -> None:
    port, pid = bombed
    before = peak_mb(pid)
    piece = b"100000\r\n" + bytes(2**20) + b"\r\n"
    head = f"POST {ROWS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    head += f"X-ClickHouse-User: default\r\nX-ClickHouse-Key: {SECRETS[port]['default']}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode())
        with contextlib.suppress(OSError):
            for _ in range(4 * LARGEST // 2**20):
                connection.sendall(piece)
        with contextlib.suppress(OSError):
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert peak_mb(pid) - before < 3 * LARGEST // 2**20
    assert ask(port, "GET", "/?query=SELECT+1")[2] == b"1\n"


def test_a_head_without_end_is_refused(bombed: tuple[int, int]) -> None:
    port, _ = bombed
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        sent, closed = 0, False
        try:
            while sent < 2**26:
                connection.sendall(b"x" * 2**16)
                sent += 2**16
        except OSError:
            closed = True
    assert closed and sent < 2**24


def test_half_requests_make_no_threads_and_keep_nobody_out(bombed: tuple[int, int]) -> None:
    port, pid = bombed
    before = threads(pid)
    half = []
    for _ in range(900):
        with contextlib.suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            half.append(connection)
            connection.sendall(b"POST /?query=SELECT+1 HTTP/1.1\r\nHost: loc")
    try:
        assert ask(port, "GET", "/?query=SELECT+1")[2] == b"1\n"
        assert threads(pid) - before < 20
        open_now = sum(is_socket(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd"))
        assert open_now < 300
        until = time.monotonic() + 60
        while time.monotonic() < until and any(_is_open(connection) for connection in half):
            time.sleep(0.5)
        assert not any(_is_open(connection) for connection in half), "one that never asks is not kept"
    finally:
        for connection in half:
            connection.close()


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_bodies_of_strangers_are_not_read(bombed: tuple[int, int]) -> None:
    port, _ = bombed
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(f"POST {ROWS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {2**28}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("limit", ["max_memory_usage", "max_memory_usage_for_user", "max_execution_time"])
def test_a_query_cannot_lift_its_bounds_of_memory_and_time(bombed: tuple[int, int], limit: str) -> None:
    port, _ = bombed
    for user in ("reader", "default"):
        bound = ask(port, "POST", "/", f"SELECT getSetting('{limit}')".encode(), user=user)[2]
        assert int(bound) > 0
        for more in ("0", str(2**62)):
            lifted = f"SELECT 1 SETTINGS {limit} = {more}".encode()
            assert ask(port, "POST", "/", lifted, user=user)[1]["X-ClickHouse-Exception-Code"] in ("452", "36")
        assert ask(port, "POST", f"/?{limit}=0", b"SELECT 1", user=user)[0] != 200


def test_room_is_given_back_and_never_overdrawn() -> None:
    room = Room(most=100)
    with room.taken() as first:
        first(60)
        with pytest.raises(Refusal) as caught, room.taken() as second:
            second(30)
            second(11)
        assert caught.value.code == 202
        with room.taken() as third:
            third(40)
    with room.taken() as all_of_it:
        all_of_it(100)


def test_what_follows_a_compressed_body_or_is_missing_of_it_is_refused(bombed: tuple[int, int]) -> None:
    port, _ = bombed
    whole = gzip.compress(b"1\n" * 1000)
    assert ask(port, "POST", ROWS, whole, Content_Encoding="gzip")[0] == 200
    assert ask(port, "POST", ROWS, whole + whole, Content_Encoding="gzip")[0] == 200
    assert ask(port, "POST", ROWS, whole + b"more", Content_Encoding="gzip")[0] == 500
    assert ask(port, "POST", ROWS, whole[:-4], Content_Encoding="gzip")[0] == 500
    assert ask(port, "POST", ROWS, b"", Content_Encoding="gzip")[0] == 500
