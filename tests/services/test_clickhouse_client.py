"""The client path: blocks stored once, migrations, digests, the dense view; against the embedded store."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flows.clickhouse.client import BadBlock, ClickHouse, Settings, StoreError, Trouble, connect
from flows.clickhouse.digest import digest
from flows.clickhouse.errors import MigrationError
from flows.clickhouse.migrations import apply_migrations
from flows.settings.secret import Secret
from flows.settings.sources import load
from flows.settings.tree import SettingsError
from schemas.column import Column
from schemas.ddl import create_dense_view, create_table
from schemas.table import Table
from tests.services.store_relay import Answer, is_block, relay

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
T0 = 1_700_000_000_000
COLUMNS = (
    Column("venue", "str", "venue"),
    Column("symbol", "str", "symbol"),
    Column("window_ms", "i8", "length", "ms"),
    Column("window_start", "time", "start"),
    Column("version", "i8", "version"),
    Column("mid", "f8", "middle", "USD", null_when="a side is empty"),
    Column("ofi", "f8", "order flow imbalance", "lots"),
    Column("book_ok", "bool", "no gap"),
)
KEY = ("venue", "symbol", "window_ms", "window_start")
TABLE = Table("features_test", "features.test", COLUMNS, KEY, "version", 90, "window_start", True)


SECRET: dict[int, str] = {}
"""By port, the file with the secret of a store that was started, or of the one behind a proxy."""


def start(data: Path, port: int = 0) -> tuple["subprocess.Popen[bytes]", int]:
    command = [sys.executable, "-m", "deploy.local.store", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    written = data / "store.json"
    for _ in range(600):
        if written.exists() and (said := json.loads(written.read_text()))["pid"] == process.pid:
            SECRET[said["port"]] = str(data / "store.secret")
            return process, int(said["port"])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail("the store did not start")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    process, port = start(tmp_path_factory.mktemp("store"))
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def settings(port: int, retry_s: float = 20.0) -> Settings:
    file = SECRET.get(port)
    password = Secret(Path(file).read_text() if file else "")
    return Settings(url=f"http://127.0.0.1:{port}", password=password, connect_s=2, timeout_s=10, retry_s=retry_s)


@pytest.fixture
def clickhouse(port: int) -> Iterator[ClickHouse]:
    clickhouse = connect(settings(port))
    for kind, name in (("VIEW", "features_test_dense"), ("TABLE", "features_test")):
        clickhouse.command(f"DROP {kind} IF EXISTS {name}")
    clickhouse.command(create_table(TABLE))
    yield clickhouse
    clickhouse.close()


def row(second: int, mid: float | None = 100.5, symbol: str = "BTCUSDT", **more: object) -> dict[str, object]:
    fixed = {"venue": "v", "symbol": symbol, "window_ms": 1000, "window_start": T0 + 1000 * second, "version": 1}
    return {**fixed, "mid": mid, "ofi": -0.25, "book_ok": True, **more}


def block(*rows: dict[str, object]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in rows)


def count(clickhouse: ClickHouse) -> int:
    return int(str(clickhouse.rows("SELECT count() FROM features_test")[0][0]))


@dataclass
class Lossy:
    """A proxy that gives no reply to the next `swallow` blocks, which the store has stored; `seen` counts blocks."""

    target: int
    swallow: int = 0
    refuse: list[int] = field(default_factory=list)
    seen: int = 0

    def serve(self) -> AbstractContextManager[int]:
        return relay(self.target, self._before, self._lost)

    def _before(self, path: str) -> Answer | None:
        self.seen += is_block(path)
        return Answer(self.refuse.pop(), {}, b"overloaded") if is_block(path) and self.refuse else None

    def _lost(self, path: str) -> bool:
        if not is_block(path) or not self.swallow:
            return False
        self.swallow -= 1
        return True


@pytest.fixture
def lossy(port: int) -> Iterator[tuple[Lossy, ClickHouse]]:
    proxy = Lossy(port)
    with proxy.serve() as between:
        SECRET[between] = SECRET[port]
        clickhouse = connect(settings(between))
        yield proxy, clickhouse
        clickhouse.close()


def test_the_same_block_and_token_is_stored_once(clickhouse: ClickHouse) -> None:
    rows = block(*(row(i) for i in range(50)))
    for _ in range(3):
        clickhouse.insert_block("features_test", rows, "run-1")
    assert count(clickhouse) == 50
    clickhouse.insert_block("features_test", rows, "run-2")
    assert count(clickhouse) == 100


def test_other_rows_under_a_used_token_are_not_taken_for_a_repeat(clickhouse: ClickHouse) -> None:
    clickhouse.insert_block("features_test", block(row(0)), "same")
    clickhouse.insert_block("features_test", block(row(1)), "same")
    assert count(clickhouse) == 2


def test_a_large_block_is_not_cut(clickhouse: ClickHouse) -> None:
    clickhouse.insert_block("features_test", block(*(row(i) for i in range(150_000))), "large")
    found = "SELECT sum(rows), max(max_block_number) - min(min_block_number) FROM system.parts"
    assert clickhouse.rows(found + " WHERE table = 'features_test' AND active") == [(150_000, 0)]


def test_values_come_back_exactly(clickhouse: ClickHouse) -> None:
    floats = [0.1, 1e-300, 123456789.12345678, 5e-324, -1.7976931348623157e308, 2.0**53 + 2]
    rows = [row(i, mid=value, window_start=T0 + 123 + i, unknown_field=1) for i, value in enumerate(floats)]
    clickhouse.insert_block("features_test", block(*rows, row(50, mid=None, version=2**62)), "exact")
    sql = "SELECT mid, toUnixTimestamp64Milli(window_start), version, book_ok FROM features_test ORDER BY window_start"
    expected: list[tuple[object, ...]] = [(value, T0 + 123 + i, 1, True) for i, value in enumerate(floats)]
    assert clickhouse.rows(sql) == [*expected, (None, T0 + 50_000, 2**62, True)]


def test_a_lost_reply_leads_to_one_copy(clickhouse: ClickHouse, lossy: tuple[Lossy, ClickHouse]) -> None:
    proxy, through = lossy
    retries: list[int] = []
    proxy.swallow = 3
    through.insert_block("features_test", block(*(row(i) for i in range(10))), "lost", lambda n, _: retries.append(n))
    assert proxy.seen == 4
    assert retries == list(range(1, len(retries) + 1)) and retries
    assert count(clickhouse) == 10


def test_an_overloaded_server_is_waited_for(clickhouse: ClickHouse, lossy: tuple[Lossy, ClickHouse]) -> None:
    proxy, through = lossy
    proxy.refuse = [503, 500, 429]
    said: list[str] = []
    through.insert_block("features_test", block(row(0)), "busy", lambda _, error: said.append(type(error).__name__))
    assert said == ["Trouble"] * 3
    assert count(clickhouse) == 1


def test_trouble_is_raised_when_it_has_lasted_for_retry_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    attempts: list[int] = []
    away = ClickHouse(settings(port, retry_s=1.0))
    with pytest.raises(Trouble) as caught:
        away.insert_block("t", b"{}\n", "x", lambda attempt, _: attempts.append(attempt))
    assert caught.value.code is None
    assert "\n" not in str(caught.value)
    assert len(attempts) >= 2


def test_an_outage_of_the_store_only_delays_a_block(tmp_path: Path) -> None:
    process, port = start(tmp_path)
    clickhouse = connect(settings(port, retry_s=60))
    clickhouse.command(create_table(TABLE))
    clickhouse.insert_block("features_test", block(row(0)), "before")
    process.kill()
    process.wait()
    restarted: list[subprocess.Popen[bytes]] = []

    def on_retry(attempt: int, _: Exception) -> None:
        if attempt == 2:
            restarted.append(start(tmp_path, port)[0])

    clickhouse.insert_block("features_test", block(row(0)), "before", on_retry)
    clickhouse.insert_block("features_test", block(row(1)), "after", on_retry)
    assert count(clickhouse) == 2
    clickhouse.close()
    restarted[0].send_signal(signal.SIGTERM)
    assert restarted[0].wait(30) == 0


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'{"window_start":1,', 26),
        (b'{"version":"x"}', 27),
        (b'{"ofi":"x"}', 72),
        (b'{"version":1.5}', 27),
        (b'{"window_start":"yesterday"}', 41),
        (b'{"symbol":null}', 117),
        (b'{"book_ok":2}', 467),
        (b'{"ofi":null}', 469),
        (b'{"mid":1e400}', 469),
        (b"\xff\xfe", 27),
    ],
)
def test_a_bad_row_is_told_apart_at_once_and_nothing_of_its_block_is_stored(
    clickhouse: ClickHouse, bad: bytes, code: int
) -> None:
    retries: list[int] = []
    with pytest.raises(BadBlock) as caught:
        clickhouse.insert_block("features_test", block(row(0)) + bad + b"\n", "bad", lambda n, _: retries.append(n))
    assert caught.value.code == code
    assert retries == []
    assert count(clickhouse) == 0


def test_a_table_that_is_not_there_is_not_waited_for(clickhouse: ClickHouse) -> None:
    with pytest.raises(StoreError) as caught:
        clickhouse.insert_block("absent", block(row(0)), "x")
    assert caught.value.code == 60
    assert not isinstance(caught.value, Trouble | BadBlock)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    clickhouse = connect(settings(port, retry_s=1))
    assert clickhouse.rows("SELECT 1") == [(1,)]
    clickhouse.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8123", "chdb://x", "http://"])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="is not http://host:port"):
        load(None, {}, [f"clickhouse.url={url}"])


def test_a_query_is_a_table_csv_or_json(clickhouse: ClickHouse) -> None:
    clickhouse.insert_block("features_test", block(row(0), row(1, mid=None)), "x")
    sql = "SELECT symbol, mid FROM features_test ORDER BY window_start;"
    assert clickhouse.query(sql, "csv") == '"symbol","mid"\n"BTCUSDT",100.5\n"BTCUSDT",\n'
    assert clickhouse.query(sql, "csv", r"\N") == '"symbol","mid"\n"BTCUSDT",100.5\n"BTCUSDT",\\N\n'
    assert [json.loads(text) for text in clickhouse.query(sql, "json").splitlines()] == [
        {"symbol": "BTCUSDT", "mid": 100.5},
        {"symbol": "BTCUSDT", "mid": None},
    ]
    table = clickhouse.query(sql)
    assert "BTCUSDT" in table and "symbol" in table and "\x1b" not in table
    assert clickhouse.query("SELECT 1 FORMAT CSV", "table") == "1\n"
    with pytest.raises(StoreError):
        clickhouse.query("SELECT nothing")


def test_digests_are_equal_when_the_rows_are_and_in_any_order(clickhouse: ClickHouse) -> None:
    assert digest(clickhouse, "features_test") == (0, "0" * 32)
    rows = [row(i, mid=0.1 * i if i % 3 else None) for i in range(20)]
    clickhouse.insert_block("features_test", block(*rows), "a")
    first = digest(clickhouse, "features_test")
    assert first[0] == 20 and re.fullmatch(r"[0-9a-f]{32}", first[1])
    clickhouse.command("TRUNCATE TABLE features_test")
    for each in reversed(rows):
        clickhouse.insert_block("features_test", block(each), f"b{each['window_start']}")
    clickhouse.insert_block("features_test", block(*rows[:5]), "again")
    assert digest(clickhouse, "features_test") == first


@pytest.mark.parametrize(
    "other", [{"mid": 0.1 + 2**-56}, {"mid": 0.0}, {"mid": None}, {"ofi": 0.25}, {"book_ok": False}]
)
def test_digests_differ_in_the_last_bit_and_between_null_and_zero(
    clickhouse: ClickHouse, other: dict[str, object]
) -> None:
    seen = set()
    for rows in ([row(0, mid=0.1)], [{**row(0, mid=0.1), **other}]):
        clickhouse.command("TRUNCATE TABLE features_test")
        clickhouse.insert_block("features_test", block(*rows), f"{rows}")
        seen.add(digest(clickhouse, "features_test"))
    assert len(seen) == 2


def test_a_digest_of_a_table_that_is_not_there_says_so(clickhouse: ClickHouse) -> None:
    with pytest.raises(StoreError, match="there is no table absent"):
        digest(clickhouse, "absent")


def test_migrations_are_applied_once_in_order_and_an_edited_one_refuses(clickhouse: ClickHouse, tmp_path: Path) -> None:
    clickhouse.command("DROP TABLE IF EXISTS schema_migrations")
    first, second = tmp_path / "0001_first.sql", tmp_path / "0002_second.sql"
    first.write_text(
        "-- one; two\nCREATE TABLE IF NOT EXISTS m1 (a Int64 COMMENT 'a; b') ENGINE = MergeTree ORDER BY a;\n"
    )
    second.write_text("ALTER TABLE m1 ADD COLUMN b Int64;\nINSERT INTO m1 VALUES (1, 2);")
    clickhouse.command("DROP TABLE IF EXISTS m1")
    assert apply_migrations(clickhouse, tmp_path) == ["0001_first.sql", "0002_second.sql"]
    assert apply_migrations(clickhouse, tmp_path) == []
    assert clickhouse.rows("SELECT a, b FROM m1") == [(1, 2)]
    (tmp_path / "0003_third.sql").write_text("ALTER TABLE m1 ADD COLUMN c Int64")
    assert apply_migrations(clickhouse, tmp_path) == ["0003_third.sql"]
    second.write_text("SELECT 1")
    with pytest.raises(MigrationError, match=r"^migration 0002_second\.sql has been applied and was edited since"):
        apply_migrations(clickhouse, tmp_path)
    second.unlink()
    with pytest.raises(MigrationError, match=r"^migration 0002_second\.sql has been applied, but "):
        apply_migrations(clickhouse, tmp_path)


def test_a_migration_whose_answer_is_lost_runs_again_and_says_so(port: int, tmp_path: Path, caplog) -> None:
    lost = iter([True, False, True])
    made = "CREATE TABLE IF NOT EXISTS m2 (a Int64) ENGINE = MergeTree ORDER BY a;\nALTER TABLE m2 ADD COLUMN IF NOT EXISTS b Int64"
    (tmp_path / "0001_one.sql").write_text(made)
    with relay(port, lambda path: None, lambda path: next(lost, False) if connected else False) as between:
        SECRET[between] = SECRET[port]
        connected = False
        clickhouse = connect(settings(between))
        clickhouse.command("DROP TABLE IF EXISTS schema_migrations")
        connected = True
        assert apply_migrations(clickhouse, tmp_path) == ["0001_one.sql"]
        assert apply_migrations(clickhouse, tmp_path) == []
        clickhouse.command("DROP TABLE m2")
        clickhouse.close()
    assert "; trying again for up to 20 s" in caplog.text


@pytest.mark.parametrize(
    ("names", "why"),
    [(["1_a.sql", "01_b.sql"], "have the same number"), (["a.sql"], "is not named <number>_<name>.sql")],
)
def test_migrations_that_cannot_be_ordered_refuse(
    clickhouse: ClickHouse, tmp_path: Path, names: list[str], why: str
) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match=why):
        apply_migrations(clickhouse, tmp_path)


def test_the_dense_view_holds_a_row_until_the_next_and_for_120_s_at_most(clickhouse: ClickHouse) -> None:
    clickhouse.command(create_dense_view(TABLE))
    rows = [row(0, 1.0), row(3, 2.0), row(4, None), row(300, 5.0), row(302, 9.0, symbol="ETHUSDT")]
    clickhouse.insert_block("features_test", block(*rows), "dense")
    sql = (
        "SELECT (toUnixTimestamp64Milli(window_start) - {t0:Int64}) / 1000 AS s, mid,"
        " (toUnixTimestamp64Milli(in_force_since) - {t0:Int64}) / 1000"
        " FROM features_test_dense WHERE symbol = {symbol:String} ORDER BY window_start"
    )
    expected: list[tuple[object, ...]] = [(0, 1.0, 0), (1, 1.0, 0), (2, 1.0, 0), (3, 2.0, 3)]
    expected += [(s, None, 4) for s in range(4, 125)]
    expected += [(s, 5.0, 300) for s in range(300, 303)]
    assert clickhouse.rows(sql, t0=T0, symbol="BTCUSDT") == expected
    assert clickhouse.rows(sql, t0=T0, symbol="ETHUSDT") == [(302, 9.0, 302)]


def test_the_dense_view_takes_the_newest_version_and_each_length_by_itself(clickhouse: ClickHouse) -> None:
    clickhouse.command(create_dense_view(TABLE))
    rows = [row(0, 1.0), row(0, 7.0, version=2), row(120, 8.0), row(0, 3.0, window_ms=60_000)]
    clickhouse.insert_block("features_test", block(*rows, row(60, 4.0, window_ms=60_000)), "versions")
    sql = "SELECT window_ms, count(), min(mid), max(mid) FROM features_test_dense GROUP BY window_ms ORDER BY window_ms"
    assert clickhouse.rows(sql) == [(1000, 121, 7.0, 8.0), (60_000, 2, 3.0, 4.0)]
