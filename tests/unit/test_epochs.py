"""A process stops when each of its parts has committed all it handed over, and not before."""

import pytest
from bytewax.inputs import AbortExecution

from flows.epochs import COMMITTED, Epochs, Stopping


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
