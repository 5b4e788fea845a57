"""What the benchmark measures with: multiplied frames are frames of a venue, and the dict book is a right book."""

import itertools
import json
from statistics import median

import pytest

from flows.bench import operators
from flows.bench.alternatives.dict_book import AggregateTrade, DepthUpdate, DictBook, Snapshot, decode
from flows.bench.alternatives.event_flow import run
from flows.bench.in_process import batches, feed, finish, opened
from flows.bench.material import Material
from flows.bench.multiplied import multiplied, whole_book
from flows.bench.place import Sample, rate
from flows.bench.size import Size
from flows.captures.capture import Recorded
from flows.refusal import Refused
from flows.settings.tree import Settings
from operators import catalog
from operators.tape.buckets import BUCKETS
from schemas.venues.registry import VENUES

START_NS = 1_767_225_600_000_000_000


def depth(first, last, previous, bids, asks, at=1_723_161_256_299):
    data = {
        "e": "depthUpdate",
        "E": at,
        "T": at - 1,
        "s": "BTCUSDT",
        "U": first,
        "u": last,
        "pu": previous,
        "b": bids,
        "a": asks,
    }
    return Recorded(
        at * 1_000_000,
        "depth",
        "BTCUSDT",
        True,
        json.dumps({"stream": "x", "data": data}, separators=(",", ":")).encode(),
    )


def recorded():
    """A snapshot and three depth messages that follow it, and a trade."""
    snapshot = (
        b'{"lastUpdateId":100,"E":1723161256299,"T":1723161256299,"bids":[["10.0","1.0"]],"asks":[["11.0","2.0"]]}'
    )
    trade = b'{"stream":"x","data":{"e":"trade","E":1723161256299,"T":1723161256299,"s":"BTCUSDT","t":7,"p":"10.5","q":"3.0","X":"MARKET","m":true}}'
    return Material(
        VENUES["binance-usdm"],
        (
            Recorded(1_723_161_256_299_000_000, "depth", "BTCUSDT", False, snapshot),
            depth(99, 101, 98, [["10.1", "4.0"]], []),
            depth(102, 103, 101, [], [["10.9", "5.0"]]),
            Recorded(1_723_161_256_299_000_000, "trades", "BTCUSDT", True, trade),
            depth(104, 105, 103, [["10.1", "0"]], []),
        ),
        (),
    )


def test_a_copy_differs_in_symbol_and_time_only():
    first, second = itertools.islice(multiplied(recorded(), 2, 1_000.0, START_NS), 2, 4)
    assert (first.symbol, second.symbol) == ("BTCUSDT", "Q1USDT")
    data = json.loads(second.data)["data"]
    assert data == json.loads(recorded().frames[1].data)["data"] | {
        "s": "Q1USDT",
        "E": START_NS // 10**6 + 3,
        "T": START_NS // 10**6 + 3,
    }
    assert second.received_ns == START_NS + 3_000_000


def test_ids_go_on_in_the_next_lap():
    lap = [f.data for f in itertools.islice(multiplied(recorded(), 1, 1_000.0, START_NS), 10)]
    ids = 105 - 7 + 1
    assert json.loads(lap[6])["data"]["pu"] == 98 + ids
    assert json.loads(lap[5])["lastUpdateId"] == 100 + ids
    assert json.loads(lap[8])["data"]["t"] == 7 + ids


def test_after_the_snapshots_every_instrument_has_its_book():
    assert whole_book(recorded(), 3) == 3


def test_the_market_reads_multiplied_frames_without_a_gap_or_a_late_row():
    frames = itertools.islice(multiplied(recorded(), 3, 5.0, START_NS), 60)
    market = opened(recorded().venue, Settings())
    published = feed(market, batches(recorded().venue, frames, 7)) + finish(market)
    book = [p.columns for p in published if p.table == "features_book"]
    assert {s for c in book for s in c["symbol"]} == {"BTCUSDT", "Q1USDT", "Q2USDT"}
    assert all(c["late_rows"].sum() == 0 for c in book)
    assert {(float(b), float(a)) for c in book for b, a in zip(c["best_bid"], c["best_ask"], strict=True) if b == b} <= {
        (10.0, 11.0), (10.1, 11.0), (10.1, 10.9), (10.0, 10.9),
    }  # fmt: skip


