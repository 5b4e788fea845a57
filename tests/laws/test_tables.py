"""Laws of the published tables: names, units, nulls, and that the operators make every column that is declared."""

import re
from typing import get_type_hints

import pytest

from flows.tables import BY_NAME, BY_TOPIC, TABLES
from models import minutes
from operators.market_tables import KEY
from operators.portfolio import timeline
from schemas.rejected import Rejected
from tests.laws.test_market import Run, lines_of

UNITS = ("_ns", "_ms", "_s", "_bps", "_usd", "_base", "_lots", "_ticks", "_bp", "_pct", "_count", "_id", "_offset")
COUNTED = re.compile(
    r"^(messages|trades|buys|nth|partition|offset|size|depth_\w+|bid_levels|ask_levels|late_rows|repeated_rows|feed_switches)$"
)
COLUMNS = [pytest.param(t, c, id=f"{t.name}.{c.name}") for t in TABLES for c in t.columns]


def test_names_and_topics_of_tables_are_unique_and_a_table_is_its_topic_with_underscores():
    assert len(BY_NAME) == len(BY_TOPIC) == len(TABLES)
    assert all(t.name == t.topic.replace(".", "_") for t in TABLES)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_column_names_are_unique_and_snake_case(table):
    names = [c.name for c in table.columns]
    assert len(names) == len(set(names))
    assert [n for n in names if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", n)] == []


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_column_says_what_it_means_and_in_which_unit(table, column):
    assert column.meaning.strip()
    if column.dtype == "f8":
        assert column.unit or column.name.endswith(UNITS)
    if column.dtype == "i8":
        assert column.unit or column.name.endswith(UNITS) or COUNTED.match(column.name)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_only_floats_and_times_are_null_bounds_are_in_order_and_tolerances_not_negative(table, column):
    assert not column.null_when or column.dtype in ("f8", "time")
    assert column.low is None or column.high is None or column.low < column.high
    assert column.tolerance >= 0
    assert column.dtype in ("i8", "f8") or (column.low in (None, 0) and column.high is None)


def test_the_operators_make_every_declared_column_of_the_market_tables_and_no_other():
    run, made = Run("binance-usdm", lines_of("binance-usdm", 1)), {}
    advance = run.market.advance

    def seen():
        published = advance()
        for p in published:
            made[p.table] = set(p.columns)
        return published

    run.market.advance = seen
    run.end()
    assert {"features_book", "features_tape", "liquidations", "quality"} <= set(made)
    for name, columns in made.items():
        assert columns == {c.name for c in BY_NAME[name].columns}


def test_the_record_of_a_reject_has_the_columns_of_its_table():
    assert [f for f in Rejected.__struct_fields__ if f != "id"] == [c.name for c in BY_NAME["rejects"].columns]


READ = [
    (timeline.TapeRow, "features_tape"),
    (timeline.BookRow, "features_book"),
    (minutes._Tape, "features_tape"),
    (minutes._Book, "features_book"),
]
PLAIN = {"i8": int, "f8": float, "bool": bool, "str": str, "time": int}


@pytest.mark.parametrize(("row", "table"), READ, ids=lambda x: getattr(x, "__name__", x))
def test_what_a_flow_reads_of_a_row_is_what_its_columns_are_declared_to_be(row, table):
    declared = {c.name: PLAIN[c.dtype] | None if c.null_when else PLAIN[c.dtype] for c in BY_NAME[table].columns}
    assert {name: kind for name, kind in get_type_hints(row).items() if kind != declared.get(name)} == {}


def test_a_liquidation_begins_with_its_key():
    assert [c.name for c in BY_NAME["liquidations"].columns[:3]] == ["venue", "symbol", "event_time"]
    assert [c.name for c in KEY] == ["venue", "symbol", "window_ms", "window_start"]
