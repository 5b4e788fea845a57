"""How a demo ends: with 1 where a flow in trouble could not commit what it had read."""

import sys
import time

import pytest

from flows.commands.demo import COMMITTED, uncommitted
from flows.monitoring.health import Health
from flows.session.supervisor import Supervisor

FLOW = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[1])))
print("ClickHouse at here: the disk refused what was written", flush=True)
time.sleep(60)
"""


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """What is said of a flow that ends with a code and committed so many seconds ago."""
    (tmp_path / "some_flow.py").write_text(FLOW)
    supervisor = Supervisor(tmp_path, environ={"PYTHONPATH": ":".join([str(tmp_path), *sys.path])})

    def of(code: int, committed_s: float) -> list[str]:
        child = supervisor.start("archive-0", "some_flow", str(code))
        child.log.write_text("")
        while "refused" not in child.log.read_text():
            time.sleep(0.02)
        return uncommitted(supervisor, {"archive-0": Health(True, {COMMITTED: 1_000.0})}, 1_000.0 + committed_s)

    yield of
    supervisor.stop()


def test_a_demo_whose_archive_could_not_store_says_what_it_is_not_that_it_is_done(ended):
    """On a full disk it ended with "done" and 0."""
    assert ended(1, 60.0) == ["archive-0: ClickHouse at here: the disk refused what was written"]
    assert ended(0, 60.0) == []
    assert ended(1, 0.5) == [], "a machine that has much to do may take seconds to stop"
