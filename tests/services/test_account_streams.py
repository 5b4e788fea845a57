"""Raw account streams of every venue through the real command: the same risk rows as our own records of the same state.

Each case is told twice in one replay, as the venue's frames (by its documents) and as our records, to two accounts.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
T0 = 1_790_000_000_000
Step = tuple[float, list[Any], dict[str, Any]]
BINANCE, BYBIT, OKX = "binance-usdm", "bybit-linear", "okx-swap"
PRICES = {
    (BINANCE, "BTCUSDT"): 60_000.0,
    (BINANCE, "ETHUSDT"): 3_000.0,
    (BYBIT, "BTCUSDT"): 60_010.0,
    (BYBIT, "ETHUSDT"): 3_001.0,
    (OKX, "BTC-USDT-SWAP"): 60_020.0,
}
INSTRUMENT = """
[[market.instruments]]
venue = "okx-swap"
symbol = "BTC-USDT-SWAP"
base = "BTC"
quote = "USDT"
kind = "linear"
tick = "0.1"
lot = "1"
contract = 0.01
"""


def ms(second: float) -> int:
    return T0 + int(1000 * second)


def alphaplus(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def marks(venue: str, second: int) -> list[dict[str, Any]]:
    """Marks of a venue, some per mille higher each second."""
    found: list[dict[str, Any]] = []
    for (of, symbol), first in PRICES.items():
        price, at = f"{first * (1 + 0.001 * second):.1f}", ms(second)
        if of != venue:
            continue
        if venue == BINANCE:
            found.append(
                {"e": "markPriceUpdate", "E": at, "s": symbol, "p": price, "i": price, "r": "0.0001", "T": ms(3600)}
            )
        elif venue == BYBIT:
            row = {"symbol": symbol, "markPrice": price}
            found.append({"topic": f"tickers.{symbol}", "type": "delta", "ts": at, "data": row})
        else:
            row = {"instId": symbol, "instType": "SWAP", "markPx": price, "ts": str(at)}
            found.append({"arg": {"channel": "mark-price", "instId": symbol}, "data": [row]})
    return found


def held(venue: str, symbol: str, qty: float, entry: float, leverage: float | None, **more: Any) -> dict[str, Any]:
    told = {"venue": venue, "symbol": symbol, "qty_base": qty, "entry_price": entry, "leverage": leverage}
    return {"margin_mode": "cross", **told, **more}


def state(venue: str, wallets: dict[str, float], *positions: dict[str, Any], **more: Any) -> dict[str, Any]:
    rates = more.pop("rates", {})
    balances = [{"asset": a, "wallet": w, "venue": venue, **rates.get(a, {})} for a, w in wallets.items()]
    return {"balances": balances, "positions": list(positions), **more}


def binance_row(symbol: str, amount: str, entry: str, side: str = "BOTH", leverage: str = "20") -> dict[str, Any]:
    told = {"symbol": symbol, "positionAmt": amount, "entryPrice": entry, "leverage": leverage, "isolated": False}
    return {**told, "isolatedWallet": "0", "positionSide": side, "updateTime": T0}


def binance_update(second: float, wallets: dict[str, str], *legs: dict[str, Any]) -> dict[str, Any]:
    balances = [{"a": a, "wb": w, "cw": w, "bc": "0"} for a, w in wallets.items()]
    body = {"m": "ORDER", "B": balances, "P": list(legs)}
    return {"e": "ACCOUNT_UPDATE", "E": ms(second) + 1, "T": ms(second), "a": body}


def leg(symbol: str, amount: str, entry: str, mode: str, wallet: str, side: str) -> dict[str, Any]:
    return {"s": symbol, "pa": amount, "ep": entry, "cr": "0", "up": "0", "mt": mode, "iw": wallet, "ps": side}


def bybit_rows(second: float, *rows: dict[str, Any], answer: bool = False) -> dict[str, Any]:
    if answer:
        result = {"category": "linear", "nextPageCursor": "", "list": list(rows)}
        return {"retCode": 0, "retMsg": "OK", "result": result, "time": ms(second)}
    data = [{"category": "linear", **r, "entryPrice": r["avgPrice"]} for r in rows]
    return {"id": "1", "topic": "position", "creationTime": ms(second), "data": data}


def bybit_row(symbol: str, side: str, size: str, entry: str, index: int = 0, leverage: str = "10") -> dict[str, Any]:
    told = {"symbol": symbol, "side": side, "size": size, "avgPrice": entry, "leverage": leverage}
    return {**told, "tradeMode": 0, "positionBalance": "0", "positionIdx": index}


def bybit_wallet(second: float, amount: str, answer: bool = False) -> dict[str, Any]:
    rows = [{"accountType": "UNIFIED", "coin": [{"coin": "USDT", "walletBalance": amount}]}]
    if answer:
        return {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": ms(second)}
    return {"id": "2", "topic": "wallet", "creationTime": ms(second), "data": rows}


def okx_row(second: float, side: str, contracts: str, entry: str) -> dict[str, Any]:
    told = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "mgnMode": "cross", "posSide": side, "pos": contracts}
    return {**told, "avgPx": entry, "lever": "5", "margin": "", "uTime": str(ms(second))}


def okx_positions(second: float, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"arg": {"channel": "positions", "instType": "SWAP"}, **more, "data": list(rows)}


def okx_balance(second: float, amount: str) -> dict[str, Any]:
    details = [{"ccy": "USDT", "cashBal": amount, "eq": amount}]
    return {"code": "0", "msg": "", "data": [{"uTime": str(ms(second)), "totalEq": amount, "details": details}]}


INDEX = {"USDT": {"bid_rate": 0.9801, "ask_rate": 0.99495}, "USDC": {"bid_rate": 0.98, "ask_rate": 0.995}}
ASSETS = [{"symbol": f"{a}USD", "bidRate": str(r["bid_rate"]), "askRate": str(r["ask_rate"])} for a, r in INDEX.items()]
ETH = held(BINANCE, "ETHUSDT", -1.5, 3000, 12, margin_mode="isolated", isolated_margin=400)
HEDGED = (
    held(BINANCE, "BTCUSDT", 0.5, 60_000, 20, position_side="long"),
    held(BINANCE, "BTCUSDT", -0.2, 61_000, 20, position_side="short"),
)
CASES: dict[str, tuple[str, list[Step]]] = {
    "binance-one-way": (
        BINANCE,
        [
            (
                1,
                [
                    {
                        "multiAssetsMargin": False,
                        "assets": [{"asset": "USDT", "walletBalance": "9000"}, {"asset": "BNB", "walletBalance": "0"}],
                        "positions": [binance_row("BTCUSDT", "0.1", "60000"), binance_row("XRPUSDT", "0", "0")],
                    }
                ],
                state(BINANCE, {"USDT": 9000}, held(BINANCE, "BTCUSDT", 0.1, 60_000, 20), multi_assets=False),
            ),
            (
                3,
                [
                    binance_update(3, {"USDT": "8990"}, leg("ETHUSDT", "-1.5", "3000", "isolated", "400", "BOTH")),
                    {
                        "e": "ACCOUNT_CONFIG_UPDATE",
                        "E": ms(3) + 2,
                        "T": ms(3),
                        "ac": {"s": "ETHUSDT", "l": 12},
                    },
                ],
                state(BINANCE, {"USDT": 8990}, held(BINANCE, "BTCUSDT", 0.1, 60_000, 20), ETH, multi_assets=False),
            ),
            (
                5,
                [binance_update(5, {"USDT": "8995"}, leg("BTCUSDT", "0", "0", "cross", "0", "BOTH"))],
                state(BINANCE, {"USDT": 8995}, ETH, multi_assets=False),
            ),
            (7, [], {"closed": True}),
        ],
    ),
    "binance-hedge-multi": (
        BINANCE,
        [
            (
                1,
                [
                    ASSETS,
                    {
                        "multiAssetsMargin": True,
                        "assets": [
                            {"asset": "USDT", "walletBalance": "20000"},
                            {"asset": "USDC", "walletBalance": "-50"},
                        ],
                        "positions": [
                            binance_row("BTCUSDT", "0.5", "60000", "LONG"),
                            binance_row("BTCUSDT", "-0.2", "61000", "SHORT"),
                        ],
                    },
                ],
                state(BINANCE, {"USDT": 20_000, "USDC": -50}, *HEDGED, rates=INDEX, multi_assets=True),
            ),
            (
                3,
                [binance_update(3, {}, leg("BTCUSDT", "0", "0", "cross", "0", "SHORT"))],
                state(BINANCE, {"USDT": 20_000, "USDC": -50}, HEDGED[0], rates=INDEX, multi_assets=True),
            ),
            (
                5,
                [{"e": "ACCOUNT_CONFIG_UPDATE", "E": ms(5) + 2, "T": ms(5), "ai": {"j": False}}],
                state(BINANCE, {"USDT": 20_000, "USDC": -50}, HEDGED[0], rates=INDEX, multi_assets=False),
            ),
        ],
    ),
    "bybit-one-way": (
        BYBIT,
        [
            (
                1,
                [bybit_wallet(1, "5000", answer=True), bybit_rows(1, bybit_row("BTCUSDT", "Sell", "0.1", "60000"), answer=True)],
                state(BYBIT, {"USDT": 5000}, held(BYBIT, "BTCUSDT", -0.1, 60_000, 10), multi_assets=True),
            ),
            (
                3,
                [bybit_wallet(3, "4990"), bybit_rows(3, bybit_row("ETHUSDT", "Buy", "1", "3000"))],
                state(
                    BYBIT,
                    {"USDT": 4990},
                    held(BYBIT, "BTCUSDT", -0.1, 60_000, 10),
                    held(BYBIT, "ETHUSDT", 1, 3000, 10),
                    multi_assets=True,
                ),
            ),
            (
                5,
                [bybit_rows(5, bybit_row("BTCUSDT", "", "0", "0"))],
                state(BYBIT, {"USDT": 4990}, held(BYBIT, "ETHUSDT", 1, 3000, 10), multi_assets=True),
            ),
            (7, [], {"closed": True}),
        ],
    ),
    "bybit-hedge": (
        BYBIT,
        [
            (
                1,
                [
                    bybit_wallet(1, "9000", answer=True),
                    bybit_rows(
                        1,
                        bybit_row("BTCUSDT", "Buy", "0.3", "60000", 1),
                        bybit_row("BTCUSDT", "Sell", "0.1", "61000", 2),
                        answer=True,
                    ),
                ],
                state(
                    BYBIT,
                    {"USDT": 9000},
                    held(BYBIT, "BTCUSDT", 0.3, 60_000, 10, position_side="long"),
                    held(BYBIT, "BTCUSDT", -0.1, 61_000, 10, position_side="short"),
                    multi_assets=True,
                ),
            ),
            (
                3,
                [bybit_rows(3, bybit_row("BTCUSDT", "Sell", "0", "0", 2))],
                state(
                    BYBIT,
                    {"USDT": 9000},
                    held(BYBIT, "BTCUSDT", 0.3, 60_000, 10, position_side="long"),
                    multi_assets=True,
                ),
            ),
        ],
    ),
    "okx-net": (
        OKX,
        [
            (
                1,
                [okx_balance(1, "5000"), okx_positions(1, okx_row(1, "net", "-10", "60000"), eventType="snapshot", curPage=1, lastPage=True)],
                state(OKX, {"USDT": 5000}, held(OKX, "BTC-USDT-SWAP", -0.1, 60_000, 5)),
            ),
            (
                3,
                [
                    {
                        "arg": {"channel": "balance_and_position"},
                        "data": [
                            {
                                "pTime": str(ms(3)),
                                "eventType": "filled",
                                "balData": [{"ccy": "USDT", "cashBal": "4990", "uTime": str(ms(3))}],
                                "posData": [okx_row(3, "net", "-4", "60000")],
                            }
                        ],
                    }
                ],
                state(OKX, {"USDT": 4990}, held(OKX, "BTC-USDT-SWAP", -0.04, 60_000, 5)),
            ),
            (5, [okx_positions(5, okx_row(5, "net", "0", ""), eventType="event_update")], state(OKX, {"USDT": 4990})),
            (7, [], {"closed": True}),
        ],
    ),
    "okx-long-short": (
        OKX,
        [
            (
                1,
                [okx_balance(1, "5000"), okx_positions(1, okx_row(1, "long", "30", "60000"), okx_row(1, "short", "5", "61000"))],
                state(
                    OKX,
                    {"USDT": 5000},
                    held(OKX, "BTC-USDT-SWAP", 0.3, 60_000, 5, position_side="long"),
                    held(OKX, "BTC-USDT-SWAP", -0.05, 61_000, 5, position_side="short"),
                ),
            ),
            (
                3,
                [okx_positions(3, okx_row(3, "short", "0", "61000"))],
                state(OKX, {"USDT": 5000}, held(OKX, "BTC-USDT-SWAP", 0.3, 60_000, 5, position_side="long")),
            ),
        ],
    ),
}  # fmt: skip


def written(folder: Path) -> list[str]:
    """The captures, the accounts and the settings of the replay, as its arguments."""
    arguments = []
    for venue in (BINANCE, BYBIT, OKX):
        path = folder / f"{venue}.log"
        lines = [(ms(s), m) for s in range(10) for m in marks(venue, s)]
        path.write_text("".join(f"{at * 10**6 + 10**7} {json.dumps(m)}\n" for at, m in lines))
        arguments.append(f"{venue}={path}")
    accounts: list[tuple[float, str]] = []
    for name, (venue, steps) in CASES.items():
        for second, frames, own in steps:
            told: list[dict[str, Any]] = [{"account": f"theirs {name}", "venue": venue, "frame": f} for f in frames]
            if not frames:
                told = [{"account": f"theirs {name}", "as_of": ms(second), **own}]
            told.append({"account": f"ours {name}", "as_of": ms(second), **own})
            accounts += [(second, json.dumps(t)) for t in told]
    lines_of = "".join(f"{ms(s) * 10**6} {text}\n" for s, text in sorted(accounts, key=lambda a: a[0]))
    (folder / "accounts.log").write_text(lines_of)
    tier = {"bracket": 1, "initialLeverage": 125, "notionalCap": 1e9, "notionalFloor": 0, "maintMarginRatio": 0.004}
    brackets = [{"symbol": s, "brackets": [{**tier, "cum": 0}]} for s in ("BTCUSDT", "ETHUSDT")]
    (folder / "binance.json").write_text(json.dumps(brackets))
    limit = {"riskLimitValue": "1000000", "maintenanceMargin": "0.005", "initialMargin": "0.01", "maxLeverage": "100"}
    limits = [{"symbol": s, "mmDeduction": "", **limit} for s in ("BTCUSDT", "ETHUSDT")]
    (folder / "bybit.json").write_text(json.dumps({"result": {"list": limits}}))
    (folder / "settings.toml").write_text(INSTRUMENT)
    for venue, file in ((BINANCE, "binance.json"), (BYBIT, "bybit.json")):
        arguments += ["--set", f"risk.brackets_json.{venue}={folder / file}"]
    return [*arguments, "--accounts", str(folder / "accounts.log"), "--settings", str(folder / "settings.toml")]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What one replay stored of all cases, by table, and its rejects."""
    folder = tmp_path_factory.mktemp("streams")
    data = str(folder / "data")
    alphaplus("replay", *written(folder), "--data", data)

    def asked(sql: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in alphaplus("query", sql, "--format", "json", "--data", data).splitlines()]

    return {
        "risk_accounts": asked(
            "SELECT *, toUnixTimestamp64Milli(as_of) AS at_ms FROM risk_accounts FINAL ORDER BY account, as_of"
        ),
        "risk_positions": asked(
            "SELECT * FROM risk_positions FINAL ORDER BY account, as_of, venue, symbol, position_side"
        ),
        "rejects": asked("SELECT reason FROM rejects FINAL"),
    }


