"""Frames that list several messages: an element that cannot be used is a reject by itself, and the others count."""

import msgspec
import pytest

from schemas.instrument import Instrument, InstrumentTable
from tests.venues.cases import parsed, replayed
from tests.venues.test_kinds import BYBIT, DERIBIT, OKX, SYMBOLS, USDM, T, capture, forced, trade

LISTS = {BYBIT: ("data",), OKX: ("data",), DERIBIT: ("params", "data")}
FIELDS = {
    BYBIT: {"price": "p", "size": "v", "side": "S", "time": "T"},
    OKX: {"price": "px", "size": "sz", "side": "side", "time": "ts"},
    DERIBIT: {"price": "price", "size": "amount", "side": "direction", "time": "timestamp"},
}


def joined(venue, *frames):
    """One frame of the elements of several."""
    frame = msgspec.json.decode(msgspec.json.encode(frames[0]))
    inside = frame
    for name in LISTS[venue][:-1]:
        inside = inside[name]
    inside["data"] = []
    for other in frames:
        row = other
        for name in LISTS[venue]:
            row = row[name]
        inside["data"] += row
    return frame


def spoilt(venue, n, field, value):
    """A trade with one bad field; a value of None takes it away."""
    frame = trade(venue, n)
    row = joined(venue, frame)
    inside = row["data"] if venue != DERIBIT else row["params"]["data"]
    if value is None:
        del inside[0][FIELDS[venue][field]]
    else:
        inside[0][FIELDS[venue][field]] = value
    return row


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [("price", "0", "out_of_range"), ("size", "-1", "out_of_range"), ("price", "0.1234567890123456", "out_of_range"),
     ("side", "held", "wrong_type"), ("side", None, "missing_field"), ("size", [], "wrong_type"),
     ("time", {}, "wrong_type")],
)  # fmt: skip
@pytest.mark.parametrize("venue", LISTS)
def test_a_trade_that_cannot_be_used_costs_no_trade_beside_it(venue, field, value, reason, at):
    good = [trade(venue, n, size=str(n)) for n in (3, 4)]
    frame = joined(venue, *good[:at], spoilt(venue, 9, field, value), *good[at:])
    table = InstrumentTable()
    found, _, rejects, _ = parsed(venue, "trades", [frame], table)
    assert (found.id.tolist(), [q * float(table.rows[0].lot) for q in found.lots.tolist()]) == ([3, 4], [3, 4]) or (
        venue == BYBIT and found.lots.tolist() == [3, 4]
    )
    assert len(rejects) == 1
    assert rejects[0].startswith(reason) and rejects[0].endswith(f" in element {at + 1}")
    assert (table.rows[0].tick, table.rows[0].lot) == ("0.1", "1")


@pytest.mark.parametrize("venue", LISTS)
def test_where_no_element_can_be_used_each_says_why_and_no_instrument_is_inferred(venue):
    frame = joined(venue, spoilt(venue, 1, "price", "0"), spoilt(venue, 2, "side", "x"))
    found, _, rejects, table = parsed(venue, "trades", [frame])
    assert (len(found), table.rows) == (0, [])
    assert [r.split()[0] for r in rejects] == ["wrong_type", "out_of_range"]
    assert [r[-9:] for r in rejects] == ["element 2", "element 1"]


@pytest.mark.parametrize("venue", LISTS)
def test_a_frame_of_one_element_is_rejected_as_before(venue):
    assert parsed(venue, "trades", [spoilt(venue, 1, "price", "0")])[2] == ["out_of_range"]


@pytest.mark.parametrize("venue", LISTS)
def test_the_rest_of_a_frame_is_published_and_its_reject_is_too(venue, tmp_path):
    frame = joined(venue, trade(venue, 1), spoilt(venue, 2, "price", "0"), trade(venue, 3, ms=5))
    got = replayed([(venue, capture(tmp_path / "one.log", [frame, trade(venue, 4, ms=1200, price="101.5")]))])
    assert (got.total("features_tape", "trades", SYMBOLS[venue]), got.reasons) == (3, ["out_of_range in element 2"])


