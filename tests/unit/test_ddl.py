"""DDL and JSON Schema from a declaration."""

import pytest

from schemas.column import Column
from schemas.ddl import create_dense_view, create_table
from schemas.json_schema import json_schema
from schemas.table import Table, describe

VENUE = Column("venue", "str", "the venue's name")
SYMBOL = Column("symbol", "str", "the venue's symbol")
WINDOW = Column("window_ms", "i8", "length of the window", "ms", low=100)
START = Column("window_start", "time", "start of the window")
VERSION = Column("last_offset", "i8", "offset of the last record in it")
MID = Column("mid", "f8", "middle of the touch", "USD", "(bid + ask) / 2", low=0, null_when="a side is empty")
OFI = Column("ofi", "f8", "order flow imbalance", "lots", source="Cont 2014", sign="buys positive")
OK = Column("book_ok", "bool", "the book has no gap")
ALERT = Column("alert_id", "str", "names the alert")
EVIDENCE = Column("evidence", "str", "what was seen", "json", null_when="nothing was kept")
REASON = Column("reason", "str", "why", null_when="there is none")
CLEARED = Column("cleared_at", "time", "when it ended", null_when="it lasts")
KEY = ("venue", "symbol", "window_ms", "window_start")
BOOK = (VENUE, SYMBOL, WINDOW, START, VERSION, MID, OFI, OK)
DENSE = Table("features_book", "features.book", BOOK, KEY, "last_offset", 90, "window_start", True)
ALERTS = (ALERT, START, VERSION, EVIDENCE, REASON, CLEARED)
EVENTS = Table("alerts", "alerts", ALERTS, ("alert_id",), "last_offset", None, "window_start", False)


def line(sql: str, name: str) -> str:
    return next(text.strip().rstrip(",") for text in sql.splitlines() if text.strip().startswith(f"`{name}` "))


def test_a_table_replaces_by_key_and_version_and_is_cut_by_month() -> None:
    sql = create_table(DENSE)
    assert sql.startswith("CREATE TABLE IF NOT EXISTS `features_book` (\n")
    assert "ENGINE = ReplacingMergeTree(`last_offset`)\nPARTITION BY toYYYYMM(`window_start`)\n" in sql
    assert "ORDER BY (`venue`, `symbol`, `window_ms`, `window_start`)\n" in sql
    assert "SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1" in sql


def test_rows_live_from_when_they_were_written_so_that_a_replay_of_old_frames_stays() -> None:
    assert "TTL toDateTime(`ingested_at`) + INTERVAL 90 DAY DELETE" in create_table(DENSE)
    assert "TTL" not in create_table(EVENTS)


def test_each_type_has_its_codec_and_only_declared_nulls_are_nullable() -> None:
    sql = create_table(DENSE)
    assert line(sql, "venue") == "`venue` LowCardinality(String) COMMENT 'the venue\\'s name' CODEC(ZSTD(3))"
    assert line(sql, "window_start").startswith("`window_start` DateTime64(3, 'UTC') COMMENT ")
    assert line(sql, "window_start").endswith(" CODEC(DoubleDelta, ZSTD(1))")
    assert line(sql, "last_offset").endswith(" CODEC(Delta, ZSTD(1))")
    assert line(sql, "mid").startswith("`mid` Nullable(Float64) ")
    assert line(sql, "ofi").startswith("`ofi` Float64 ")
    assert line(sql, "ofi").endswith(" CODEC(Gorilla, ZSTD(1))")
    assert line(sql, "book_ok").startswith("`book_ok` Bool ")
    events = create_table(EVENTS)
    assert line(events, "cleared_at").startswith("`cleared_at` Nullable(DateTime64(3, 'UTC')) ")
    assert line(events, "evidence").startswith("`evidence` Nullable(String) ")
    assert line(events, "reason").startswith("`reason` LowCardinality(Nullable(String)) ")


def test_ids_are_plain_text_even_in_a_key() -> None:
    assert line(create_table(EVENTS), "alert_id").startswith("`alert_id` String ")


def test_every_column_says_what_it_is() -> None:
    assert describe(MID) == (
        "middle of the touch; unit: USD; formula: (bid + ask) / 2; null when: a side is empty; at least: 0"
    )
    assert describe(OFI) == "order flow imbalance; unit: lots; sign: buys positive; source: Cont 2014"
    assert create_table(DENSE).count(" COMMENT '") == len(DENSE.columns) + 1


def test_numbers_that_are_not_finite_are_refused_by_the_table() -> None:
    assert "CONSTRAINT `finite` CHECK arrayAll(x -> ifNull(isFinite(x), true), [`mid`, `ofi`])" in create_table(DENSE)
    assert "CONSTRAINT" not in create_table(EVENTS)


def test_a_table_of_events_has_no_dense_view() -> None:
    assert create_dense_view(DENSE).startswith("CREATE VIEW IF NOT EXISTS `features_book_dense` AS\n")
    with pytest.raises(ValueError, match="alerts is not dense"):
        create_dense_view(EVENTS)


@pytest.mark.parametrize(
    ("columns", "key", "version", "time", "dense", "why"),
    [
        ((START, START), ("window_start",), "window_start", "window_start", False, "the column window_start is"),
        (
            (START, Column("id", "str", "a name")),
            ("window_start",),
            "",
            "window_start",
            False,
            "no column can be called id",
        ),
        ((START,), ("symbol",), "window_start", "window_start", False, "symbol is not among the columns"),
        ((START, MID), ("mid",), "window_start", "window_start", False, "mid orders the table and can never be null"),
        ((START, OFI), ("window_start",), "window_start", "ofi", False, "ofi is not a time"),
        ((START,), ("window_start",), "window_start", "window_start", True, "window_ms is not among the columns"),
        ((START, WINDOW), ("window_start",), "window_start", "window_start", True, "the key of a dense table has"),
    ],
)
def test_a_declaration_that_does_not_fit_together_says_why(
    columns: tuple[Column, ...], key: tuple[str, ...], version: str, time: str, dense: bool, why: str
) -> None:
    with pytest.raises(ValueError, match=f"^t: {why}"):
        Table("t", "t", columns, key, version, None, time, dense)


def test_the_schema_of_a_topic_has_types_nulls_and_bounds() -> None:
    schema = json_schema(DENSE)
    assert schema["title"] == "features.book"
    assert "additionalProperties" not in schema
    assert schema["required"] == [
        "id",
        "venue",
        "symbol",
        "window_ms",
        "window_start",
        "last_offset",
        "mid",
        "ofi",
        "book_ok",
    ]
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert properties["mid"] == {"type": ["number", "null"], "description": describe(MID), "minimum": 0}
    assert properties["window_ms"]["type"] == "integer" and properties["window_ms"]["minimum"] == 100
    assert properties["window_start"] == {
        "type": "integer",
        "description": "start of the window; milliseconds since 1970, UTC",
    }
    assert properties["book_ok"]["type"] == "boolean"
