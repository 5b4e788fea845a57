"""A store that the first release left takes the migrations since, and new rows beside the old; on every store."""

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from flows.__main__ import main
from flows.clickhouse.client import BadBlock, ClickHouse, Settings, connect
from flows.clickhouse.errors import MigrationError
from flows.clickhouse.migrations import FOLDER, RELEASED, apply_migrations
from flows.engine import compiled
from flows.published import sealed
from flows.settings.secret import Secret
from flows.tables import BY_NAME, TABLES
from schemas.column import Column, Dtype
from schemas.ddl import create_dense_view, create_table
from schemas.migration import added_up, steps
from schemas.table import Table
from tests.services.backend import Store

FIRST = "0001_tables.sql"
"""The migration of the first release (c548cb0)."""
T0_MS = 1_754_000_000_000
VALUES: dict[Dtype, object] = {"i8": 1, "f8": 0.5, "bool": True, "str": "x", "time": T0_MS}
NEW = (
    Column("wall_usd", "f8", "the wall's size", null_when="there is none"),
    Column("walls", "i8", "how many walls"),
    Column("wall_side", "str", "on which side"),
    Column("wall_seen", "bool", "whether there is one"),
    Column("walls_at", "time", "when"),
)
WALLS = Table(
    "sightings", "sightings", (BY_NAME["liquidations"].columns[0], *NEW), ("venue", "walls_at"), "", 90, "walls_at"
)


def of(store: Store, database: str = "default") -> Settings:
    return Settings(url=f"http://{store.host}:{store.port}", password=Secret(store.password), database=database)


@pytest.fixture
def clickhouse(store: Store) -> Iterator[ClickHouse]:
    name = f"upgrade_{uuid.uuid4().hex[:8]}"
    root = connect(of(store))
    root.command(f"CREATE DATABASE {name}")
    opened = connect(of(store, name))
    yield opened
    opened.close()
    root.command(f"DROP DATABASE {name}")
    root.close()


