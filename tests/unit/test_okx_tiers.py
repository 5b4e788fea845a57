"""OKX's tiers: they go by the size in contracts, whatever its price, and one rate holds for the whole position."""

import json

import numpy as np
import pytest

from operators.portfolio import positions
from operators.portfolio.margin import linear
from operators.portfolio.revaluation import revalue
from schemas.accounts import Account, Balance, Position
from schemas.brackets import okx
from schemas.instrument import Instrument

ETH = ("okx-swap", "ETH-USDT-SWAP")
# OKX, "position tiers to be adjusted", 11 June: ETHUSDT perpetual, 0.1 ETH a contract.
PUBLISHED = [(0, 3_000, 0.004, 125), (3_001, 6_000, 0.005, 100), (6_001, 12_000, 0.01, 66.66)]


def tier(low, high, mmr, leverage, **named):
    """A tier as OKX writes it."""
    rest = {"baseMaxLoan": "", "quoteMaxLoan": "", "optMgnFactor": "0", "imr": str(1 / leverage), "tier": "1"}
    sizes = {"minSz": str(low), "maxSz": str(high), "mmr": str(mmr), "maxLever": str(leverage)}
    return {"instId": "", "instFamily": "ETH-USDT", "uly": "ETH-USDT", **rest, **sizes, **named}


def answer(*tiers):
    return json.dumps({"code": "0", "msg": "", "data": tiers}).encode()


def book(*held, tiers=PUBLISHED, contract=0.1, wallet=1e6, fee=0.0):
    """One account with positions of ETH-USDT-SWAP."""
    known = {ETH: Instrument(*ETH, "ETH", "USDT", "linear", "0.01", "0.01", contract)} if contract else {}
    of = {(ETH[0], symbol): t for symbol, t in okx(answer(*(tier(*t) for t in tiers))).items()}
    state = positions.Positions(positions.Rules(of, instruments=known, taker_fee={"okx-swap": fee}))
    positions.market(state, *ETH)
    positions.replace(state, Account("a", 1, [Balance("USDT", wallet)], list(held)))
    return state


def position(contracts, entry=2_000.0, leverage=10.0, margin=None, side="both"):
    mode = "cross" if margin is None else "isolated"
    return Position(*ETH, contracts * 0.1, entry, leverage, mode, margin, side)


def valued(state, price=2_000.0):
    positions.move(state, np.array([0]), np.array([price]), np.array([1]))
    return revalue(state).position


@pytest.mark.parametrize(
    ("contracts", "rate", "leverage"),
    [(3_000, 0.004, 125), (3_000.01, 0.005, 100), (6_000, 0.005, 100), (6_001, 0.01, 66.66), (90_000, 0.01, 66.66)],
)
@pytest.mark.parametrize("price", [1_000.0, 2_000.0, 9_000.0])
def test_the_whole_position_takes_the_rate_of_the_tier_of_its_contracts_at_any_price(contracts, rate, leverage, price):
    row = valued(book(position(-contracts)), price)
    assert row["maintenance_margin_usd"][0] == pytest.approx(contracts * 0.1 * price * rate, rel=1e-12)
    assert row["tier_max_leverage"][0] == leverage


@pytest.mark.parametrize(("sign", "expected"), [(1, 6.738090425173506), (-1, 13.193482419684678)])
def test_the_isolated_liquidation_prices_of_okx_of_freqtrade(sign, expected):
    """freqtrade tests/exchange/test_exchange.py::test_get_liquidation_price: 3x, 10, MMR .01, taker .0006."""
    one = position(sign * 10, entry=10.0, leverage=3.0, margin=10 / 3)
    row = valued(book(one, tiers=[(0, 100, 0.01, 10)], fee=0.0006), 10.0)
    assert row["liquidation_price"][0] == pytest.approx(expected, rel=1e-9)
    assert row["initial_margin_usd"][0] == pytest.approx(10 / 3)
    assert float(linear(sign, 1, 10, 10 / 3, 0.01 + 0.0006, 0)) == pytest.approx(expected, rel=1e-9)


