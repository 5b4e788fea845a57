"""The seven dashboards: portfolio, risk, order book, liquidations, forecasts, data quality, jobs."""

from typing import Any, NamedTuple

import msgspec

from flows import telemetry as t
from flows.dashboards.panel import CLICKHOUSE, HEIGHT, WIDTH, Panel, Sql, figures, newest, over_time, tooltip
from flows.settings import Windows
from flows.tables import BY_NAME

ACCOUNTS, POSITIONS = BY_NAME["risk_accounts"], BY_NAME["risk_positions"]
BOOK, TAPE, LIQUIDITY = BY_NAME["features_book"], BY_NAME["features_tape"], BY_NAME["features_liquidity"]
COSTS, EFFICIENCY, WALLS = BY_NAME["features_costs"], BY_NAME["features_efficiency"], BY_NAME["walls"]
LIQUIDATIONS, FORECASTS, QUALITY = BY_NAME["liquidations"], BY_NAME["forecasts_liquidation"], BY_NAME["quality"]
VERSIONS, SCORES = BY_NAME["model_versions"], BY_NAME["forecast_scores"]
ALERTS, REJECTS, BBO = BY_NAME["alerts"], BY_NAME["rejects"], BY_NAME["consolidated_bbo"]
Steps = tuple[tuple[float, str], ...]
BAD: Steps = ((1e-9, "red"),)
UTILISATION: Steps = ((0.6, "yellow"), (0.8, "orange"), (0.95, "red"))
LAG_S: Steps = ((10, "yellow"), (60, "red"))
RATE = "sum by (instance) (rate({}[$__rate_interval]))"


class Board(NamedTuple):
    """`variables`: by what the reader chooses, of VARIABLES."""

    name: str
    title: str
    variables: tuple[str, ...]
    panels: tuple[Panel, ...]

    def drawn(self) -> dict[str, Any]:
        """Its JSON: panels from left to right, as many in a line as there is room for."""
        panels, x, y = [], 0, 0
        for number, panel in enumerate(self.panels, 1):
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            panels.append(panel.drawn(number, x, y))
            x += panel.width
        return {
            "uid": f"alphaplus-{self.name}",
            "title": f"AlphaPlus {self.title}",
            "tags": ["alphaplus"],
            "schemaVersion": 42,
            "editable": False,
            "timezone": "utc",
            "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"},
            "graphTooltip": 1,
            "templating": {"list": [variable(name) for name in self.variables]},
            "panels": panels,
        }


