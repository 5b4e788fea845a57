"""`alphaplus diff`: rows that one side alone has, and columns that differ, are named with their first key."""

import secrets
from datetime import UTC, datetime

import msgspec
import pytest

from flows.clickhouse.client import connect
from flows.clickhouse.kept import beside
from flows.commands.diff import diff
from flows.refusal import Refused
from flows.settings.sources import load
from flows.settings.tree import SettingsError
from flows.tables import BY_NAME
from schemas.ddl import create_table

pytestmark = pytest.mark.services
ZERO = {"str": "x", "f8": 1.5, "i8": 1, "bool": False, "time": 1_700_000_000_000}
T = 1_700_000_000_000


def row(table, **values):
    return msgspec.json.encode({c.name: ZERO[c.dtype] for c in BY_NAME[table].columns} | values)


@pytest.fixture
def two(store):
    """Two databases, what to set to reach them, and a way to write into one."""
    sets = (f"clickhouse.url=http://{store.host}:{store.port}", *store.sets)
    names = [f"{side}_{secrets.token_hex(4)}" for side in "ab"]
    clients = []
    for name in names:
        made = load(None, {}, [*sets, f"clickhouse.database={name}"])
        connect(msgspec.structs.replace(made.clickhouse, database="default")).command(f"CREATE DATABASE {name}")
        clients.append(connect(made.clickhouse))
        for table in ("walls", "forecast_vectors", "alerts"):
            clients[-1].command(create_table(BY_NAME[table]))

    def insert(side, table, *rows):
        clients["ab".index(side)].insert_block(table, b"\n".join(rows), secrets.token_hex(4), count=len(rows))

    yield names, sets, insert, clients
    for name, client in zip(names, clients, strict=True):
        client.command(f"DROP DATABASE {name}")
        client.close()


def test_equal_rows_are_equal_whatever_their_order_and_repeats(two, capsys):
    (a, b), sets, insert, _ = two
    rows = [row("walls", symbol=f"S{i}", price=i / 3) for i in range(50)]
    insert("a", "walls", *rows)
    insert("b", "walls", *rows[::-1])
    insert("b", "walls", *rows[:5])
    assert diff(a, b, set=sets) == 0
    out = capsys.readouterr()
    assert ["walls", "50", "50", "0", "0", "0", "equal"] in [line.split() for line in out.out.splitlines()]
    assert out.err == ""


def test_rows_that_are_stored_while_the_topics_are_read_once_more_are_not_held_against_the_store(two):
    (name, _), sets, insert, _ = two
    first, later, never = (row("walls", symbol=symbol) for symbol in ("first", "later", "never"))
    insert("a", "walls", first, later)
    told = load(None, {}, [*sets, f"clickhouse.database={name}"]).clickhouse

    def while_the_run_goes_on():
        yield "walls", later
        insert("a", "walls", row("walls", symbol="last"))

    with beside(told, f"{name}_kept", [BY_NAME["walls"]]) as kept:
        kept.take([("walls", first)])
        assert kept.differences(while_the_run_goes_on, 5.0) == {}
        insert("a", "walls", never)
        found = kept.differences(list, 5.0)["walls"]
    assert found.startswith("2 stored rows are not as the topic has them, the first is ("), "last and never"


def test_what_differs_is_named_by_key_and_column(two, capsys):
    (a, b), sets, insert, _ = two
    rows = [row("forecast_vectors", symbol=f"S{i:03}", as_of=T + i) for i in range(300)]
    insert("a", "forecast_vectors", *rows[1:])
    name = next(c.name for c in BY_NAME["forecast_vectors"].columns if c.dtype == "f8")
    changed = [row("forecast_vectors", symbol=f"S{i:03}", as_of=T + i, **{name: 2.5}) for i in (7, 9)]
    insert("b", "forecast_vectors", *rows[:7], changed[0], rows[8], changed[1], *rows[10:-2])
    insert("b", "alerts", row("alerts"))
    assert diff(a, b, set=sets) == 1
    said = capsys.readouterr()
    grid = [line.split() for line in said.out.splitlines()]
    assert ["forecast_vectors", "299", "298", "2", "1", "2", "DIFFERENT"] in grid
    assert ["alerts", "0", "1", "0", "1", "0", "DIFFERENT"] in grid
    assert f"forecast_vectors: 2 rows are only in A, the first is x|S298|{T + 298}" in said.out
    assert f"forecast_vectors: 1 rows are only in B, the first is x|S000|{T}" in said.out
    assert f"forecast_vectors: 2 rows differ: {name} in 2, first x|S007|{T + 7}" in said.out
    assert said.err.startswith("alphaplus: forecast_vectors: 2 rows are only in A, ")
    assert said.err.count("\n") == 1


def test_tables_and_times_can_be_chosen_and_columns_of_one_side_passed_over(two, capsys):
    (a, b), sets, insert, clients = two
    early, late = (row("forecast_vectors", as_of=at) for at in (T, T + 60_000))
    insert("a", "forecast_vectors", early, late)
    insert("b", "forecast_vectors", early)
    until = datetime.fromtimestamp((T + 1_000) / 1e3, UTC)
    assert diff(a, b, set=sets) == 1
    assert diff(a, b, set=sets, until=until) == 0
    assert diff(a, b, set=sets, table=("walls",)) == 0
    clients[1].command("ALTER TABLE walls ADD COLUMN newer Nullable(Float64)")
    assert diff(a, b, set=sets, until=until) == 1
    said = capsys.readouterr()
    assert "walls: only B has the columns newer (--common passes over them)" in said.err
    assert ["walls", "DIFFERENT"] in [line.split()[::6] for line in said.out.splitlines()], "it was called equal"
    assert diff(a, b, set=sets, until=until, common=True) == 0
    assert "DIFFERENT" not in capsys.readouterr().out


def test_sides_are_databases_addresses_or_nothing_at_all(two, store, capsys):
    (a, b), sets, insert, _ = two
    insert("a", "walls", row("walls"))
    assert diff(f"http://{store.host}:{store.port}/{a}", b, set=sets) == 1
    capsys.readouterr()
    connect(load(None, {}, sets).clickhouse).command(f"CREATE DATABASE IF NOT EXISTS {a}_empty")
    assert diff(a, f"{a}_empty", set=sets, table=("walls",)) == 1
    assert capsys.readouterr().err == "alphaplus: walls: B has no such table\n"
    with pytest.raises(Refused, match=r"neither .*_empty nor .*_empty has any of the tables"):
        diff(f"{a}_empty", f"{a}_empty", set=sets)
    with pytest.raises(SettingsError, match="there is no table 'wall'"):
        diff(a, b, set=sets, table=("wall",))
