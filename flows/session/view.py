"""The terminal view of a demo: quotes, liquidations, accounts, alerts and the state of the flows, in place."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from flows.kafka.topic_tail import Seen
from flows.monitoring import telemetry
from flows.monitoring.health import Health
from flows.printable import printable

SECOND_MS = 1_000
_QUOTED = 8
"""Instruments in the line for where there is no terminal."""
EVENT_TIME = telemetry.EVENT_LAG.name


def _number(value: Any, form: str = ",.4f") -> str:
    return "-" if value is None else format(value, form)


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1e3, UTC).strftime("%H:%M:%S")


def _add(grid: Table, *cells: str | Text) -> None:
    """A row; what is not styled here is data."""
    grid.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in cells))


def _styled(word: str, styles: Mapping[str, str]) -> Text:
    return Text(printable(word), styles.get(word, ""))


def quotes(books: Mapping[str, Mapping[str, Any]]) -> Table:
    """Best quotes and spread per instrument, from the one-second rows."""
    grid = Table("instrument", "bid", "ask", "spread bps", "imbalance", "OFI", "book", title="Books", expand=False)
    for column in grid.columns[1:6]:
        column.justify = "right"
    for row in sorted(books.values(), key=lambda r: (r["venue"], r["symbol"])):
        if row["window_ms"] != SECOND_MS:
            continue
        _add(
            grid,
            f"{row['symbol']} {row['venue']}",
            _number(row["best_bid"], ",.6g"),
            _number(row["best_ask"], ",.6g"),
            _number(row["spread_bps"], ".3f"),
            _number(row["imbalance_1"], "+.2f"),
            _number(row["ofi"], "+,.3f"),
            Text("ok", "green") if row["book_ok"] else Text("not trusted", "bold red"),
        )
    return grid


def liquidations(latest: list[dict[str, Any]]) -> Table:
    """The last liquidations."""
    grid = Table("time", "instrument", "victim", "price", "USD", title="Liquidations", expand=False)
    for row in reversed(latest):
        colour = "red" if row["position_side"] == "long" else "cyan"
        _add(
            grid,
            _clock(row["event_time"]),
            row["symbol"],
            Text(printable(row["position_side"]), colour),
            _number(row["price"], ",.6g"),
            _number(row["notional_usd"], ",.0f"),
        )
    return grid


_COLOURS = {"critical": "bold red", "high": "red", "elevated": "yellow", "low": "green", "unknown": "dim"}
_SEVERITIES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def accounts(risk: Mapping[str, Mapping[str, Any]]) -> Table:
    """Risk of each account, coloured by level."""
    grid = Table(
        "account", "level", "equity USD", "leverage", "margin used", "maintenance", "nearest bps", "VaR 1h 99 %"
    )
    grid.title = "Accounts"
    for column in grid.columns[2:]:
        column.justify = "right"
    for row in sorted(risk.values(), key=lambda r: r["account"]):
        _add(
            grid,
            row["account"],
            _styled(row["risk_level"], _COLOURS),
            _number(row["equity_usd"], ",.0f"),
            _number(row["leverage_total"], ".1f"),
            _number(row["margin_utilisation"], ".0%"),
            _number(row["maintenance_ratio"], ".0%"),
            _number(row["nearest_liquidation_bps"], ",.0f"),
            row["tail_reason"] if row["var_99_1h"] is None else _number(row["var_99_1h"], ".2%"),
        )
    return grid


def alerts(latest: list[dict[str, Any]]) -> Table:
    """The last alerts: raised, heightened, cleared."""
    grid = Table("time", "severity", "rule", "subject", "value", title="Alerts", expand=False)
    for row in reversed(latest):
        cleared = row["kind"] == "clear"
        severity = Text("cleared", "green") if cleared else _styled(row["severity"], _SEVERITIES)
        _add(grid, _clock(row["at"]), severity, row["rule"], row["subject"], _number(row["value"], ",.4g"))
    return grid


def forecasts(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """The latest probabilities of a burst, by horizon; `long` means that longs are liquidated."""
    of: dict[tuple[str, str], dict[int, Text]] = {}
    why, versions = set(), set()
    for row in rows.values():
        p, level = row["p_burst"], row["risk_level"]
        colour = {"medium": "yellow", "high": "red", "critical": "bold red"}.get(level, "")
        cell = Text("-") if p is None else Text(f"{p:.1%}", colour)
        of.setdefault((row["symbol"], row["position_side"]), {})[row["horizon_min"]] = cell
        why.add(row["abstain_reason"])
        versions.add(row["model_version"])
    horizons = sorted({h for cells in of.values() for h in cells})
    told = ", ".join(sorted(v for v in (versions | why) if v))
    title = f"Liquidation bursts, probability ({told or 'waiting for the first minute'})"
    grid = Table("instrument", "side", *(f"{h} min" for h in horizons), title=Text(printable(title)), expand=False)
    for (symbol, side), cells in sorted(of.items()):
        _add(grid, symbol, side, *(cells.get(h, Text("")) for h in horizons))
    return grid


def flows(health: Mapping[str, Health], before: Mapping[str, Health], elapsed_s: float) -> Table:
    """Rates, lag in messages and in event time, rejects and the age of the last commit of each flow."""
    names = ("messages/s", "lag", "event time lag s", "rows", "rejects", "commit age s")
    grid = Table("flow", *names, title="Flows", expand=False)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, now in health.items():
        if not now.up:
            _add(grid, name, Text("starting", "yellow"), *("" for _ in names[1:]))
            continue
        was = before.get(name, Health(False, {})).totals
        read = now.totals.get(telemetry.READ.total, 0.0)
        rate = (read - was.get(telemetry.READ.total, read)) / max(elapsed_s, 1e-9)
        committed = now.totals.get(telemetry.COMMITTED.name, 0.0)
        _add(
            grid,
            name,
            f"{rate:,.0f}",
            f"{now.totals.get(telemetry.LAG.name, 0):,.0f}",
            _event_time_lag(now),
            f"{now.totals.get(telemetry.ROWS.total, now.totals.get(telemetry.ARCHIVED.total, 0)):,.0f}",
            f"{now.totals.get(telemetry.REJECTS.total, 0):,.0f}",
            f"{time.time() - committed:,.1f}" if committed else "-",
        )
    return grid


def _event_time_lag(now: Health) -> Text:
    """The age of the newest second that every shard has closed."""
    lag_s = now.highest.get(EVENT_TIME)
    still = now.totals.get(telemetry.STANDING_STILL.name, 0.0)
    return Text("-" if lag_s is None else f"{lag_s:,.1f}", "bold red" if still else "")


def line(seen: Seen, prefix: str, health: Mapping[str, Health]) -> str:
    """The view as one line, for where there is no terminal."""
    books = [r for r in seen.rows[prefix + "features.book"].values() if r["window_ms"] == SECOND_MS]
    rejects = sum(h.totals.get(telemetry.REJECTS.total, 0.0) for h in health.values())
    up = sum(h.up for h in health.values())
    quoted = [
        f"{r['symbol']} {_number(r['best_bid'], ',.6g')}/{_number(r['best_ask'], ',.6g')}"
        for r in sorted(books, key=lambda r: r["symbol"])[:_QUOTED]
    ]
    if len(books) > _QUOTED:
        quoted.append(f"{len(books) - _QUOTED} more")
    total = sum(seen.counts.values())
    forced = seen.counts[prefix + "liquidations"]
    levels = Counter(r["risk_level"] for r in seen.rows.get(prefix + "risk.accounts", {}).values())
    judged = ", ".join(f"{n} {level}" for level, n in sorted(levels.items()))
    told = seen.counts[prefix + "alerts"]
    behind = sum(h.totals.get(telemetry.LAG.name, 0.0) for h in health.values())
    lags = [h.highest[EVENT_TIME] for h in health.values() if EVENT_TIME in h.highest]
    counts = (
        f"{total:,} rows, {forced:,} liquidations, {told:,} alert records, {rejects:,.0f} rejects, lag {behind:,.0f}"
        f", event time lag {f'{max(lags):,.1f} s' if lags else '-'}"
    )
    books_told = ", ".join(quoted) or "no book yet"
    return printable(f"{up}/{len(health)} flows up, {counts}; accounts: {judged or 'none yet'}; {books_told}")
