"""The book of positions: what is due, what it is worth, and that missing data is null and never a number."""

import runpy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import catalog
from operators.contract import Operator
from operators.portfolio import account_rows, position_rows, positions, risk_rows
from operators.portfolio.distance import depth_usd, distance_bps
from operators.portfolio.leverage import LEVERAGE
from operators.portfolio.leverage import WRITES as LEVERAGE_WRITES
from operators.portfolio.resting import BANDS, Resting
from operators.portfolio.revaluation import revalue
from schemas.accounts import Account, Balance, Position
from schemas.brackets import Tiers, deductions
from schemas.column import Column

FLOOR, MMR = np.array([0.0, 50_000, 250_000]), np.array([0.004, 0.005, 0.01])
TIERS = Tiers(FLOOR, np.array([50_000, 250_000, 1e12]), MMR, deductions(FLOOR, MMR), np.array([125.0, 100, 50]))
BTC, ETH, XRP = ("binance-usdm", "BTCUSDT"), ("binance-usdm", "ETHUSDT"), ("bybit-linear", "XRPUSDT")
KNOWN = {BTC: TIERS, ETH: TIERS, XRP: TIERS}


def position(
    market: tuple[str, str], qty: float, entry: float, leverage: float = 10.0, margin: float | None = None
) -> Position:
    return Position(*market, qty, entry, leverage, "cross" if margin is None else "isolated", margin)


def account(name: str, wallet: float, *held: Position, as_of: int = 1, asset: str = "USDT") -> Account:
    return Account(name, as_of, [Balance(asset, wallet)], list(held))


def book(*records: Account) -> positions.Positions:
    state = positions.Positions(positions.Rules(KNOWN))
    for market in (BTC, ETH, XRP):
        positions.market(state, *market)
    for record in records:
        positions.replace(state, record)
    return state


def mark(state: positions.Positions, prices: dict[int, float], ns: int = 1) -> None:
    markets = np.array(list(prices), np.int64)
    positions.move(state, markets, np.array(list(prices.values())), np.full(len(prices), ns, np.int64))


def test_an_isolated_long_is_valued_at_its_mark():
    """[HAND] N 20 000, profit 0; MM 80; LP (20000 - 1000) / .996."""
    state = book(account("a", 5000, position(BTC, 1, 20_000, 20, 1000.0)))
    mark(state, {0: 20_000.0})
    out = revalue(state)
    row = {k: v[0] for k, v in out.position.items()}
    assert (row["notional_usd"], row["unrealised_pnl_usd"], row["initial_margin_usd"]) == (20_000, 0, 1000)
    assert row["maintenance_margin_usd"] == pytest.approx(80)
    assert row["liquidation_price"] == pytest.approx(19_000 / 0.996, rel=1e-12)
    assert out.account["equity_usd"][0] == 5000


def test_a_cross_position_is_backed_by_the_wallet_less_isolated_margin_and_the_others_losses():
    """[HAND] W = 5000 - 1000 - MM(ETH) + profit(ETH) = 4000 - 40 - 500 = 3460; LP (20000 - 3460) / .996."""
    held = (position(BTC, 1, 20_000), position(ETH, 10, 1050), position(XRP, 100, 1, 10, 1000.0))
    state = book(account("a", 5000, *held))
    mark(state, {0: 20_000.0, 1: 1000.0, 2: 1.0})
    out = revalue(state)
    assert out.position["liquidation_price"][0] == pytest.approx((20_000 - 3460) / 0.996, rel=1e-12)
    assert out.account["equity_usd"][0] == pytest.approx(4500)


def test_only_accounts_whose_mark_moved_are_due_and_a_cross_position_goes_with_its_pool():
    pool = account("pool", 9000, position(BTC, 1, 20_000), position(ETH, 1, 1000), position(XRP, 5, 1, 5, 1.0))
    state = book(pool, account("other", 100, position(XRP, 10, 1)))
    mark(state, {0: 20_000.0, 1: 1000.0, 2: 1.0})
    assert revalue(state).account["account"].tolist() == [0, 1]
    mark(state, {0: 20_000.0})
    assert revalue(state).account["account"].tolist() == []
    mark(state, {0: 20_100.0})
    out = revalue(state)
    assert out.account["account"].tolist() == [0]
    assert out.position["market"].tolist() == [0, 1]
    mark(state, {2: 1.1})
    out = revalue(state)
    assert (out.account["account"].tolist(), out.position["market"].tolist()) == ([0, 1], [2, 2])


def test_a_position_without_a_mark_counts_at_its_entry_price_and_its_own_numbers_are_null():
    """[HAND] equity 1000 + 0 + 0; W of BTC 1000 - MM(ETH at entry) = 1000 - .4; LP (100 - 999.6) < 0: none."""
    state = book(account("a", 50, position(BTC, 1, 100), position(ETH, 1, 100)))
    mark(state, {0: 100.0})
    out = revalue(state)
    assert out.account["equity_usd"][0] == 50
    assert out.account["positions_without_mark"][0] == 1
    assert out.position["liquidation_price"][0] == pytest.approx((100 - (50 - 0.4)) / 0.996)
    assert out.position["notional_usd"].tolist() == pytest.approx([100, np.nan], nan_ok=True)


