"""Risk rows of invented markets against `naive_risk`: every number of every row that is published."""

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from operators.portfolio.ledger import Terms
from operators.portfolio.margin import BYBIT_LINEAR_V2024, BYBIT_LINEAR_V2026
from schemas.brackets import Tiers, deductions
from schemas.instrument import Instrument
from tests.risk.naive_risk import Ladder, Naive, World
from tests.risk.room import START_MS, mark, play

SYMBOLS = {
    "binance-usdm": ("BTCUSDT", "ETHUSDT", "BTCUSDC", "ETHBTC", "BTCUSDT_260327", "ETHUSDC", "PEPEUSDT"),
    "bybit-linear": ("BTCUSDT", "ETHUSDT", "BTCPERP"),
    "okx-swap": ("BTC-USDT-SWAP", "ETH-USDT-SWAP"),
}
NEAR = {"B": 50_000.0, "E": 3_000.0, "P": 1.5e-7}


def price(some: random.Random, symbol: str) -> float:
    near = 0.06 if symbol == "ETHBTC" else NEAR[symbol[0]]
    if some.random() < 0.2:
        return near
    if near < 1e-3:
        return round(near * some.uniform(0.7, 1.3), 10)
    return float(f"{near * some.uniform(0.7, 1.3):.{some.choice((0, 2, 10)) if near > 1 else 10}f}") or near


def tiers(some: random.Random, venue: str, unit: float) -> Tiers:
    """One to four, of round numbers."""
    n = some.randint(1, 4)
    floor = unit * np.array([0.0, 1_000, 20_000, 250_000][:n])
    mmr = np.array([0.004, 0.005, 0.0125, 0.05][:n])
    leverage = np.array([125.0, 75, 20, 5][:n])
    if venue == "okx-swap":
        return Tiers(np.zeros(n), np.array([3.0, 40, 500, 9_000][:n]), mmr, np.zeros(n), leverage, True)
    return Tiers(floor, np.append(floor[1:], 1e15), mmr, deductions(floor, mmr), leverage)


def ladder(told: Tiers) -> Ladder:
    exact = [
        [Fraction(str(x)) for x in row] for row in zip(told.floor, told.cap, told.mmr, told.max_leverage, strict=True)
    ]
    if told.by_contracts:
        return [(cap, rate, Fraction(0), most) for _, cap, rate, most in exact]
    out: Ladder = []
    for floor, _, rate, most in exact:
        less = out[-1][2] + floor * (rate - out[-1][1]) if out else Fraction(0)
        out.append((floor, rate, less, most))
    return out


def position(some: random.Random, venue: str, symbol: str) -> dict[str, Any]:
    entry = price(some, symbol)
    worth = some.choice((30, 1_000, 5_000, 20_000, 60_000, 600_000)) / (3_000 if symbol == "ETHBTC" else entry)
    qty = float(f"{worth * some.choice((1, 1, some.uniform(0.5, 2))):.{some.choice((3, 6))}f}") or 0.001
    told = {"venue": venue, "symbol": symbol, "qty_base": some.choice((1, -1)) * qty, "entry_price": entry}
    told |= {"leverage": some.choice((1, 3, 10, 50, 125)), "margin_mode": some.choice(("cross", "cross", "isolated"))}
    if some.random() < 0.1:
        told["leverage"] = None
    if told["margin_mode"] == "isolated":
        told["isolated_margin"] = round(qty * entry / some.choice((5, 20, 100)), 4)
    return told


