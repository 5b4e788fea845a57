"""Chaos does what its seed says, to real processes, and does not take a crash for its own work."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice

import pytest

from tests.services.chaos import Chaos, plan

Starter = dict[str, list[subprocess.Popen[bytes]]]


@pytest.fixture
def started() -> Iterator[Starter]:
    """Every process that a test starts, by name, oldest first; none survives the test."""
    all_of: Starter = {}
    yield all_of
    for process in [p for group in all_of.values() for p in group]:
        process.kill()
        process.wait()


def sleeper(started: Starter, name: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    started.setdefault(name, []).append(process)
    return process


def test_the_same_seed_plans_the_same_strikes_and_another_seed_others() -> None:
    names = ["market", "archive", "broker"]
    first = list(islice(plan(7, names, 10, 500), 50))
    assert first == list(islice(plan(7, list(reversed(names)), 10, 500), 50))
    assert first != list(islice(plan(8, names, 10, 500), 50))
    assert {s.victim for s in first} == set(names)
    assert all(10 <= s.after_ms <= 500 for s in first)


def test_each_strike_kills_the_running_process_and_puts_a_new_one_in_its_place(started: Starter) -> None:
    names = ("a", "b")
    chaos = Chaos(3, {n: sleeper(started, n) for n in names}, lambda n: sleeper(started, n), 0, 5)
    log = chaos.run(6)
    assert [k.number for k in log] == [1, 2, 3, 4, 5, 6]
    assert [k.victim for k in log] == [s.victim for s in islice(plan(3, names, 0, 5), 6)]
    for name in names:
        *dead, alive = started[name]
        assert [p.returncode for p in dead] == [-signal.SIGKILL] * len(dead)
        assert [p.pid for p in dead] == [k.pid for k in log if k.victim == name]
        assert alive.poll() is None
        assert chaos.processes[name] is alive


def test_a_process_that_ends_by_itself_is_reported_and_not_restarted(started: Starter) -> None:
    crashed = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"])
    started["market"] = [crashed]
    crashed.wait()
    chaos = Chaos(1, {"market": crashed}, lambda n: sleeper(started, n), 0, 0)
    with pytest.raises(RuntimeError, match="seed 1, after 0 kills: market ended by itself with 3"):
        chaos.run(1)
    assert started["market"] == [crashed]


def test_nothing_to_kill_and_impossible_waits_are_refused() -> None:
    with pytest.raises(ValueError, match="no process to kill"):
        plan(1, [], 0, 1)
    with pytest.raises(ValueError, match="0 <= low <= high, not 5 and 1 ms"):
        plan(1, ["a"], 5, 1)
