"""Simulated traders: liquidated exactly when the mark crosses their price, and told of as the venue tells."""

import itertools
import json
from collections import defaultdict

import numpy as np
import pytest

from models.simulator import Settings, Simulation, brackets, history
from models.simulator.state import begin, buffers, plan, second
from models.simulator.traders import liquidation_price

DEMO = Settings(seconds=600)


@pytest.fixture(scope="module")
def demo():
    simulation = Simulation(DEMO)
    return simulation, list(simulation)


def marks(frames):
    out = {}
    for frame in frames:
        if b"markPriceUpdate" in frame.data:
            data = json.loads(frame.data)["data"]
            out[frame.symbol, data["E"]] = float(data["p"])
    return out


@pytest.mark.parametrize(
    ("quantity", "side", "entry", "margin", "expected"),
    [
        (1.0, 1, 60_000.0, 3_000.0, 57_000 / 0.996),  # notional at LP 57,229: 0.4 %
        (1.0, -1, 60_000.0, 3_000.0, 63_000 / 1.004),
        (10.0, 1, 60_000.0, 30_000.0, 569_700 / 9.95),  # notional at LP 572,563: 0.5 %, cum 300
        (10.0, -1, 60_000.0, 30_000.0, 630_300 / 10.05),
        (1.0, 1, 100.0, 120.0, 0.0),  # more margin than notional: no price liquidates
    ],
)
def test_liquidation_prices_follow_binances_isolated_formula(quantity, side, entry, margin, expected):
    assert liquidation_price(quantity, side, entry, margin) == pytest.approx(expected, rel=1e-12)


def test_the_tiers_are_continuous_by_their_maintenance_amounts():
    tiers = [t["info"] for t in brackets(DEMO)["BTC/USDT:USDT"]]
    for lower, upper in itertools.pairwise(tiers):
        step = upper["maintMarginRatio"] - lower["maintMarginRatio"]
        assert upper["cum"] == pytest.approx(upper["notionalFloor"] * step + lower["cum"])


def test_a_position_is_liquidated_if_and_only_if_the_seconds_mark_reached_its_price():
    settings = Settings(seed=6, warm_up_s=1800)
    state, out = begin(settings), buffers(settings)
    total = 0
    for _ in range(400):
        before = state.crowds.copy()
        liquidated = set()
        for _, count in second(state, out, plan(settings, steps=12), settings.trades_per_s):
            liquidated |= {(int(r["instrument"]), int(r["trader"])) for r in out.truth[:count]}
        mark = state.markets["mark"][:, None]
        lots, price = before["lots"], before["liquidation"]
        crossed = ((lots > 0) & (mark <= price)) | ((lots < 0) & (mark >= price))
        assert liquidated == {(int(i), int(j)) for i, j in np.argwhere(crossed)}
        total += len(liquidated)
    assert total > 10


def test_every_liquidation_had_its_price_crossed_by_a_mark_in_the_frames(demo):
    simulation, frames = demo
    published = marks(frames)
    for row in simulation.liquidations:
        mark = published[DEMO.symbols[row["instrument"]], int(row["mark_ms"])]
        assert mark == row["mark"]
        assert mark <= row["liquidation"] if row["lots"] > 0 else mark >= row["liquidation"]
        assert 0 <= row["event_ms"] - row["mark_ms"] <= 80


