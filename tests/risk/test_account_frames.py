"""Accounts from the venues' own frames: the same rows as our own record, kept over frames, and a page whose examples run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from operators.portfolio.ledger import Terms
from schemas.account_schema import account_schema
from schemas.accounts import Account, decode
from schemas.instrument import Instrument
from schemas.venue_accounts.streams import Streams
from tests.risk.room import START_MS, last, mark, one_tier, play

PAGE = Path(__file__).parents[2] / "deploy" / "inputs" / "accounts.md"
SWAP = Instrument("okx-swap", "BTC-USDT-SWAP", "BTC", "USDT", "linear", "0.1", "1", 0.01)
KNOWN = {("okx-swap", "BTC-USDT-SWAP"): SWAP}
EXAMPLES = re.findall(r"```json( frames)?\n(.+?)```", PAGE.read_text(), re.DOTALL)
OWN = [text for frames, text in EXAMPLES if not frames]
STREAMS = [text.splitlines() for frames, text in EXAMPLES if frames]
AT_MS = 1_760_000_000_000


def framed(venue: str, *frames: Any, account: str = "a", whole: bool = True) -> list[bytes]:
    return [json.dumps({"account": account, "venue": venue, "frame": f, "all": whole}).encode() for f in frames]


def read(venue: str, *frames: Any, whole: bool = True) -> Any:
    streams, answer = Streams(KNOWN), None
    for record in framed(venue, *frames, whole=whole):
        answer = streams.read(record, AT_MS)
    return answer


@pytest.mark.parametrize("text", OWN)
def test_every_example_of_the_page_in_our_own_form_is_used_whole(text):
    answer = decode(text.encode())
    assert isinstance(answer, Account)
    assert answer.left_out == []
    assert len(answer.positions) == len(json.loads(text).get("positions", []))


def test_every_example_of_the_page_obeys_the_json_schema():
    import jsonschema

    for record in [*OWN, *(line for lines in STREAMS for line in lines)]:
        jsonschema.validate(json.loads(record), account_schema())


def test_the_examples_of_frames_on_the_page_make_the_accounts_that_they_tell():
    told = []
    for lines in STREAMS:
        streams, answer = Streams(KNOWN), None
        for line in lines:
            answer = streams.read(line.encode(), AT_MS + 10_000)
        assert isinstance(answer, Account)
        assert answer.left_out == []
        held = [
            (p.symbol, p.qty_base, p.entry_price, p.leverage, p.margin_mode, p.isolated_margin)
            for p in answer.positions
        ]
        told.append(({b.asset: b.wallet for b in answer.balances}, held))
    assert told == [
        (
            {"USDT": 9998.5},
            [("BTCUSDT", 0.5, 110_000, 20, "cross", None), ("ETHUSDT", -2, 4000, 10, "isolated", 800)],
        ),
        (
            {"USDT": 4990, "BTC": 0.1},
            [("BTCUSDT", -0.1, 110_000, 2, "cross", None), ("ETHUSDT", 1, 4000, 10, "cross", None)],
        ),
        ({"USDT": 5000}, [("BTC-USDT-SWAP", 0.1, 110_000, 5, "cross", None)]),
    ]


def test_the_page_names_every_venue_that_is_valued():
    from schemas.accounts import DOLLARS, VENUES

    text = PAGE.read_text()
    assert all(f"| `{venue}` |" in text for venue in VENUES)
    assert " ".join(DOLLARS) in text


BINANCE = [
    {
        "multiAssetsMargin": False,
        "assets": [{"asset": "USDT", "walletBalance": "9000.0"}, {"asset": "BNB", "walletBalance": "0.0"}],
        "positions": [
            {
                "symbol": "BTCUSDT",
                "positionAmt": "0.100",
                "entryPrice": "60000.0",
                "leverage": "20",
                "isolated": False,
                "isolatedWallet": "0",
                "positionSide": "BOTH",
            }
        ],
    },
    {
        "e": "ACCOUNT_UPDATE",
        "E": START_MS + 1001,
        "T": START_MS + 1000,
        "a": {
            "m": "ORDER",
            "B": [{"a": "USDT", "wb": "8990.0", "cw": "8590.0", "bc": "0"}],
            "P": [{"s": "ETHUSDT", "pa": "-1.5", "ep": "3000", "up": "0", "mt": "isolated", "iw": "400", "ps": "BOTH"}],
        },
    },
    {"e": "ACCOUNT_CONFIG_UPDATE", "E": START_MS + 2001, "T": START_MS + 2000, "ac": {"s": "ETHUSDT", "l": 12}},
]
BYBIT = [
    {
        "result": {"list": [{"accountType": "UNIFIED", "coin": [{"coin": "USDT", "walletBalance": "700"}]}]},
        "time": START_MS,
    },
    {
        "topic": "position",
        "creationTime": START_MS + 1000,
        "data": [
            {
                "category": "linear",
                "symbol": "BTCUSDT",
                "side": "Sell",
                "size": "0.1",
                "entryPrice": "16505",
                "leverage": "2",
                "tradeMode": 0,
                "positionBalance": "",
                "positionIdx": 0,
            }
        ],
    },
    {
        "topic": "wallet",
        "creationTime": START_MS + 2000,
        "data": [{"accountType": "UNIFIED", "coin": [{"coin": "USDT", "walletBalance": "690"}]}],
    },
]
OKX = [
    {"code": "0", "data": [{"uTime": str(START_MS), "details": [{"ccy": "USDT", "cashBal": "500"}]}]},
    {
        "arg": {"channel": "balance_and_position"},
        "data": [
            {
                "pTime": str(START_MS + 2000),
                "eventType": "filled",
                "balData": [{"ccy": "USDT", "cashBal": "499", "uTime": "1"}],
                "posData": [
                    {
                        "instId": "BTC-USDT-SWAP",
                        "instType": "SWAP",
                        "mgnMode": "cross",
                        "posSide": "short",
                        "pos": "5",
                        "avgPx": "60000",
                    }
                ],
            }
        ],
    },
    {
        "arg": {"channel": "positions"},
        "data": [
            {
                "instId": "BTC-USDT-SWAP",
                "instType": "SWAP",
                "mgnMode": "cross",
                "posSide": "short",
                "pos": "5",
                "avgPx": "60000",
                "lever": "5",
                "margin": "",
            }
        ],
    },
]


def ours(wallet: float, venue: str, *positions: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = [{"venue": venue, **p} for p in positions]
    return {
        "account": "a",
        "balances": [{"asset": "USDT", "wallet": wallet, "venue": venue}],
        "positions": told,
        **more,
    }


CROSS = {"margin_mode": "cross"}
SAME = {
    "binance-usdm": (
        BINANCE,
        ours(
            8990,
            "binance-usdm",
            {"symbol": "BTCUSDT", "qty_base": 0.1, "entry_price": 60_000, "leverage": 20, **CROSS},
            {
                "symbol": "ETHUSDT",
                "qty_base": -1.5,
                "entry_price": 3000,
                "leverage": 12,
                "margin_mode": "isolated",
                "isolated_margin": 400,
            },
            multi_assets=False,
        ),
    ),
    "bybit-linear": (
        BYBIT,
        ours(
            690, "bybit-linear", {"symbol": "BTCUSDT", "qty_base": -0.1, "entry_price": 16_505, "leverage": 2, **CROSS}
        ),
    ),
    "okx-swap": (
        OKX,
        ours(
            499,
            "okx-swap",
            {
                "symbol": "BTC-USDT-SWAP",
                "qty_base": -0.05,
                "entry_price": 60_000,
                "leverage": 5,
                "position_side": "short",
                **CROSS,
            },
        ),
    ),
}


@pytest.mark.parametrize("venue", SAME)
def test_a_stream_of_the_venues_frames_gives_the_rows_of_our_own_record(venue):
    frames, record = SAME[venue]
    tiers = {("binance-usdm", s): one_tier(0.004, 100) for s in ("BTCUSDT", "ETHUSDT")}
    terms = Terms({**tiers, ("bybit-linear", "BTCUSDT"): one_tier(0.005, 100)}, instruments=KNOWN)
    prices = {"binance-usdm": [("BTCUSDT", 59_000), ("ETHUSDT", 3100)], "bybit-linear": [("BTCUSDT", 17_000)]}
    marks = [mark(5, s, p, venue) for s, p in prices.get(venue, [("BTC-USDT-SWAP", 61_000)])]
    theirs = play([(i, text) for i, text in enumerate(framed(venue, *frames))], marks, terms)
    own = play([(2, record)], marks, terms)
    assert theirs["rejects"] == own["rejects"] == []
    assert last(theirs)["positions"] == len(record["positions"])
    for table in ("risk_accounts", "risk_positions"):
        newest = [[r for r in rows[table] if r["as_of"] == START_MS + 5000] for rows in (theirs, own)]
        assert newest[0] == newest[1] != []


@pytest.mark.parametrize("of", ["account", "parts"])
def test_an_answer_of_binance_over_a_websocket_is_the_answer(of):
    """`v2/account.status`, `v2/account.balance`, `v2/account.position`: the answer is the `result`; they were passed over."""
    account = BINANCE[0]
    parts = [account] if of == "account" else [account["assets"], account["positions"]]
    wrapped = [{"id": "1", "status": 200, "result": part, "rateLimits": []} for part in parts]
    told, asked = read("binance-usdm", *wrapped), read("binance-usdm", *parts)
    assert told == asked
    assert told.positions
    assert told.balances


def test_the_profit_in_binances_isolated_margin_is_taken_out():
    """[EXT] the public answer behind case P05b: 1.45109202 with -.12 of profit in it; liquidated at 10.03654386."""
    rows = [
        {
            "symbol": "GASUSDT",
            "positionAmt": "-1",
            "entryPrice": "8.616",
            "markPrice": "8.736",
            "unRealizedProfit": "-0.12",
            "leverage": "15",
            "marginType": "isolated",
            "isolatedMargin": "1.45109202",
            "positionSide": "BOTH",
        }
    ]
    answer = read("binance-usdm", rows)
    assert answer.positions[0].isolated_margin == pytest.approx(1.57109202)
    known = Terms({("binance-usdm", "GASUSDT"): one_tier(0.015, 50)})
    frames = [(0, framed("binance-usdm", rows)[0])]
    told = last(play(frames, [mark(1, "GASUSDT", 8.736)], known), "risk_positions")
    assert told["liquidation_price"] == pytest.approx(10.03654386, rel=2e-3)


def test_position_risk_of_the_third_version_has_its_leverage_in_its_margins():
    rows = [
        {
            "symbol": "BTCUSDC",
            "positionAmt": "2",
            "entryPrice": "60000",
            "notional": "118000",
            "positionInitialMargin": "5900",
            "isolatedWallet": "0",
            "positionSide": "LONG",
            "marginAsset": "USDC",
        }
    ]
    answer = read("binance-usdm", rows)
    only = answer.positions[0]
    assert (only.leverage, only.margin_mode, only.position_side, only.settlement_asset) == (20, "cross", "long", "USDC")


def test_until_all_balances_were_seen_no_equity_is_known():
    answer = read("binance-usdm", BINANCE[1])
    assert answer.balances_unread == 1
    assert answer.left_out == ["balances at binance-usdm: no answer with all of them was seen yet"]


def test_a_position_that_is_closed_by_a_frame_is_no_more_and_an_answer_closes_what_it_does_not_hold():
    closed = {
        "e": "ACCOUNT_UPDATE",
        "T": 1,
        "a": {"P": [{"s": "BTCUSDT", "pa": "0", "ep": "0", "mt": "cross", "ps": "BOTH"}]},
    }
    assert read("binance-usdm", BINANCE[0], closed).positions == []
    assert read("binance-usdm", BINANCE[0], []).positions == []
    assert len(read("binance-usdm", BINANCE[0], BINANCE[1]).positions) == 2
    assert len(read("binance-usdm", BINANCE[0], [], whole=False).positions) == 1


def test_both_legs_of_hedge_mode_are_kept_apart():
    legs = [
        {"s": "BTCUSDT", "pa": a, "ep": "60000", "mt": "cross", "ps": s} for a, s in (("1", "LONG"), ("-0.4", "SHORT"))
    ]
    one, two = ({"e": "ACCOUNT_UPDATE", "T": 1, "a": {"P": [leg]}} for leg in legs)
    assert [(p.qty_base, p.position_side) for p in read("binance-usdm", one, two).positions] == [
        (1, "long"),
        (-0.4, "short"),
    ]


def test_a_snapshot_of_okx_in_pages_is_all_its_pages():
    """OKX: `eventType` snapshot, `curPage` from 1, `lastPage`; the second page closed what the first one held."""
    row = OKX[2]["data"][0]
    other = {**row, "posSide": "long", "pos": "3"}
    arg = OKX[2]["arg"]
    pages = [
        {"arg": arg, "eventType": "snapshot", "curPage": n, "lastPage": n == 2, "data": [r]}
        for n, r in ((1, row), (2, other))
    ]
    assert [p.qty_base for p in read("okx-swap", OKX[0], *pages).positions] == [-0.05, 0.03]
    assert [p.qty_base for p in read("okx-swap", OKX[0], *pages, pages[0]).positions] == [-0.05]


def test_modes_are_told_by_frames_too():
    assert (
        read("binance-usdm", BINANCE[0], {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "ai": {"j": True}}).multi_assets
    ) == {"binance-usdm": True}
    assert read("okx-swap", OKX[0], {"code": "0", "data": [{"acctLv": "2"}]}).multi_assets == {"okx-swap": False}
    info = {"result": {"marginMode": "ISOLATED_MARGIN"}, "time": 1}
    isolated = read("bybit-linear", BYBIT[0], info, BYBIT[1])
    assert isolated.positions[0].margin_mode == "isolated"


def test_rates_of_binances_asset_index_are_taken():
    """Asked for one symbol the venue answers with it alone, in no list: that was passed over without a word."""
    index = [{"symbol": "USDTUSD", "bidRate": "0.9801", "askRate": "0.99495"}]
    for told in (index, index[0]):
        assert [(b.bid_rate, b.ask_rate) for b in read("binance-usdm", BINANCE[0], told).balances] == [
            (0.9801, 0.99495)
        ]


def test_contracts_without_rules_or_size_are_left_out_by_name():
    inverse = {
        "topic": "position",
        "creationTime": 1,
        "data": [{"category": "inverse", "symbol": "BTCUSD", "side": "Buy", "size": "5"}],
    }
    assert read("bybit-linear", BYBIT[0], inverse).left_out == [
        "position 'bybit-linear' 'BTCUSD': only linear contracts are valued, this one is inverse"
    ]
    other = {
        "arg": {"channel": "positions"},
        "data": [{"instId": "ETH-USDT-SWAP", "pos": "1", "avgPx": "1", "lever": "1"}],
    }
    assert "which is not known" in read("okx-swap", OKX[0], other).left_out[0]


@pytest.mark.parametrize(
    "frame",
    [
        {"e": "ORDER_TRADE_UPDATE", "E": 1, "o": {}},
        {"e": "listenKeyExpired", "E": 1},
        {"result": None, "id": 3},
        {"result": [], "id": 3},
        {"result": {"listenKey": "k"}, "status": 200, "id": "3"},
    ],
)
def test_frames_that_say_nothing_of_an_account_change_nothing(frame):
    assert read("binance-usdm", frame) is None


@pytest.mark.parametrize(
    ("venue", "frame", "reason"),
    [
        ("deribit", {}, "no account frames of 'deribit' can be read, only of binance-usdm, bybit-linear, okx-swap"),
        (
            "binance-usdm",
            {"e": "ACCOUNT_UPDATE", "a": {"P": [{"s": 1}]}},
            "not an account frame that is known: Expected `str`",
        ),
        ("binance-usdm", [{"symbol": "X", "positionAmt": "many"}], "could not convert string to float"),
        ("okx-swap", {"code": "50011", "msg": "Rate limit reached", "data": []}, "an error of OKX: 50011 Rate limit"),
        ("bybit-linear", {"retCode": 10006, "retMsg": "Too many visits", "result": {"list": []}}, "an error of Bybit"),
        ("binance-usdm", {"code": -1021, "msg": "Timestamp"}, "an error of Binance: -1021 Timestamp"),
        (
            "binance-usdm",
            {"id": "1", "status": 400, "error": {"code": -1021, "msg": "Time"}},
            "an error of Binance: -1021",
        ),
        ("bybit-linear", 5, "not an account frame that is known: Expected `object`, got `int`"),
    ],
)
def test_a_frame_that_cannot_be_read_says_why(venue, frame, reason):
    answer = read(venue, frame)
    assert isinstance(answer, str)
    assert reason in answer


@pytest.mark.parametrize(
    ("venue", "error"),
    [
        ("okx-swap", {"code": "50011", "msg": "Rate limit reached", "data": []}),
        ("okx-swap", {"arg": {"channel": "account"}, "eventType": "snapshot", "curPage": 1, "data": []}),
        ("bybit-linear", {"retCode": 10006, "retMsg": "Too many visits", "result": {"category": "linear", "list": []}}),
        ("bybit-linear", {"retCode": 0, "retMsg": "OK", "result": {"list": []}, "time": 1}),
    ],
)
def test_an_error_of_a_venue_or_an_empty_snapshot_of_something_else_closes_no_position(venue, error):
    """A rate limit's empty list was an account without positions, and closed them all without a word."""
    streams = Streams(KNOWN)
    for frame in framed(venue, *SAME[venue][0], error):
        streams.read(frame, AT_MS)
    again = streams.read(framed(venue, SAME[venue][0][0])[0], AT_MS)
    assert isinstance(again, Account)
    assert len(again.positions) == 1


