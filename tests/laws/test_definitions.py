"""Laws of the definitions: who has nothing but the published page and the raw frames can compute the same number."""

import math
import re

import numpy as np
import pytest

from flows.tables import BY_NAME, TABLES
from operators.book.bands import BANDS
from schemas.column import Column
from schemas.table import describe

COLUMNS = {c.name for t in TABLES for c in t.columns}


def definition(table, column):
    """All that the page says of a column."""
    return describe(BY_NAME[table].column(column))


@pytest.mark.parametrize("table", [t.name for t in TABLES])
def test_what_a_rank_is_of_is_a_column_or_made_of_columns(table):
    ranks = {c.name: c.meaning for c in BY_NAME[table].columns if c.meaning.startswith("rank of ")}
    told = {name: meaning.removeprefix("rank of ").split(" among ")[0] for name, meaning in ranks.items()}
    assert [n for n, of in told.items() if not COLUMNS & set(re.findall(r"\w+", of)) and "EWMA" not in of] == []


COSTS = [c.name for c in BY_NAME["features_costs"].columns if c.null_when.startswith("no ")]
MOVES = [c.name for c in BY_NAME["liquidation_aftermath"].columns if c.name.startswith(("mid_", "move_"))]


@pytest.mark.parametrize(
    ("table", "column"),
    [*(("features_costs", c) for c in COSTS), *(("liquidation_aftermath", c) for c in MOVES)],
)
def test_a_mid_is_not_known_of_a_locked_or_crossed_book_nor_from_the_message_before_a_gap_on_and_who_is_told_null_is_told_so(
    table, column
):
    assert "locked or crossed book, from the message before a gap on if" in definition(table, column)


def test_a_locked_book_has_depth_a_crossed_one_none_and_the_definitions_say_which_of_what_a_row_calls_crossed():
    def depth(ask_ticks):
        book = {"live": [True], "bid_starts": [0, 1], "bid_ticks": [10_000], "bid_lots": [4], "ask_starts": [0, 1]}
        book |= {"ask_ticks": [ask_ticks], "ask_lots": [2], "reach_low_ticks": [9_000], "reach_high_ticks": [11_000]}
        scales = {"tick_mantissa": [1.0], "tick_scale": [100.0], "lot_mantissa": [1.0], "lot_scale": [1.0]}
        given = book | scales | {"contract": [1.0], "inverse": [False]}
        return BANDS.compute({k: np.array(v) for k, v in given.items()})["bid_depth_10bps_base"][0]

    assert depth(10_000) == 4
    assert np.isnan(depth(9_999))
    said = [(t.name, c.name, c.null_when) for t in TABLES for c in t.columns if "crossed" in c.null_when]
    assert [of for of in said if "locked" not in of[2]] == []


BARS = ("roll_spread_bps", "corwin_schultz_spread_bps", "amihud_per_musd", "hasbrouck_lambda", "kyle_lambda_bars")
TRAILING = [c.name for c in BY_NAME["features_efficiency"].columns if "last 512 returns" in c.meaning]


