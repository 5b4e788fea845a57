"""What a process loads before it begins: a start is mostly imports, and each flow and command has its own alone."""

import os
import subprocess
import sys

import pytest

HEAVY = ("clickhouse_connect", "lightgbm", "numba", "polars", "pyarrow", "rich", "sklearn")


@pytest.mark.parametrize(
    ("modules", "left_out"),
    [
        ("flows.__main__", HEAVY),
        ("flows.commands.run, flows.market", (*{*HEAVY} - {"numba"}, "flows.alerts", "flows.archive", "flows.risk")),
        ("flows.commands.run, flows.archive", (*{*HEAVY} - {"numba", "clickhouse_connect"}, "flows.market")),
        ("flows.commands.query", (*{*HEAVY} - {"clickhouse_connect"}, "flows.job_graph")),
    ],
    ids=["no command", "market", "archive", "query"],
)
def test_a_start_loads_nothing_that_it_does_not_use(modules, left_out):
    program = f"import sys, flows.__main__, {modules}; print(*sorted(sys.modules))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert sorted({*done.stdout.split()} & {*left_out}) == []