def test_force_orders_are_the_latest_of_each_second_and_no_two_of_a_symbol_are_closer_than_that(demo):
    simulation, frames = demo
    truth = defaultdict(list)
    for row in simulation.liquidations:
        truth[DEMO.symbols[row["instrument"]], int(row["mark_ms"])].append(row)
    last_ms: dict[str, int] = {}
    orders = [f for f in frames if f.kind == "liquidations"]
    for frame in orders:
        order = json.loads(frame.data)["data"]["o"]
        row = truth[frame.symbol, order["T"] // 1000 * 1000][-1]
        assert order["T"] == row["event_ms"] and order["S"] == ("SELL" if row["lots"] > 0 else "BUY")
        assert float(order["ap"]) == pytest.approx(row["price"], abs=1e-8)
        lot = simulation.state.markets["lot"][row["instrument"]]
        assert float(order["z"]) == pytest.approx(row["filled_lots"] * lot)
        assert order["T"] - last_ms.get(frame.symbol, 0) >= 1000
        last_ms[frame.symbol] = order["T"]
    assert 10 < len(orders) == len(truth) < len(simulation.liquidations)


def test_the_first_ten_minutes_of_the_default_market_have_liquidations_in_most_minutes_and_a_burst(demo):
    minute = (demo[0].liquidations["event_ms"] - DEMO.start_ns // 1_000_000) // 60_000
    counts = np.bincount(minute, minlength=10)
    assert np.count_nonzero(counts) >= 7 and counts.max() >= 10


def test_a_published_account_is_liquidated_within_four_minutes_and_uses_ever_more_margin_before(demo):
    simulation, frames = demo
    published = marks(frames)
    first_ms = DEMO.start_ns // 1_000_000
    owner = simulation.owners[0]
    ends = {(int(r["instrument"]), int(r["trader"])): int(r["event_ms"]) for r in simulation.liquidations[::-1]}
    i, j = next(t for t in owner.traders if t in ends)
    assert 40_000 <= ends[i, j] - first_ms <= 240_000
    use = []
    for frame in frames:
        if frame.kind != "accounts" or frame.symbol != owner.account:
            continue
        record = json.loads(frame.data)
        if record["as_of"] >= ends[i, j] or (DEMO.symbols[i], record["as_of"]) not in published:
            break
        equity, margin = sum(b["wallet"] for b in record["balances"]), 0.0
        for p in record["positions"]:
            mark = published[p["symbol"], record["as_of"]]
            equity += p["qty_base"] * (mark - p["entry_price"])
            margin += abs(p["qty_base"]) * mark / p["leverage"]
        assert equity > 0
        use.append(margin / equity)
    assert use[-1] == max(use) > use[0]


def test_open_interest_in_the_frames_is_the_larger_side_of_the_true_positions_and_what_others_hold(demo):
    simulation, frames = demo
    lots = simulation.positions("BTCUSDT")["lots"]
    m = simulation.state.markets[0]
    assert (m["long_lots"], m["short_lots"]) == (lots[lots > 0].sum(), -lots[lots < 0].sum())
    seen = [json.loads(f.data) for f in frames if f.symbol == "BTCUSDT" and b"openInterest" in f.data]
    crowd = max(m["long_lots"], m["short_lots"])  # at the end; the last frame is five seconds old
    assert float(seen[-1]["openInterest"]) == pytest.approx(m["lot"] * (m["base_lots"] + crowd), rel=0.1)


def test_trades_and_liquidations_cluster(demo):
    simulation, frames = demo
    seconds = np.array([f.received_ns // 1_000_000_000 for f in frames if f.kind == "trades" and f.symbol == "ETHUSDT"])
    counts = np.bincount(seconds - seconds.min())
    assert counts.var() / counts.mean() > 1.5  # Fano factor; a Poisson stream has 1
    minutes = np.bincount((simulation.liquidations["event_ms"] - DEMO.start_ns // 1_000_000) // 60_000)
    assert minutes.var() / minutes.mean() > 1.5


def test_history_tells_the_same_marks_and_liquidations_as_the_frames(demo):
    simulation, frames = demo
    table = history(DEMO, 600)
    published = marks(frames)
    for i, symbol in enumerate(DEMO.symbols):
        expected = [published[symbol, DEMO.start_ns // 1_000_000 + 1000 * s] for s in range(600)]
        assert table["mark"][:, i].tolist() == expected
    assert table["liquidations"].sum() == len(simulation.liquidations)