@pytest.mark.parametrize(
    ("column", "until"),
    [
        *((c, "before that of the last trade") for c in (*BARS, "ewma_variance")),
        *((c, "up to the last 5 s that ended before a trade") for c in TRAILING),
    ],
)
def test_a_number_that_leaves_the_newest_minute_or_5_s_out_says_up_to_when_it_goes(column, until):
    assert until in definition("features_efficiency", column)


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
        *(("features_liquidity", f"{side}_cluster_usd", "every k-th level") for side in ("bid", "ask")),
        ("features_liquidity", "liquidity_score", "over the parts that are known"),
        ("features_liquidity", "spread_rank", "from 0.005 up"),
        ("features_liquidity", "spread_rank", "at the end of its first shortest window with a message"),
        ("features_liquidity", "spread_rank", "since the last but one 00:00 or 12:00 UTC"),
        ("features_liquidity", "half_life_rank", "the longer known of"),
        ("features_liquidity", "half_life_rank", "the part or spread_bps is null"),
        ("features_liquidity", "spread_half_life_s", "linear within the last"),
        ("walls", "modified_z", "MAD 0"),
        ("walls", "modified_z", "every k-th level"),
        ("walls", "what", "exp((0.95 - F) dt / 1 h)"),
        ("walls", "what", "both of both sides"),
        ("walls", "what", "from the best price on each large level takes a free place"),
        ("walls", "what", "Without a row ends"),
        ("walls", "spoof_suspicion", "of its size when it appeared or last grew"),
        ("walls", "spoof_suspicion", "as far as both sides are known exactly"),
        ("depth_grid", "event_time", "of each 10 s the first"),
        ("depth_grid", "depth", "100 bps of mid"),
        ("consolidated_bbo", "books_out", "silent for 5 s or more"),
        ("consolidated_bbo", "best_bid_qty_base", "the larger size"),
        ("features_tape", "kyle_lambda", "the minute of the last trade and the 29 before it"),
        ("features_tape", "index_price", "of options and combinations"),
        ("features_tape", "basis_bps", "mark or index is null"),
        ("features_tape", "kyle_lambda", "no trade for 30 minutes"),
        ("features_efficiency", "sign_autocorrelation", "1/200 for the newest"),
        ("features_efficiency", "variance_ratio_p", "robust to changing variance"),
        ("features_efficiency", "hurst", "m = 1, 2, 4, ..., 64"),
        ("features_efficiency", "hurst_error", "m to 16"),
        ("features_efficiency", "ewma_variance", "max(0.06, 1 / n)"),
        ("features_efficiency", "large_trades", "last 12 to 24 hours"),
        ("features_efficiency", "regime", "the largest |VR(q) - 1|"),
        ("features_efficiency", "regime", "empty: one of the two not known"),
        ("features_efficiency", "vpin_rank", "its first shortest window with trades"),
        ("features_efficiency", "volatility_rank", "its first shortest window with trades"),
        ("features_efficiency", "vpin_bulk", "buckets as of vpin"),
        ("features_efficiency", "vpin_bulk", "where s is 0"),
        ("features_tape", "vpin", "of the last day with trades before, UTC"),
        *(
            (t, "late_rows", "counted in the first that was open")
            for t in ("features_tape", "features_book", "quality")
        ),
        ("features_book", "late_rows", "those of a book change it there"),
        ("risk_accounts", "late_rows", "they are in force from the first second that was open"),
        ("features_efficiency", "bid_hidden_volume_base", "nothing at all beyond it"),
        ("features_efficiency", "bid_hidden_volume_base", "a message of the book as late as the last trade"),
        ("features_efficiency", "bid_iceberg_suspicion", "deviation (n) over mean of their q1"),
        ("features_efficiency", "ask_iceberg_suspicion", "0 from 60 s after the last on"),
        ("features_efficiency", "roll_spread_bps", "(n - 1)"),
        ("features_efficiency", "absorbed_buy_volume_base", "mids at both ends are known"),
        ("footprint", "step", "a tick at the least"),
        ("lead_lag", "lead_ms", "shorter than windows.base_ms"),
        ("lead_lag", "moves", "from one end of a shortest window to the next"),
        ("lead_lag", "moves", "not locked or crossed, heard in the last 5 s; none over a gap"),
        ("lead_lag", "correlation", "taken h earlier"),
        ("forecasts_liquidation", "p_burst", "of shorts as they see it"),
        ("forecasts_liquidation", "base_rate", "none of this side and horizon"),
        ("forecasts_liquidation", "top_factors", "value(child) - value(parent)"),
        ("forecasts_liquidation", "abstain_reason", "under 50 % of the families fresh"),
        ("forecasts_liquidation", "abstain_reason", "over 50 % of the features null"),
        ("forecast_vectors", "funding_rate_bps", "a model of shorts reads its negative"),
        ("model_versions", "in_force_from", "as_of of the first forecasts"),
        ("forecast_scores", "baseline", "(bursts + b) / (n + 1)"),
        ("forecast_scores", "calibration_error", "of as many cases"),
        ("price_discovery", "seconds", "of the three before, and no gap after the first of these"),
        ("price_discovery", "seconds", "a shortest window with a gap_ms of 1000 or more"),
        ("price_discovery", "event_time", "windows.base_ms does not divide a second"),
    ],
)
def test_a_definition_says_what_has_to_be_known_to_recompute_its_number(table, column, says):
    assert says in definition(table, column)


def test_a_column_says_of_what_change_a_row_comes_where_not_of_any():
    assert "moves a row" not in describe(Column("mid", "f8", ""))
    assert "moves a row: by more than 0.1" in describe(Column("mid", "f8", "", tolerance=0.1))
    assert "moves a row: never by itself" in describe(Column("age", "f8", "", tolerance=math.inf))
    told = [c for t in TABLES for c in t.columns if c.tolerance]
    assert len(told) > 10 and all("moves a row" in describe(c) for c in told)