def test_frames_that_cannot_be_multiplied_are_refused():
    other = Material(VENUES["deribit"], recorded().frames, ())
    with pytest.raises(Refused, match="Binance"):
        next(multiplied(other, 2, 1.0, START_NS))
    without = Material(recorded().venue, recorded().frames[1:], ())
    with pytest.raises(Refused, match="no snapshot"):
        next(multiplied(without, 2, 1.0, START_NS))


def test_the_dict_book_keeps_its_best_prices_and_its_order_flow():
    book = DictBook("BTCUSDT")
    book.apply(Snapshot([(10.0, 1.0), (9.0, 7.0)], [(11.0, 2.0)]))
    book.apply(DepthUpdate(1_000, "BTCUSDT", [(10.5, 4.0)], []))
    book.apply(DepthUpdate(1_200, "BTCUSDT", [(10.5, 0.0), (10.0, 0.0)], [(11.0, 1.5)]))
    book.apply(AggregateTrade(1_900, "BTCUSDT", 11.0, 2.0, False))
    row = book.apply(DepthUpdate(2_000, "BTCUSDT", [], []))
    assert row is not None
    # +4 for the higher bid; -4 for its removal, then the ask shrank from 2 to 1.5: -1.5 + 2
    assert (row["best_bid"], row["best_ask"], row["ofi"]) == (9.0, 11.0, 4.0 - 4.0 - 1.5 + 2.0)
    assert (row["imbalance"], row["vwap"], row["signed_volume"]) == ((7.0 - 1.5) / 8.5, 11.0, 2.0)


def test_the_flow_by_event_gives_the_windows_of_the_dict_books():
    raw = [(f.data, f.symbol) for f in itertools.islice(multiplied(recorded(), 2, 5.0, START_NS), 60)]
    books: dict[str, DictBook] = {}
    expected = []
    for symbol, event in (decode(*r) for r in raw):
        row = books.setdefault(symbol, DictBook(symbol)).apply(event)
        expected += [row] if row is not None else []
    assert sorted(run(raw), key=str) == sorted(expected, key=str)
    assert len(expected) >= 20


def test_a_rate_is_taken_from_the_first_rows_to_the_end():
    samples = [Sample(0.0, 0.0, 0.0), Sample(3.0, 10.0, 0.0), Sample(4.0, 50.0, 2.0), Sample(6.0, 450.0, 30.0)]
    assert rate(samples, "into") == 200.0
    assert rate([samples[0], samples[3]], "out") == 5.0


def test_what_each_operator_costs_is_a_share_of_the_market_and_the_bytes_that_it_declares():
    plain = catalog.OPERATORS
    found = {(r.row, r.what): r for r in operators.measure(recorded(), Settings(), Size(1_000, 2))}
    assert catalog.OPERATORS is plain
    times = {o.name: found[f"operator {o.name}", "time"].values for o in plain}
    for once in zip(*times.values(), strict=True):
        assert 0 < sum(once) < 100
    assert min(times["touch"] + times["bars"]) > 0
    assert set(times["liquidations"]) == {0.0}
    vpin = 8 * (6 + BUCKETS)
    assert found["operator vpin", "state"].values == (vpin,)
    assert ("operator touch", "state") not in found
    for name, instruments, batch in (("touch", "1 instrument", "100"), ("bars", "10 instruments", "100")):
        assert min(found[f"operator {name}", f"{instruments}, batches of {batch}"].values) > 0
    assert min(found["operator consolidated_bbo", "time"].values) > 0, "books side by side are clocked too"
    order = [median(times[o]) for o in (r.removeprefix("operator ") for r, what in found if what == "time")]
    assert order[0] >= order[-1]
