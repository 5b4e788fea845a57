"""Relatives of situations that broke accounts: other products, account types and orders of frames; invented numbers."""

import json
from typing import Any

import pytest

from operators.portfolio.ledger import Terms
from schemas.accounts import Account
from schemas.instrument import Instrument
from schemas.venue_accounts.streams import Streams
from tests.risk.room import START_MS, cross, last, mark, one_tier, play, raised, record

SWAP = Instrument("okx-swap", "BTC-USDT-SWAP", "BTC", "USDT", "linear", "0.1", "1", 0.01)
COIN = Instrument("okx-swap", "BTC-USD-SWAP", "BTC", "USD", "inverse", "0.1", "1", 100.0)
FUTURE = Instrument("okx-swap", "BTC-USDT-261225", "BTC", "USDT", "linear", "0.1", "1", 0.01)
KNOWN = {(i.venue, i.symbol): i for i in (SWAP, COIN, FUTURE)}


def told(venue: str, *frames: Any) -> Any:
    """What all frames come to: the account, or why the last was refused."""
    streams, answer = Streams(KNOWN), None
    for frame in frames:
        text = json.dumps({"account": "a", "venue": venue, "frame": frame}).encode()
        answer = streams.read(text, START_MS + 60_000) or answer
    return answer


def wallets(account: Any) -> dict[str, float]:
    assert isinstance(account, Account), account
    return {b.asset: b.wallet for b in account.balances}


@pytest.mark.parametrize(
    ("venue", "symbol", "qty", "kind"),
    [
        ("binance-usdm", "BTCUSD_PERP", 5, "inverse"),
        ("binance-usdm", "ETHUSD_261225", -20, "inverse"),
        ("bybit-linear", "BTCUSD", 5000, "inverse"),
        ("bybit-linear", "ETHUSDZ26", -5000, "inverse"),
        ("bybit-linear", "BTC-29DEC26-80000-C", 1, "option"),
        ("bybit-linear", "BTC-29DEC26-80000-P-USDT", -1, "option"),
        ("okx-swap", "BTC-USD-261225-90000-C", 1, "option"),
    ],
)
def test_a_position_whose_name_is_of_another_product_is_left_out_and_named(venue, symbol, qty, kind):
    """5,000 of Bybit's BTCUSD are dollars (v5 enum `inverse`); counted as BTC they were 300 M of notional, without a word."""
    rows = play(
        [(0, record({"USDT": 1000}, cross(symbol, qty, 60_000, venue=venue)))], [mark(1, symbol, 60_000, venue)]
    )
    row = last(rows)
    assert rows["risk_positions"] == []
    assert (row["remarks"], row["record_ok"]) == (
        f"position {venue!r} {symbol!r}: only linear contracts are valued, this one is {kind}",
        False,
    )
    assert (row["risk_level"], row["margin_utilisation"], row["maintenance_ratio"]) == ("unknown", None, None)
    assert raised(rows) == {"record_incomplete a": "warning"}


def test_what_was_left_out_makes_the_level_of_the_rest_unknown_but_never_lower_than_high():
    """As with a pool that is not known: what cannot be seen may be worse."""
    beside = cross("BTCUSD_PERP", 5, 60_000)
    calm = play([(0, record({"USDT": 9000}, cross("ETHUSDT", 1, 3000), beside))], [mark(1, "ETHUSDT", 3000)])
    assert last(calm)["risk_level"] == "unknown"
    near = play([(0, record({"USDT": 15}, cross("ETHUSDT", 1, 3000, 100), beside))], [mark(1, "ETHUSDT", 3000)])
    assert last(near)["risk_level"] == "critical"


def test_an_account_of_which_no_balance_could_be_read_has_no_equity():
    """Numbers as strings, as venues write them: equity was 0 and its level low."""
    held = {"account": "a", "balances": [{"asset": "USDT", "wallet": "1000"}], "positions": []}
    row = last(play([(0, held)], [mark(1, "BTCUSDT", 60_000)]))
    assert (row["equity_usd"], row["equity_reason"]) == (None, "a balance of the record could not be read")
    assert (row["risk_level"], row["insolvent"]) == ("unknown", False)


