"""How far a shard has closed is told, and that it stands still while input comes; a pause of the process is no such."""

from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY

from flows.monitoring import event_time
from flows.monitoring.event_time import Closing


@pytest.fixture
def clock(monkeypatch):
    found = SimpleNamespace(steady_s=100.0, wall_s=2_000.0)
    faked = SimpleNamespace(monotonic=lambda: found.steady_s, time=lambda: found.wall_s)
    monkeypatch.setattr(event_time, "time", faked)
    return found


def test_a_shard_that_reads_and_closes_nothing_says_once_for_what_it_waits_and_when_it_goes_on(clock, capfd):
    closing = Closing("market", "7", lambda: "raw.trades.okx-swap[7]")
    closing.came(5, 1_000)
    for _ in range(100):
        clock.steady_s += 0.5
        closing.came(2, 1_000)
    said = "market: shard 7 has closed nothing for 30 s although 122 frames came: it waits for raw.trades.okx-swap[7]"
    assert capfd.readouterr().err.splitlines() == [said]
    assert REGISTRY.get_sample_value("alphaplus_standing_still", {"shard": "7"}) == 1
    closing.came(1, 2_000)
    assert capfd.readouterr().err.splitlines() == ["market: shard 7 closes again"]
    assert REGISTRY.get_sample_value("alphaplus_standing_still", {"shard": "7"}) == 0


def test_neither_a_pause_nor_silence_is_standing_still(clock, capfd):
    closing = Closing("risk", "8", lambda: "accounts/8")
    closing.came(5, 1_000)
    clock.steady_s += 3_600
    closing.came(5, 1_000)
    closing.came(5, 2_000)
    for _ in range(100):
        clock.steady_s += 0.5
        closing.came(0, 2_000)
    assert capfd.readouterr().err == ""


def test_the_lag_in_event_time_is_the_age_of_the_newest_closed_second(clock):
    closing = Closing("alerts", "9", lambda: "")
    assert REGISTRY.get_sample_value("alphaplus_event_time_lag_seconds", {"shard": "9"}) is None
    closing.came(1, 1_996_500)
    assert REGISTRY.get_sample_value("alphaplus_event_time_lag_seconds", {"shard": "9"}) == 3.5
    assert REGISTRY.get_sample_value("alphaplus_closed_until_seconds", {"shard": "9"}) == 1_996.5
