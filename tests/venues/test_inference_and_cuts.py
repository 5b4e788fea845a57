"""Unknown instruments are inferred and refined, and no outcome depends on where a batch was cut."""

import gzip
import json
import random
import re
from collections import Counter
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.batches import REFUSED
from schemas.frames import frames
from schemas.instrument import Instrument, InstrumentTable
from schemas.venues.registry import VENUES
from tests.venues.fuzz_parsers import GENERAL, KNOWN, check, mutate, same
from tests.venues.samples import SAMPLES, USDM_DEPTH

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"


def parse(venue, kind, values, cuts, known=None):
    """All rows with absolute frame numbers, the rejects' offsets and reasons, and the table, over cut batches."""
    table = InstrumentTable(known or {})
    rows, rejects, refined = [], [], []
    bounds = [0, *sorted(cuts), len(values)]
    for a, b in pairwise(bounds):
        batch = frames("raw", 0, values[a:b], [0] * (b - a), a, {i - a: "BTCUSDT" for i in range(a, b)})
        *found, bad = getattr(VENUES[venue], kind)(batch, table)
        refined += [(int(found[0].frame[row]) + a, *rest) for row, *rest in table.refined]
        table.refined.clear()
        rows.append(found)
        rejects += [(r.offset, r.reason) for r in bad]
        table = InstrumentTable.thaw(table.known, table.freeze())
    columns = {}
    for k, part in enumerate(rows[0]):
        for f in fields(part):
            pieces = [getattr(found[k], f.name) for found in rows]
            if f.name == "starts":
                pieces = [np.diff(piece) for piece in pieces]
            if f.name == "frame":
                pieces = [piece + a for piece, a in zip(pieces, bounds, strict=False)]
            columns[k, f.name] = np.concatenate(pieces).tolist()
    return repr(columns), rejects, refined, table.rows


def test_a_finer_number_refines_an_inference_from_its_row_on():
    coarse = b'{"e":"depthUpdate","E":1,"T":1,"s":"XUSDT","U":1,"u":1,"pu":0,"b":[["2.50","3"]],"a":[]}'
    finer = coarse.replace(b"2.50", b"2.505").replace(b'"3"', b'"0.25"')
    table = InstrumentTable()
    depth, rejects = VENUES["binance-usdm"].depth(frames("raw", 0, [coarse, coarse, finer, coarse], [0] * 4), table)
    assert rejects == []
    assert table.refined == [(2, 0, 100, 100)]
    assert (table.rows[0].tick, table.rows[0].lot) == ("0.001", "0.01")
    assert depth.ticks.tolist() == [25, 25, 2505, 2500]
    assert depth.lots.tolist() == [3, 3, 25, 300]


def test_a_known_instrument_takes_the_finer_grid_when_the_venue_changes_it():
    known = {"BTCUSDT": Instrument("binance-usdm", "BTCUSDT", "BTC", "USDT", "linear", "0.5", "5")}
    table = InstrumentTable(known)
    coarse = USDM_DEPTH[0].replace(b"61510.90", b"61510.50").replace(b"61800.30", b"61800.00")
    on, off = (
        b.replace(b"2.510", b"15").replace(b"0.010", b"5") for b in (coarse, coarse.replace(b"61800.00", b"61800.25"))
    )
    depth, rejects = VENUES["binance-usdm"].depth(frames("raw", 0, [on, off, on], [0] * 3), table)
    assert (rejects, table.refined) == ([], [(1, 0, 50, 5)])
    assert (table.rows[0].tick, table.rows[0].lot, table.rows[0].inferred) == ("0.01", "1", False)
    assert depth.ticks.reshape(3, 3)[:, 2].tolist() == [123600, 6180025, 6180000]


def test_a_refinement_that_makes_a_scanned_number_too_large_rejects_that_frame_as_the_general_path_does():
    large = b'{"e":"depthUpdate","E":1,"T":1,"s":"XUSDT","U":1,"u":1,"pu":0,"b":[["900000000000000","3"]],"a":[]}'
    finer = large.replace(b"900000000000000", b"2.5")
    batch = frames("raw", 0, [large, large, finer, large, large], [0] * 5)
    table, twin = InstrumentTable(), InstrumentTable()
    depth, rejects = VENUES["binance-usdm"].depth(batch, table)
    general, others = GENERAL["binance-usdm", "depth"](batch, twin)
    assert (depth.frame.tolist(), depth.last_id.tolist()) == ([0, 1, 2, 3, 4], [1, 1, 1, REFUSED, REFUSED])
    assert [(r.offset, r.reason) for r in rejects] == [(3, "out_of_range"), (4, "out_of_range")]
    assert same(depth, general) and rejects == others and table.rows == twin.rows


@pytest.mark.parametrize(("venue", "kind"), list(SAMPLES))
def test_cutting_a_log_anywhere_changes_nothing(venue, kind):
    rng = random.Random(11)
    values = [mutate(rng.choice(SAMPLES[venue, kind]), rng) for _ in range(60)]
    whole = parse(venue, kind, values, [], KNOWN)
    assert parse(venue, kind, values, range(1, 60), KNOWN) == whole
    for _ in range(5):
        assert parse(venue, kind, values, rng.sample(range(61), 4), KNOWN) == whole


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), of=st.sampled_from(sorted(GENERAL)), warm=st.booleans())
def test_the_scan_and_the_general_path_agree_on_mutated_frames(seed, of, warm):
    rng = random.Random(seed)
    table = InstrumentTable(dict(KNOWN))
    first = SAMPLES[of] if warm else []
    for values in (first, [mutate(rng.choice(SAMPLES[of]), rng) for _ in range(20)]):
        check(*of, frames("raw", 0, values, [0] * len(values), 0, {0: "BTCUSDT"}), table)


