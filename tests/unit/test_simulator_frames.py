"""The simulated market's frames: the same for the same settings, chained, on tick and lot, and true to its book."""

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

import msgspec
import pytest

from models.simulator import Frame, Settings, Simulation, coarse, instruments, market, numbered

SETTINGS = Settings(symbols=("BTCUSDT", "SIM001USDT"), seconds=45, snapshot_every_s=10, warm_up_s=600, traders=300)


@pytest.fixture(scope="module")
def run() -> tuple[Simulation, list[Frame]]:
    simulation = Simulation(SETTINGS)
    return simulation, list(simulation)


def ladders(frame: Frame) -> tuple[list[list[str]], list[list[str]]]:
    data = json.loads(frame.data)
    data = data.get("data", data)
    return data.get("bids", data.get("b")), data.get("asks", data.get("a"))


def is_snapshot(frame: Frame) -> bool:
    return frame.data.startswith(b'{"lastUpdateId"')


def depth(frames: list[Frame], symbol: str) -> Iterator[Frame]:
    return (f for f in frames if f.kind == "depth" and f.symbol == symbol)


def test_equal_settings_give_equal_bytes_and_another_seed_others(run):
    assert list(islice(market(SETTINGS), 2000)) == run[1][:2000]
    other = msgspec.structs.replace(SETTINGS, seed=6)
    assert [f.data for f in islice(market(other), 50)] != [f.data for f in run[1][:50]]


def test_frames_come_in_order_of_receipt_after_their_event_and_name_their_symbol(run):
    received = [f.received_ns for f in run[1]]
    assert received == sorted(received)
    for frame in run[1]:
        data = json.loads(frame.data)
        data = data.get("data", data)
        event_ms = data.get("E") or data.get("time") or data["as_of"]
        assert 0 < frame.received_ns - 1_000_000 * event_ms < 200_000_000
        if frame.kind != "accounts" and not is_snapshot(frame):
            assert data.get("s", data.get("symbol", data.get("o", {}).get("s"))) == frame.symbol


@pytest.mark.parametrize("symbol", SETTINGS.symbols)
def test_depth_ids_chain_and_each_snapshot_stands_where_the_next_message_continues(run, symbol):
    last = None
    for frame in depth(run[1], symbol):
        data = json.loads(frame.data)
        if is_snapshot(frame):
            assert data["lastUpdateId"] == last
            continue
        data = data["data"]
        assert last is None or data["pu"] == last
        assert data["pu"] < data["U"] <= data["u"]
        last = data["u"]


@pytest.mark.parametrize("symbol", SETTINGS.symbols)
def test_a_book_rebuilt_from_the_frames_equals_the_simulators_own_at_every_snapshot_and_is_never_crossed(run, symbol):
    simulation, frames = run
    sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] | None = None
    snapshots = 0
    for frame in depth(frames, symbol):
        new = tuple({Decimal(p): Decimal(q) for p, q in ladder} for ladder in ladders(frame))
        if is_snapshot(frame):
            assert sides is None or sides == new
            sides = (dict(new[0]), dict(new[1]))
            snapshots += 1
        elif sides is not None:
            for side, changes in zip(sides, new, strict=True):
                side.update(changes)
                for price in [p for p, q in side.items() if q == 0]:
                    del side[price]
            assert max(sides[0]) < min(sides[1])
    assert snapshots == 5
    assert sides is not None
    instrument = next(i for i in instruments(SETTINGS) if i.symbol == symbol)
    tick, lot = Decimal(instrument.tick), Decimal(instrument.lot)
    bids = {int(p / tick): int(q / lot) for p, q in sides[0].items()}
    asks = {int(p / tick): -int(q / lot) for p, q in sides[1].items()}
    assert bids | asks == simulation.book(symbol)


def test_prices_lie_on_the_tick_and_quantities_on_the_lot(run):
    steps = {i.symbol: (Decimal(i.tick), Decimal(i.lot)) for i in instruments(SETTINGS)}
    for frame in run[1]:
        if frame.kind not in ("depth", "trades"):
            continue
        tick, lot = steps[frame.symbol]
        if frame.kind == "trades":
            data = json.loads(frame.data)["data"]
            pairs = [(data["p"], data["q"])]
        else:
            pairs = [pair for ladder in ladders(frame) for pair in ladder]
        for price, quantity in pairs:
            assert Decimal(price) % tick == 0 and Decimal(quantity) % lot == 0
            assert Decimal(price) > 0 and Decimal(quantity) >= 0


def test_every_kind_of_frame_is_sent_at_the_pace_of_the_settings(run):
    per_second = len([f for f in run[1] if f.kind != "accounts"]) / 45 / 2
    assert 14 < per_second < 30
    marks = [f for f in run[1] if f.symbol == "BTCUSDT" and b"markPriceUpdate" in f.data]
    interest = [f for f in run[1] if f.symbol == "BTCUSDT" and b"openInterest" in f.data]
    assert (len(marks), len(interest)) == (45, 9)


def test_trade_ids_rise_by_one_and_trade_times_never_fall(run):
    trades = [json.loads(f.data)["data"] for f in run[1] if f.kind == "trades" and f.symbol == "SIM001USDT"]
    assert [t["t"] for t in trades] == list(range(trades[0]["t"], trades[0]["t"] + len(trades)))
    assert [t["T"] for t in trades] == sorted(t["T"] for t in trades)


def test_the_buffers_being_full_changes_nothing(run, monkeypatch):
    monkeypatch.setattr("models.simulator.state.EVENTS", 1)
    monkeypatch.setattr("models.simulator.state.LEVELS", 1)
    assert list(islice(market(SETTINGS), 3000)) == run[1][:3000]


def test_a_coarse_market_sends_few_frames_a_second():
    frames = list(market(coarse(msgspec.structs.replace(SETTINGS, accounts=0))))
    assert 3 < len(frames) / 45 / 2 < 12


def test_any_number_of_instruments_can_be_simulated():
    settings = Settings(symbols=numbered(30), seconds=1, warm_up_s=0, traders=10, accounts=0)
    assert {f.symbol for f in market(settings)} == set(numbered(30))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbols": ()}, "named"),
        ({"symbols": ("BTC/USD",)}, "USDT perpetual"),
        ({"intensity": 0.5}, "intensity must be at least 1"),
        ({"start_ns": 1}, "whole second"),
        ({"snapshot_depth": 10}, "snapshot_depth"),
    ],
)
def test_settings_that_make_no_market_are_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**change)
