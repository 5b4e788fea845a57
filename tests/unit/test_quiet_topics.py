"""When a topic counts as idle: it was silent for long while others spoke; a silence of all says nothing of one."""

from types import SimpleNamespace

import pytest

from flows.epochs import Epochs, Stopping
from flows.kafka import source
from flows.kafka.log import Log
from flows.kafka.source import Pace, Shard


class Watched:
    """A shard of two logs at their end, on a clock of its own, looked at every tenth of a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(source, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.logs = {t: Log(t, 0, 0, 0, self.now) for t in ("depth", "trades")}
        for log in self.logs.values():
            log.reached(0)
        reader = SimpleNamespace(connected=True)
        self.shard = Shard("shard-0000", reader, self.logs, Pace(idle_ms=5_000), None, {}, Epochs("x", Stopping()))

    def after(self, seconds: float, speaking: tuple[str, ...] = ()) -> tuple[str, ...]:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            for topic in speaking:
                self.logs[topic].arrived_s = self.now
            idle = self.shard._quiet_topics()
        return idle


def test_a_topic_is_idle_that_is_silent_while_another_speaks(monkeypatch):
    watched = Watched(monkeypatch)
    assert watched.after(4.0, ("depth", "trades")) == ()
    assert watched.after(4.8, ("depth",)) == ()
    assert watched.after(0.4, ("depth",)) == ("trades",)
    assert watched.after(60.0, ("depth",)) == ("trades",)
    assert watched.after(0.1, ("depth", "trades")) == ()


def test_after_a_silence_of_all_each_has_its_time_to_follow_the_first(monkeypatch):
    watched = Watched(monkeypatch)
    assert watched.after(20.0) == ("depth", "trades")
    assert watched.after(4.8, ("depth",)) == ()
    assert watched.after(0.4, ("depth",)) == ("trades",)
    assert watched.after(1.0, ("depth", "trades")) == ()
    assert watched.after(10.0) == ("depth", "trades")
    assert watched.after(0.1, ("trades",)) == ()
