"""Migrations: what is appended when declarations grow, and what is refused when they take something back."""

import msgspec
import pytest

from schemas.column import Column
from schemas.ddl import create_dense_view, create_table
from schemas.migration import Incompatible, added_up, declared, steps
from schemas.table import Table

KEY = ("venue", "window_ms", "window_start")
VENUE = Column("venue", "str", "the venue's name")
WINDOW = Column("window_ms", "i8", "length of the window", "ms", low=100)
START = Column("window_start", "time", "start of the window")
MID = Column("mid", "f8", "middle of the touch", "USD", null_when="a side is empty")
OK = Column("book_ok", "bool", "the book has no gap")
TRADES = Column("trades", "i8", "trades of the window", low=0)
WALL = Column("wall_usd", "f8", "the wall's size", null_when="there is none")
WHY = Column("reason", "str", "why; it's said")
BOOK = Table("book", "book", (VENUE, WINDOW, START, MID, OK), KEY, "", 90, "window_start", True)
EVENTS = Table("walls", "walls", (VENUE, START, WHY), ("venue", "window_start"), "", None, "window_start")


def first():
    return added_up([create_table(BOOK), create_dense_view(BOOK)])


def with_columns(*columns: Column, table: Table = BOOK) -> Table:
    return msgspec.structs.replace(table, columns=columns)


def test_nothing_is_appended_when_nothing_changed():
    assert steps(first(), [BOOK]) == []


def test_a_new_column_is_added_where_it_is_declared_and_the_dense_view_is_made_again():
    wider = with_columns(VENUE, WINDOW, START, WALL, TRADES, MID, OK)
    alter, view = steps(first(), [wider])
    assert alter.startswith("ALTER TABLE `book`\n  ADD COLUMN IF NOT EXISTS `wall_usd` Nullable(Float64) COMMENT ")
    assert " AFTER `window_start`,\n" in alter
    assert "ADD COLUMN IF NOT EXISTS `trades` Nullable(Int64) COMMENT" in alter and "AFTER `wall_usd`" in alter
    check = "CHECK arrayAll(x -> ifNull(isFinite(x), true), [`wall_usd`, `mid`])"
    assert alter.endswith(f"DROP CONSTRAINT IF EXISTS `finite`,\n  ADD CONSTRAINT IF NOT EXISTS `finite` {check}")
    assert view.startswith("CREATE OR REPLACE VIEW `book_dense` AS\n") and "`wall_usd`" in view


def test_what_was_appended_adds_up_to_what_is_declared():
    wider = with_columns(VENUE, WINDOW, START, WALL, TRADES, MID, OK)
    store = first()
    for statement in steps(store, [wider, EVENTS]):
        store.apply(statement)
        store.apply(statement)
    assert steps(store, [wider, EVENTS]) == []
    assert store.tables["walls"] == declared(EVENTS)


def test_a_new_table_is_made_as_it_is_declared():
    assert steps(first(), [BOOK, EVENTS]) == [create_table(EVENTS)]


def test_a_key_may_grow_at_its_end_by_columns_that_are_new_and_these_are_not_nullable():
    side = Column("position_side", "str", "a leg")
    longer = msgspec.structs.replace(EVENTS, columns=(VENUE, START, WHY, side), key=(*EVENTS.key, "position_side"))
    store = added_up([create_table(EVENTS)])
    (alter,) = steps(store, [longer])
    assert "ADD COLUMN IF NOT EXISTS `position_side` LowCardinality(String) COMMENT" in alter
    assert alter.endswith("MODIFY ORDER BY (`venue`, `window_start`, `position_side`)")
    for _ in range(2):
        store.apply(alter)
    assert steps(store, [longer]) == []


def test_a_key_does_not_grow_by_a_column_that_was_there():
    longer = msgspec.structs.replace(EVENTS, key=(*EVENTS.key, "reason"))
    with pytest.raises(Incompatible, match="its key"):
        steps(added_up([create_table(EVENTS)]), [longer])


def test_a_column_that_is_described_in_other_words_gets_another_comment():
    said = with_columns(VENUE, WINDOW, START, msgspec.structs.replace(MID, meaning="it's the middle"), OK)
    store = first()
    (alter,) = steps(store, [said])
    assert alter.startswith("ALTER TABLE `book`\n  COMMENT COLUMN IF EXISTS `mid` 'it\\'s the middle; unit: USD")
    store.apply(alter)
    assert steps(store, [said]) == []


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ([with_columns(VENUE, WINDOW, START, OK)], "book.mid is no longer declared: a published column stays"),
        ([EVENTS], "book is no longer declared: a published table stays"),
        (
            [with_columns(VENUE, WINDOW, START, msgspec.structs.replace(MID, dtype="i8"), OK)],
            r"book.mid is published as Nullable\(Float64\) and declared as Nullable\(Int64\)",
        ),
        (
            [with_columns(VENUE, WINDOW, START, msgspec.structs.replace(MID, null_when=""), OK)],
            r"book.mid is published as Nullable\(Float64\) and declared as Float64",
        ),
        ([msgspec.structs.replace(BOOK, key=("window_ms", "window_start"))], "book: its key, version, time or"),
        ([msgspec.structs.replace(BOOK, ttl_days=30)], "book: its key, version, time or lifetime is declared"),
        ([msgspec.structs.replace(BOOK, dense=False)], "book is no longer declared dense"),
        ([with_columns(TRADES, VENUE, WINDOW, START, MID, OK)], "book.trades: a new column cannot be the first one"),
    ],
)
def test_what_takes_something_back_is_refused_in_one_line(tables, why):
    with pytest.raises(Incompatible, match=why) as refused:
        steps(first(), tables)
    assert "\n" not in str(refused.value)


def test_a_statement_that_was_not_made_here_is_refused():
    with pytest.raises(ValueError, match="not understood: DROP TABLE book"):
        added_up(["DROP TABLE book"])
    with pytest.raises(ValueError, match="not understood: DROP COLUMN"):
        added_up([create_table(BOOK), "ALTER TABLE `book`\n  DROP COLUMN `mid`"])
