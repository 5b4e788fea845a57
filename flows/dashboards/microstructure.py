"""The dashboards of a market's microstructure: its order book, and what its trades tell of cost and information."""

from flows.dashboards.board import OF_MARKET, Board
from flows.dashboards.panel import Panel, Sql, beside, chosen, curve, newest, of_first, over_time, tooltip
from flows.tables import BY_NAME
from operators.book.depth_grid import CELLS, LEFT_OUT, NOTHING, THIRDS, UNKNOWN
from operators.book.impact import SIZES
from operators.tape.costs import HORIZONS_S
from operators.tape.markout import SIDES

BOOK, TAPE, LIQUIDITY = BY_NAME["features_book"], BY_NAME["features_tape"], BY_NAME["features_liquidity"]
COSTS, EFFICIENCY, WALLS = BY_NAME["features_costs"], BY_NAME["features_efficiency"], BY_NAME["walls"]
GRID, FOOTPRINT, BBO = BY_NAME["depth_grid"], BY_NAME["footprint"], BY_NAME["consolidated_bbo"]
LEAD_LAG, DISCOVERY = BY_NAME["lead_lag"], BY_NAME["price_discovery"]
HORIZONS = tuple(f"{seconds}s" for seconds in HORIZONS_S)
RATIOS = ("variance_ratio_2", "variance_ratio_4", "variance_ratio_8", "variance_ratio_16")


def depth_by_price_and_time() -> Panel:
    """The strips of `depth_grid` as cells: of the first instrument chosen, as a heatmap is of one.

    Grafana puts its rows in the order of their labels as text, so 99,999 is led by a blank to stand below 100,001.
    """
    codes = f"arrayMap(i -> ascii(substring(depth, i + 1, 1)) - {NOTHING}, range({CELLS}))"
    text = (
        "WITH price_low + (cell + 0.5) * step AS middle SELECT event_time AS time,"
        " concat(repeat(' ', 12 - length(toString(toInt64(middle)))), toString(middle)) AS price,"
        f" if(code = 0, 0, pow(2, (code - (code > {LEFT_OUT - NOTHING}) - 0.5) / {THIRDS})) AS notional"
        f" FROM depth_grid FINAL ARRAY JOIN range({CELLS}) AS cell, {codes} AS code"
        f" WHERE {of_first(GRID)} AND code != {UNKNOWN - NOTHING} ORDER BY time, price"
    )
    return Panel("depth by price and time", "heatmap", (Sql(text),), tooltip(GRID, ["depth", "step"]), width=24)


def fates_of_walls() -> Panel:
    """How many walls appeared, and what became of them."""
    columns = ("side", "what", "notional_usd", "age_ms", "distance_bps", "spoof_suspicion")
    conditions = " AND ".join([f"$__timeFilter_ms({WALLS.time})", *chosen(WALLS)])
    middle = ", ".join(f"median({c}) AS median_{c}" for c in columns[2:5])
    text = (
        f"SELECT venue, symbol, side, what, count() AS walls, {middle}, max(spoof_suspicion) AS most_spoof_suspicion"
        f" FROM walls FINAL WHERE {conditions} GROUP BY venue, symbol, side, what ORDER BY venue, symbol, side, what"
    )
    return Panel("what became of walls", "table", (Sql(text),), tooltip(WALLS, columns), width=24)


