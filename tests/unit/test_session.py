"""A session waits for what it starts as long as that lives."""

import sys

import pytest

from flows.refusal import Unreachable
from flows.session import session as module
from flows.session.session import Session
from flows.settings.tree import Settings

SLOW = """
import sys, time
time.sleep(0.5)
open(sys.argv[1], "w").write('{"port": 7, "pid": 1}')
time.sleep(60)
"""


@pytest.fixture
def starting(tmp_path, monkeypatch):
    """A session, and a service of it that answers only half a second after it began."""
    (tmp_path / "slow_service.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    session = Session(Settings(data=str(tmp_path)), "test")
    session.supervisor.environ = {"PYTHONPATH": ":".join(sys.path)}
    session.supervisor.start("store", "slow_service", str(tmp_path / "port"), keep=False)
    yield session, tmp_path / "port"
    session.supervisor.stop()


def test_a_store_that_loads_for_long_is_waited_for_and_that_is_said_once(starting, monkeypatch, capsys):
    """On a cold disk it took longer than the 60 s after which the demo ended, while it was loading."""
    session, port = starting
    monkeypatch.setattr(module, "SAID_S", 0.01)
    assert session._await_port(port, "store") == 7
    assert capsys.readouterr().err.splitlines() == ["alphaplus: the embedded store is still starting"]


def test_a_store_that_does_not_come_in_minutes_is_given_up(starting, monkeypatch):
    session, port = starting
    monkeypatch.setattr(module, "SAID_S", 0.01)
    monkeypatch.setattr(module, "START_S", 0.1)
    with pytest.raises(Unreachable, match="did not start within 0 s"):
        session._await_port(port, "store")
