"""Account records: good ones are read, bad ones give a reason, nothing raises."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.accounts import Account, decode

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
        (position(qty_base=0), "qty_base is 0; leave a closed position out"),
        (position(qty_base=float("nan")), "JSON is malformed"),
        (position(qty_base=1e300), "qty_base 1e+300 is larger than 1e+15"),
        (position(qty_base="1"), "Expected `float`, got `str` - at `$.positions[0].qty_base`"),
        (position(qty_base=True), "Expected `float`, got `bool`"),
        (position(entry_price=0), "entry_price 0.0 is not positive"),
        (position(entry_price=-1), "entry_price -1.0 is not positive"),
        (position(leverage=0), "leverage 0.0 is not within (0, 1000]"),
        (position(leverage=-3), "leverage -3.0 is not within (0, 1000]"),
        (position(isolated_margin=-1), "isolated_margin -1.0 is negative"),
        (position(isolated_margin=None), "isolated_margin is missing on an isolated position"),
        (position(margin_mode="cross"), "isolated_margin 4000.0 on a cross position"),
        (position(margin_mode="portfolio"), "Invalid enum value 'portfolio' - at `$.positions[0].margin_mode`"),
        (position(venue="mtgox"), "unknown venue; known are binance-usdm, bybit-linear"),
        (position(venue="binance-spot"), "unknown venue"),
        (position(symbol=""), "symbol must have 1 to 128 characters, not 0"),
        (position(symbol="BTC\nUSDT"), "symbol 'BTC\\nUSDT' is not a plain name"),
        (position(note="x"), "Object contains unknown field `note` - at `$.positions[0]`"),
        (record(positions=[POSITION, POSITION]), "position 'binance-usdm' 'BTCUSDT' is given 2 times"),
        (record(positions=[CROSS, {**CROSS, "venue": "bybit-linear"}]), "cross positions share one wallet"),
        (record(positions=[CROSS, {**CROSS, "symbol": "ETHUSDC"}]), "cross positions share one wallet"),
        (record(balances=[GOOD["balances"][0]] * 2), "balance 'USDT' is given 2 times"),
        (record(account=""), "account must have 1 to 128 characters, not 0"),
        (record(account="a" * 129), "account must have 1 to 128 characters, not 129"),
        (record(as_of=0), "as_of 0 is not a time in milliseconds since 1970"),
        (record(as_of=1_700_000_000_000_000_000), "is not a time in milliseconds since 1970"),
        (record(as_of=10**40), "is not a time in milliseconds since 1970"),
        (record(positions=[POSITION] * 2001), "2001 positions, more than 2000"),
        (b" " * 10_000_000, "the record has 10000000 bytes, more than 1000000"),
        (b'{"account":' + b"[" * 400_000, "Expected `str`, got `array` - at `$.account`"),
        (b'{"x":' + b"[" * 400_000, "Object contains unknown field `x`"),
    ],
)
def test_a_bad_record_gives_its_reason_in_one_line(data, reason):
    answer = decode(data)
    assert isinstance(answer, str)
    assert reason in answer
    assert "\n" not in answer
    assert len(answer) < 500


def test_an_integer_too_long_for_a_double_is_refused():
    data = position().replace(b"-1.5", b"1" + b"0" * 400)
    assert isinstance(decode(data), str)


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
        assert decode(msgspec.json.encode(answer)) == answer
    else:
        assert isinstance(answer, str)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_reason(data):
    assert isinstance(decode(data), str)
