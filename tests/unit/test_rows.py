"""Records of rows: nulls, times, numbers that read back the same, and ids; rejects as records."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.engine.json_rows import records
from operators.published_rows import Published
from schemas.column import Column
from schemas.frames import Reject
from schemas.rejected import KEPT_BYTES, NTH
from schemas.rejected import records as rejected


def one(column, values):
    n = len(values)
    published = Published("t", ["BTC"] * n, ["v|s"] * n, list(range(n)), [0] * n, {column.name: values})
    return [json.loads(value)[column.name] for _, value in records(published, (column,))]


def test_what_is_no_finite_number_is_null():
    assert one(Column("x", "f8", ""), np.array([math.nan, math.inf, -math.inf, -0.5])) == [None, None, None, -0.5]


def test_times_are_whole_milliseconds_and_flags_and_counts_keep_their_type():
    assert one(Column("x", "time", ""), np.array([1_700_000_000_123_999_999, 0])) == [1_700_000_000_123, 0]
    assert one(Column("x", "bool", ""), np.array([1, 0])) == [True, False]
    assert one(Column("x", "i8", ""), np.array([3.0, -1.0])) == [3, -1]
    assert one(Column("x", "i8", ""), np.array([2**62])) == [2**62]
    assert one(Column("x", "str", ""), ["a", 'b"\n']) == ["a", 'b"\n']


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_a_number_reads_back_as_the_same_double(values):
    assert one(Column("x", "f8", ""), np.array(values)) == values


def test_a_flag_that_is_not_known_yet_is_not_raised():
    """A new one at `close` was true of every book of a recovered state until its next pane ended."""
    assert one(Column("x", "bool", ""), np.array([math.nan, 0.0, 1.0])) == [False, False, True]
    assert one(Column("x", "bool", ""), np.array([True, False])) == [True, False]


def test_a_record_begins_with_its_id_and_has_the_columns_in_order():
    published = Published(
        "t", ["BTC", "ETH"], ["k", "l"], [5, 6], [9, 9], {"b": np.array([1, 2]), "a": np.array([3.0, 4.0])}
    )
    assert records(published, (Column("b", "i8", ""), Column("a", "f8", ""))) == [
        (b"BTC", b'{"id":"k|5","b":1,"a":3.0}'),
        (b"ETH", b'{"id":"l|6","b":2,"a":4.0}'),
    ]


def test_a_column_that_is_missing_or_too_short_is_an_error_not_a_shorter_topic():
    columns = (Column("a", "i8", ""),)
    with pytest.raises(KeyError):
        records(Published("t", ["BTC"], ["k"], [5], [9], {}), columns)
    with pytest.raises(ValueError, match="shorter"):
        records(Published("t", ["BTC", "BTC"], ["k", "k"], [5, 6], [9, 9], {"a": np.array([1])}), columns)


def reject(offset, reason="bad", data=b"{}"):
    return Reject("raw.trades.deribit", 1, offset, reason, data)


def test_rejects_are_in_the_order_of_their_log_and_their_ids_grow():
    found = [json.loads(v) for _, v in rejected("market", [reject(9), reject(7, "a"), reject(9, "c"), reject(7, "b")])]
    assert [(r["offset"], r["nth"], r["reason"]) for r in found] == [
        (7, 0, "a"),
        (7, 1, "b"),
        (9, 0, "bad"),
        (9, 1, "c"),
    ]
    orders = [int(r["id"].rpartition("|")[2]) for r in found]
    assert orders == [7 * NTH, 7 * NTH + 1, 9 * NTH, 9 * NTH + 1]
    assert found[0]["id"].startswith("market|raw.trades.deribit|1|")


def test_a_long_frame_is_kept_in_part_and_its_size_in_full():
    ((key, value),) = rejected("market", [reject(0, data=b"x" * (KEPT_BYTES + 1))])
    row = json.loads(value)
    assert key == b"raw.trades.deribit"
    assert row["size"] == KEPT_BYTES + 1
    assert len(row["bytes"]) == KEPT_BYTES / 3 * 4 + 8 / 3


@pytest.mark.parametrize(
    ("column", "value", "holds"),
    [
        (Column("x", "f8", "", null_when="never"), None, True),
        (Column("x", "f8", ""), None, False),
        (Column("x", "f8", "", low=0, high=1), 1.0, True),
        (Column("x", "f8", "", low=0, high=1), 1.5, False),
        (Column("x", "f8", "", low=0), -1e-9, False),
        (Column("x", "f8", ""), math.inf, False),
        (Column("x", "f8", ""), True, False),
        (Column("x", "i8", ""), "1", False),
        (Column("x", "i8", ""), 1.5, False),
        (Column("x", "bool", ""), True, True),
        (Column("x", "bool", ""), 1, False),
        (Column("x", "str", ""), "a", True),
        (Column("x", "str", ""), 1, False),
    ],
)
def test_a_column_holds_only_what_it_declares(column, value, holds):
    assert column.holds(value) is holds
