"""Books rebuilt from recorded frames against the venues' own answers: bookTicker on Binance, CRC32 on OKX."""

import gzip
import json
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from operators.book import ladder
from schemas.batches import Depth, Sequencing
from tests.parts import joined

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
needs_captures = pytest.mark.skipif(not CAPTURES.exists(), reason=f"put the recorded frames into {CAPTURES}")
Row = tuple[bool, int, int, int, int, list[tuple[str, str]], list[tuple[str, str]]]


def binance(*names: str) -> tuple[list[Row], dict[int, tuple[str, str, str, str]]]:
    """Depth rows (snapshot, event ms, first, last, previous, bids, asks) and best bid and ask by update id."""
    rows: list[Row] = []
    answers: dict[int, tuple[str, str, str, str]] = {}
    for name in names:
        with gzip.open(CAPTURES / name, "rt") as lines:
            for line in lines:
                if '"lastUpdateId"' in line:
                    m = json.loads(line.split(" ", 1)[1])
                    rows.append((True, m.get("T", 0), -1, m["lastUpdateId"], -1, m["bids"], m["asks"]))
                elif '"depthUpdate"' in line:
                    m = json.loads(line.split(" ", 1)[1])["data"]
                    rows.append((False, m.get("T", m["E"]), m["U"], m["u"], m.get("pu", -1), m["b"], m["a"]))
                elif "@bookTicker" in line:
                    m = json.loads(line.split(" ", 1)[1])["data"]
                    answers[m["u"]] = m["b"], m["B"], m["a"], m["A"]
    return rows, answers


def depth_of(rows: list[Row], tick: str, lot: str) -> Depth:
    levels = [level for row in rows for level in row[5] + row[6]]
    scalars = np.array([row[1:5] for row in rows], np.int64)
    number = np.arange(len(rows), dtype=np.int32)
    return Depth(
        number,
        number * 0,
        scalars[:, 0] * 1_000_000,
        np.array([row[0] for row in rows], np.bool_),
        *(scalars[:, c].copy() for c in (1, 2, 3)),
        np.cumsum([0] + [len(row[5]) + len(row[6]) for row in rows], dtype=np.int64),
        np.array([len(row[5]) for row in rows], np.int32),
        np.array([round(float(p[0]) / float(tick)) for p in levels], np.int64),
        np.array([round(float(p[1]) / float(lot)) for p in levels], np.int64),
    )


@needs_captures
@pytest.mark.parametrize(
    ("names", "venue", "tick", "lot", "places"),
    [
        (["binance_usdm_btcusdt_20240808.log.gz"], Sequencing.BINANCE_FUTURES, "0.1", "0.001", 629),
        (
            ["binance_coinm_btcusd_perp_20240808.log.gz", "binance_coinm_btcusd_perp_20240809.log.gz"],
            Sequencing.BINANCE_FUTURES,
            "0.1",
            "1",
            1885,
        ),
        (
            ["binance_spot_btcusdt_20240808.log.gz", "binance_spot_btcusdt_20240809.log.gz"],
            Sequencing.BINANCE_SPOT,
            "0.01",
            "0.00001",
            1072,
        ),
    ],
)
def test_the_touch_is_the_venues_own_wherever_the_ids_are_equal(
    names: list[str], venue: Sequencing, tick: str, lot: str, places: int
) -> None:
    rows, answers = binance(*names)
    depth = depth_of(rows, tick, lot)
    seconds = np.maximum.accumulate(depth.event_ns) // 1_000_000_000
    applied = joined(ladder.apply(ladder.init(venue), depth, seconds, int(seconds[-1])))
    met = 0
    for i in np.flatnonzero(applied.live & ~applied.dropped & ~depth.snapshot):
        answer = answers.get(int(depth.last_id[i]))
        if answer is not None:
            met += 1
            best = applied.bid_ticks[i, 0], applied.bid_lots[i, 0], applied.ask_ticks[i, 0], applied.ask_lots[i, 0]
            steps = (tick, lot, tick, lot)
            assert [int(v) for v in best] == [int(Decimal(a) / Decimal(s)) for a, s in zip(answer, steps, strict=True)]
    assert met == places
    assert not applied.gap.any()
    first = int(np.flatnonzero(depth.snapshot)[0])
    assert applied.live[first:].all() and not applied.live[:first].any()
    assert applied.close_live[applied.close_pane > seconds[first]].all()