def test_credits_are_one_pool_also_where_the_account_says_that_it_is_not_in_multi_assets_mode():
    """Binance, credits trading mode: BNFCR exists in no other. [HAND] (6000 - 1000 - 500) / (.1 * .996) = 45,180.72."""
    held = record({"BNFCR": 500, "USDC": 1000}, cross("BTCUSDT", 0.1, 60_000), multi_assets=False)
    rows = play([(0, held)], [mark(1, "BTCUSDT", 60_000)])
    assert (last(rows)["insolvent"], last(rows)["equity_usd"]) == (False, 1500)
    position = last(rows, "risk_positions")
    assert position["pool"] == "binance-usdm/cross/multi-assets"
    assert position["liquidation_price"] == pytest.approx(4500 / (0.1 * 0.996))


def coin(asset: str, wallet: str, **more: Any) -> dict[str, Any]:
    return {"coin": asset, "walletBalance": wallet, "marginCollateral": True, "collateralSwitch": True, **more}


def answer(*coins: dict[str, Any], kind: str = "UNIFIED") -> dict[str, Any]:
    return {"result": {"list": [{"accountType": kind, "coin": list(coins)}]}, "time": START_MS}


def pushed(*coins: dict[str, Any], kind: str = "UNIFIED", ms: int = 1000) -> dict[str, Any]:
    return {
        "topic": "wallet",
        "creationTime": START_MS + ms,
        "data": [{"accountType": kind, "coin": list(coins)}],
    }


def test_what_a_bybit_account_has_borrowed_is_not_its_own():
    """wallet-balance: equity = walletBalance - spotBorrow + unrealisedPnl + option value."""
    frame = coin("USDT", "5000", spotBorrow="2000", borrowAmount="2000", equity="3000")
    assert wallets(told("bybit-linear", answer(frame))) == {"USDT": 3000}
    assert wallets(told("bybit-linear", answer(coin("USDT", "5000")), pushed(frame))) == {"USDT": 3000}


@pytest.mark.parametrize("flag", ["collateralSwitch", "marginCollateral"])
def test_what_is_no_collateral_at_bybit_backs_nothing_until_it_is(flag):
    """wallet-balance, `collateralSwitch` and `marginCollateral`. [HAND] the pool has 100, maintenance is 15 of entry: 3000 - 85."""
    off = answer(coin("USDT", "100"), coin("BTC", "1", **{flag: False}))
    linear = cross("ETHUSDT", 1, 3000, 10, venue="bybit-linear")
    tiers = Terms({("bybit-linear", "ETHUSDT"): one_tier(0.005, 100)}, taker_fee={})
    marks = [mark(1, "ETHUSDT", 3000, "bybit-linear"), mark(1, "BTCUSDT", 60_000, "bybit-linear")]

    def price(*frames: Any) -> Any:
        account = told("bybit-linear", *frames)
        held = [{"asset": b.asset, "wallet": b.wallet, "bid_rate": b.bid_rate} for b in account.balances]
        rows = play([(0, {**record({}, linear), "balances": held})], marks, tiers)
        return last(rows, "risk_positions")["liquidation_price"]

    assert price(off) == pytest.approx(2915)
    assert price(off, pushed(coin("BTC", "1"))) is None


def test_what_is_no_margin_in_multi_assets_mode_of_binance_backs_nothing_until_it_is():
    """`marginAvailable`: "whether the asset can be used as margin in Multi-Assets mode". [HAND] (3000 - 100) / .996."""
    rows = [{"asset": "USDT", "walletBalance": "100"}, {"asset": "BNB", "walletBalance": "5", "marginAvailable": False}]
    held = {"symbol": "ETHUSDT", "positionAmt": "1", "entryPrice": "3000", "leverage": "20", "positionSide": "BOTH"}
    index = [{"symbol": "BNBUSD", "bidRate": "570", "askRate": "630"}]

    def price(*frames: Any) -> Any:
        told_by = [json.dumps({"account": "a", "venue": "binance-usdm", "frame": f}).encode() for f in frames]
        marks = [mark(5, "ETHUSDT", 3000), mark(5, "BNBUSDT", 600)]
        return last(play(list(enumerate(told_by)), marks), "risk_positions")["liquidation_price"]

    def account(multi: bool) -> dict[str, Any]:
        return {"multiAssetsMargin": multi, "assets": rows, "positions": [held]}

    again = [{"asset": row["asset"], "balance": row["walletBalance"], "marginAvailable": True} for row in rows]
    assert price(account(True)) == price(account(True), index) == pytest.approx((3000 - 100) / 0.996)
    assert price(account(False)) == pytest.approx((3000 - 100) / 0.996)
    assert price(account(True), index, again) == pytest.approx((3000 - 100 - 5 * 570) / 0.996)