def test_at_the_liquidation_price_equity_is_maintenance_and_the_fee_of_closing():
    """ "(margin balance + PnL) / (face value x contracts x mark x (tier's rate + fee rate))" is 1 there."""
    row = valued(book(position(7_000, margin=200_000.0), fee=0.0005))
    price = row["liquidation_price"][0]
    assert (200_000 + 700 * (price - 2_000)) / (0.1 * 7_000 * price * (0.01 + 0.0005)) == pytest.approx(1, rel=1e-12)


def test_in_cross_mode_both_sides_of_a_contract_count_together_and_isolated_ones_by_themselves():
    """OKX help: cross, 10,000 long and 15,000 short are 25,000 contracts; isolated, each direction by itself."""
    both = valued(book(position(2_000, side="long"), position(-2_500, side="short")))
    assert both["tier_max_leverage"].tolist() == [100, 100]
    apart = valued(book(position(2_000, side="long", margin=1e5), position(-2_500, side="short", margin=1e5)))
    assert apart["tier_max_leverage"].tolist() == [125, 125]


def test_without_the_contracts_size_there_is_no_maintenance_and_the_record_says_why():
    state = book(position(10), contract=None)
    row = valued(state)
    assert np.isnan([row["maintenance_margin_usd"][0], row["liquidation_price"][0]]).all()
    assert "its tiers count contracts, whose size is not known; name its instrument" in state.held[0].remarks


def test_answers_of_several_families_are_read_from_one_file_a_line_each():
    other = answer(tier(0, 50, 0.02, 20, instFamily="SOL-USDT", uly="SOL-USDT"))
    assert set(okx(answer(tier(0, 9, 0.01, 50)) + b"\n" + other)) == {"ETH-USDT-SWAP", "SOL-USDT-SWAP"}
    assert set(okx(answer(tier(0, 9, 0.01, 50, instId="ETH-USDT-SWAP")))) == {"ETH-USDT-SWAP"}


@pytest.mark.parametrize("named", [{}, {"instId": "ETH-USD_UM_XPERP-310404"}])
def test_the_tiers_of_an_x_perp_are_its_familys_whatever_its_date(named):
    """OKX tells them by `instType=FUTURES&instFamily=ETH-USD_UM_XPERP`; the contract's name ends in a date."""
    key = "okx-swap", "ETH-USD_UM_XPERP-310404"
    x_perp = {"instFamily": "ETH-USD_UM_XPERP", "uly": "ETH-USD", **named}
    of = {(key[0], s): t for s, t in okx(answer(*(tier(*t, **x_perp) for t in PUBLISHED))).items()}
    known = {key: Instrument(*key, "ETH", "USD", "linear", "0.01", "1", 0.01, settle="USDC")}
    state = positions.Positions(positions.Rules(of, instruments=known, taker_fee={key[0]: 0.0}))
    positions.market(state, *key)
    held = Position(*key, 4_000 * 0.01, 2_000.0, 10.0, "cross", None, "both", "USDC")
    positions.replace(state, Account("a", 1, [Balance("USDC", 1e5)], [held]))
    row = valued(state)
    assert row["maintenance_margin_usd"][0] == pytest.approx(40 * 2_000 * 0.005)
    assert row["tier_max_leverage"][0] == 100


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[", "not a file of position tiers of OKX"),
        (b'{"code":"50014","msg":"Parameter uly can not be empty","data":[]}', "an error of OKX: 50014 Parameter"),
        (answer(tier(0, 5, 0.01, 10, instId="ETH-USDT")), "ETH-USDT is no swap: ask OKX for tiers with instType=SWAP"),
        (answer(tier(0, 5, 0.01, 10), tier(9, 12, 0.02, 5)), "ETH-USDT-SWAP tier 2 begins at 9 contracts, not at 5"),
        (answer(tier(0, 5, 0.02, 10), tier(6, 12, 0.01, 5)), "a maintenance rate that falls with size"),
        (answer(tier(0, 5, "x", 10)), "not a file of position tiers of OKX"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(data, reason):
    with pytest.raises(ValueError, match=r"OKX|ETH-USDT") as error:
        okx(data)
    assert reason in str(error.value)
