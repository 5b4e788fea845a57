"""Aftermath of liquidations: worked by hand from frames, wherever the logs are cut, frozen and thawed."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.market import MarketShard
from flows.settings.sources import load
from operators.market_tables import delays_ns
from operators.meeting import TRADE, Meeting
from tests.laws.test_market import CUT, Run, trade
from tests.laws.written import Line

START_MS = 1_700_000_040_000
MS = 1_000_000
BOOKS = [(0, 100, 102), (2_000, 100, 101), (2_500, 98, 101), (3_000, 98, 100), (10_000, 102, 104), (70_000, 103, 104)]
"""When, and which bid and ask there is from then on."""


def depth():
    yield Line("depth", START_MS * MS, b'{"lastUpdateId":100,"bids":[["100","1"]],"asks":[["102","1"]]}', "BTCUSDT")
    for k, ((_, bid, ask), (ms, to_bid, to_ask)) in enumerate(pairwise([BOOKS[0], *BOOKS]), 101):
        sides = (bid, to_bid), (ask, to_ask)
        b, a = ([[str(was), "0"], [str(now), "1"]] if was != now else [[str(now), "1"]] for was, now in sides)
        ids = {"U": k, "u": k, "pu": k - 1}
        said = {"e": "depthUpdate", "E": START_MS + ms, "T": START_MS + ms, "s": "BTCUSDT", **ids, "b": b, "a": a}
        yield Line("depth", (START_MS + ms + 5) * MS, json.dumps(said).encode())


def forced(ms, side, qty="2", price="101"):
    order = {"s": "BTCUSDT", "S": side, "q": qty, "p": price, "ap": price, "X": "FILLED", "l": qty, "z": qty}
    said = {"e": "forceOrder", "E": START_MS + ms, "o": {**order, "o": "LIMIT", "f": "IOC", "T": START_MS + ms}}
    return Line("liquidations", (START_MS + ms + 5) * MS, json.dumps(said).encode())


LINES = [*depth(), forced(2_000, "SELL"), forced(2_000, "BUY", "1"), forced(50_000, "BUY")]


def rows(run):
    return run.end().decoded("liquidation_aftermath")


DEEP = [["99.95", "2"], ["99.80", "3"], ["99.60", "5"], ["98", "9"]], [["100.05", "1"], ["100.20", "4"], ["102", "9"]]


def deep(*changes, begun=101):
    """A book whose mid is 100 and reach 200 bps; then changes: when, first id, bids, asks."""
    bids, asks = DEEP
    said = {"lastUpdateId": 100, "bids": bids, "asks": asks}
    yield Line("depth", START_MS * MS, json.dumps(said).encode(), "BTCUSDT")
    for k, (ms, skipped, b, a) in enumerate(changes, begun):
        ids = {"U": k + skipped, "u": k + skipped, "pu": k + skipped - 1}
        said = {"e": "depthUpdate", "E": START_MS + ms, "T": START_MS + ms, "s": "BTCUSDT", **ids, "b": b, "a": a}
        yield Line("depth", (START_MS + ms + 5) * MS, json.dumps(said).encode())


def depths(row):
    return [row[f"depth_{x}bps_usd"] for x in (10, 25, 50)], [row[f"share_of_{x}bps"] for x in (10, 25, 50)]


THINNED = (1_500, 0, [["99.95", "0.5"]], []), (2_100, 0, [["99.95", "0"]], []), (90_000, 0, [], [])


def test_a_forced_sell_after_which_the_mid_falls_and_then_rises():
    sold, bought, late = rows(Run("binance-usdm", LINES))
    # 101 just before it, not the 100.5 of the same moment; 99 a second later to the moment, 103 after a minute
    assert (sold["order_side"], sold["qty_base"], sold["mid_before"], sold["nth"]) == ("sell", 2.0, 101.0, 0)
    moves = [1e4 * -(m - 101) / 101 for m in (99, 99, 103)]
    assert [sold[f"move_{h}s_bps"] for h in (1, 5, 60)] == pytest.approx(moves)
    assert [bought[f"move_{h}s_bps"] for h in (1, 5, 60)] == pytest.approx([-m for m in moves])
    assert bought["nth"] == 1
    assert (late["mid_before"], late["move_1s_bps"], late["move_5s_bps"]) == (103.0, 0.0, 0.0)
    assert late["move_60s_bps"] is None, "the book's log had ended by then"


def test_no_row_comes_before_a_minute_is_over_and_its_mark_says_so():
    run = Run("binance-usdm", [line for line in LINES if line.received_ns < (START_MS + 61_000) * MS])
    for kind in run.logs:
        run.read(kind, 100)
    run.advance()
    assert run.rows["liquidation_aftermath"] == []
    assert run.market.waiting == 3
    assert delays_ns()["liquidation.aftermath"] == 60_000 * MS
    told = load(None, {}, ['market.venues=["binance-usdm"]'])
    marks = dict(MarketShard(told, {"binance-usdm": {}}, 0, None).marks._topics)
    assert (marks["liquidation.aftermath"], marks["liquidations"]) == (60_000, 0)


@given(st.lists(st.sampled_from(["depth", "liquidations", "thaw", "advance"]), max_size=30))
def test_where_logs_are_cut_frozen_and_thawed_does_not_change_a_row(steps):
    lines = [*deep((100, 0, [], []), *THINNED), *(forced(ms, "SELL") for ms in (1_600, 2_000, 2_001, 30_000))]
    run = Run("binance-usdm", lines)
    for step in steps:
        if step == "thaw":
            run.thaw()
        elif step == "advance":
            run.advance()
        else:
            run.read(step, 1)
    told = rows(run)
    assert told == rows(Run("binance-usdm", lines)) and told[0]["share_of_50bps"] > 0


def test_left_out_nothing_waits():
    cut = replace(CUT, without=frozenset({"liquidation_aftermath"}))
    run = Run("binance-usdm", LINES, cut=cut)
    assert rows(run) == [] and len(run.decoded("liquidations")) == 3
    assert run.market.waiting == 0


def test_events_meet_the_mid_before_them_also_where_nobody_asks_for_one_after():
    meeting = Meeting(())
    meeting.mids.add(np.zeros(1, np.int64), np.array([10]), np.array([7.0]))
    meeting.add(
        {n: np.array([11], t) for n, t in {**TRADE, "instrument": np.int64}.items()} | {"instrument": np.array([0])}
    )
    assert meeting.release(20, 20)["mid_before"].tolist() == [7.0]


def test_a_forced_sell_found_the_bids_that_stood_when_its_window_began_and_a_buy_the_asks():
    calm = (100, 0, [], [])
    lines = [*deep(calm, *THINNED), forced(1_600, "SELL", "2", "100"), forced(1_700, "BUY", "4", "100.05")]
    sold, bought = rows(Run("binance-usdm", [*lines, forced(2_000, "SELL", "1", "100")]))[:2]
    # of 100: 99.90, 99.75 and 99.50 are 10, 25 and 50 bps away
    bids = [2 * 99.95, 2 * 99.95 + 3 * 99.80, 2 * 99.95 + 3 * 99.80 + 5 * 99.60]
    stood, share = depths(sold)
    assert stood == pytest.approx(bids)
    assert share == pytest.approx([200 / b for b in bids])
    asks = [100.05, 100.05 + 4 * 100.20, 100.05 + 4 * 100.20]
    stood, share = depths(bought)
    assert stood == pytest.approx(asks)
    assert share == pytest.approx([4 * 100.05 / a for a in asks])
    assert share[0] > 1


def test_what_a_liquidation_found_is_what_features_book_says_of_the_end_of_the_window_before_it():
    lines = [*deep((100, 0, [], []), *THINNED), *(forced(ms, "SELL") for ms in (1_600, 2_000, 2_001, 30_000))]
    run = Run("binance-usdm", lines).end()
    said = {r["window_start"]: r for r in run.decoded("features_book") if r["window_ms"] == 1_000}
    found = {r["event_time"] - START_MS: r for r in run.decoded("liquidation_aftermath")}
    for ms, start in ((1_600, 0), (2_000, 0), (2_001, 1_000), (30_000, 2_000)):
        wanted = [said[START_MS + start][f"bid_depth_{x}bps_usd"] for x in (10, 25, 50)]
        assert depths(found[ms])[0] == wanted and None not in wanted, ms
    assert str(found[30_000]["move_1s_bps"]) == "0.0", "of a sell after which nothing moved it was -0.0"


def test_no_depth_is_told_of_a_book_that_a_gap_shows_not_to_have_been_known():
    lost = (1_300, 1, [], [["99.99", "1"]])
    shown = (2_400, 1, [], [["99.99", "1"]])
    for gap, known in ((lost, {2_700: False}), (shown, {1_500: False, 2_300: False, 2_700: False})):
        calm = [(100, 0, [], []), (1_200, 0, [], [])]
        lines = [*deep(*calm, gap), forced(1_100, "SELL"), *(forced(ms, "SELL") for ms in known)]
        found = {r["event_time"] - START_MS: r for r in rows(Run("binance-usdm", lines))}
        assert depths(found[1_100])[0][0] == pytest.approx(2 * 99.95)
        for ms in known:
            assert depths(found[ms]) == ([None] * 3, [None] * 3), ms


def test_a_hole_at_the_beginning_of_the_window_hides_the_depth_though_the_mid_is_known_again():
    again = json.dumps({"lastUpdateId": 120, "bids": DEEP[0], "asks": DEEP[1]}).encode()
    lines = [*deep((100, 0, [], []), (700, 0, [], []), (1_300, 9, [], []))]
    lines += [Line("depth", (START_MS + 1_350) * MS, again, "BTCUSDT")]
    joined = {"e": "depthUpdate", "E": START_MS + 1_400, "T": START_MS + 1_400, "s": "BTCUSDT", "U": 121, "u": 121}
    lines += [Line("depth", (START_MS + 1_405) * MS, json.dumps({**joined, "pu": 120, "b": [], "a": []}).encode())]
    lines += [forced(1_500, "SELL")]
    (row,) = rows(Run("binance-usdm", lines))
    assert row["mid_before"] == 100.0
    assert depths(row)[0] == [None] * 3


def test_liquidations_that_waited_through_an_upgrade_that_asks_for_more_go_on_without_it():
    of = {"instrument": np.int64, "pane": np.int64, "event_ns": np.int64}
    was, now = Meeting((), of), Meeting((), {**of, "bid_depth_10bps_usd_before": np.float64})
    was.add({n: np.array([3]) for n in of})
    now.thaw(was.freeze())
    assert now.waiting["event_ns"].tolist() == [3] and np.isnan(now.waiting["bid_depth_10bps_usd_before"]).all()


def test_a_share_is_known_where_the_quote_is_no_dollar_and_the_depth_in_dollars_is_not():
    lines = [*deep((100, 0, [], []), *THINNED), forced(1_600, "SELL", "2", "100")]
    pair = [
        line._replace(data=line.data.replace(b"BTCUSDT", b"ETHBTC"), header="ETHBTC" if line.header else None)
        for line in lines
    ]
    (dollars,), (row,) = rows(Run("binance-usdm", lines)), rows(Run("binance-usdm", pair))
    assert (row["depth_10bps_usd"], row["notional_usd"], row["position_side"]) == (None, None, "long")
    assert row["share_of_10bps"] == dollars["share_of_10bps"] == pytest.approx(200 / (2 * 99.95))


def test_mids_of_a_book_whose_feed_was_away_for_longer_than_a_minute_say_how_old_they_are():
    ids = {"U": 501, "u": 501, "pu": 500}
    said = {
        "e": "depthUpdate",
        "E": START_MS + 199_990,
        "T": START_MS + 199_990,
        "s": "BTCUSDT",
        **ids,
        "b": [],
        "a": [],
    }
    lines = [*deep((100, 0, [], []), (1_000, 0, [], []))]
    lines += [Line("depth", (START_MS + 199_995) * MS, json.dumps(said).encode())]
    lines += [forced(ms, "SELL") for ms in (1_500, 30_000, 100_000)]
    lines += [trade(START_MS + ms, price) for ms, price in ((1_500, "100"), (30_000, "96"), (100_000, "92"))]
    run = Run("binance-usdm", lines).end()
    found = {r["event_time"] - START_MS: r for r in run.decoded("liquidation_aftermath")}
    for ms in (1_500, 30_000, 100_000):
        # the gap shows too late to take anything back, and a market that fell by a tenth seems not to have moved
        assert (found[ms]["move_60s_bps"], found[ms]["stale_ms"]) == (0.0, ms + 60_000 - 1_000)
    costs = {r["window_start"] - START_MS: r for r in run.decoded("features_costs") if r["window_ms"] == 1_000}
    for start in (1_000, 29_000, 99_000):
        assert (costs[start]["price_impact_60s_bps"], costs[start]["stale_ms"]) == (0.0, start + 60_000)


def test_a_book_that_goes_on_is_as_old_as_its_last_message_when_the_minute_is_over():
    beats = [(ms, 0, [], []) for ms in range(100, 90_000, 400)]
    lines = [*deep(*beats), forced(1_650, "SELL"), trade(START_MS + 1_650)]
    run = Run("binance-usdm", lines).end()
    (row,) = run.decoded("liquidation_aftermath")
    # of the window that ended before, at 61 s, the last message was at 60.9 s
    assert row["stale_ms"] == 61_650 - 60_900
    costs = {r["window_start"] - START_MS: r for r in run.decoded("features_costs") if r["window_ms"] == 1_000}
    assert costs[1_000]["stale_ms"] == 62_000 - 61_700
