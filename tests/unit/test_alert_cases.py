"""Accounts and marks through the ledger and the rules that come with the package: situations that broke once."""

import importlib.resources
import json
from pathlib import Path

import msgspec
import pytest

from flows.engine.json_rows import records
from flows.tables import ALERTED, BY_NAME
from operators.alerts.rules import load
from operators.alerts.watch import Watch
from operators.portfolio.ledger import Ledger, Terms
from schemas.frames import frames
from tests.laws.feature_rows import row

SHARED = Path(__file__).parents[2].parent / "shared"
T0_MS = 1_700_000_040_000


def alerts(accounts: list[tuple[int, dict]], marks: list[tuple[int, str, float]]) -> list[dict]:
    """Account records and marks, each by second, to the alerts of risk.accounts and risk.positions."""
    ledger = Ledger(Terms({}), ["accounts/0"], ["tape/0"])
    told = [
        {k: v for k, v in record.items() if k != "as_of_s"} | {"as_of": T0_MS + 1_000 * s} for s, record in accounts
    ]
    tape = [
        row("features_tape", symbol, T0_MS + 1_000 * s, 1_000, mark_price=price, mark_age_ms=0.0)
        for s, symbol, price in marks
    ]
    for name, values, seconds in (
        ("accounts", [msgspec.json.encode(r) for r in told], [s for s, _ in accounts]),
        ("tape", tape, [s for s, _, _ in marks]),
    ):
        log = frames(name, 0, values, [(T0_MS + 1_000 * s) * 1_000_000 for s in seconds])
        assert ledger.read(name, f"{name}/0", log) == []
    ledger.mark({"accounts/0", "tape/0"})
    rules = load((importlib.resources.files("deploy") / "settings" / "alerts.toml").read_text(), ALERTED)
    out = []
    watches = {t: Watch(BY_NAME[t], tuple(r for r in rules if r.table == t), 1_000) for t in ALERTED}
    for _, published in ledger.advance():
        values = [value for _, value in records(published, BY_NAME[published.table].columns)]
        at_ns = [ms * 1_000_000 for ms in published.at_ms]
        found, rejects = watches[published.table].read(frames(published.table, 0, values, at_ns))
        assert rejects == []
        out += [msgspec.json.decode(v) for _, v in records(found, BY_NAME["alerts"].columns)]
    return out


def brief(rows: list[dict], rule: str) -> list[tuple]:
    return [(r["subject"], r["kind"], (r["at"] - T0_MS) // 1_000, r["reason"]) for r in rows if r["rule"] == rule]


def account(name: str, wallet: float, qty: float, second: int = 0) -> tuple[int, dict]:
    position = {"venue": "binance-usdm", "symbol": "BTCUSDT", "qty_base": qty, "entry_price": 60_000}
    position |= {"leverage": 20, "margin_mode": "cross"}
    balances = [{"asset": "USDT", "wallet": wallet}]
    return second, {"account": name, "balances": balances, "positions": [position] if qty else []}


@pytest.mark.parametrize("left", [0.0, 5.0, -12.5])
def test_an_account_that_is_liquidated_to_nothing_clears_its_alerts(left):
    """The kind of A02: utilisation of an account without equity is null, and null changes nothing."""
    marks = [(s, "BTCUSDT", 60_000.0 - s) for s in range(1, 90)]
    found = alerts([account("a", 3_100.0, 1.0), account("b", 31_000.0, 1.0), account("a", left, 0.0, 30)], marks)
    assert brief(found, "margin_utilisation") == [
        ("a", "raise", 2, ""),  # before there is a mark the position counts at its entry price
        ("a", "clear", 40, "the value"),
    ]


def test_case_a02_of_the_public_reports():
    file = SHARED / "cases" / "risk" / "A02.json"
    if not file.is_file():
        pytest.skip("needs ../shared/cases/risk, the collection of inputs that broke")
    case = json.loads(file.read_bytes())
    found = alerts(case["records"], [(s, symbol, price) for s, _, symbol, price, _ in case["marks"]])
    kinds = [(subject, kind) for subject, kind, _, _ in brief(found, "margin_utilisation")]
    assert ("a", "raise") in kinds
    assert kinds[-1] == ("a", "clear")
