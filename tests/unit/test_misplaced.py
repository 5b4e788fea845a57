"""An instrument is on one shard: frames of it on another are rejected, where its rows would replace each other."""

import msgspec
import pytest
from rich.console import Console

from flows.captures.capture import Recorded
from flows.commands.replay import publish
from flows.kafka.partitioner import partition_of
from flows.market import MarketShard, known_instruments
from flows.settings.sources import load
from schemas.frames import frames
from schemas.instrument import Instrument
from schemas.shard import Batch
from schemas.venues.registry import VENUES
from tests.venues.samples import SAMPLES

KINDS = ("depth", "trades", "liquidations", "derivatives")
PARTITIONS = 8


def read(kind, shard, *sets):
    """What a shard makes of a venue's samples: reasons of rejects, and the numbers of instruments it knows then."""
    told = load(None, {}, [f"kafka.partitions={PARTITIONS}", *sets])
    market = MarketShard(told, known_instruments(told), shard, None)
    values = [v for v in SAMPLES["binance-usdm", kind] if b"BTCUSDT" in v]
    topic = f"raw.{kind}.binance-usdm"
    out = market.on_batch(Batch((frames(topic, shard, values, [10**18] * len(values)),)))
    rejects = [msgspec.json.decode(value) for rows in out if rows.topic == "rejects" for _, value in rows.records]
    return [r["reason"] for r in rejects], len(market.markets["binance-usdm"].lanes[kind].table.rows)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_an_instrument_that_belongs_to_another_shard_are_rejected_and_leave_nothing(kind):
    home = partition_of(b"BTC", PARTITIONS)
    reasons, known = read(kind, home)
    assert known > 0
    assert "misplaced BTC" not in reasons
    reasons, known = read(kind, (home + 1) % PARTITIONS)
    assert known == 0
    assert "misplaced BTC" in reasons


@pytest.mark.parametrize("kind", KINDS)
def test_topics_partitioned_in_another_way_can_be_used_when_the_settings_say_so(kind):
    home = partition_of(b"BTC", PARTITIONS)
    assert read(kind, (home + 1) % PARTITIONS, "market.misplaced=use") == read(kind, home)


class Written:
    """Takes records as a publisher does, and keeps them."""

    def __init__(self):
        self.keys = []

    def publish(self, topic, key, value, at_ms, symbol=None):
        self.keys.append(key)

    def flush(self):
        pass


def test_a_replay_keys_frames_by_the_base_that_the_settings_list_and_else_by_their_symbol():
    venue = VENUES["binance-usdm"]
    odd = Instrument(venue.name, "ODDXYZ", "ODD", "XYZ", "linear", "0.1", "1")
    frames = [(venue, Recorded(1, "trades", symbol, True, b"{}")) for symbol in ("ODDXYZ", "BTCUSDT")]
    written = Written()
    publish(written, frames, "", 0.0, Console(quiet=True), lambda: None, {venue.name: {"ODDXYZ": odd}})
    assert written.keys == [b"ODD", b"BTC"]