def record(some: random.Random, venues: list[str]) -> dict[str, Any]:
    positions = []
    for venue in venues:
        for symbol in some.sample(SYMBOLS[venue], some.randint(0, min(4, len(SYMBOLS[venue])))):
            leg = position(some, venue, symbol)
            positions.append(leg)
            if some.random() < 0.3:
                sign = 1 if leg["qty_base"] < 0 else -1
                again = position(some, venue, symbol)
                positions.append(again | {"qty_base": sign * abs(again["qty_base"])})
    some.shuffle(positions)
    balances = []
    for venue in venues:
        for asset in some.sample(
            ("USDT", "USDC", "BTC", "ETH", "BNFCR" if venue == "binance-usdm" and some.random() < 0.1 else "USD1"),
            some.randint(0, 4),
        ):
            size = some.choice((0, 10, 500, 8_000, 90_000)) / (
                NEAR[asset[0]] if asset[0] in "BE" and asset != "BNFCR" else 1
            )
            held: dict[str, Any] = {"asset": asset, "wallet": round(size * some.choice((1, 1, 1, -1)), 6)}
            if len(venues) > 1 or some.random() < 0.5:
                held["venue"] = venue
            for name in ("bid_rate", "ask_rate"):
                if some.random() < 0.15:
                    held[name] = round(
                        (NEAR[asset[0]] if asset in ("BTC", "ETH") else 1) * some.choice((0.9, 0.98, 1, 1.05, 0)), 4
                    )
            balances.append(held)
    if len(venues) > 1:
        for held in balances:
            assert "venue" in held
    elif len({"venue" in b for b in balances}) > 1:
        for held in balances:
            held.setdefault("venue", venues[0])
    told: dict[str, Any] = {"account": "a", "balances": balances, "positions": positions}
    if some.random() < 0.6:
        told["multi_assets"] = some.choice((True, False, {"binance-usdm": some.random() < 0.5}))
    return told


def near(found: Any, right: Any, scale: float) -> bool:
    if found is None or right is None or isinstance(right, bool):
        return found == right
    return abs(found - float(right)) <= 1e-9 * max(abs(float(right)), scale)


def wrong(row: dict[str, Any], right: dict[str, Any], money: float, least: float) -> list[str]:
    """Columns of a row that are not `right`: sums to a billionth of all `money`, ratios of what is divided by."""
    out = []
    for name, value in right.items():
        scale = 0.0
        if name == "everywhere":
            told: Any = row["null_reason"] == "every price liquidates it"
        else:
            told = row[name]
        if name.endswith(("_usd", "_settled")):
            scale = money
        elif name in ("liquidation_price", "underlying_move_bps", "nearest_liquidation_bps"):
            scale = 1e3 * float((row["mark_price"] or row["entry_price"]) if name == "liquidation_price" else 1e4)
        elif name in ("pool_maintenance_ratio", "maintenance_ratio", "margin_utilisation") or name.startswith(
            "leverage_"
        ):
            scale = max(abs(told or 0), 1.0) * money / least
        if not near(told, value, scale):
            out.append(f"{row.get('symbol')} {row.get('position_side')} {name}: {told} is not {value and float(value)}")
    return out


def checked(rows: list[tuple[str, dict[str, Any]]], naive: Naive, legs: dict[tuple[Any, ...], int]) -> list[str]:
    """What is wrong with the rows of one second."""
    rated = [(p.wallet, p.ask or p.dollars or 1) for p in naive.purses.values()]
    moved = [(leg.qty * (leg.price + leg.entry), naive.world.dollars(leg.asset) or 1) for leg in naive.legs]
    money = float(sum(abs(a * b) for a, b in (*rated, *moved)))
    behind = [naive.left(i, lambda _: None, "", Fraction(1))[0] for i in range(len(naive.legs))]
    account = naive.account()
    least = min((abs(float(e)) for e in (*behind, account["equity_usd"]) if e), default=1.0)
    out = []
    for table, row in rows:
        key = row.get("venue"), row.get("symbol"), row.get("position_side")
        if table == "risk_accounts":
            out += wrong(row, account, money, least)
        elif row["open"] and key not in legs:
            out.append(f"{key} is not held")
        elif row["open"]:
            out += wrong(row, naive.position(legs[key]), money, least)
        elif key in legs:
            out.append(f"{key} is held, and told as closed")
    return out