def of(found: list[dict[str, Any]], whose: str) -> list[dict[str, Any]]:
    """The rows of an account without what names it."""
    return [{k: v for k, v in r.items() if k not in ("account", "id", "ord")} for r in found if r["account"] == whose]


def test_no_frame_of_any_stream_is_rejected(rows):
    assert rows["rejects"] == []


@pytest.mark.parametrize("case", CASES)
def test_a_stream_of_frames_gives_the_risk_rows_of_our_own_record_from_first_to_last(rows, case):
    for table in ("risk_accounts", "risk_positions"):
        theirs, ours = of(rows[table], f"theirs {case}"), of(rows[table], f"ours {case}")
        assert theirs == ours
        assert len(ours) >= (5 if table == "risk_accounts" else 2)


@pytest.mark.parametrize("case", CASES)
def test_what_a_stream_holds_is_valued_and_what_it_closes_gets_its_last_row(rows, case):
    _, steps = CASES[case]
    accounts, positions = (of(rows[t], f"theirs {case}") for t in ("risk_accounts", "risk_positions"))
    for second, _, own in steps:
        at = next(r for r in accounts if int(r["at_ms"]) == ms(second))
        if own.get("closed"):
            assert not at["open"]
            continue
        assert (at["positions"], at["positions_without_mark"]) == (len(own["positions"]), 0)
        assert at["equity_usd"] is not None
    last = {(r["symbol"], r["position_side"]): r["open"] for r in positions}
    kept = {p["symbol"] for p in steps[-1][2].get("positions", [])}
    assert {s for (s, _), open_ in last.items() if open_} == kept
    assert False in last.values()
