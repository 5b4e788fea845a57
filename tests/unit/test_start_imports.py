"""What a process loads before it begins: a start is mostly imports, and each flow and command has its own alone."""

import os
import subprocess
import sys

import numba
import pytest

from operators.record_ids import record_ids
from schemas.frames import frames

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
    assert sorted(loaded(f"flows.__main__, {modules}") & {*left_out}) == []


def test_who_interrupts_it_while_it_is_loaded_gets_no_traceback():
    """For three seconds on a busy machine Ctrl-C was answered with forty lines."""
    interrupted = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'cyclopts': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt)\n"
        "import flows.__main__"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", interrupted], check=False, capture_output=True, text=True, env=environ)
    assert (told.returncode, told.stderr) == (130, "")


def test_compiled_code_is_loaded_without_what_it_takes_to_compile():
    ids = record_ids(frames("alerts", 0, [b'{"id":"a|1"}'], [0]))  # whatever is not compiled yet is compiled here
    assert ids.order.tolist() == [1]
    ids_read = (
        """schemas.frames; operators.record_ids.record_ids(schemas.frames.frames("", 0, [b'{"id":"a|1"}'], [0]))"""
    )
    compiler = {"numba.np.linalg", "numba.typed.typeddict", "scipy.linalg"}
    assert loaded(f"operators.record_ids, {ids_read}") & compiler == set()


def test_the_tests_run_what_was_compiled_of_the_kernels_as_they_are():
    """numba was imported before it was told where, and ran what was compiled before a kernel of another file changed."""
    assert os.environ["NUMBA_CACHE_DIR"] == numba.config.CACHE_DIR


def loaded(modules: str) -> set[str]:
    """All modules of a process that imports these."""
    program = f"import sys, {modules}; print(*sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    return {*done.stdout.split()}