def test_what_is_no_collateral_at_okx_backs_nothing_where_all_currencies_do():
    """account/balance, `collateralEnabled`, "applicable to Multi-currency margin"; in futures mode all are false."""
    rows = [{"ccy": "USDT", "cashBal": "100"}, {"ccy": "BTC", "cashBal": "1"}]
    off = {"code": "0", "data": [{"details": [{**row, "collateralEnabled": row["ccy"] != "BTC"} for row in rows]}]}
    none = {"code": "0", "data": [{"details": [{**row, "collateralEnabled": False} for row in rows]}]}
    level = {n: {"code": "0", "data": [{"acctLv": n}]} for n in "23"}
    again = {
        "arg": {"channel": "account"},
        "data": [{"uTime": "1", "details": [{**rows[1], "collateralEnabled": True}]}],
    }

    def counts(*frames: Any) -> dict[str, Any]:
        return {b.asset: b.bid_rate for b in told("okx-swap", *frames).balances}

    assert counts(level["3"], off) == counts(off, level["3"]) == {"USDT": None, "BTC": 0.0}
    assert counts(level["3"], off, again) == {"USDT": None, "BTC": None}
    assert counts(level["2"], none) == counts(none) == {"USDT": None, "BTC": None}


@pytest.mark.parametrize("kind", ["CONTRACT", "SPOT"])
def test_wallets_of_bybits_classic_accounts_do_not_replace_those_of_the_unified_one(kind):
    """`wallet` pushes both accounts (UTA 1.0), each with its own USDT."""
    other = pushed(coin("USDT", "7"), kind=kind, ms=2000)
    assert wallets(told("bybit-linear", answer(coin("USDT", "5000")), other)) == {"USDT": 5000}
    both = answer(coin("USDT", "5000"))
    both["result"]["list"].append({"accountType": kind, "coin": [coin("USDT", "7"), coin("BTC", "1")]})
    assert wallets(told("bybit-linear", both)) == {"USDT": 5000}
    assert wallets(told("bybit-linear", answer(coin("USDT", "7"), kind=kind))) == {"USDT": 7}


def update(ms: int, wallet: str, amount: str, **more: Any) -> dict[str, Any]:
    held = {"s": "BTCUSDT", "pa": amount, "ep": "60000", "mt": "cross", "iw": "0", "ps": "BOTH"}
    body = {"m": "ORDER", "B": [{"a": "USDT", "wb": wallet}], "P": [held]}
    return {"e": "ACCOUNT_UPDATE", "E": START_MS + ms, "T": START_MS + ms, "a": body, **more}


@pytest.mark.parametrize("again", [False, True])
def test_an_update_that_a_second_connection_brings_late_does_not_bring_the_past_back(again):
    """Binance: `T` is the transaction's time. A frame of 10 after one of 20 made a position of 2 BTC one of 1 again."""
    start = {"assets": [{"asset": "USDT", "walletBalance": "100"}], "positions": []}
    frames = [start, update(10, "70", "1"), update(20, "50", "2")]
    account = told("binance-usdm", *frames, *(frames[1:] if again else [update(10, "70", "1")]))
    assert wallets(account) == {"USDT": 50}
    assert [p.qty_base for p in account.positions] == [2]
    assert wallets(told("binance-usdm", *frames, start)) == {"USDT": 100}