def first_release(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(FOLDER / FIRST, folder)
    line = next(text for text in (FOLDER / RELEASED).read_text().splitlines() if text.endswith(FIRST))
    (folder / RELEASED).write_text(line + "\n")
    return folder


def record(columns: list[str], table: Table, second: int) -> dict[str, object]:
    """A row of the columns that its writer knows; no two `second`s have one key."""
    row = {c.name: VALUES[c.dtype] for c in table.columns if c.name in columns}
    key: dict[Dtype, object] = {"i8": second, "str": f"x{second}", "time": T0_MS + 1_000 * second}
    varied = {n for n in table.key if table.column(n).dtype == "time" or n == table.key[-1]} & set(columns)
    return row | {n: key[table.column(n).dtype] for n in varied}


def put(clickhouse: ClickHouse, table: str, *rows: dict[str, object]) -> None:
    clickhouse.insert_block(table, b"".join(json.dumps(r).encode() + b"\n" for r in rows), uuid.uuid4().hex)


def columns_of(clickhouse: ClickHouse, table: str) -> dict[str, tuple[str, str, str]]:
    sql = (
        "SELECT name, type, comment, compression_codec FROM system.columns"
        " WHERE database = currentDatabase() AND table = {table:String} ORDER BY position"
    )
    return {str(name): (str(a), str(b), str(c)) for name, a, b, c in clickhouse.rows(sql, table=table)}


def wider(table: Table) -> Table:
    """With new columns in the middle and at the end."""
    if table.name not in ("features_book", "risk_accounts"):
        return table
    return msgspec.structs.replace(table, columns=(*table.columns[:6], *NEW[:3], *table.columns[6:], *NEW[3:]))


def test_a_store_of_the_first_release_takes_this_ones_migrations_and_new_rows_beside_the_old(
    clickhouse: ClickHouse, tmp_path: Path
) -> None:
    assert apply_migrations(clickhouse, first_release(tmp_path / "then")) == [FIRST]
    before = {t.name: list(columns_of(clickhouse, t.name)) for t in TABLES}
    old = [t for t in TABLES if before[t.name]]
    assert len(old) == 12
    for table in old:
        put(clickhouse, table.name, *(record(before[table.name], table, second) for second in range(3)))
    assert apply_migrations(clickhouse, FOLDER) == [p.name for p in sorted(FOLDER.glob("*.sql"))][1:]
    for table in TABLES:
        names = [c.name for c in table.columns]
        put(clickhouse, table.name, *(record(names, table, second) for second in range(10, 12)))
        ((rows,),) = clickhouse.rows(f"SELECT count() FROM `{table.name}` FINAL")
        assert rows == (5 if table in old else 2)
        for name in set(names) - set(before[table.name]) - set(table.key) if table in old else ():
            told = clickhouse.rows(f"SELECT isNull(`{name}`), count() FROM `{table.name}` GROUP BY 1 ORDER BY 1")
            assert told == [(0, 2), (1, 3)], f"{table.name}.{name}: old rows say null, new ones what they hold"


def test_the_migrations_together_make_the_columns_that_are_declared(clickhouse: ClickHouse) -> None:
    apply_migrations(clickhouse, FOLDER)
    for table in TABLES:
        assert [c.name for c in table.columns] == [n for n in columns_of(clickhouse, table.name) if n != "ingested_at"]
        if table.dense:
            dense = [n for n in columns_of(clickhouse, f"{table.name}_dense") if n != "in_force_since"]
            assert dense == [c.name for c in table.columns]


def test_columns_tables_and_views_that_declarations_gain_are_appended_and_old_rows_say_null(
    clickhouse: ClickHouse, tmp_path: Path
) -> None:
    folder = first_release(tmp_path / "then")
    apply_migrations(clickhouse, folder)
    tables = [*(wider(t) for t in TABLES), WALLS]
    book = BY_NAME["features_book"]
    names = [n for n in columns_of(clickhouse, "features_book") if n != "ingested_at"]
    put(clickhouse, "features_book", record(names, book, 0))
    appended = steps(sealed(), tables)
    (folder / "0002_tables.sql").write_text(";\n\n".join(appended) + ";\n")
    assert apply_migrations(clickhouse, folder) == ["0002_tables.sql"]
    put(clickhouse, "features_book", record([*names, *(c.name for c in NEW)], wider(book), 1))
    put(clickhouse, "sightings", record([c.name for c in WALLS.columns], WALLS, 1))
    held = "wall_usd, walls, wall_side, wall_seen, toUnixTimestamp64Milli(walls_at)"
    old, new = (None,) * 5, (0.5, 1, "x", True, T0_MS)
    assert clickhouse.rows(f"SELECT {held} FROM features_book ORDER BY window_start") == [old, new]
    assert clickhouse.rows("SELECT count(), count(wall_usd) FROM features_book_dense WHERE window_ms = 1")[0][1] == 1
    fresh = {t.name: t for t in tables}
    for name in ("features_book", "risk_accounts", "sightings"):
        got = columns_of(clickhouse, name)
        clickhouse.command(f"DROP TABLE {name}")
        clickhouse.command(create_table(fresh[name]))
        wanted = columns_of(clickhouse, name)
        assert list(got) == list(wanted)
        added = (
            {c.name for c in fresh[name].columns} - set(sealed().tables[name].first) if name != "sightings" else set()
        )
        assert {n: c for n, c in got.items() if n not in added} == {n: c for n, c in wanted.items() if n not in added}
        assert {n: c[1:] for n, c in got.items()} == {n: c[1:] for n, c in wanted.items()}
        assert all("Nullable(" in got[n][0] for n in added)


def test_a_number_that_is_not_finite_is_refused_in_an_added_column_too(clickhouse: ClickHouse, tmp_path: Path) -> None:
    clickhouse.command(create_table(BY_NAME["risk_accounts"]))
    table = wider(BY_NAME["risk_accounts"])
    for statement in steps(added_up([create_table(BY_NAME["risk_accounts"])]), [table]):
        clickhouse.command(statement)
    row = record([c.name for c in table.columns], table, 0)
    with pytest.raises(BadBlock):
        clickhouse.insert_block("risk_accounts", json.dumps(row).replace("0.5", "1e999").encode(), "t")


def test_a_migration_that_is_not_released_is_taken_again_when_it_grew(clickhouse: ClickHouse, tmp_path: Path) -> None:
    folder = first_release(tmp_path / "now")
    small = msgspec.structs.replace(WALLS, columns=WALLS.columns[:-1], key=("venue", "walls"), time="")
    path = folder / "0002_tables.sql"
    path.write_text(";\n\n".join(steps(sealed(), [*map(wider, TABLES[:1]), *TABLES[1:]])) + ";\n")
    assert apply_migrations(clickhouse, folder) == [FIRST, path.name]
    path.write_text(";\n\n".join(steps(sealed(), [*map(wider, TABLES), small])) + ";\n")
    assert apply_migrations(clickhouse, folder) == [path.name]
    assert apply_migrations(clickhouse, folder) == []
    assert "wall_usd" in columns_of(clickhouse, "risk_accounts") and "wall_usd" in columns_of(clickhouse, "sightings")


def test_a_store_of_a_later_release_is_refused_in_one_line(clickhouse: ClickHouse, tmp_path: Path) -> None:
    folder = first_release(tmp_path / "then")
    later = tmp_path / "later"
    shutil.copytree(folder, later)
    (later / "0002_tables.sql").write_text("SELECT 1;\n")
    apply_migrations(clickhouse, later)
    with pytest.raises(MigrationError) as refused:
        apply_migrations(clickhouse, folder)
    assert str(refused.value) == (
        f"the store is ahead: it has migration 0002_tables.sql, this release ends at {FIRST};"
        " run the release that brought it up"
    )


def test_the_dense_view_is_made_again_by_a_statement_that_may_run_twice(clickhouse: ClickHouse) -> None:
    book = BY_NAME["features_book"]
    clickhouse.command(create_table(book))
    clickhouse.command(create_dense_view(book))
    wide = wider(book)
    for statement in 2 * steps(added_up([create_table(book), create_dense_view(book)]), [wide]):
        clickhouse.command(statement)
    names = [n for n in columns_of(clickhouse, "features_book_dense") if n != "in_force_since"]
    assert names == [c.name for c in wide.columns]


def test_migrate_says_in_one_line_how_the_store_stood(
    clickhouse: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def migrate(folder: Path) -> tuple[object, str, str]:
        monkeypatch.setattr("flows.commands.migrate.FOLDER", folder)
        told = clickhouse.settings
        with pytest.raises(SystemExit) as ended:
            main(["migrate", "--set", f"clickhouse.url={told.url}", "--set", f"clickhouse.database={told.database}"])
        return ended.value.code, *capsys.readouterr()

    monkeypatch.setattr(compiled, "cache", lambda: None)
    if password := clickhouse.settings.password.reveal():
        monkeypatch.setenv("ALPHAPLUS_CLICKHOUSE__PASSWORD", password)
    then, now = first_release(tmp_path / "then"), first_release(tmp_path / "now")
    (now / "0002_tables.sql").write_text("SELECT 1;\n")
    assert migrate(then) == (0, f"the store was behind, applied {FIRST}\n", "")
    assert migrate(now) == (0, "the store was behind, applied 0002_tables.sql\n", "")
    assert migrate(now) == (0, "the store has all migrations up to 0002_tables.sql\n", "")
    code, out, err = migrate(then)
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert err.startswith("alphaplus: the store is ahead: it has migration 0002_tables.sql")