def test_without_tiers_margin_is_null_and_leverage_is_not():
    state = positions.Positions(positions.Rules({}))
    positions.replace(state, account("a", 1000, position(BTC, 1, 100)))
    mark(state, {0: 100.0})
    out = revalue(state)
    assert np.isnan(out.position["liquidation_price"][0])
    row = LEVERAGE.compute(out.account)
    assert row["leverage_total"][0] == pytest.approx(0.1)
    assert np.isnan(row["maintenance_ratio"][0])
    assert out.account["positions_without_tiers"][0] == 1


def test_what_the_catalog_lists_at_the_stage_account_is_computed_and_is_a_column(monkeypatch):
    def compute(sums):
        return {"longs_usd": (sums["gross_usd"] + sums["net_usd"]) / 2}

    added = Operator(
        "longs", "account", ("gross_usd", "net_usd"), (Column("longs_usd", "f8", "longs"),), compute=compute
    )
    monkeypatch.setattr(catalog, "OPERATORS", (*catalog.OPERATORS, added))
    state, books = book(account("a", 1000, position(BTC, 2, 100), position(ETH, -1, 10))), Resting()
    mark(state, {0: 100.0, 1: 10.0})
    books.widen(3)
    assert account_rows.values(state, revalue(state), books, {}, [0], 2)["longs_usd"].tolist() == [200.0]
    assert "longs_usd" in [c.name for c in runpy.run_path(risk_rows.__file__)["RISK_ACCOUNTS"]]


def test_collateral_without_a_price_makes_equity_null_and_is_counted():
    state = book(account("a", 3, position(BTC, 1, 100), asset="SOL"))
    mark(state, {0: 100.0})
    out = revalue(state)
    assert np.isnan(out.account["equity_usd"][0])
    assert out.account["balances_not_valued"][0] == 1
    assert np.isnan(out.position["liquidation_price"][0])


def test_collateral_is_valued_by_its_mark_and_its_haircut():
    """[HAND] 2 BTC at 60 000 less 5 %: 114 000; maintenance of 6 000 is 24."""
    state = positions.Positions(positions.Rules(KNOWN, haircuts={"BTC": 0.05}))
    positions.replace(state, account("a", 2, position(BTC, 0.1, 60_000), asset="BTC"))
    mark(state, {0: 60_000.0})
    out = revalue(state)
    assert out.account["equity_usd"][0] == pytest.approx(114_000)
    assert out.account["pool_maintenance_ratio"][0] == pytest.approx(24 / 114_000)


def test_an_older_record_of_an_account_changes_nothing():
    state = book(account("a", 1000, position(BTC, 1, 100), as_of=5))
    assert not positions.replace(state, account("a", 7, as_of=4))
    assert positions.replace(state, account("a", 8, as_of=5))
    assert (state.older, revalue(state).account["equity_usd"].tolist()) == (1, [8])


def test_a_mark_that_is_no_price_or_comes_late_changes_nothing():
    state = book(account("a", 1000, position(BTC, 1, 100)))
    mark(state, {0: 100.0}, ns=10)
    for price, ns in ((0.0, 11), (-1.0, 11), (float("nan"), 11), (float("inf"), 11), (90.0, 9)):
        mark(state, {0: price}, ns)
    assert (state.mark[0], state.mark_ns[0]) == (100, 10)


def test_the_worked_leverage_example():
    """[HAND] analytics §4.0: long 500 at 5x, short 150 at 3x, equity 200."""
    state = book(account("a", 200, position(BTC, 5, 100, 5), position(ETH, -1.5, 100, 3)))
    mark(state, {0: 100.0, 1: 100.0})
    row = LEVERAGE.compute(revalue(state).account)
    got = {name: round(float(values[0]), 5) for name, values in row.items()}
    expected = {"leverage_total": 3.25, "leverage_net": 1.75, "leverage_average": 4.53846, "leverage_max": 5}
    assert {name: got[name] for name in expected} == expected
    assert got["margin_utilisation"] == 0.75
    assert not row["insolvent"][0]


@pytest.mark.parametrize("unknown_first", [False, True])
def test_the_largest_leverage_and_utilisation_are_of_those_that_are_known_in_whatever_order_they_stand(unknown_first):
    """[HAND] 100 USD at 5x behind 100 USD; of the position in BTC's own pool the leverage is not told."""
    held = [position(BTC, 1, 100, 5), Position(*ETH, 1, 100, None, "cross", None, "both", "USDC")]
    record = account("a", 100, *(held[::-1] if unknown_first else held))
    record.balances.append(Balance("USDC", 100.0))
    state = book(record)
    mark(state, {0: 100.0, 1: 100.0})
    row = LEVERAGE.compute(revalue(state).account)
    assert (row["leverage_max"][0], row["margin_utilisation"][0]) == (5, 0.2)
    assert np.isnan(row["leverage_average"][0])