def test_portfolio_margin_of_binance_says_that_it_has_no_rules_and_its_coin_m_part_changes_nothing():
    """User data streams of portfolio margin: `fs` UM or CM; CM wallets and contracts are no USD-M ones."""
    start = {"assets": [{"asset": "USDT", "walletBalance": "100"}], "positions": []}
    account = told("binance-usdm", start, update(10, "7", "20", fs="CM"))
    assert (wallets(account), account.positions) == ({"USDT": 100}, [])
    assert account.left_out == ["portfolio margin has no rules here"]
    assert told("binance-usdm", start, update(10, "7", "20", fs="UM")).left_out == account.left_out


def test_portfolio_margin_of_okx_says_that_it_has_no_rules_until_the_mode_is_another():
    """GET /api/v5/account/config: `acctLv` 4 is portfolio margin, whose maintenance no position tiers give."""
    level = {n: {"code": "0", "data": [{"acctLv": n}]} for n in "234"}
    balance = {"code": "0", "data": [{"details": [{"ccy": "USDT", "cashBal": "50"}]}]}
    account = told("okx-swap", balance, level["4"])
    assert account.left_out == ["portfolio margin has no rules here"]
    assert account.multi_assets == {"okx-swap": True}
    assert [told("okx-swap", balance, level["4"], level[n]).left_out for n in "23"] == [[], []]


def test_an_answer_of_balances_that_names_none_is_refused_rather_than_an_empty_account():
    """`GET /papi/v1/balance` has `totalWalletBalance` and `umWalletBalance`, no `balance`: equity was 0."""
    reason = told("binance-usdm", [{"asset": "USDT", "totalWalletBalance": "122607.35", "umWalletBalance": "0.0"}])
    assert reason == "not an account frame that is known: USDT has neither walletBalance nor balance"


