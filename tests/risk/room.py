"""A room for risk: account records and marks by the second in, risk rows and alerts out, by the rules that are shipped."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from flows.alerts import rules
from flows.engine.json_rows import records
from flows.settings.tree import Settings
from flows.tables import BY_NAME
from operators.alerts.watch import Watch
from operators.portfolio.ledger import Ledger, Terms
from schemas.brackets import Tiers, binance, deductions
from schemas.frames import frames

START_MS = 1_750_000_020_000
SHARED = Path(__file__).parents[2].parent / "shared"
TIERS = {"BTCUSDT": (0.004, 150), "BTCUSDC": (0.004, 125), "ETHUSDT": (0.004, 150), "ETHBTC": (0.005, 100)}


def one_tier(rate: float, leverage: float, *more: tuple[float, float, float]) -> Tiers:
    """Tiers from 0 at `rate`, and further (floor, rate, leverage)."""
    floor, mmr, most = (np.array(x, np.float64) for x in zip((0, rate, leverage), *more, strict=True))
    return Tiers(floor, np.append(floor[1:], 1e15), mmr, deductions(floor, mmr), most)


KNOWN = {("binance-usdm", s): one_tier(*told) for s, told in TIERS.items()}
Rows = dict[str, list[dict[str, Any]]]


def real() -> dict[tuple[str, str], Tiers]:
    """Binance's own tiers of the reference folder; FileNotFoundError where it is absent."""
    data = gzip.decompress((SHARED / "reference" / "binance_usdm_leverage_brackets_2026_09.json.gz").read_bytes())
    return {("binance-usdm", symbol): tiers for symbol, tiers in binance(data).items()}


def record(wallets: dict[str, float], *positions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An account record as users write it, without its time."""
    balances = [{"asset": asset, "wallet": wallet} for asset, wallet in wallets.items()]
    return {"account": "a", "balances": balances, "positions": list(positions), **more}


def cross(symbol: str, qty: float, entry: float, leverage: float = 10, **more: Any) -> dict[str, Any]:
    """A cross position on Binance."""
    told = {"venue": "binance-usdm", "symbol": symbol, "qty_base": qty, "entry_price": entry, "leverage": leverage}
    return {**told, "margin_mode": "cross", **more}


def isolated(symbol: str, qty: float, entry: float, margin: float, leverage: float = 10, **more: Any) -> dict[str, Any]:
    """An isolated one."""
    return cross(symbol, qty, entry, leverage, **{"margin_mode": "isolated", "isolated_margin": margin, **more})


def mark(second: float, symbol: str, price: float, venue: str = "binance-usdm") -> tuple[float, str, str, float, float]:
    """A mark, not old."""
    return second, venue, symbol, price, 0.0


def play(told: list[tuple[float, Any]], marks: list[tuple[Any, ...]], terms: Terms | None = None) -> Rows:
    """Rows by table, alerts among them, of records (second, record, text or None for a tombstone of `a`) and marks."""
    values, times, keys = [], [], {}
    for second, what in told:
        at_ms = START_MS + int(1000 * second)
        if what is None:
            keys[len(values)] = "a"
        text = (
            b"" if what is None else what if isinstance(what, bytes) else json.dumps({"as_of": at_ms, **what}).encode()
        )
        values.append(text)
        times.append(at_ms * 1_000_000)
    ledger = Ledger(terms or Terms(KNOWN), ["accounts"], ["tape", "book"])
    refused = ledger.read("accounts", "accounts", frames("accounts", 0, values, times, symbols=keys))
    tape = [
        msgspec.json.encode(
            {
                "venue": venue,
                "symbol": symbol,
                "window_ms": 1000,
                "window_start": START_MS + int(1000 * second) - 1000,
                "mark_price": price,
                "mark_age_ms": 1000.0 * age,
            }
        )
        for second, venue, symbol, price, age in marks
    ]
    assert (
        ledger.read(
            "tape", "tape", frames("features.tape", 0, tape, [(START_MS + int(1000 * m[0])) * 1_000_000 for m in marks])
        )
        == []
    )
    ledger.mark({"accounts", "tape", "book"})
    out: Rows = {"risk_accounts": [], "risk_positions": [], "alerts": []}
    out["rejects"] = [{"reason": r.reason} for r in refused]
    printed: dict[str, list[bytes]] = {"risk_accounts": [], "risk_positions": []}
    for _, published in ledger.advance():
        printed[published.table] += [v for _, v in records(published, BY_NAME[published.table].columns)]
    for name, lines in printed.items():
        out[name] = [json.loads(line) for line in lines]
        for row in out[name]:
            for column in BY_NAME[name].columns:
                assert column.dtype == "time" or column.holds(row[column.name]), (column.name, row[column.name])
        watch = Watch(BY_NAME[name], tuple(r for r in rules(Settings()) if r.table == name), 1000)
        alerts, unread = watch.read(
            frames(BY_NAME[name].topic, 0, lines, [row["as_of"] * 1_000_000 for row in out[name]])
        )
        assert unread == []
        out["alerts"] += [json.loads(v) for _, v in records(alerts, BY_NAME["alerts"].columns)]
    return out


def raised(rows: Rows) -> dict[str, str]:
    """Alerts that stand at the end: rule and subject, and their severity."""
    standing: dict[str, str] = {}
    for alert in rows["alerts"]:
        name = f"{alert['rule']} {alert['subject']}"
        standing.pop(name, None)
        if alert["state"] == "raised":
            standing[name] = alert["severity"]
    return standing


def ever(rows: Rows) -> set[str]:
    """Rules that ever raised."""
    return {alert["rule"] for alert in rows["alerts"] if alert["state"] == "raised"}


def last(rows: Rows, table: str = "risk_accounts", **named: Any) -> dict[str, Any]:
    """The last row of a table with these values."""
    return [row for row in rows[table] if all(row[n] == v for n, v in named.items())][-1]
