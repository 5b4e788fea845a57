"""The eight dashboards; here those of accounts, liquidations, forecasts, data quality and jobs."""

import msgspec

from flows.dashboards.board import HELD, OF_MARKET, Board
from flows.dashboards.microstructure import MICROSTRUCTURE, ORDER_BOOK
from flows.dashboards.panel import WIDTH, Panel, Sql, figures, newest, over_time, tooltip
from flows.monitoring import telemetry as t
from flows.tables import BY_NAME

ACCOUNTS, POSITIONS = BY_NAME["risk_accounts"], BY_NAME["risk_positions"]
TAPE, LIQUIDATIONS, AFTERMATH = (BY_NAME[n] for n in ("features_tape", "liquidations", "liquidation_aftermath"))
FORECASTS, QUALITY = BY_NAME["forecasts_liquidation"], BY_NAME["quality"]
VERSIONS, SCORES = BY_NAME["model_versions"], BY_NAME["forecast_scores"]
ALERTS, REJECTS, BBO = BY_NAME["alerts"], BY_NAME["rejects"], BY_NAME["consolidated_bbo"]
Steps = tuple[tuple[float, str], ...]
BAD: Steps = ((1e-9, "red"),)
UTILISATION: Steps = ((0.6, "yellow"), (0.8, "orange"), (0.95, "red"))
MAINTENANCE: Steps = ((0.5, "yellow"), (0.7, "orange"), (0.8, "red"))
LAG_S: Steps = ((10, "yellow"), (60, "red"))
RATE = "sum by (instance) (rate({}[$__rate_interval]))"


def together() -> Panel:
    """What all accounts have together; nothing where that of one is not known, for the rest is not all."""
    columns = ("equity_usd", "gross_usd", "net_usd")
    sums = ", ".join(f"if(countIf(isNull({c})) = 0, sum({c}), NULL) AS all_{c}" for c in columns)
    text = (
        f"SELECT {sums} FROM (SELECT * FROM risk_accounts FINAL WHERE $__timeFilter_ms(as_of)"
        " AND account IN (${account:singlequote}) ORDER BY as_of DESC LIMIT 1 BY account)"
    )
    return Panel("all accounts", "stat", (Sql(text),), tooltip(ACCOUNTS, columns), "currencyUSD", width=24)


def alerts() -> Panel:
    """The alerts that were raised at some time shown, whenever that began; those that still are stand first."""
    columns = ("raised_at", "rule", "subject", "severity", "state", "kind", "value", "reason", "cleared_at")
    text = (
        f"SELECT {', '.join(columns)} FROM alerts FINAL WHERE raised_at <= $__toTime_ms"
        " AND ifNull(cleared_at >= $__fromTime_ms, true) ORDER BY isNull(cleared_at) DESC, raised_at DESC LIMIT 100"
    )
    return Panel("alerts", "table", (Sql(text),), tooltip(ALERTS, columns), width=WIDTH)


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
    HELD,
)
RISK = Board(
    "risk",
    "risk",
    ("account", "venue", "symbol", "side"),
    (
        over_time("margin utilisation", ACCOUNTS, ["margin_utilisation"], UTILISATION),
        over_time("maintenance ratio", ACCOUNTS, ["maintenance_ratio"], MAINTENANCE),
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
            "open",
        ),
        alerts(),
    ),
    HELD,
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
        newest(
            "what they found and what came after",
            AFTERMATH,
            [
                *("venue", "symbol", "position_side", "notional_usd", "depth_10bps_usd", "share_of_10bps"),
                *("move_1s_bps", "move_5s_bps", "move_60s_bps", "throttled"),
            ],
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
    (*OF_MARKET, "asset"),
    (
        over_time("breaks in the chain of depth messages", QUALITY, ["depth_gaps"], BAD),
        over_time("book not trusted", QUALITY, ["untrusted_ms"], BAD),
        over_time("age of the last message", QUALITY, ["stale_ms"]),
        over_time("late and dropped messages", QUALITY, ["late_rows", "depth_dropped"]),
        over_time("levels held", QUALITY, ["bid_levels", "ask_levels"]),
        over_time("books that count and are left out", BBO, ["books", "books_out"]),
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
            "age of the last commit, of the last turn of receiving",
            [
                (t.COMMITTED, "time() - max by (instance) ({} > 0)", "{{instance}}"),
                (t.LIVE_TURNED, "time() - max by (instance) ({} > 0)", "{{instance}} receives"),
            ],
            "s",
            LAG_S,
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
            [
                (t.LIVE_FRAMES, "sum by (venue, channel) (rate({}[$__rate_interval]))", "{{venue}} {{channel}}"),
                (t.LIVE_UNKNOWN, "sum by (venue) (rate({}[$__rate_interval]))", "{{venue}} of no known kind"),
            ],
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
BOARDS = (PORTFOLIO, RISK, ORDER_BOOK, MICROSTRUCTURE, LIQUIDATION_EVENTS, FORECAST, DATA_QUALITY, JOBS)


def files() -> dict[str, str]:
    """File name -> content."""
    return {
        f"{b.name}.json": msgspec.json.format(msgspec.json.encode(b.drawn()), indent=1).decode() + "\n" for b in BOARDS
    }
