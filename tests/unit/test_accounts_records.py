"""Account records: good ones are read, bad ones give a reason, nothing raises."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.accounts import Account, decode, removed

POSITION = {
    "venue": "binance-usdm",
    "symbol": "BTCUSDT",
    "qty_base": -1.5,
    "entry_price": 50000.0,
    "leverage": 20,
    "margin_mode": "isolated",
    "isolated_margin": 4000.0,
}
GOOD = {
    "account": "sim-001",
    "as_of": 1_700_000_000_000,
    "balances": [{"asset": "USDT", "wallet": 1000.0}],
    "positions": [POSITION],
}
CROSS = {**{k: v for k, v in POSITION.items() if k != "isolated_margin"}, "margin_mode": "cross"}


def record(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def position(**changes: object) -> bytes:
    return record(positions=[{**POSITION, **changes}])


def test_a_good_record_is_read_and_a_negative_quantity_is_a_short():
    account = decode(record())
    assert isinstance(account, Account)
    assert (account.account, account.positions[0].qty_base, account.balances[0].wallet) == ("sim-001", -1.5, 1000.0)


def test_a_negative_wallet_is_an_insolvent_account_and_not_a_bad_record():
    assert isinstance(decode(record(balances=[{"asset": "USDT", "wallet": -5.0}])), Account)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"\xff\xfe", "JSON is malformed: invalid character (byte 0)"),
        (position(qty_base=float("nan")), "JSON is malformed"),
        (record(account=""), "account must have 1 to 128 characters, not 0"),
        (record(account="a" * 129), "account must have 1 to 128 characters, not 129"),
        (record(as_of=0), "as_of 0 is not a time in milliseconds since 1970"),
        (record(as_of=1_700_000_000_000_000_000), "is not a time in milliseconds since 1970"),
        (record(as_of=10**40), "is not a time in milliseconds since 1970"),
        (record(positions=[POSITION] * 2001), "2001 positions, more than 2000"),
        (record(positions=None), "Expected `array`, got `null` - at `$.positions`"),
        (b" " * 10_000_000, "the record has 10000000 bytes, more than 1000000"),
        (b'{"account":' + b"[" * 400_000, "Expected `str`, got `array` - at `$.account`"),
        (b'{"x":' + b"[" * 400_000, "Recursion"),
    ],
)
def test_a_record_of_which_nothing_can_be_used_gives_its_reason_in_one_line(data, reason):
    answer = decode(data)
    assert isinstance(answer, str)
    assert reason.lower() in answer.lower()
    assert "\n" not in answer
    assert len(answer) < 500


OTHER = {**POSITION, "symbol": "ETHUSDT"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"qty_base": 1e300}, "qty_base 1e+300 is larger than 1e+15"),
        ({"qty_base": "1"}, "Expected `float`, got `str` - at `$.qty_base`"),
        ({"qty_base": True}, "Expected `float`, got `bool`"),
        ({"entry_price": 0}, "entry_price 0.0 is not positive"),
        ({"entry_price": -1}, "entry_price -1.0 is not positive"),
        ({"qty_base": -5e-324}, "qty_base -4.94066e-324 is smaller than 1e-15"),
        ({"entry_price": 5e-324}, "entry_price 4.94066e-324 is smaller than 1e-15"),
        ({"margin_mode": "portfolio"}, "Invalid enum value 'portfolio' - at `$.margin_mode`"),
        ({"venue": "mtgox"}, "unknown venue; known are binance-usdm, bybit-linear, okx-swap"),
        ({"venue": "binance-spot"}, "unknown venue"),
        ({"symbol": ""}, "symbol must have 1 to 128 characters, not 0"),
        ({"symbol": "BTC\nUSDT"}, "symbol 'BTC\\nUSDT' is not a plain name"),
        ({"position_side": "long"}, "qty_base -1.5 of a position on the long side"),
        ({"symbol": "ETHUSDT"}, "given twice"),
    ],
)
def test_a_bad_position_is_left_out_by_name_and_the_rest_is_used(changes, reason):
    answer = decode(record(positions=[OTHER, {**POSITION, **changes}]))
    assert isinstance(answer, Account)
    assert [p.symbol for p in answer.positions] == ["ETHUSDT"]
    assert len(answer.left_out) == 1
    assert reason in answer.left_out[0]
    assert "\n" not in answer.left_out[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"leverage": 0}, "leverage 0 is not within [0.01, 1000]"),
        ({"leverage": 1e-300}, "leverage 1e-300 is not within [0.01, 1000]"),
        ({"leverage": -3}, "leverage -3 is not within [0.01, 1000]"),
        ({"isolated_margin": -1}, "isolated_margin -1 is not within [0, 1e+15]"),
        ({"isolated_margin": None}, "isolated_margin is missing on an isolated position"),
        ({"margin_mode": "cross"}, "isolated_margin 4000 on a cross position"),
    ],
)
def test_a_field_that_cannot_be_true_is_taken_as_not_known(changes, reason):
    answer = decode(position(**changes))
    assert isinstance(answer, Account)
    assert len(answer.positions) == 1
    assert answer.left_out == [f"position 'binance-usdm' 'BTCUSDT': {reason}"]


def test_flat_rows_and_fields_that_are_not_known_here_are_passed_over():
    flat = {**OTHER, "qty_base": 0, "entry_price": 0, "venue": "mtgox"}
    answer = decode(record(positions=[{**POSITION, "note": "x"}, flat], broker="y"))
    assert isinstance(answer, Account)
    assert ([p.symbol for p in answer.positions], answer.left_out) == (["BTCUSDT"], [])


def test_a_balance_that_cannot_be_read_is_counted_as_no_equity_is_known_without_it():
    balances = [{"asset": "USDT", "wallet": 5}, {"asset": "USDT", "wallet": 5}, {"asset": "USDC", "wallet": "5"}]
    answer = decode(record(balances=[*balances, {"asset": "USDT", "wallet": 6}]))
    assert isinstance(answer, Account)
    assert [b.wallet for b in answer.balances] == [5]
    assert answer.balances_unread == 2
    assert answer.left_out == [
        "balance 3: Expected `float`, got `str` - at `$.wallet`",
        "balance 'USDT': given twice, and not the same",
    ]


def test_of_many_bad_parts_the_first_are_named():
    answer = decode(record(positions=[{}] * 50))
    assert isinstance(answer, Account)
    assert (len(answer.left_out), answer.left_out[-1]) == (21, "and 30 more")


def test_an_account_is_removed_by_a_record_without_a_value_or_one_that_says_closed():
    told = decode(b'{"account":"a","as_of":1760000000000,"closed":true}')
    assert told == removed("a", 1_760_000_000_000) == Account("a", 1_760_000_000_000, [], [], closed=True)
    assert removed("", 5) == "a record without a value must have an account as its key"


def test_an_integer_too_long_for_a_double_is_refused():
    data = position().replace(b"-1.5", b"1" + b"0" * 400)
    answer = decode(data)
    assert isinstance(answer, Account)
    assert answer.positions == []
    assert len(answer.left_out) == 1


def test_a_lone_surrogate_cannot_reach_a_topic_key():
    assert isinstance(decode(record(account="\ud800")), str)


@settings(max_examples=300)
@given(st.data())
def test_mutated_records_are_a_reason_or_an_account_that_can_be_written_again(data):
    good = bytearray(record())
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    answer = decode(bytes(good))
    if isinstance(answer, Account):
        again = decode(msgspec.json.encode(answer))
        assert isinstance(again, Account)
        assert (again.balances, again.positions) == (answer.balances, answer.positions)
    else:
        assert isinstance(answer, str)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_reason(data):
    assert isinstance(decode(data), str)


@pytest.mark.parametrize(
    ("as_of", "unit"),
    [
        (1_760_000_000, " (seconds?)"),
        (1_760_000_000_000_000, " (microseconds?)"),
        (1_760_000_000_000_000_000, " (nanoseconds?)"),
        (0, ""),
        (-1, ""),
    ],
)
def test_a_time_in_another_unit_is_refused_by_its_name(as_of, unit):
    assert decode(record(as_of=as_of)) == f"as_of {as_of} is not a time in milliseconds since 1970{unit}"
