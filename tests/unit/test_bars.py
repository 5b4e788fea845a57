"""Bars and their volumes: analytics 2.1."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.tape.bars import BARS, qty_per_price


def bar(*trades, tick=1.0, lot=1.0, contract=1.0, inverse=False):
    """Of (ticks, lots, sign, event ns) in log order; a tick is 1 / `tick`, a lot 1 / `lot`."""
    ticks, lots, sign, event_ns = np.array(trades, np.int64).reshape(-1, 4).T.copy()
    events = {"ticks": ticks, "lots": lots, "sign": sign.astype(np.int8), "event_ns": event_ns}
    panes = BARS.empty(1)
    one = {"tick_mantissa": 1.0, "tick_scale": tick, "lot_mantissa": 1.0, "lot_scale": lot}
    one |= {"contract": contract, "inverse": inverse}
    events["qty_per_price"] = qty_per_price(ticks, lots, one)
    BARS.fold({}, events, panes, np.zeros(len(trades), np.int64))
    out = BARS.compute({**panes, **{name: np.array([value]) for name, value in one.items()}})
    return {name: array[0].item() for name, array in out.items()}


def test_trade_bar_as_in_tardis_compute_trade_bars():
    found = bar((1005, 200, -1, 1), (1015, 2000, 1, 2))
    assert (found["open"], found["high"], found["low"], found["close"]) == (1005.0, 1015.0, 1005.0, 1015.0)
    assert (found["volume_base"], found["buy_volume_base"], found["signed_volume"]) == (2200.0, 2000.0, 1800.0)
    assert found["vwap"] == 1014.0909090909091
    assert found["taker_ratio"] == 2000 / 2200
    assert (found["trades"], found["buys"]) == (2, 1)


def test_vwap_of_out_of_order_trades_as_in_tardis_compute_trade_bars():
    found = bar((3394, 1273, 1, 7), (3387, 65, 1, 6), tick=1e4)
    assert found["vwap"] == pytest.approx(0.3393659940209267, rel=1e-15)


def test_the_close_is_the_trade_with_the_greatest_time_as_in_tardis_compute_trade_bars():
    found = bar((3394, 1273, 1, 7), (3387, 65, 1, 6), tick=1e4)
    assert (found["close"], found["open"]) == (0.3394, 0.3387)


def test_of_trades_at_the_same_time_the_first_in_the_log_opens_and_the_last_closes():
    found = bar((10, 1, 1, 5), (12, 1, 1, 5), (11, 1, 1, 5))
    assert (found["open"], found["close"]) == (10.0, 11.0)


@pytest.mark.parametrize(("price", "size"), [("61000.1", 10**12), ("0.00000003", 10**12), ("1600000000", 10**9)])
def test_trades_of_a_million_million_are_worth_what_they_are(price, size):
    decimals = -Decimal(price).as_tuple().exponent
    ticks, scale = int(Decimal(price).scaleb(decimals)), 10.0**decimals
    found = bar(*((ticks, 1000 * size, 1 if n % 3 else -1, n) for n in range(3000)), tick=scale, lot=1000.0)
    assert found["vwap"] == float(price)
    assert found["volume_usd"] == float(Decimal(price) * size * 3000)
    assert found["buy_volume_usd"] == float(Decimal(price) * size * 2000)


def test_no_trades_is_no_volume_and_no_price():
    found = bar()
    assert {found[n] for n in ("trades", "buys", "volume_base", "volume_usd", "signed_volume")} == {0}
    assert all(math.isnan(found[n]) for n in ("open", "high", "low", "close", "vwap", "taker_ratio"))


def test_volumes_are_counted_in_contracts_of_their_size():
    found = bar((617736, 5, 1, 1), (617736, 2, -1, 2), tick=10.0, contract=0.01)
    assert found["volume_base"] == 0.07
    assert found["volume_usd"] == pytest.approx(61773.6 * 0.07, rel=1e-15)
    assert found["buy_volume_usd"] == pytest.approx(61773.6 * 0.05, rel=1e-15)


def test_an_unknown_contract_leaves_prices_and_ratios_known():
    found = bar((10, 3, 1, 1), (20, 1, -1, 2), contract=math.nan)
    assert (found["vwap"], found["taker_ratio"], found["close"]) == (12.5, 0.75, 20.0)
    assert all(math.isnan(found[n]) for n in ("volume_base", "volume_usd", "buy_volume_base", "signed_volume"))


def test_the_vwap_of_inverse_trades_weighs_by_coins_not_dollars():
    found = bar((50_000, 100, 1, 1), (40_000, 100, -1, 2), contract=10.0, inverse=True)
    coins = 1000 / 50_000 + 1000 / 40_000
    assert found["volume_usd"] == 2000.0
    assert found["volume_base"] == pytest.approx(coins, rel=1e-15)
    assert found["vwap"] == pytest.approx(2000 / coins, rel=1e-15)
    assert found["signed_volume"] == pytest.approx(1000 / 50_000 - 1000 / 40_000, rel=1e-13)


def test_turnover_is_exact_where_a_64_bit_product_would_overflow():
    ticks, lots = 2**40 - 1, 2**42
    found = bar((ticks, lots, 1, 1), (ticks, lots - 1, 1, 2))
    assert found["volume_usd"] == float(ticks * (2 * lots - 1))
    assert found["vwap"] == float(ticks)


def test_turnover_is_exact_where_its_sum_goes_round():
    """Sixty thousand and less at a tick of 1e-8, ten thousand coins a trade at a lot of 1e-8: three trades reach 2**84."""
    rows = [(6 * 10**12 - 2 * 10**8 * n, 10**12 - n, 1 if n % 3 else -1, n) for n in range(300)]
    found = bar(*rows, tick=1e8, lot=1e8)
    turnover, lots = sum(t * q for t, q, *_ in rows), sum(q for _, q, *_ in rows)
    assert turnover > 60 * 2**84
    assert found["volume_usd"] == turnover / 10**16
    assert found["buy_volume_usd"] == sum(t * q for t, q, s, _ in rows if s > 0) / 10**16
    assert found["vwap"] == pytest.approx(turnover / lots / 1e8, rel=1e-15)


def test_a_turnover_of_which_it_cannot_be_told_how_often_it_went_round_is_null_and_the_price_is_not():
    """The same and a fall by half, three hundred trades long: the turnover could be 2**84 more or less."""
    rows = [(6 * 10**12 - 10**10 * n, 10**12, 1 if n % 3 else -1, n) for n in range(300)]
    found = bar(*rows, tick=1e8, lot=1e8)
    assert all(math.isnan(found[n]) for n in ("vwap", "volume_usd", "buy_volume_usd"))
    assert (found["volume_base"], found["low"]) == (300 * 10**4, 30_100.0)


trades = st.lists(
    st.tuples(st.integers(1, 2**40), st.integers(1, 2**30), st.sampled_from([-1, 1]), st.integers(1, 20)), min_size=1
)


@settings(max_examples=100, deadline=None)
@given(rows=trades)
def test_a_linear_bar_equals_its_definition_in_decimals(rows):
    found = bar(*rows, tick=1e2, lot=1e3)
    prices, sizes = [Decimal(t) / 100 for t, *_ in rows], [Decimal(q) / 1000 for _, q, *_ in rows]
    volume = sum(sizes)
    turnover = sum(p * q for p, q in zip(prices, sizes, strict=True))
    assert found["volume_base"] == pytest.approx(float(volume), rel=1e-15)
    assert found["volume_usd"] == pytest.approx(float(turnover), rel=1e-14)
    assert found["vwap"] == pytest.approx(float(turnover / volume), rel=1e-14)
    signed = float(sum(q * s for q, (_, _, s, _) in zip(sizes, rows, strict=True)))
    assert found["signed_volume"] == pytest.approx(signed, rel=1e-15)
    assert found["high"] == float(max(prices))
    assert found["low"] == float(min(prices))
    assert found["open"] == float(prices[min(range(len(rows)), key=lambda i: (rows[i][3], i))])
    assert found["close"] == float(prices[max(range(len(rows)), key=lambda i: (rows[i][3], i))])