@pytest.mark.parametrize(
    "extra",
    [
        b'"b":[["1","1"]],',
        b'"a":[["1","1"]],',
        b'"e":"depthUpdate",',
        b'"s":"ETHUSDT",',
        b'"U":1,',
        b'"T":5,',
        b'"zz":01,',
    ],
)
@pytest.mark.parametrize("before", [b'"e"', b'"U"', b'"a"'])
def test_the_scan_leaves_repeated_and_malformed_keys_to_the_general_path(extra, before):
    values = [USDM_DEPTH[0], USDM_DEPTH[0].replace(before, extra + before, 1), USDM_DEPTH[0]]
    batch = frames("raw", 0, values, [0] * 3)
    warm = frames("raw", 0, [USDM_DEPTH[0], USDM_DEPTH[2]], [0] * 2)
    table, twin = InstrumentTable(), InstrumentTable()
    VENUES["binance-usdm"].depth(warm, table)
    GENERAL["binance-usdm", "depth"](warm, twin)
    depth, rejects = VENUES["binance-usdm"].depth(batch, table)
    general, others = GENERAL["binance-usdm", "depth"](batch, twin)
    assert same(depth, general) and rejects == others and table.rows == twin.rows
    assert {0, 2} <= set(depth.frame.tolist())


def recorded(file):
    """Frames with the symbol of their record, where the capture's file or address names it."""
    if not CAPTURES.exists():
        pytest.skip(f"put the recorded frames into {CAPTURES}")
    with gzip.open(CAPTURES / file) as lines:
        for line in lines:
            if line.startswith(b"{"):
                yield line.strip(), None
            elif found := re.match(rb"(?:https://\S*symbol=(\w+)\S* -> )?[\d.]+:? (\{.*|\[.*)", line.strip()):
                yield found[2], found[1] and found[1].decode()


@pytest.mark.parametrize(
    ("venue", "files", "symbol", "counts"),
    [
        ("binance-usdm", ["binance_usdm_btcusdt_20240808.log.gz"], "BTCUSDT", {"depth": 6552, "trades": 21313}),
        (
            "binance-coinm",
            [f"binance_coinm_btcusd_perp_2024080{day}.log.gz" for day in (8, 9)],
            "BTCUSD_PERP",
            {"depth": 44796, "trades": 5235},
        ),
        (
            "binance-spot",
            [f"binance_spot_btcusdt_2024080{day}.log.gz" for day in (8, 9)],
            "BTCUSDT",
            {"depth": 6496, "trades": 19904},
        ),
        ("bybit-linear", ["bybit_linear_xrpusdt_ob500_20241201.jsonl.gz"], "XRPUSDT", {"depth": 50}),
        (
            "binance-usdm",
            ["cryptofeed/BINANCE_FUTURES.http.0.0.gz", "cryptofeed/BINANCE_FUTURES.ws.1.0.gz"],
            None,
            {"depth": 768, "trades": 91},
        ),
        ("okx-swap", ["cryptofeed/OKX.ws.1.0.gz"], None, {"depth": 290, "trades": 74}),
        ("deribit", ["cryptofeed/DERIBIT.ws.1.0.gz"], None, {"depth": 46, "derivatives": 89}),
    ],
)
def test_every_frame_of_the_captures_is_used(venue, files, symbol, counts):
    """Frame counts of shared/data.md and of the files themselves; 0 rejects, in steps as fine as needed."""
    by_kind: dict[str, list[tuple[bytes, str | None]]] = {}
    for file in files:
        for value, named in recorded(file):
            if kind := VENUES[venue].kind_of(value):
                by_kind.setdefault(kind, []).append((value, named or symbol))
                assert VENUES[venue].symbol_of(value) or value.startswith(VENUES[venue].nameless)
    assert {kind: len(values) for kind, values in by_kind.items()} == counts
    for kind, values in by_kind.items():
        names = {i: name for i, (_, name) in enumerate(values) if name}
        batch = frames("raw", 0, [value for value, _ in values], [0] * len(values), 0, names)
        *rows, rejects = getattr(VENUES[venue], kind)(batch, InstrumentTable())
        assert Counter(r.reason for r in rejects) == {}
        assert len(np.unique(rows[0].frame)) == len(values)


def test_scanned_levels_of_a_capture_are_those_that_json_reads():
    values = [v for v, _ in recorded("binance_coinm_btcusd_perp_20240808.log.gz") if b"depthUpdate" in v][:500]
    depth, _ = VENUES["binance-coinm"].depth(frames("raw", 0, values, [0] * 500), InstrumentTable())
    for i, value in enumerate(values):
        body = json.loads(value)["data"]
        levels = [(round(float(p) * 10), int(q)) for p, q in body["b"] + body["a"]]
        own = slice(depth.starts[i], depth.starts[i + 1])
        assert list(zip(depth.ticks[own].tolist(), depth.lots[own].tolist(), strict=True)) == levels
        assert (depth.bids[i], depth.last_id[i], depth.previous_id[i]) == (len(body["b"]), body["u"], body["pu"])