def test_a_frame_with_a_time_ahead_does_not_hold_up_what_comes_after_it():
    """Nor make all later frames the older ones: what they said of the same position was passed over for eleven days."""
    ahead = {**BINANCE[1], "T": AT_MS + 10**9}
    assert read("binance-usdm", BINANCE[0], ahead).as_of == AT_MS
    closed = {**BINANCE[1], "a": {"P": [{**BINANCE[1]["a"]["P"][0], "pa": "0"}]}}
    assert [p.symbol for p in read("binance-usdm", BINANCE[0], ahead, closed).positions] == ["BTCUSDT"]


@pytest.mark.parametrize("venue", SAME)
def test_streams_that_are_frozen_between_any_two_frames_go_on_the_same(venue):
    frames = framed(venue, *SAME[venue][0])
    whole, cut = Streams(KNOWN), Streams(KNOWN)
    for record in frames:
        expected = whole.read(record, AT_MS)
        assert cut.read(record, AT_MS) == expected
        again = Streams(KNOWN)
        again.thaw(cut.freeze())
        cut = again


def test_an_account_at_two_venues_is_one_account():
    streams = Streams(KNOWN)
    streams.read(framed("binance-usdm", BINANCE[0])[0], AT_MS)
    answer = streams.read(framed("bybit-linear", BYBIT[0])[0], AT_MS)
    assert isinstance(answer, Account)
    assert [(b.venue, b.wallet) for b in answer.balances] == [("binance-usdm", 9000), ("bybit-linear", 700)]
    assert len(answer.positions) == 1
