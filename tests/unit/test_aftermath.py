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
from tests.laws.test_market import CUT, Run
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
    run = Run("binance-usdm", LINES)
    for step in steps:
        if step == "thaw":
            run.thaw()
        elif step == "advance":
            run.advance()
        else:
            run.read(step, 1)
    assert rows(run) == rows(Run("binance-usdm", LINES))


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
