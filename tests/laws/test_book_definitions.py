"""Laws of the definitions of book numbers: the page says what has to be known to recompute them from raw frames."""

import math

import pytest

from flows.tables import BY_NAME, TABLES
from schemas.column import Column
from schemas.table import describe

SIDES = ("bid", "ask")
LOCKED = [
    *(("features_book", c) for c in ("depth_reach_bps", "imbalance_1", "bid_slope_base_per_bp", "depth_pressure")),
    *(("features_liquidity", c) for c in ("buy_impact_10k_bps", "sell_filled_5m", "bid_cluster_levels")),
]


@pytest.mark.parametrize(("table", "column"), LOCKED)
def test_a_locked_book_has_numbers_and_their_null_rule_says_so(table, column):
    of = BY_NAME[table].column(column)
    assert "a locked one has numbers" in of.null_when


@pytest.mark.parametrize(
    ("table", "column", "says"),
    [
        ("features_book", "last_update_id", "-1"),
        ("features_book", "gap_ms", "since the message before it"),
        ("quality", "untrusted_ms", "since the message before it"),
        ("features_book", "missed_updates", "since a message before"),
        ("features_book", "ofi", "a missing level infinitely far"),
        ("features_book", "ofi", "the mid at the window's end"),
        ("features_book", "ofi_per_depth", "nothing stood after its messages"),
        ("features_book", "time_weighted_spread_bps", "from the message before a gap"),
        *(("features_liquidity", f"{side}_impact_1m_bps", "2^-20 bps") for side in ("buy", "sell")),
        ("features_liquidity", "buy_filled_5m", "unless 5m USD are found"),
        *(("features_liquidity", f"{side}_cluster_usd", "every k-th level") for side in SIDES),
        ("features_liquidity", "liquidity_score", "over the parts that are known"),
        ("features_liquidity", "spread_rank", "from 0.005 up"),
        ("features_liquidity", "spread_half_life_s", "linear within the last"),
        ("walls", "modified_z", "MAD 0"),
        ("walls", "modified_z", "every k-th level"),
        ("walls", "what", "exp((0.95 - F) dt / 1 h)"),
        ("depth_grid", "event_time", "of each 10 s the first"),
        ("depth_grid", "depth", "100 bps of mid"),
        ("consolidated_bbo", "books_out", "silent for 5 s or more"),
        ("consolidated_bbo", "best_bid_qty_base", "the larger size"),
    ],
)
def test_a_definition_says_what_has_to_be_known_to_recompute_its_number(table, column, says):
    assert says in describe(BY_NAME[table].column(column))


def test_a_column_says_of_what_change_a_row_comes_where_not_of_any():
    assert "moves a row" not in describe(Column("mid", "f8", ""))
    assert "moves a row: by more than 0.1" in describe(Column("mid", "f8", "", tolerance=0.1))
    assert "moves a row: never by itself" in describe(Column("age", "f8", "", tolerance=math.inf))
    told = [c for t in TABLES for c in t.columns if c.tolerance]
    assert len(told) > 10 and all("moves a row" in describe(c) for c in told)
