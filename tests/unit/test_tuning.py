"""Tuning: the latency objective is held under changing load within the bounds, and every decision is said and counted."""

import pytest
from prometheus_client import REGISTRY

from flows.engine import incoming
from flows.engine.model_memory import Memory
from flows.kafka.tuning import CALM, Range, Tuner
from flows.settings.sources import load
from flows.settings.tree import Processing, SettingsError

EVERY_BATCH_S, EVERY_FRAME_S = 0.02, 20e-6
"""What a batch costs, and a frame of it: 500 frames a batch carry 16,700 frames/s, 5,000 carry 41,700."""


def tuned(**changes):
    told = load(
        None, {}, ["tuning.on=true", "source.batch_frames=500", *(f"tuning.{k}={v}" for k, v in changes.items())]
    )
    return incoming.tuner(told)


class Clock:
    now_s = 1_000_000.0

    def __call__(self):
        return self.now_s

    def ns(self):
        return int(self.now_s * 1e9)


def run(tuner, clock, load, batch=None):
    """A queue that is filled at `load`, (seconds, frames/s), and emptied a batch at a time: ages at handing over, ms."""
    waiting: list[list[float]] = []
    ages = []
    for seconds, rate in load:
        end_s, filled_s = clock.now_s + seconds, clock.now_s
        while clock.now_s < end_s:
            came = int((clock.now_s - filled_s) * rate)
            if came:
                waiting.append([clock.now_s, came])
                filled_s = clock.now_s
            most = left = batch or int(tuner.batch.now)
            newest = None
            while waiting and left:
                taken = min(left, int(waiting[0][1]))
                newest, left = waiting[0][0], left - taken
                waiting[0][1] -= taken
                if not waiting[0][1]:
                    waiting.pop(0)
            if newest is None:
                clock.now_s += 0.005
                continue
            ages.append((clock.now_s - newest) * 1e3)
            if batch is None:
                tuner.handed(int(newest * 1e9), left == 0)
            clock.now_s += EVERY_BATCH_S + (most - left) * EVERY_FRAME_S
    return ages


def test_a_burst_that_the_told_batches_cannot_carry_is_carried_and_afterwards_it_goes_back(capsys):
    load_s = ((60, 5_000), (120, 30_000), (400, 5_000))
    clock = Clock()
    tuner = tuned(objective_ms=300)
    tuner.clock_s, tuner.wall_ns = clock, clock.ns
    during = run(tuner, clock, load_s[:1])
    assert tuner.batch.now == 500, "nothing is tuned while the objective is held"
    run(tuner, clock, load_s[1:2])
    assert 500 < tuner.batch.now <= 50_000
    late = run(tuner, clock, ((30, 30_000),))
    assert max(during) < 300 and sorted(late)[int(0.95 * len(late))] < 300

    fixed = run(tuner, clock, ((120, 30_000),), batch=500)
    assert fixed[-1] > 10_000, "without tuning the queue only grows"

    tuner.batch.now = 50_000
    run(tuner, clock, load_s[2:])
    assert tuner.batch.now < 50_000
    said = capsys.readouterr().out.splitlines()
    assert any("tuning: larger: 95 % of batches were at most " in line and "batch_frames 750" in line for line in said)
    assert any("tuning: back: " in line for line in said)


def test_what_is_late_although_batches_are_not_full_waits_for_less():
    clock = Clock()
    tuner = tuned()
    tuner.clock_s, tuner.wall_ns = clock, clock.ns
    before = REGISTRY.get_sample_value(
        "alphaplus_tuning_decisions_total", {"what": "linger_ms", "direction": "smaller"}
    )
    for _ in range(200):
        clock.now_s += 0.5
        tuner.handed(clock.ns() - 900_000_000, full=False)
    assert (tuner.batch.now, tuner.linger.now, tuner.flush.now) == (500, 0.1, 16_000_000)
    after = REGISTRY.get_sample_value("alphaplus_tuning_decisions_total", {"what": "linger_ms", "direction": "smaller"})
    assert after - (before or 0) == 4, "0.5 to 0.1 in steps of 1.5"
    assert REGISTRY.get_sample_value("alphaplus_tuned", {"what": "linger_ms"}) == 0.1


def test_whatever_comes_it_stays_within_the_bounds_and_only_long_calm_leads_back():
    clock = Clock()
    tuner = tuned(batch_frames_high=600, linger_ms_high=1, epoch_bytes_high=300_000_000)
    tuner.clock_s, tuner.wall_ns = clock, clock.ns
    for _ in range(100):
        clock.now_s += 1
        tuner.handed(0, full=True)
    assert (tuner.batch.now, tuner.linger.now, tuner.flush.now) == (600, 1, 300_000_000)
    for _ in range(5 * CALM + 4):
        clock.now_s += 1
        tuner.handed(clock.ns(), full=True)
    assert (tuner.batch.now, tuner.linger.now) == (500, pytest.approx(1 / 1.5))
    assert Range("x", 5, 1, 9).back() is False


def test_it_is_off_unless_asked_for_and_bounds_are_around_what_is_told():
    assert incoming.tuner(load(None, {})) is None
    assert incoming.pace(load(None, {})).frames_now == 20_000
    on = load(None, {}, ["tuning.on=true"])
    assert isinstance(tuner := incoming.tuner(on), Tuner)
    tuner.batch.grow()
    pace = incoming.pace(on, tuner)
    assert (pace.frames_now, pace.epoch_bytes_now) == (30_000, 256_000_000)
    with pytest.raises(
        SettingsError, match=r"source.batch_frames 5 is not within tuning.batch_frames_low 500 and _high"
    ):
        load(None, {}, ["tuning.on=true", "source.batch_frames=5"])


def test_the_switches_of_the_design_set_what_they_say_and_do_not_contradict_it():
    said = ["micro_batch_size=9", "micro_batch_timeout=7", "parallel_processing=false", "delta_storage_enabled=false"]
    told = load(None, {}, [f"processing.{s}" for s in said])
    assert (told.source.batch_frames, told.kafka.fetch_wait_ms, told.clickhouse.inserts) == (9, 7, 1)
    assert told.windows.keyframe_ms == told.windows.base_ms == 1_000
    untouched = load(None, {}, ["processing.parallel_processing=true", "processing.delta_storage_enabled=true"])
    assert (untouched.clickhouse, untouched.windows) == (load(None, {}).clickhouse, load(None, {}).windows)
    with pytest.raises(
        SettingsError, match=r"processing.micro_batch_size and source.batch_frames say different things"
    ):
        load(None, {}, ["processing.micro_batch_size=9", "source.batch_frames=8"])


def test_a_model_stays_in_memory_until_it_was_not_used_for_long():
    now, read = [0.0], []

    def memory(**how):
        read.clear()
        return Memory(lambda version: read.append(version) or version, Processing(**how), clock_s=lambda: now[0])

    kept = memory(cache_ttl=100, cache_cleanup_interval=10)
    for now[0], version in ((0, "a"), (50, "a"), (60, "b"), (149, "b"), (155, "b"), (160, "a")):
        assert kept.load(version) == version
    assert read == ["a", "b", "a"], "a was last used at 50 and let go at 160"
    off = memory(memory_cache_enabled=False)
    assert [off.load("a"), off.load("a")] == read == ["a", "a"]
