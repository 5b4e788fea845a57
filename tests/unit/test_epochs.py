"""A process stops when each of its parts has committed all it handed over, and not before."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from bytewax.inputs import AbortExecution

from flows.kafka import epochs as timed
from flows.kafka.epochs import COMMITTED, Epochs, Stopping
from flows.monitoring import wall_clock
from flows.refusal import Unreachable


def test_an_epoch_is_known_to_be_committed_when_the_next_one_begins():
    COMMITTED.set(0)
    epochs = Epochs("a", Stopping())
    assert not epochs.begin()
    epochs.close()
    assert COMMITTED._value.get() == 0
    assert epochs.begin()
    assert COMMITTED._value.get() > 1_700_000_000
    assert not epochs.begin()


def test_a_stop_waits_for_a_snapshot_taken_after_the_last_batch_and_for_its_commit():
    stopping = Stopping()
    epochs = Epochs("a", stopping)
    epochs.begin()
    epochs.close()
    stopping.requested = True
    epochs.begin()
    assert epochs.quiet
    epochs.begin()
    epochs.close()
    with pytest.raises(AbortExecution):
        epochs.begin()


def test_a_stop_waits_for_every_part_that_is_not_finished():
    stopping = Stopping()
    a, b, c = (Epochs(name, stopping) for name in "abc")
    c.end()
    stopping.requested = True
    a.begin()
    a.close()
    a.begin()
    b.begin()
    b.close()
    a.close()
    a.begin()
    with pytest.raises(AbortExecution):
        b.begin()
    with pytest.raises(AbortExecution):
        a.begin()


def test_a_wall_clock_that_is_set_back_ends_the_process_with_one_line_and_one_that_is_slowed_does_not(monkeypatch):
    clocks = SimpleNamespace(wall_s=1_000.0, steady_s=50.0)
    monkeypatch.setattr(
        wall_clock, "time", SimpleNamespace(time=lambda: clocks.wall_s, monotonic=lambda: clocks.steady_s)
    )
    monkeypatch.setattr(timed, "CLOCK", wall_clock.WallClock())
    epochs = Epochs("a", Stopping())

    def later(wall_s: float, steady_s: float) -> None:
        clocks.wall_s, clocks.steady_s = clocks.wall_s + wall_s, clocks.steady_s + steady_s
        epochs.begin()

    for _ in range(100):
        epochs.close()
        later(0.9, 1.0)
    later(3_600.0, 1.0)
    epochs.close()
    later(1.0, 1.0)
    with pytest.raises(Unreachable, match=r"the wall clock was set back by 3600\.0 s"):
        later(-3_599.0, 1.0)


def test_what_waits_in_compiled_code_while_the_wall_clock_is_set_back_is_ended_with_one_line():
    """Kafka's client waited for an hour when the clock had been an hour ahead: found by the campaign, seed 1012."""
    waiting = """if True:
        import socket, sys, time, types
        from flows.monitoring import wall_clock
        from flows.monitoring.log_lines import speak
        speak("risk")
        clock = wall_clock.WallClock()
        wall_clock.time = types.SimpleNamespace(time=lambda: time.time() - 60.0, monotonic=time.monotonic)
        one, other = socket.socketpair()
        with wall_clock.watched("risk", wall_clock.FROM_COMMIT, clock, 0.1):
            one.recv(1)
    """
    done = subprocess.run([sys.executable, "-c", waiting], capture_output=True, text=True, timeout=60, check=False)
    said = "risk: the wall clock was set back by 60.0 s, and what waits by it was ended: "
    assert (done.returncode, done.stderr) == (1, said + "starting again from the last committed epoch\n")
