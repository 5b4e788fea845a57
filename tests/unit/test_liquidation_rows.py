"""Liquidations in normal form, repeats and counts: analytics 3.1."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.liquidation.counts import COUNTS
from operators.liquidation.normal import LIQUIDATIONS, sizes
from operators.liquidation.repeats import REPEATS
from schemas.batches import PriceKind
from tests.operators import folded

SECOND_NS = 10**9


def normal(side, lots, price, lot=1.0, kind=PriceKind.FILL_AVERAGE, contract=1.0, inverse=False, throttled=True):
    one = {
        "offset": np.array([7]),
        "event_ns": np.array([1568014460893 * 10**6]),
        "received_ns": np.array([1568014460999 * 10**6]),
        "order_side": np.array([side], np.int8),
        "price": np.array([price]),
        "price_kind": np.array([kind], np.int8),
        "lots": np.array([lots]),
        "throttled": np.array([throttled]),
        "lot_mantissa": np.array([1.0]),
        "lot_scale": np.array([lot]),
        "contract": np.array([contract]),
        "inverse": np.array([inverse]),
    }
    return {name: array[0].item() for name, array in LIQUIDATIONS.step({}, one | sizes(one)).items()}


def test_binance_documentation_sell_of_0_014_at_9910_is_a_long_of_138_74_usd():
    found = normal(-1, 14, 9910.0, lot=1e3)
    assert (found["order_side"], found["position_side"], found["price_kind"]) == ("sell", "long", "fill_average")
    assert found["notional_usd"] == pytest.approx(138.74)
    assert (found["qty_base"], found["throttled"], found["raw_offset"]) == (0.014, True, 7)
    assert found["event_time"] == 1568014460893 * 10**6


def test_binance_in_tardis_mappers_buy_of_0_014_filled_at_4706_04_is_a_short_of_65_88_usd():
    found = normal(1, 14, 4706.04, lot=1e3)
    assert (found["order_side"], found["position_side"]) == ("buy", "short")
    assert found["notional_usd"] == pytest.approx(65.88, abs=0.005)


def test_bybit_in_tardis_mappers_2846_at_0_02456_is_a_short_of_69_90_usd():
    found = normal(1, 2846, 0.02456, kind=PriceKind.BANKRUPTCY, throttled=False)
    assert (found["order_side"], found["position_side"], found["price_kind"]) == ("buy", "short", "bankruptcy")
    assert found["notional_usd"] == pytest.approx(69.90, abs=0.005)
    assert found["throttled"] is False


def test_okx_39_inverse_contracts_are_their_dollars_whatever_the_price():
    found = normal(1, 39, 0.55205, kind=PriceKind.BANKRUPTCY, contract=10.0, inverse=True)
    assert (found["position_side"], found["notional_usd"]) == ("short", 390.0)
    assert found["qty_base"] == pytest.approx(390 / 0.55205)


def test_deribit_maker_liquidated_by_a_buy_is_a_long():
    found = normal(-1, 100, 50_000.0, kind=PriceKind.TRADE, inverse=True, throttled=False)
    assert (found["order_side"], found["position_side"], found["price_kind"]) == ("sell", "long", "trade")
    assert (found["notional_usd"], found["qty_base"]) == (100.0, 0.002)


@pytest.mark.parametrize("price", [0.0, math.nan])
def test_a_message_without_a_price_has_a_size_but_no_notional(price):
    found = normal(-1, 3, price)
    assert found["qty_base"] == 3.0
    assert math.isnan(found["price"])
    assert math.isnan(found["notional_usd"])


PANE_S = 10


def events(*rows):
    """Of (instrument, event s, side, lots, price); panes of ten seconds close with the first event after them."""
    instrument, second, side, lots, price = zip(*rows, strict=True)
    pane = (np.array(second, np.int64) - 1) // PANE_S
    return {
        "pane": pane,
        "open_from": np.maximum.accumulate(pane),
        "instrument": np.array(instrument, np.int32),
        "event_ns": np.array(second, np.int64) * SECOND_NS,
        "order_side": np.array(side, np.int8),
        "lots": np.array(lots, np.int64),
        "price": np.array(price, np.float64),
        "id": np.full(len(price), -1),
    }


def repeated(*rows):
    return REPEATS.step(REPEATS.init(), events(*rows))["repeated"].tolist()


def test_a_liquidation_sent_again_is_repeated():
    one = (0, 5, 1, 39, 0.55205)
    assert repeated(one, (0, 6, 1, 1, 0.5), one, one) == [False, False, True, True]


@pytest.mark.parametrize(
    "other", [(1, 5, 1, 39, 0.5), (0, 6, 1, 39, 0.5), (0, 5, -1, 39, 0.5), (0, 5, 1, 38, 0.5), (0, 5, 1, 39, 0.6)]
)
def test_one_that_differs_in_symbol_time_side_size_or_price_is_another(other):
    assert repeated((0, 5, 1, 39, 0.5), other) == [False, False]


def test_the_state_holds_the_open_panes_however_long_the_log():
    state = REPEATS.init()
    for second in range(1, 106):
        REPEATS.step(state, events(*((0, second, 1, lots, 0.5) for lots in range(5))))
    assert {name: len(column) for name, column in state.items()} == dict.fromkeys(state, 5 * 5)


def counted(*rows):
    """Of (side, base, usd, throttled)."""
    side, base, usd, throttled = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = {
        "order_side": np.array(side, np.int8),
        "qty_base": np.array(base, np.float64),
        "notional_usd": np.array(usd, np.float64),
        "throttled": np.array(throttled, np.bool_),
    }
    return {name: array[0].item() for name, array in COUNTS.compute(folded(COUNTS, columns)).items()}


def test_counts_and_volumes_go_by_the_side_of_the_victim():
    found = counted((-1, 0.5, 50.0, False), (-1, 1.5, 150.0, True), (1, 0.25, 25.0, False))
    assert found == {
        "long_liquidations": 2,
        "short_liquidations": 1,
        "long_liquidated_base": 2.0,
        "short_liquidated_base": 0.25,
        "long_liquidated_usd": 200.0,
        "short_liquidated_usd": 25.0,
        "largest_liquidation_usd": 150.0,
        "throttled": True,
    }


def test_no_liquidation_counts_zero_and_has_no_largest():
    found = counted()
    assert math.isnan(found.pop("largest_liquidation_usd"))
    assert set(found.values()) == {0}


def test_a_size_that_is_not_known_makes_sums_and_the_largest_null():
    found = counted((-1, 0.5, 50.0, False), (-1, math.nan, math.nan, False), (1, 9.0, 900.0, False))
    assert math.isnan(found["long_liquidated_usd"])
    assert math.isnan(found["largest_liquidation_usd"])
    assert (found["long_liquidations"], found["short_liquidated_usd"]) == (2, 900.0)


SIZES = st.sampled_from([0.0, 0.5, 3.0, math.nan])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-1, 1]), SIZES, SIZES, st.booleans()), max_size=8))
def test_counts_are_those_of_adding_one_by_one(rows):
    found = counted(*rows)
    for side, sign in (("long", -1), ("short", 1)):
        of = [r for r in rows if r[0] == sign]
        assert found[f"{side}_liquidations"] == len(of)
        assert found[f"{side}_liquidated_base"] == pytest.approx(sum(r[1] for r in of), nan_ok=True)
        assert found[f"{side}_liquidated_usd"] == pytest.approx(sum(r[2] for r in of), nan_ok=True)
    usd = [r[2] for r in rows]
    largest = math.nan if not usd or any(map(math.isnan, usd)) else max(usd)
    assert found["largest_liquidation_usd"] == pytest.approx(largest, nan_ok=True)
    assert found["throttled"] == any(r[3] for r in rows)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8), st.sampled_from([-1, 1]), st.integers(1, 2)), max_size=14)
)
def test_repeats_are_those_of_looking_through_all_that_came_before(drawn):
    rows, latest, state, found = [], 0, REPEATS.init(), []
    for k, second, side, lots in drawn:  # what is late is not given
        if (3 * second - 1) // PANE_S >= (latest - 1) // PANE_S:
            latest = max(latest, 3 * second)
            rows.append((k, 3 * second, side, lots, 0.5))
            found += REPEATS.step(state, events(rows[-1]))["repeated"].tolist()
    assert found == (repeated(*rows) if rows else []) == [row in rows[:i] for i, row in enumerate(rows)]