@pytest.mark.parametrize(("amount", "notional", "profit"), [("2", "121000", "1000"), ("-2", "-121000", "-1000")])
def test_the_entry_of_a_position_in_an_account_v3_is_what_its_profit_says(amount, notional, profit):
    """`GET /fapi/v3/account` names no entry price: (121,000 - 1,000) / 2 = 60,000; a short's amount and notional are negative."""
    row = {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": amount, "notional": notional}
    row |= {"unrealizedProfit": profit, "isolatedMargin": "0", "isolatedWallet": "0"}
    account = told("binance-usdm", {"assets": [{"asset": "USDT", "walletBalance": "9"}], "positions": [row]})
    assert [p.entry_price for p in account.positions] == [60_000]


def okx(symbol: str, mode: str, margin: str, ms: int = 0) -> dict[str, Any]:
    row = {"instId": symbol, "instType": "SWAP", "mgnMode": mode, "posSide": "net", "pos": "10", "avgPx": "60000"}
    return {"arg": {"channel": "positions"}, "data": [{**row, "lever": "10", "margin": margin, "uTime": str(ms)}]}


def test_margin_put_aside_at_okx_is_beside_its_cash_balance():
    """Equity = balance + isolated margin + profits (OKX help, equity of a currency; bills: `posBal` is beside `bal`).

    [HAND] 5,000 of cash and 600 put aside are 5,600; were the 600 within the cash, the pool had 4,400.
    """
    start = {"code": "0", "data": [{"uTime": str(START_MS), "details": [{"ccy": "USDT", "cashBal": "5000"}]}]}
    assert wallets(told("okx-swap", start, okx("BTC-USDT-SWAP", "isolated", "600"))) == {"USDT": 5600}
    assert wallets(told("okx-swap", start, okx("BTC-USDT-SWAP", "cross", ""))) == {"USDT": 5000}


def test_an_answer_of_okx_about_what_changed_long_ago_is_no_old_record():
    """Positions: `uTime` is "latest time position was adjusted"; asked for every few seconds, the record grew old."""
    then = str(START_MS - 7_200_000)
    balance = {"code": "0", "data": [{"uTime": then, "details": [{"ccy": "USDT", "cashBal": "5000"}]}]}
    held = {"code": "0", "data": okx("BTC-USDT-SWAP", "cross", "", START_MS - 7_200_000)["data"]}
    texts = [json.dumps({"account": "a", "venue": "okx-swap", "frame": f}).encode() for f in (balance, held)]
    price = [mark(2, "BTC-USDT-SWAP", 60_000, "okx-swap")]
    rows = play(list(enumerate(texts)), price, Terms(instruments=KNOWN))
    assert (last(rows)["record_age_ms"], last(rows)["late_rows"], raised(rows)) == (1000, 0, {})


@pytest.mark.parametrize("symbol", ["BTC-USD_UM-SWAP", "BTC-USD_UM_XPERP-310404"])
def test_a_contract_quoted_in_usd_and_settled_in_usdc_is_backed_by_the_usdc(symbol):
    """OKX, `settleCcy`. [HAND] (5,000 - .5 * 60,000) / (.5 * .005 - .5) = 50,251.26; by a pool of USD 60,301.51, above the mark."""
    key = "okx-swap", symbol
    row = Instrument(*key, "BTC", "USD", "linear", "0.1", "1", 0.001, settle="USDC")
    held = cross(symbol, 0.5, 60_000, venue="okx-swap")
    marks, tiers = [mark(1, symbol, 59_500, "okx-swap")], {key: one_tier(0.005, 100)}
    single = record({"USDC": 5_000}, held, multi_assets=False)
    rows = play([(0, single)], marks, Terms(tiers, instruments={key: row}, taker_fee={}))
    position = last(rows, "risk_positions")
    assert (position["pool"], position["settlement_asset"]) == ("okx-swap/cross/USDC", "USDC")
    assert position["liquidation_price"] == pytest.approx(25_000 / 0.4975)
    assert (last(rows)["insolvent"], last(rows)["equity_usd"]) == (False, 4_750)
    unsaid = last(play([(0, single)], marks, Terms(tiers, taker_fee={})), "risk_positions")
    assert (unsaid["liquidation_price"], unsaid["null_reason"]) == (None, "its settlement asset is not known")


def test_a_coin_margined_swap_of_an_okx_frame_is_left_out_for_what_it_is():
    account = told("okx-swap", okx("BTC-USD-SWAP", "cross", ""))
    reason = "position 'okx-swap' 'BTC-USD-SWAP': only linear contracts are valued, this one is inverse"
    assert reason in account.left_out


def listed(category: str, *rows: dict[str, Any]) -> dict[str, Any]:
    """Bybit's answer of positions of one category."""
    told = [{"positionIdx": 0, "side": "Buy", "avgPrice": "60000", "leverage": "2", **row} for row in rows]
    return {"result": {"category": category, "list": told}, "time": START_MS}


@pytest.mark.parametrize("told_margin", [{}, {"positionBalance": ""}, {"positionBalance": "0"}])
def test_the_margin_of_an_isolated_position_of_bybit_is_its_initial_one_where_no_other_is_told(told_margin):
    """position/list: `positionBalance` is "deprecated, can refer to `positionIM`". [HAND] 60,000 - (6,000 - 300) / 1 = 54,300."""
    row = {"symbol": "BTCUSDT", "size": "1", "leverage": "10", "positionIM": "6000", "tradeMode": 0, **told_margin}
    mode = {"result": {"marginMode": "ISOLATED_MARGIN"}, "time": START_MS}
    frames = answer(coin("USDT", "9000")), mode, listed("linear", row)
    texts = [json.dumps({"account": "a", "venue": "bybit-linear", "frame": f}).encode() for f in frames]
    terms = Terms({("bybit-linear", "BTCUSDT"): one_tier(0.005, 100)}, taker_fee={})
    rows = play(list(enumerate(texts)), [mark(3, "BTCUSDT", 60_000, "bybit-linear")], terms)
    position = last(rows, "risk_positions")
    assert (position["margin_mode"], position["liquidation_price"]) == ("isolated", pytest.approx(54_300))


@pytest.mark.parametrize(("session", "profit"), [("52000", 100), ("", 275), ("0", 275), (None, 275)])
def test_the_profit_of_a_usdc_contract_of_bybit_counts_from_its_last_settlement(session, profit):
    """Bybit's help, session settlement: .1 BTC of 50,250 at 52,000 pays 175 into the wallet; at 53,000 it has 100 more, not 275.

    position/list: `avgPrice` "will not be changed with 8-hour session settlement", `sessionAvgPrice` is.
    """
    row = {"symbol": "BTCPERP", "size": "0.1", "avgPrice": "50250", "sessionAvgPrice": session}
    pushed_row = {**row, "category": "linear", "side": "Buy", "positionIdx": 0, "entryPrice": "50250"}
    pushed_row = {"topic": "position", "creationTime": START_MS + 1, "data": [pushed_row]}
    start = answer(coin("USDC", "1175"))
    for frame in (listed("linear", row), pushed_row):
        texts = [json.dumps({"account": "a", "venue": "bybit-linear", "frame": f}).encode() for f in (start, frame)]
        rows = play(list(enumerate(texts)), [mark(2, "BTCPERP", 53_000, "bybit-linear")])
        assert last(rows)["equity_usd"] == 1175 + profit
        assert last(rows, "risk_positions")["unrealised_pnl_usd"] == profit


def test_an_answer_of_bybits_inverse_positions_closes_no_linear_one():
    """`category` is required of GET /v5/position/list, so both are asked for in turn; the linear ones were gone."""
    linear, none = listed("linear", {"symbol": "BTCUSDT", "size": "1"}), listed("inverse")
    some = listed("inverse", {"symbol": "BTCUSD", "size": "5"})
    start = answer(coin("USDT", "5000"))
    assert [p.symbol for p in told("bybit-linear", start, linear, none).positions] == ["BTCUSDT"]
    beside = told("bybit-linear", start, some, linear)
    reason = "position 'bybit-linear' 'BTCUSD': only linear contracts are valued, this one is inverse"
    assert (beside.left_out, [p.symbol for p in beside.positions]) == ([reason], ["BTCUSDT"])
    assert told("bybit-linear", start, some, linear, none).left_out == []
    assert told("bybit-linear", start, linear, some, listed("linear")).positions == []


def test_a_position_without_rules_that_a_frame_closes_is_named_no_more():
    row = {"category": "inverse", "symbol": "BTCUSD", "positionIdx": 0, "entryPrice": "60000"}
    opened, closed = (
        {"topic": "position", "creationTime": START_MS + ms, "data": [{**row, "side": side, "size": size}]}
        for ms, side, size in ((1, "Buy", "5"), (2, "", "0"))
    )
    start = answer(coin("USDT", "5000"))
    assert len(told("bybit-linear", start, opened).left_out) == 1
    assert told("bybit-linear", start, opened, closed).left_out == []


def test_a_margin_mode_without_rules_stays_named_until_another_is_told():
    """The next answer of positions took the remark away, and the account looked like one in cross mode."""
    mode = {"result": {"marginMode": "PORTFOLIO_MARGIN"}, "time": START_MS}
    held = listed("linear", {"symbol": "BTCUSDT", "size": "1"})
    frames = answer(coin("USDT", "5000")), mode, held
    assert told("bybit-linear", *frames).left_out == ["margin mode PORTFOLIO_MARGIN has no rules here"]
    regular = {"result": {"marginMode": "REGULAR_MARGIN"}, "time": START_MS}
    assert told("bybit-linear", *frames, regular).left_out == []


def snapshot(symbol: str, **arg: str) -> dict[str, Any]:
    """A snapshot of one subscription to OKX's positions."""
    row = {"instId": symbol, "mgnMode": "cross", "posSide": "net", "pos": "10", "avgPx": "60000", "lever": "5"}
    rows = [{**row, "instType": arg.get("instType", "SWAP")}] if symbol else []
    told_by = {"channel": "positions", **arg}
    return {"arg": told_by, "eventType": "snapshot", "curPage": 1, "lastPage": True, "data": rows}


@pytest.mark.parametrize(
    "others",
    [
        {"instType": "FUTURES"},
        {"instType": "MARGIN"},
        {"instType": "SWAP", "instFamily": "ETH-USDT"},
        {"instType": "ANY", "instId": "BTC-USDT-261225"},
    ],
)
def test_a_snapshot_of_one_subscription_to_okx_positions_closes_no_position_of_another(others):
    """`arg` names what is subscribed to, and snapshots come again and again."""
    start = {"code": "0", "data": [{"uTime": str(START_MS), "details": [{"ccy": "USDT", "cashBal": "5000"}]}]}
    first = snapshot("BTC-USDT-SWAP", instType="SWAP")
    account = told("okx-swap", start, first, snapshot("", **others))
    assert [p.symbol for p in account.positions] == ["BTC-USDT-SWAP"]
    both = told("okx-swap", start, first, snapshot("BTC-USDT-261225", instType="FUTURES"), first)
    assert {p.symbol for p in both.positions} == {"BTC-USDT-SWAP", "BTC-USDT-261225"}
    assert told("okx-swap", start, first, snapshot("", instType="ANY")).positions == []
    assert told("okx-swap", start, first, snapshot("", instType="SWAP", instFamily="BTC-USDT")).positions == []


def piece(ms: int, cash: str, *held: tuple[str, str], kind: str = "snapshot") -> dict[str, Any]:
    """A message of OKX's `balance_and_position`."""
    row = {"instType": "SWAP", "mgnMode": "cross", "posSide": "net", "avgPx": "60000"}
    rows = [{**row, "instId": symbol, "pos": size} for symbol, size in held]
    balances = [{"ccy": "USDT", "cashBal": cash}] if cash else []
    data = {"pTime": str(START_MS + ms), "eventType": kind, "balData": balances, "posData": rows}
    return {"arg": {"channel": "balance_and_position"}, "data": [data]}


@pytest.mark.parametrize("apart_ms", [0, 40])
def test_a_snapshot_of_okx_that_is_split_into_messages_is_all_of_them(apart_ms):
    """balance_and_position: "if the data is too large ... it will be split into multiple messages", without numbers."""
    first, second = piece(0, "5000", ("BTC-USDT-SWAP", "10")), piece(apart_ms, "", ("BTC-USDT-261225", "5"))
    account = told("okx-swap", first, second)
    assert {p.symbol: p.qty_base for p in account.positions} == {"BTC-USDT-SWAP": 0.1, "BTC-USDT-261225": 0.05}
    assert (wallets(account), account.left_out) == ({"USDT": 5000}, [])
    again = told("okx-swap", first, second, piece(9_000, "4000", ("BTC-USDT-SWAP", "10")))
    assert ([p.symbol for p in again.positions], wallets(again)) == (["BTC-USDT-SWAP"], {"USDT": 4000})


def test_another_snapshot_of_okx_soon_after_the_first_is_all_there_is():
    """A connection that comes again at once: the position that was closed meanwhile stayed, as of a next piece."""
    held = ("BTC-USDT-SWAP", "10"), ("BTC-USDT-261225", "5")
    first, second = piece(0, "5000", *held), piece(400, "5100", held[0])
    account = told("okx-swap", first, second)
    assert ([p.symbol for p in account.positions], wallets(account)) == (["BTC-USDT-SWAP"], {"USDT": 5100})


def test_pieces_that_two_connections_bring_in_turns_are_all_of_the_snapshot():
    one, two = ("BTC-USDT-SWAP", "10"), ("BTC-USDT-261225", "5")
    account = told("okx-swap", piece(0, "5000", one), piece(5, "5000", one), piece(9, "", two), piece(14, "", two))
    assert {p.symbol for p in account.positions} == {one[0], two[0]}
    assert wallets(account) == {"USDT": 5000}


@pytest.mark.parametrize("time", ["inf", "-inf", "1e999", "nan", -(2**70), 10**30, "-1"])
def test_a_time_that_is_none_stops_no_flow(time):
    """An OverflowError, when the frame was read or when its account was frozen, ended the flow at each start anew."""
    frame = piece(0, "5000", ("BTC-USDT-SWAP", "10"))
    frame["data"][0]["pTime"] = time
    streams = Streams(KNOWN)
    account = streams.read(json.dumps({"account": "a", "venue": "okx-swap", "frame": frame}).encode(), START_MS)
    assert isinstance(account, str) or (wallets(account), account.as_of) == ({"USDT": 5000}, START_MS)
    again = Streams(KNOWN)
    again.thaw(streams.freeze())
    assert again.held == streams.held


def test_a_snapshot_of_one_currency_of_okx_leaves_the_others():
    start = {"code": "0", "data": [{"details": [{"ccy": "USDT", "cashBal": "5000"}, {"ccy": "BTC", "cashBal": "1"}]}]}
    arg = {"channel": "account", "ccy": "BTC"}
    one = {"arg": arg, "eventType": "snapshot", "curPage": 1, "data": [{"details": [{"ccy": "BTC", "cashBal": "2"}]}]}
    assert wallets(told("okx-swap", start, one)) == {"USDT": 5000, "BTC": 2}


def test_a_market_that_is_opened_again_has_the_leverage_that_an_answer_or_frame_gave_it():
    """ACCOUNT_UPDATE names no leverage; it was dropped with the flat row, and margin_utilisation was null."""
    row = {"symbol": "BTCUSDT", "positionAmt": "0", "entryPrice": "0", "leverage": "20", "positionSide": "BOTH"}
    start = {"assets": [{"asset": "USDT", "walletBalance": "100"}], "positions": [row]}

    def leverage(*frames: Any) -> Any:
        return told("binance-usdm", start, *frames).positions[0].leverage

    assert leverage(update(10, "90", "1")) == 20
    assert leverage(update(10, "90", "1"), update(20, "90", "0"), update(30, "90", "1")) == 20
    config = {"e": "ACCOUNT_CONFIG_UPDATE", "T": START_MS + 15, "ac": {"s": "BTCUSDT", "l": 12}}
    assert leverage(config, update(20, "90", "1")) == 12


def test_an_account_in_multi_assets_mode_at_one_venue_is_so_there_whatever_its_other_venue_says():
    """Two venues that said different things made neither say anything: USDC beside USDT backed nothing at Binance."""
    streams = Streams(KNOWN)
    assets = [{"asset": a, "walletBalance": w} for a, w in (("USDT", "10"), ("USDC", "990"))]
    row = {"symbol": "BTCUSDT", "positionAmt": "0.01", "entryPrice": "60000", "leverage": "20", "positionSide": "BOTH"}
    binance = {"multiAssetsMargin": True, "assets": assets, "positions": [row]}
    okx_level = {"code": "0", "data": [{"acctLv": "2"}]}
    balance = {"code": "0", "data": [{"details": [{"ccy": "USDT", "cashBal": "50"}]}]}
    frames = ("okx-swap", balance), ("okx-swap", okx_level), ("binance-usdm", binance)
    texts = [json.dumps({"account": "a", "venue": v, "frame": f}).encode() for v, f in frames]
    account = [streams.read(text, START_MS) for text in texts][-1]
    assert isinstance(account, Account)
    assert account.multi_assets == {"okx-swap": False, "binance-usdm": True}
    position = last(play(list(enumerate(texts)), [mark(5, "BTCUSDT", 60_000)]), "risk_positions")
    assert (position["pool"], position["pool_equity_usd"]) == ("binance-usdm/cross/multi-assets", 1000)


@pytest.mark.parametrize("end", [None, {"account": "a", "closed": True}])
def test_an_account_of_frames_that_was_removed_begins_anew(end):
    """Its positions at a venue that it had left came back with the first frame from another."""
    row = {"symbol": "BTCUSDT", "positionAmt": "1", "entryPrice": "60000", "leverage": "20", "positionSide": "BOTH"}
    start = {"assets": [{"asset": "USDT", "walletBalance": "100"}], "positions": [row]}
    later = {**answer(coin("USDT", "5000")), "time": START_MS + 4000}
    frames = [("binance-usdm", start), ("bybit-linear", later)]
    first, again = (json.dumps({"account": "a", "venue": v, "frame": f}).encode() for v, f in frames)
    rows = play([(0, first), (2, end), (4, again)], [mark(1, "BTCUSDT", 60_000), mark(9, "BTCUSDT", 60_001)])
    assert (last(rows)["open"], last(rows)["positions"], last(rows)["equity_usd"]) == (True, 0, 5000)


def test_a_tombstone_ends_an_account_whose_venues_clock_is_ahead_of_ours():
    """Its own time is that of receipt; before the last record's it was refused, and the account stayed."""
    held = record({"USDT": 90}, cross("BTCUSDT", 0.001, 60_000), as_of=START_MS + 900)
    rows = play([(0, held), (0.5, None)], [mark(1, "BTCUSDT", 60_000), mark(9, "BTCUSDT", 60_001)])
    assert (rows["rejects"], last(rows)["open"]) == ([], False)