def variable(name: str) -> dict[str, Any]:
    """What the reader of a dashboard chooses by."""
    everything = {"multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}}
    if name in VARIABLES:
        return {
            "name": name,
            "type": "query",
            "datasource": CLICKHOUSE,
            "query": VARIABLES[name],
            "refresh": 2,
        } | everything
    if name == "side":
        return {"name": name, "type": "custom", "query": "both,long,short"} | everything
    lengths = [str(n) for n in Windows().lengths_ms()]
    minute = "60000"
    chosen = {"text": minute, "value": minute}
    return {"name": name, "type": "custom", "label": "window, ms", "query": ",".join(lengths), "current": chosen}


VARIABLES = {
    "venue": "SELECT DISTINCT venue FROM features_tape WHERE window_ms = 60000 ORDER BY venue",
    "symbol": "SELECT DISTINCT symbol FROM features_tape WHERE window_ms = 60000"
    " AND venue IN (${venue:singlequote}) ORDER BY symbol",
    "account": "SELECT DISTINCT account FROM risk_accounts ORDER BY account",
}
OF_MARKET = ("venue", "symbol", "window")


def together() -> Panel:
    """What all accounts have together."""
    columns = ("equity_usd", "gross_usd", "net_usd")
    sums = ", ".join(f"sum({c}) AS {c}" for c in columns)
    text = (
        f"SELECT {sums} FROM (SELECT * FROM risk_accounts FINAL WHERE $__timeFilter_ms(as_of)"
        " AND account IN (${account:singlequote}) ORDER BY as_of DESC LIMIT 1 BY account)"
    )
    return Panel("all accounts", "stat", (Sql(text),), tooltip(ACCOUNTS, columns), "currencyUSD", width=24)


def quantiles(figure: t.Figure) -> list[tuple[t.Figure, str, str]]:
    """Median and 99 % of a histogram, by process."""
    by = "sum by (le, instance) (rate({}[$__rate_interval]))"
    return [
        (figure, f"histogram_quantile({q}, {by})", f"{{{{instance}}}} {name}")
        for q, name in ((0.5, "50 %"), (0.99, "99 %"))
    ]


PORTFOLIO = Board(
    "portfolio",
    "portfolio",
    ("account", "venue", "symbol", "side"),
    (
        together(),
        over_time("equity", ACCOUNTS, ["equity_usd"]),
        over_time("exposure", ACCOUNTS, ["gross_usd", "net_usd"]),
        over_time("leverage", ACCOUNTS, ["leverage_total", "leverage_net", "leverage_max"]),
        over_time("profit of positions", POSITIONS, ["unrealised_pnl_usd"]),
        newest(
            "positions",
            POSITIONS,
            [
                "qty_base",
                "entry_price",
                "mark_price",
                "notional_usd",
                "unrealised_pnl_usd",
                "leverage",
                "margin_mode",
                "liquidation_price",
                "distance_to_liquidation_bps",
                "null_reason",
            ],
            ["account", "venue", "symbol", "position_side"],
            "open",
        ),
    ),
)
RISK = Board(
    "risk",
    "risk",
    ("account", "venue", "symbol", "side"),
    (
        over_time("margin utilisation", ACCOUNTS, ["margin_utilisation"], UTILISATION),
        over_time("maintenance ratio", ACCOUNTS, ["maintenance_ratio"], UTILISATION),
        over_time("nearest liquidation", ACCOUNTS, ["nearest_liquidation_bps"]),
        over_time("distance to liquidation", POSITIONS, ["distance_to_liquidation_bps"]),
        over_time("tail loss within an hour", ACCOUNTS, ["var_99_1h_usd", "es_99_1h_usd"]),
        over_time("depth up to liquidation", POSITIONS, ["depth_to_liquidation_usd"]),
        newest(
            "accounts",
            ACCOUNTS,
            [
                "risk_level",
                "margin_utilisation",
                "leverage_total",
                "nearest_liquidation_bps",
                "es_99_1h",
                "tail_reason",
                "marks_ok",
                "record_ok",
                "insolvent",
                "remarks",
            ],
            ["account"],
        ),
        newest("alerts", ALERTS, ["rule", "subject", "severity", "state", "kind", "value", "reason", "cleared_at"]),
    ),
)
ORDER_BOOK = Board(
    "book",
    "order book",
    OF_MARKET,
    (
        over_time("touch and mid", BOOK, ["best_bid", "mid", "best_ask"]),
        over_time("spread", BOOK, ["spread_bps", "time_weighted_spread_bps"]),
        over_time("depth within 10 bps", BOOK, ["bid_depth_10bps_usd", "ask_depth_10bps_usd"]),
        over_time("depth within 100 bps", BOOK, ["bid_depth_100bps_usd", "ask_depth_100bps_usd"]),
        over_time("imbalance", BOOK, ["imbalance_1", "imbalance_5", "imbalance_20", "imbalance_10bps"]),
        over_time("order flow imbalance", BOOK, ["ofi_per_depth"]),
        over_time("impact of a market order of 100,000", LIQUIDITY, ["buy_impact_100k_bps", "sell_impact_100k_bps"]),
        over_time("liquidity score", LIQUIDITY, ["liquidity_score"]),
        over_time(
            "what trading cost", COSTS, ["effective_spread_bps", "realised_spread_5s_bps", "price_impact_5s_bps"]
        ),
        over_time("informed trading", EFFICIENCY, ["information_asymmetry", "efficiency"]),
        newest("walls", WALLS, ["venue", "symbol", "side", "what", "price", "notional_usd", "distance_bps", "age_ms"]),
    ),
)
LIQUIDATION_EVENTS = Board(
    "liquidations",
    "liquidation events",
    (*OF_MARKET, "side"),
    (
        over_time("liquidated", TAPE, ["long_liquidated_usd", "short_liquidated_usd"], width=24),
        over_time("how many", TAPE, ["long_liquidations", "short_liquidations"]),
        over_time("the largest", TAPE, ["largest_liquidation_usd"]),
        over_time("open interest", TAPE, ["open_interest_usd"]),
        over_time("basis", TAPE, ["basis_bps"]),
        over_time("funding", TAPE, ["funding_rate"]),
        over_time("volume", TAPE, ["volume_usd", "buy_volume_usd"]),
        newest(
            "liquidations",
            LIQUIDATIONS,
            ["venue", "symbol", "position_side", "qty_base", "price", "price_kind", "notional_usd", "throttled"],
        ),
    ),
)
FORECAST = Board(
    "forecasts",
    "forecasts",
    ("venue", "symbol", "side"),
    (
        over_time("probability of a burst", FORECASTS, ["p_burst", "base_rate"], width=24),
        over_time("its bounds", FORECASTS, ["p_burst_low", "p_burst_high"]),
        over_time("expected liquidations", FORECASTS, ["expected_notional_usd", "threshold_usd"]),
        over_time("confidence", FORECASTS, ["confidence"]),
        figures(
            "model in force",
            [
                (t.MODEL_IN_FORCE, "max by (version) ({})", "{{version}}"),
                (t.MODELS_REFUSED, "sum by (instance) (increase({}[$__rate_interval]))", "refused by {{instance}}"),
                (t.MODEL_LOADS, "sum by (where) (increase({}[$__rate_interval]))", "from {{where}}"),
            ],
        ),
        newest(
            "newest of each",
            FORECASTS,
            ["p_burst", "confidence", "risk_level", "abstain_reason", "top_factors", "model_version", "book_ok"],
            ["venue", "symbol", "horizon_min", "position_side"],
        ),
        newest(
            "versions", VERSIONS, ["version", "in_force_from", "trained_from", "trained_to", "forecasts"], ever=True
        ),
        newest(
            "scores",
            SCORES,
            [
                "version",
                "position_side",
                "horizon_min",
                "baseline",
                "pr_auc",
                "brier",
                "calibration_error",
                "skill",
                "beaten",
            ],
            ever=True,
        ),
    ),
)
DATA_QUALITY = Board(
    "quality",
    "data quality",
    OF_MARKET,
    (
        over_time("breaks in the chain of depth messages", QUALITY, ["depth_gaps"], BAD),
        over_time("book not trusted", QUALITY, ["untrusted_ms"], BAD),
        over_time("age of the last message", QUALITY, ["stale_ms"]),
        over_time("late and dropped messages", QUALITY, ["late_rows", "depth_dropped"]),
        over_time("levels held", QUALITY, ["bid_levels", "ask_levels"]),
        over_time("venues' best", BBO, ["spread_bps"]),
        figures(
            "rejects",
            [(t.REJECTS, "sum by (topic, reason) (rate({}[$__rate_interval]))", "{{topic}} {{reason}}")],
            "reqps",
            BAD,
        ),
        figures(
            "offsets without a message", [(t.GAPS, "sum by (topic) (increase({}[$__rate_interval]))", "{{topic}}")]
        ),
        figures(
            "streams that are silent",
            [(t.LIVE_SILENT, "max by (venue, channel) ({})", "{{venue}} {{channel}}")],
            steps=BAD,
        ),
        figures(
            "received and lost, broken books",
            [
                (t.LIVE_MISSED, "sum by (venue) (increase({}[$__rate_interval]))", "{{venue}} lost"),
                (t.LIVE_BROKEN, "sum by (venue) (increase({}[$__rate_interval]))", "{{venue}} broken"),
                (
                    t.LIVE_SNAPSHOTS,
                    "sum by (venue, result) (increase({}[$__rate_interval]))",
                    "{{venue}} book {{result}}",
                ),
            ],
            steps=BAD,
        ),
        newest("rejected", REJECTS, ["reader", "topic", "partition", "offset", "reason", "size"]),
    ),
)
JOBS = Board(
    "jobs",
    "jobs",
    (),
    (
        figures("messages read", [(t.READ, RATE, "{{instance}}")], "reqps"),
        figures("messages to read", [(t.LAG, "sum by (instance) ({})", "{{instance}}")], steps=((100_000, "red"),)),
        figures("event time lag", [(t.EVENT_LAG, "max by (instance) ({})", "{{instance}}")], "s", LAG_S),
        figures(
            "age of the last commit", [(t.COMMITTED, "time() - max by (instance) ({} > 0)", "{{instance}}")], "s", LAG_S
        ),
        figures("age of event time when its rows are made", quantiles(t.EVENT_TO_ROWS), "s"),
        figures("from snapshot to commit", quantiles(t.COMMIT), "s"),
        figures("rows", [(t.ROWS, "sum by (table) (rate({}[$__rate_interval]))", "{{table}}")], "wps"),
        figures(
            "rows stored, inserts tried again",
            [
                (t.ARCHIVED, "sum by (table) (rate({}[$__rate_interval]))", "{{table}}"),
                (t.ARCHIVE_RETRIES, "sum by (table) (increase({}[$__rate_interval]))", "{{table}} again"),
            ],
            "wps",
        ),
        figures("frames", [(t.FRAMES, "sum by (topic) (rate({}[$__rate_interval]))", "{{topic}}")], "reqps"),
        figures("bytes", [(t.FRAME_BYTES, "sum by (topic) (rate({}[$__rate_interval]))", "{{topic}}")], "Bps"),
        figures(
            "shards: closed up to",
            [
                (t.CLOSED, "time() - max by (instance, shard) ({})", "{{instance}} {{shard}}"),
                (t.VENUE_CLOSED, "time() - max by (shard, venue) ({})", "{{shard}} {{venue}}"),
            ],
            "s",
        ),
        figures(
            "standing still, clock set back, offsets not told",
            [
                (t.STANDING_STILL, "max by (instance, shard) ({})", "{{instance}} {{shard}} stands still"),
                (t.CLOCK_SET_BACK, "sum by (instance) (increase({}[$__rate_interval]))", "{{instance}} clock"),
                (t.NOT_EXPORTED, "sum by (instance) (increase({}[$__rate_interval]))", "{{instance}} offsets"),
            ],
            steps=BAD,
        ),
        figures(
            "tuned, and in which steps",
            [
                (t.TUNED, "max by (instance, what) ({})", "{{instance}} {{what}}"),
                (
                    t.TUNING_DECISIONS,
                    "sum by (what, direction) (increase({}[$__rate_interval]))",
                    "{{what}} {{direction}}",
                ),
            ],
        ),
        figures(
            "received",
            [(t.LIVE_FRAMES, "sum by (venue, channel) (rate({}[$__rate_interval]))", "{{venue}} {{channel}}")],
            "reqps",
        ),
        figures("received and waiting for Kafka", [(t.LIVE_HELD, "max by (venue) ({})", "{{venue}}")], "bytes"),
        figures(
            "connections",
            [
                (t.LIVE_OPENED, "sum by (venue, why) (increase({}[$__rate_interval]))", "{{venue}} opened, {{why}}"),
                (t.LIVE_ENDED, "sum by (venue, why) (increase({}[$__rate_interval]))", "{{venue}} ended, {{why}}"),
                (t.LIVE_REFUSED, "sum by (venue) (increase({}[$__rate_interval]))", "{{venue}} refused"),
            ],
            width=24,
        ),
    ),
)
BOARDS = (PORTFOLIO, RISK, ORDER_BOOK, LIQUIDATION_EVENTS, FORECAST, DATA_QUALITY, JOBS)


def files() -> dict[str, str]:
    """File name -> content."""
    return {
        f"{b.name}.json": msgspec.json.format(msgspec.json.encode(b.drawn()), indent=1).decode() + "\n" for b in BOARDS
    }