def test_an_element_that_needs_finer_steps_refines_those_beside_it_and_one_that_is_refused_does_not():
    row = Instrument(BYBIT, "BTCUSDT", "BTC", "USDT", "linear", "0.5", "1")
    finer, bad = trade(BYBIT, 2, price="100.25"), trade(BYBIT, 3, price="0.12345678901")
    table = InstrumentTable({"BTCUSDT": row})
    found, _, rejects, _ = parsed(BYBIT, "trades", [joined(BYBIT, trade(BYBIT, 1), finer, bad)], table)
    assert (found.ticks.tolist(), table.rows[0].tick) == ([10050, 10025], "0.01")
    assert rejects == ["out_of_range decimals in element 3"]


def test_liquidations_of_several_orders_lose_the_one_that_is_bad():
    orders = [forced(), forced("ETHUSDT", filled="-1"), forced("SOLUSDT"), forced("XRPUSDT", T=None)]
    for frame in ({"stream": "!forceOrder@arr", "data": orders}, orders):
        found, rejects, table = parsed(USDM, "liquidations", [frame])
        assert [r.symbol for r in table.rows] == ["BTCUSDT", "SOLUSDT"] and len(found) == 2
        assert rejects == ["out_of_range z in element 2", "event_time_missing T in element 4"]
    rows = [{"T": T, "s": "BTCUSDT", "S": side, "v": "1", "p": "99"} for side in ("Buy", "Hold", "Sell")]
    frame = {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": T, "data": rows}
    found, rejects, _ = parsed(BYBIT, "liquidations", [frame])
    assert (found.order_side.tolist(), rejects) == ([-1, 1], ["wrong_type S in element 2"])
    details = [{"bkPx": "99", "side": "sell", "sz": size, "ts": str(T)} for size in ("1", "0", "3")]
    frame = {
        "arg": {"channel": "liquidation-orders", "instType": "SWAP"},
        "data": [{"instId": "BTC-USDT-SWAP", "details": details}],
    }
    found, rejects, _ = parsed(OKX, "liquidations", [frame])
    assert (found.lots.tolist(), rejects) == ([1, 3], ["out_of_range in element 2"])
    one_each = [{"instId": s, "details": [d]} for s, d in zip(("A-SWAP", "B-SWAP", "C-SWAP"), details, strict=True)]
    bad_first = [one_each[1], *one_each[::2], {**one_each[1], "instId": "D-SWAP"}]
    found, rejects, table = parsed(OKX, "liquidations", [{**frame, "data": bad_first}])
    assert (found.lots.tolist(), [r.symbol for r in table.rows]) == ([1, 3], ["A-SWAP", "C-SWAP"])
    assert rejects == ["out_of_range in element 1", "out_of_range in element 4"]


@pytest.mark.parametrize("bad", [{"instId": ""}, {"instId": 7}, {"details": 7}, {"details": None}])
def test_an_instrument_that_cannot_be_read_does_not_cost_the_liquidations_of_others(bad):
    detail = {"bkPx": "99", "side": "sell", "sz": "2", "ts": str(T)}
    data = [{"instId": s, "details": [detail]} for s in ("A-SWAP", "B-SWAP", "C-SWAP")]
    data[1] |= bad
    frame = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": data}
    found, rejects, table = parsed(OKX, "liquidations", [frame])
    assert ([r.symbol for r in table.rows], found.lots.tolist()) == (["A-SWAP", "C-SWAP"], [2, 2])
    assert len(rejects) == 1 and rejects[0].endswith("in element 2")


def test_one_mark_that_cannot_be_read_does_not_cost_all_the_others():
    """`!markPrice@arr` tells hundreds of contracts in a frame."""
    told = [("BTCUSDT", "100"), ("ETHUSDT", None), ("SOLUSDT", "5"), ("XRPUSDT", 7)]
    marks = [{"e": "markPriceUpdate", "E": T, "s": s, "p": p, "i": "1", "r": "0.0001", "T": T + 1000} for s, p in told]
    for frame in ({"stream": "!markPrice@arr@1s", "data": marks}, marks):
        found, rejects, table = parsed(USDM, "derivatives", [frame])
        assert ([r.symbol for r in table.rows], found.mark.tolist()) == (["BTCUSDT", "SOLUSDT"], [100.0, 5.0])
        assert rejects == ["missing_field p in element 2", "wrong_type in element 4"]
    rows = [{"instId": s, "markPx": p, "ts": str(T)} for s, p in (("A-USDT-SWAP", "-1"), ("B-USDT-SWAP", "2"))]
    found, rejects, _ = parsed(OKX, "derivatives", [{"arg": {"channel": "mark-price"}, "data": rows}])
    assert (found.mark.tolist(), rejects) == ([2.0], ["out_of_range markPx in element 1"])
