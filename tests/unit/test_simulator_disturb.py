"""Disturbances: what the ledger says was injected is what the frames show, and nothing else."""

import json
from collections import Counter

import msgspec
import pytest

from models.simulator import Disturbances, Injected, Settings, disturb, market

CLEAN = Settings(symbols=("BTCUSDT", "ETHUSDT"), seconds=30, snapshot_every_s=10, warm_up_s=60, traders=50, accounts=1)
FRAMES = list(market(CLEAN))


def with_(**rates: float) -> Settings:
    return msgspec.structs.replace(CLEAN, disturbances=Disturbances(**rates))


def run(**rates: float) -> tuple[list, list[Injected]]:
    ledger: list[Injected] = []
    return list(disturb(FRAMES, with_(**rates), ledger)), ledger


def test_without_rates_the_frames_pass_unchanged():
    assert run() == (FRAMES, [])


def test_the_same_seed_disturbs_the_same_way():
    rates = dict(p_gap=0.5, p_duplicate=0.02, p_delay=0.02, p_garbage=0.02)
    assert run(**rates) == run(**rates)


def test_a_gap_drops_as_many_depth_frames_as_its_entry_says_and_ends_with_a_snapshot():
    out, ledger = run(p_gap=1.0, gap_max_s=4.0)
    assert len(ledger) == 6  # two symbols, snapshots at 0, 10 and 20 s; the last gaps end with the frames
    assert len(FRAMES) - len(out) == sum(entry.frames for entry in ledger)
    for entry in ledger:
        assert entry.what == "gap" and entry.until_ns - entry.received_ns <= 4.2e9
        inside = [f for f in out if f.symbol == entry.symbol and entry.received_ns <= f.received_ns < entry.until_ns]
        assert not [f for f in inside if f.kind == "depth"] or entry.until_ns == FRAMES[-1].received_ns


def test_duplicates_are_the_same_bytes_once_more():
    out, ledger = run(p_duplicate=0.05)
    extra = Counter(f.data for f in out) - Counter(f.data for f in FRAMES)
    assert extra == Counter(entry.data for entry in ledger) and len(ledger) > 20


def test_delayed_frames_lose_nothing_and_are_late_by_no_more_than_the_bound():
    out, ledger = run(p_delay=0.1, p_delay_depth=0.05, delay_max_ms=150)
    assert Counter(f.data for f in out) == Counter(f.data for f in FRAMES)
    assert [f.received_ns for f in out] == sorted(f.received_ns for f in out)
    assert {entry.kind for entry in ledger} >= {"depth", "trades", "derivatives"}
    assert all(0 < entry.until_ns - entry.received_ns <= 150_000_001 for entry in ledger)


def test_garbage_is_added_to_the_frames_and_is_never_json():
    out, ledger = run(p_garbage=0.05)
    extra = Counter(f.data for f in out) - Counter(f.data for f in FRAMES)
    assert extra == Counter(entry.data for entry in ledger) and len(ledger) > 20
    for entry in ledger:
        with pytest.raises(ValueError):
            json.loads(entry.data)


def test_gaps_without_snapshots_are_refused():
    settings = msgspec.structs.replace(with_(p_gap=0.1), snapshot_every_s=0)
    with pytest.raises(ValueError, match="snapshot_every_s"):
        list(disturb(FRAMES, settings))


def test_a_rate_above_one_is_refused():
    with pytest.raises(ValueError, match="p_delay must be a probability"):
        Disturbances(p_delay=2.0)
