"""The upgrade drill: in the middle of a replay all flows go on as another release, from their recovery directories."""

import os
import signal
import subprocess
import sys

import pytest

from flows.clickhouse.client import connect
from flows.graph import FLOWS
from flows.supervisor import Supervisor
from tests.faults.campaign import SETS
from tests.faults.replaying import differences, run, running, services, settings_for, simulated
from tests.services import releases
from tests.services.running import ROOT

pytestmark = pytest.mark.services
MODULE = "tests.services.releases"


@pytest.fixture(scope="module")
def items():
    return simulated(seconds=60, disturbed=True)


@pytest.fixture(scope="module")
def base(broker, tmp_path_factory):
    with services(tmp_path_factory.mktemp("services"), broker.bootstrap) as session:
        yield session.settings


def migrate(session, release: str) -> None:
    command = [sys.executable, "-m", MODULE, release, "migrate", str(session.file)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)


def go_on_as(session, release: str, flows: set[str]) -> None:
    """Kill the processes of flows, at once, and start them as another release."""
    children = {n: c for n, c in session.supervisor.children.items() if n.rpartition("-")[0] in flows}
    for child in children.values():
        os.kill(child.process.pid, signal.SIGKILL)
    for name, child in children.items():
        child.process.wait()
        arguments = child.argv[child.argv.index(MODULE) + 2 :]
        session.supervisor.start(name, MODULE, release, *arguments)


def test_flows_go_on_as_a_release_with_a_column_and_operators_more_less_and_changed_and_lose_nothing(
    base, items, monkeypatch
):
    expected = run(settings_for(base, SETS), items)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    start = Supervisor.start

    def start_as_then(self, name, module, *arguments, **how):
        if module == "flows":
            module, arguments = MODULE, ("then", *arguments)
        return start(self, name, module, *arguments, **how)

    told = settings_for(base, SETS)
    flows = {flow.name for flow in FLOWS}
    with monkeypatch.context() as patched:
        patched.setattr(Supervisor, "start", start_as_then)
        with running(told) as under_way:
            session = under_way.session
            migrate(session, "then")
            rest = under_way.begin(items)
            under_way.publish(rest[: len(rest) // 2])
            clickhouse = connect(session.settings.clickhouse)
            stored = "SELECT count(), countIf(leaves_count > 0) FROM features_tape"
            assert session.supervisor.wait(lambda: clickhouse.rows(stored)[0][1] > 5, timeout_s=300)
            migrate(session, "now")
            patched.setattr(Supervisor, "start", start)
            go_on_as(session, "now", flows)
            under_way.publish(rest[len(rest) // 2 :])
            under_way.settle()
            market = session.supervisor.children["market-0"]
            assert (
                "market: recovered state: new, empty: comes; gone: leaves; changed, begins anew: changes"
                in market.log.read_text()
            )
            seen = clickhouse.rows(
                "SELECT countIf(leaves_count > 0 AND isNull(comes_count)), countIf(comes_count > 0 AND isNull(leaves_count)),"
                " countIf(comes_count > 0 AND leaves_count > 0) FROM features_tape"
            )[0]
            assert seen[0] > 0 and seen[1] > 0 and seen[2] == 0, seen
            ((wide,),) = clickhouse.rows("SELECT countIf(half_spread_bps = spread_bps / 2) FROM features_book")
            assert wide > 0
            for table, columns in releases.ADDED.items():
                drops = ", ".join(f"DROP CONSTRAINT IF EXISTS finite_{c}, DROP COLUMN {c}" for c in columns)
                clickhouse.command(f"DROP VIEW {table}_dense")
                clickhouse.command(f"ALTER TABLE {table} {drops}")
            assert differences(expected, under_way.stored()) == []
            clickhouse.close()