def crc32(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> int:
    """OKX: the best 25 levels as printed, bid and ask by turns, the surplus of one side after; signed."""
    parts = [p for n in range(25) for side in (bids, asks) if n < len(side) for p in side[n]]
    value = zlib.crc32(":".join(parts).encode())
    return value - 2**32 if value >= 2**31 else value


def test_okx_checksum_is_that_of_its_documents() -> None:
    """The worked examples of OKEx v3."""
    assert crc32([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")]) == 831078360
    assert crc32([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")]) == -1881014294


def received(name: str) -> list[dict[str, Any]]:
    """The frames of a recording whose lines are `<seconds>: <JSON>`."""
    with gzip.open(CAPTURES / "cryptofeed" / name, "rt") as lines:
        return [json.loads(line.split(": ", 1)[1]) for line in lines if line[:1].isdigit() and ": {" in line]


@needs_captures
@pytest.mark.parametrize("symbol", ["BTC-USDT", "BTC-USD-220527", "UNI-USD-SWAP"])
def test_every_okx_book_of_a_recording_without_ids_has_the_venues_checksum(symbol: str) -> None:
    frames = [
        f for f in received("OKX.ws.1.0.gz") if "data" in f and f["arg"] == {"channel": "books", "instId": symbol}
    ]
    books = ladder.init(Sequencing.OKX)
    printed: dict[tuple[int, int], tuple[str, str]] = {}
    for frame in frames:
        data = frame["data"][0]
        sides = [[(level[0], level[1]) for level in data[side]] for side in ("bids", "asks")]
        scale = Decimal("1e-8")
        depth = depth_of([(frame["action"] == "snapshot", int(data["ts"]), -1, -1, -1, *sides)], "1e-8", "1e-8")
        for n, side in enumerate(sides):
            printed |= {(n, int(Decimal(price) / scale)): (price, size) for price, size in side}
        (applied,) = ladder.apply(books, depth, np.zeros(1, np.int64), -1)
        best = [[printed[n, int(t)] for t in ladder.levels(books, n)[0][:25]] for n in (0, 1)]
        assert applied.live.all()
        assert crc32(*best) == data["checksum"]
    assert len(frames) > 90


@needs_captures
def test_deribit_and_bybit_recordings_chain_without_a_gap() -> None:
    rows: dict[str, list[Row]] = {}
    for frame in received("DERIBIT.ws.1.0.gz"):
        params = frame.get("params", {})
        if params.get("channel", "").startswith("book."):
            data = params["data"]
            sides = [[(price, amount) for _, price, amount in data[side]] for side in ("bids", "asks")]
            ids = -1, data["change_id"], data.get("prev_change_id", -1)
            row = data["type"] == "snapshot", data["timestamp"], *ids, *sides
            rows.setdefault(data["instrument_name"], []).append(row)
    assert sum(map(len, rows.values())) == 46
    for of_symbol in rows.values():
        depth = depth_of(of_symbol, "1e-4", "1e-1")
        (applied,) = ladder.apply(ladder.init(Sequencing.DERIBIT), depth, depth.event_ns * 0, -1)
        assert applied.live.all() and not applied.gap.any()
    with gzip.open(CAPTURES / "bybit_linear_xrpusdt_ob500_20241201.jsonl.gz", "rt") as lines:
        frames = [json.loads(line) for line in lines]
    bybit = [
        (f["type"] == "snapshot", f["cts"], -1, f["data"]["u"], -1, f["data"]["b"], f["data"]["a"]) for f in frames
    ]
    (applied,) = ladder.apply(ladder.init(Sequencing.BYBIT), depth_of(bybit, "1e-4", "1"), np.zeros(50, np.int64), 0)
    assert applied.live.all() and not applied.gap.any() and not applied.close_crossed.any()
    assert (applied.close_bid_levels.tolist(), applied.close_ask_levels.tolist()) == ([500], [500])
