"""The benchmark command on a tiny simulated input: every row that is asked for prints a number."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.commands.bench import ROWS

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
CHEAP = {
    "compute": ["level updates/s", "windows / by event"],
    "instruments": ["us/frame", "10 / 1"],
    "closings": ["all tables", "without optional ones"],
    "freeze": ["thaw", "ms"],
    "memory": ["MB/instrument", "MB/hour"],
    "kafka": ["plain loop, dict books", "market flow / in process"],
    "archive": ["archive flow", "rows/s"],
    "risk": ["valued, every second", "printed as JSON"],
    "forecasts": ["all sides and horizons"],
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_each_cheap_row_prints_a_number_and_leaves_nothing_behind(tmp_path):
    ran = bench("--only", ",".join(CHEAP), "--repeats", "1", "--frames", "6000", "--data", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout[ran.stdout.index("row  ") :].splitlines()[1:]
    for row, words in CHEAP.items():
        for word in words:
            found = [line for line in lines if word in line]
            assert found, f"{row}: no line with {word!r} in\n{ran.stdout}"
            assert all(re.search(r" -?\d[\d,.e+-]* ", line) for line in found), found
    assert re.match(r"\d+ cores, load average \d", ran.stdout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "speed"], "there is no row 'speed'"),
        (["--repeats", "0"], "--repeats must be at least 1"),
        (["--frames", "10"], "--frames at least 1000"),
        (["binance-usdm=/nowhere/at/all"], "there is no such file"),
        (["nyse=/nowhere"], "write VENUE=FILE"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(arguments, said, tmp_path):
    ran = bench(*arguments, "--data", str(tmp_path))
    assert ran.returncode == 2
    assert said in ran.stderr and len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_every_row_can_be_asked_for_by_name():
    assert set(CHEAP) < set(ROWS)