def test_an_insolvent_account_has_no_leverage_and_says_so():
    state = book(account("a", 10, position(BTC, 1, 100)))
    mark(state, {0: 80.0})
    row = LEVERAGE.compute(revalue(state).account)
    assert row["insolvent"][0]
    for name in ("leverage_total", "leverage_net", "margin_utilisation", "maintenance_ratio"):
        assert np.isnan(row[name][0])


def test_an_account_without_positions_has_zero_leverage_and_no_average():
    row = LEVERAGE.compute(revalue(book(account("a", 10))).account)
    assert (row["leverage_total"][0], row["margin_utilisation"][0]) == (0, 0)
    assert np.isnan(row["leverage_average"][0])
    assert np.isnan(row["leverage_max"][0])


def test_what_leverage_publishes_obeys_its_declarations():
    row = LEVERAGE.compute(revalue(book(account("a", 10), account("b", -1))).account)
    for column in LEVERAGE_WRITES:
        for value in row[column.name].tolist():
            assert column.holds(None if np.isnan(value) else value), column.name


def test_distance_is_positive_until_the_mark_reaches_the_price():
    """[HAND] analytics §3.2 turned round: mark 100, long 99.2 is 80 bps away."""
    got = distance_bps(np.array([True, True, False]), np.full(3, 100.0), np.array([99.2, 100.8, 101.0]))
    assert got.tolist() == pytest.approx([80, 80, -100])


@pytest.mark.parametrize(
    ("sign", "mark_price", "liquidation", "expected"),
    [
        (1, 100.0, 99.9, 1000),
        (1, 100.0, 99.5, 3000),
        (1, 99.9, 99.5, 2000),
        (1, 100.1, 99.9, 1000),
        (-1, 100.0, 100.3, 30),
        (-1, 100.2, 100.3, 5),
        (1, 100.0, 99.0, np.nan),
        (1, 100.0, 100.5, 0),
        (1, 100.0, np.nan, np.nan),
    ],
)
def test_depth_in_the_way_is_read_off_the_cumulative_bands(sign, mark_price, liquidation, expected):
    """Bids 1000 within 10 bps and 3000 within 50; asks 20 and 40: a short eats the asks."""
    one = [np.array([float(x)]) for x in (sign, mark_price, liquidation, 100)]
    got = depth_usd(*one, np.array([10.0, 50.0]), np.array([[1000.0, 3000]]), np.array([[20.0, 40]]))
    assert got.tolist() == pytest.approx([expected], nan_ok=True, abs=1e-6)


def test_a_short_leg_that_falls_with_the_long_one_has_the_bids_in_the_way():
    """[HAND] W + .5 20000 (x - 1) = .004 1.5 20000 x at x = .997: both legs end 30 bps below, and a bps holds 1,000."""
    state = book(account("a", 30 + 120 * 0.997, position(BTC, 1, 20_000), position(BTC, -0.5, 20_000)))
    mark(state, {0: 20_000.0})
    books = Resting()
    books.widen(3)
    books.mid[:], books.ok[:], books.bid[:], books.ask[:] = 20_000.0, True, 1_000 * BANDS, 7_000 * BANDS
    row = position_rows.values(state, revalue(state), books, 1)
    assert row["position_side"].tolist() == ["long", "short"]
    assert row["liquidation_price"].tolist() == pytest.approx([19_940, 19_940])
    assert row["distance_to_liquidation_bps"].tolist() == pytest.approx([30, 30])
    assert row["depth_to_liquidation_usd"].tolist() == pytest.approx([30_000, 30_000])


RECORDS = st.builds(
    account,
    st.sampled_from("abc"),
    st.floats(-100, 1e5),
    st.builds(position, st.just(BTC), st.floats(0.01, 9), st.floats(90, 110), st.floats(1, 50)),
    st.builds(position, st.just(XRP), st.floats(-9, -0.01), st.floats(90, 110), st.floats(1, 50), st.floats(0, 99)),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(RECORDS, st.floats(80, 120), st.integers(0, 2)), max_size=8), st.integers(0, 8))
def test_a_freeze_and_thaw_anywhere_changes_nothing(events, cut):
    def run(freeze_at: int | None) -> list[bytes]:
        state, rows = book(), []
        for i, (record, price, market) in enumerate(events):
            if i == freeze_at:
                state = positions.thaw(positions.freeze(state), positions.Rules(KNOWN))
            positions.replace(state, record)
            mark(state, {market: price}, i + 1)
            out = revalue(state)
            rows += [column.tobytes() for column in (*out.account.values(), *out.position.values())]
        return rows

    assert run(cut) == run(None)
