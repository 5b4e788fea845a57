"""A shard that can hand nothing over, because one of its logs cannot be read, says so; a pause of the process is none."""

from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from flows.kafka.epochs import Epochs, Stopping
from flows.kafka.log import Log, chunk
from flows.kafka.source import Pace, Shard
from flows.monitoring import event_time

STILL = "alphaplus_standing_still"


@pytest.fixture
def clock(monkeypatch):
    found = SimpleNamespace(s=100.0)
    monkeypatch.setattr(event_time, "time", SimpleNamespace(monotonic=lambda: found.s, time=lambda: 2_000.0))
    return found


@pytest.fixture
def shard(clock):
    reader = SimpleNamespace(pump=lambda: None, busy=lambda: None, committed=lambda _: None, topic_ids={})
    logs = {topic: Log(topic, 3, 0, 0) for topic in ("raw.depth", "raw.trades")}
    logs["raw.trades"].add(chunk([b"a", b"b"], [0, 1], [1_000, 2_000], {}))
    return Shard("shard-0003", reader, logs, Pace(), None, {}, Epochs("shard-0003", Stopping()))


def test_frames_that_wait_for_a_log_that_is_not_read_are_told_once_and_when_they_go_on(clock, shard, capfd):
    for _ in range(100):
        clock.s += 0.5
        assert shard.next_batch() == ()
    said = (
        "shard-0003 has handed nothing over for 30 s although frames wait: raw.depth[3] is not read to its end; "
        "look whether it has a leader"
    )
    assert capfd.readouterr().err.splitlines() == [said]
    assert REGISTRY.get_sample_value(STILL, {"shard": "shard-0003"}) == 1
    shard._logs["raw.depth"].reached(0)
    assert shard.next_batch() != ()
    assert capfd.readouterr().err.splitlines() == ["shard-0003 hands over again"]
    assert REGISTRY.get_sample_value(STILL, {"shard": "shard-0003"}) == 0


def test_a_process_that_was_away_has_not_waited(clock, shard, capfd):
    shard.next_batch()
    clock.s += 3_600.0
    shard.next_batch()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("stamp_ms", [0, -1, 1_700_000_000_000_000_000])
def test_a_record_without_a_time_of_receipt_is_handed_over_and_holds_nobody_up(shard, stamp_ms):
    shard._logs["raw.depth"].add(chunk([b"x", b"y"], [0, 1], [stamp_ms, 1_500], {}))
    shard._logs["raw.depth"].reached(2)
    taken = {}
    for _ in range(4):
        for _, batch in shard.next_batch():
            for frames in batch.frames:
                taken.setdefault(frames.topic, []).extend(frames.frame(i) for i in range(len(frames)))
    assert taken == {"raw.depth": [b"x", b"y"], "raw.trades": [b"a", b"b"]}