def sides(told: dict[str, Any]) -> dict[tuple[Any, ...], int]:
    held = [(p["venue"], p["symbol"]) for p in told["positions"]]
    legs = {}
    for i, (p, market) in enumerate(zip(told["positions"], held, strict=True)):
        legs[*market, "both" if held.count(market) == 1 else "long" if p["qty_base"] > 0 else "short"] = i
    return legs


def found(seed: int) -> list[str]:
    some = random.Random(seed)
    venues = some.sample(list(SYMBOLS), some.choice((1, 1, 1, 2)))
    at_entry = some.random() < 0.5
    units = {s: 1 / 3_000 if s == "ETHBTC" else 1.0 for of in SYMBOLS.values() for s in of}
    tiers_of = {(v, s): tiers(some, v, units[s]) for v in venues for s in SYMBOLS[v] if some.random() < 0.9}
    instruments = {
        ("okx-swap", s): Instrument("okx-swap", s, s[:3], "USDT", "linear", "0.1", "0.01", 0.01)
        for s in SYMBOLS["okx-swap"]
        if some.random() < 0.9
    }
    fees = {"bybit-linear": "0.0006", "okx-swap": "0.0005"}
    haircuts = {asset: some.choice(("0.05", "0.2", "1")) for asset in ("BTC", "ETH") if some.random() < 0.5}
    world = World(
        {market: ladder(t) for market, t in tiers_of.items()},
        fees,
        at_entry,
        haircuts,
        {m: "0.01" for m in instruments},
    )
    terms = Terms(
        tiers_of,
        BYBIT_LINEAR_V2024 if at_entry else BYBIT_LINEAR_V2026,
        instruments=instruments,
        haircuts={a: float(h) for a, h in haircuts.items()},
    )
    records: list[tuple[float, dict[str, Any]]] = []
    refused = 0
    for second in sorted(some.choices(range(90), k=some.randint(1, 4))):
        at, told = second + some.choice((0, 0.4, 1)), record(some, venues)
        if records:
            at = max(at, records[-1][0])
            flipped = [{**p, "qty_base": -p["qty_base"]} for p in records[-1][1]["positions"]]
            told = {**records[-1][1], "positions": flipped} if some.random() < 0.3 else told
        records.append((at, told))
    marks = []
    for second in range(1, 100):
        for venue in venues:
            for symbol in SYMBOLS[venue]:
                if some.random() < (0.05 if second > 3 else 0.4):
                    marks.append(mark(second, symbol, price(some, symbol), venue))
    given: list[tuple[float, Any]] = []
    for at, told in records:
        given.append((at, told))
        if some.random() < 0.2:
            given.append((at, {**record(some, venues), "as_of": START_MS + int(1000 * at) - 1}))
            refused += 1
        if some.random() < 0.2:
            given[-1:-1] = [(at, record(some, venues))] if given[-1][1] is told else []
    rows = play(given, marks, terms)
    out = [] if len(rows["rejects"]) == refused else [str(rows["rejects"])]
    by_second: dict[int, list[tuple[str, dict[str, Any]]]] = {}
    for table in ("risk_positions", "risk_accounts"):
        for row in rows[table]:
            by_second.setdefault((row["as_of"] - START_MS) // 1000, []).append((table, row))
    ever = 0
    for second in range(0, 101):
        for at, venue, symbol, value, _ in marks:
            if at == second:
                world.marks[venue, symbol] = Fraction(str(value))
        known = [r for at, r in records if -(-at // 1) <= second]
        if known and second in by_second:
            ever += len(by_second[second])
            told = checked(by_second[second], Naive(world, known[-1]), sides(known[-1]))
            out += [f"seed {seed} second {second}: {w}" for w in told]
    assert ever == sum(map(len, by_second.values()))
    return out


@pytest.mark.parametrize("seed", range(12))
def test_every_number_is_what_the_page_of_definitions_makes_of_record_and_marks(seed):
    assert found(seed) == []