ORDER_BOOK = Board(
    "book",
    "order book",
    (*OF_MARKET, "asset"),
    (
        over_time("touch and mid", BOOK, ["best_bid", "mid", "best_ask"]),
        over_time("where the price is likelier to go", BOOK, ["weighted_mid", "micro_price"]),
        over_time("spread", BOOK, ["spread_bps", "time_weighted_spread_bps"]),
        over_time("order flow imbalance", BOOK, ["ofi_per_depth"]),
        over_time("depth within 10 bps", BOOK, ["bid_depth_10bps_usd", "ask_depth_10bps_usd"]),
        over_time("depth within 100 bps", BOOK, ["bid_depth_100bps_usd", "ask_depth_100bps_usd"]),
        over_time("imbalance", BOOK, ["imbalance_1", "imbalance_5", "imbalance_20", "imbalance_10bps"]),
        over_time("depth pressure", BOOK, ["depth_pressure"]),
        depth_by_price_and_time(),
        curve(
            "impact of a market order by its size in USD",
            LIQUIDITY,
            "size",
            {size: [f"{side}_impact_{size}_bps" for side in ("buy", "sell")] for size in SIZES},
        ),
        over_time(
            "impact of 100,000 and of a million",
            LIQUIDITY,
            ["buy_impact_100k_bps", "sell_impact_100k_bps", "buy_impact_1m_bps", "sell_impact_1m_bps"],
        ),
        over_time("liquidity score", LIQUIDITY, ["liquidity_score", "liquidity_absolute"]),
        over_time(
            "what the score is made of", LIQUIDITY, ["spread_rank", "depth_rank", "impact_rank", "half_life_rank"]
        ),
        over_time(
            "resilience: half-life after a shock",
            LIQUIDITY,
            ["bid_depth_half_life_s", "ask_depth_half_life_s", "spread_half_life_s"],
        ),
        over_time("largest cluster of orders", LIQUIDITY, ["bid_cluster_usd", "ask_cluster_usd"]),
        over_time("best prices over venues", BBO, ["best_bid", "mid", "best_ask"]),
        over_time("spread over venues", BBO, ["spread_bps"]),
        over_time("depth over venues", BBO, ["bid_depth_10bps_usd", "ask_depth_10bps_usd"]),
        over_time("depth over venues within 50 bps", BBO, ["bid_depth_50bps_usd", "ask_depth_50bps_usd"]),
        newest(
            "who holds the best price",
            BBO,
            [
                *("best_bid", "best_bid_qty_base", "best_bid_venue", "best_bid_symbol"),
                *("best_ask", "best_ask_qty_base", "best_ask_venue", "best_ask_symbol"),
                *("spread_bps", "crossed", "books", "books_out", "stale_ms"),
            ],
            ["asset", "quote"],
        ),
        fates_of_walls(),
        newest(
            "walls",
            WALLS,
            [
                *("venue", "symbol", "side", "what", "price", "notional_usd", "modified_z", "distance_bps", "age_ms"),
                "spoof_suspicion",
            ],
        ),
    ),
)
MICROSTRUCTURE = Board(
    "microstructure",
    "microstructure",
    (*OF_MARKET, "asset"),
    (
        over_time(
            "what trading cost", COSTS, ["effective_spread_bps", "realised_spread_5s_bps", "price_impact_5s_bps"]
        ),
        curve(
            "what makers kept, and how far the mid went, by horizon",
            COSTS,
            "horizon",
            {h: [f"realised_spread_{h}_bps", f"price_impact_{h}_bps"] for h in HORIZONS},
            ["measured_volume_base"] * 2,
        ),
        curve(
            "markouts of aggressors by horizon",
            COSTS,
            "horizon",
            {h: [f"{side}_markout_{h}_bps" for side in SIDES] for h in HORIZONS},
            [f"measured_{side}_volume_base" for side in SIDES],
        ),
        over_time("spreads that prices imply", EFFICIENCY, ["roll_spread_bps", "corwin_schultz_spread_bps"]),
        beside(
            "VPIN by true sides, and by bulk volume classification",
            over_time("", TAPE, ["vpin"]),
            over_time("", EFFICIENCY, ["vpin_bulk"]),
        ),
        beside(
            "Kyle's lambda with its 95 % interval, and from bars",
            over_time("", TAPE, ["kyle_lambda_low", "kyle_lambda", "kyle_lambda_high"]),
            over_time("", EFFICIENCY, ["kyle_lambda_bars"]),
        ),
        over_time("illiquidity: Amihud", EFFICIENCY, ["amihud_per_musd"]),
        over_time("illiquidity: Hasbrouck's lambda", EFFICIENCY, ["hasbrouck_lambda"]),
        over_time("informed trading", EFFICIENCY, ["information_asymmetry"]),
        over_time("what the score is made of", EFFICIENCY, ["vpin_rank", "kyle_rank", "sign_persistence_rank"]),
        newest(
            "regime, and what it was read off",
            EFFICIENCY,
            [
                "regime",
                "volatility_rank",
                "variance_ratio_p",
                *RATIOS,
                "efficiency",
                "hurst",
                "hurst_error",
                "jump_share",
            ],
            ["venue", "symbol"],
        ),
        over_time("efficiency", EFFICIENCY, ["efficiency"]),
        over_time("variance ratios", EFFICIENCY, list(RATIOS)),
        over_time("Hurst exponent and its error", EFFICIENCY, ["hurst", "hurst_error"]),
        over_time("share of jumps, rank of volatility", EFFICIENCY, ["jump_share", "volatility_rank"]),
        over_time("variance of the window", TAPE, ["realised_variance", "bipower_variation"]),
        over_time(
            "variance from the window's range",
            EFFICIENCY,
            ["parkinson_variance", "garman_klass_variance", "rogers_satchell_variance"],
        ),
        over_time("cumulative volume delta", TAPE, ["cvd"]),
        over_time("persistence of trade signs", EFFICIENCY, ["sign_autocorrelation"]),
        over_time("large trades", EFFICIENCY, ["large_buy_volume_base", "large_sell_volume_base"]),
        over_time(
            "absorbed: traded without moving the mid",
            EFFICIENCY,
            ["absorbed_buy_volume_base", "absorbed_sell_volume_base"],
        ),
        over_time("suspicion of icebergs", EFFICIENCY, ["bid_iceberg_suspicion", "ask_iceberg_suspicion"]),
        over_time("hidden volume", EFFICIENCY, ["bid_hidden_volume_base", "ask_hidden_volume_base"]),
        over_time("lead of the first book", LEAD_LAG, ["lead_ms"]),
        over_time("correlation at that lead, and at once", LEAD_LAG, ["correlation", "correlation_at_once"]),
        over_time(
            "where the price is made: share of the first book",
            DISCOVERY,
            ["information_share_low", "information_share", "information_share_high", "component_share"],
        ),
        newest(
            "footprint",
            FOOTPRINT,
            ["venue", "symbol", "price", "step", "buy_volume_base", "sell_volume_base", "trades"],
        ),
    ),
)
