"""Replays of recorded and simulated frames: the stored rows are the exchange's book, and always the same rows."""

import gzip
import json
import random
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from flows.job_graph import raw_topic
from tests.faults.replaying import differences, run, running, services, settings_for, simulated

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT.parent / "shared" / "captures"
FILES = {
    "binance-usdm": ["binance_usdm_btcusdt_20240808.log.gz"],
    "binance-coinm": ["binance_coinm_btcusd_perp_20240808.log.gz", "binance_coinm_btcusd_perp_20240809.log.gz"],
    "binance-spot": ["binance_spot_btcusdt_20240808.log.gz", "binance_spot_btcusdt_20240809.log.gz"],
}


def alphaplus(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What a replay of all venues' captures printed, and their best quotes as stored, by venue."""
    files = [(venue, CAPTURES / name) for venue, names in FILES.items() for name in names]
    if absent := [file.name for _, file in files if not file.is_file()]:
        pytest.skip(f"no {', '.join(absent)}: put the recorded frames into {CAPTURES}")
    data = tmp_path_factory.mktemp("recorded")
    given = [f"{venue}={file}" for venue, file in files]
    said = alphaplus("replay", *given, "--data", str(data), "--set", "windows.base_ms=100")
    sql = "SELECT venue, last_update_id, best_bid, best_ask, book_ok, window_ms FROM features_book FINAL"
    rows = defaultdict(list)
    for line in alphaplus("query", sql, "--format", "json", "--data", str(data)).splitlines():
        row = json.loads(line)
        rows[row["venue"]].append(row)
    return said, rows


def tickers(venue):
    """Best bid and ask by update id, as the exchange's own bookTicker told them."""
    told = defaultdict(set)
    for name in FILES[venue]:
        with gzip.open(CAPTURES / name, "rb") as lines:
            for line in lines:
                if b"@bookTicker" in line:
                    data = json.loads(line.partition(b" ")[2])["data"]
                    told[data["u"]].add((float(data["b"]), float(data["a"])))
    return told


def test_captures_replay_without_a_gap_or_a_reject(recorded):
    said, rows = recorded
    assert re.search(r"^gaps 0, rejects 0,", said, re.MULTILINE), said
    assert set(rows) == set(FILES)


@pytest.mark.parametrize("venue", FILES)
def test_wherever_a_stored_window_ends_at_a_book_ticker_best_bid_and_ask_are_the_exchanges(recorded, venue):
    _, rows = recorded
    told = tickers(venue)
    places = [row for row in rows[venue] if int(row["last_update_id"]) in told]
    wrong = [row for row in places if (row["best_bid"], row["best_ask"]) not in told[int(row["last_update_id"])]]
    assert not wrong, f"{len(wrong)} of {len(places)} places differ, the first: {wrong[0]}"
    assert len({row["last_update_id"] for row in places if int(row["window_ms"]) == 100}) >= 36
    assert any(row["book_ok"] for row in places)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An embedded broker and a store for the replays of simulated frames."""
    with services(tmp_path_factory.mktemp("services")) as session:
        yield session.settings


@pytest.fixture(scope="module")
def clean():
    return simulated()


@pytest.fixture(scope="module")
def damaged():
    return simulated(disturbed=True)


@pytest.fixture(scope="module")
def expected_clean(base, clean):
    return run(settings_for(base), clean)


@pytest.fixture(scope="module")
def undisturbed(base):
    """The settings of the replay that the others are measured by."""
    return settings_for(base)


@pytest.fixture(scope="module")
def expected(undisturbed, damaged):
    return run(undisturbed, damaged)


def shuffled(items, seed):
    """Another arrival: each topic in its own order, topics interleaved at random in runs of up to 300 frames."""
    chance = random.Random(seed)
    kinds = defaultdict(list)
    for item in items:
        kinds[item[1].kind].append(item)
    out = []
    while kinds:
        kind = chance.choice(sorted(kinds))
        size = chance.randint(1, 300)
        out += kinds[kind][:size]
        if not kinds[kind][size:]:
            del kinds[kind]
        else:
            kinds[kind] = kinds[kind][size:]
    return out


def test_the_simulated_market_fills_every_table(expected_clean, expected):
    for name in ("features_book", "features_tape", "liquidations", "quality", "risk_accounts", "risk_positions"):
        assert expected_clean[name].rows > 0, name
    assert expected_clean["rejects"].rows == 0
    assert expected["rejects"].rows > 30
    assert expected["features_book"].digest != expected_clean["features_book"].digest


def test_a_second_replay_into_the_same_store_leaves_the_same_rows(undisturbed, damaged, expected):
    again = msgspec.structs.replace(undisturbed.kafka, prefix=f"again.{undisturbed.kafka.prefix}")
    found = run(msgspec.structs.replace(undisturbed, kafka=again), damaged)
    assert {name: table[:2] for name, table in found.items()} == {name: table[:2] for name, table in expected.items()}


@pytest.mark.parametrize("frames", [7, *(pytest.param(n, marks=pytest.mark.campaign) for n in (1, 500, 10_000))])
def test_batches_of_any_size_leave_the_same_rows(base, damaged, expected, frames):
    told = settings_for(base, [f"source.batch_frames={frames}"])
    assert differences(expected, run(told, damaged)) == []


def test_two_processes_leave_the_rows_of_one(base, damaged, expected):
    assert differences(expected, run(settings_for(base), damaged, processes=2)) == []


def test_topics_published_one_after_the_other_leave_the_same_rows(base, damaged, expected):
    with running(settings_for(base)) as under_way:
        for kind in ("liquidations", "accounts", "trades", "derivatives", "depth"):
            under_way.publish(item for item in damaged if item[1].kind == kind)
            prefix = under_way.session.settings.kafka.prefix
            topic = kind if kind == "accounts" else raw_topic(kind, "binance-usdm")
            under_way.session.announce([prefix + topic])
        under_way.settle()
        assert differences(expected, under_way.stored()) == []


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.campaign)])
def test_a_shuffled_arrival_of_the_topics_leaves_the_same_rows(base, clean, expected_clean, seed):
    assert differences(expected_clean, run(settings_for(base), shuffled(clean, seed))) == []


def test_another_broker_leaves_the_same_rows_as_the_embedded_one(one_broker, tmp_path, damaged, expected):
    with services(tmp_path, one_broker.bootstrap) as session:
        assert differences(expected, run(settings_for(session.settings), damaged)) == []
