"""Tables: every published table and topic, put together from the columns that operators and models declare."""

from models import bursts, versions
from operators import market_tables
from operators.alerts.watch import ALERTS
from operators.portfolio.risk_rows import RISK_ACCOUNTS, RISK_POSITIONS
from schemas.column import Column
from schemas.table import Table

REJECTS = (
    Column("reader", "str", "the flow that refused it"),
    Column("topic", "str", "topic of the frame or record"),
    Column("partition", "i8", "its partition", low=0),
    Column("offset", "i8", "its offset", low=0),
    Column("nth", "i8", "which row of the frame, where a frame holds several", low=0),
    Column("reason", "str", "why it was not used", unit="text"),
    Column("size", "i8", "its size", unit="bytes", low=0),
    Column("bytes", "str", "its first 64 KiB, base64", unit="bytes"),
)

TABLES: tuple[Table, ...] = (
    *market_tables.TABLES,
    Table(
        name="forecast_vectors",
        topic="forecast.vectors",
        columns=bursts.VECTORS,
        key=("venue", "symbol", "as_of"),
        time="as_of",
        ttl_days=730,
    ),
    Table(
        name="forecasts_liquidation",
        topic="forecasts.liquidation",
        columns=bursts.FORECASTS,
        key=("venue", "symbol", "as_of", "horizon_min", "position_side"),
        time="as_of",
        ttl_days=365,
    ),
    Table(name="model_versions", topic="model.versions", columns=versions.VERSIONS, key=("version", "in_force_from")),
    Table(
        name="forecast_scores",
        topic="forecast.scores",
        columns=versions.SCORES,
        key=("version", "position_side", "horizon_min", "baseline", "scored_to"),
    ),
    Table(
        name="risk_accounts",
        topic="risk.accounts",
        columns=RISK_ACCOUNTS,
        key=("account", "as_of"),
        time="as_of",
        ttl_days=365,
    ),
    Table(
        name="risk_positions",
        topic="risk.positions",
        columns=RISK_POSITIONS,
        key=("account", "venue", "symbol", "as_of", "position_side"),
        time="as_of",
        ttl_days=365,
    ),
    Table(
        name="alerts",
        topic="alerts",
        columns=ALERTS,
        key=("alert_id",),
        version="revision",
        time="raised_at",
        ttl_days=730,
    ),
    Table(
        name="rejects",
        topic="rejects",
        columns=REJECTS,
        key=("reader", "topic", "partition", "offset", "nth"),
        ttl_days=30,
    ),
)
BY_NAME = {t.name: t for t in TABLES}
BY_TOPIC = {t.topic: t for t in TABLES}
ALERTED = {t.name: t for t in TABLES if t.time and t.name not in ("alerts", "rejects")}
"""The tables that rules may read, by name."""
