"""Each replay and each demo has rows of its own, in a database that says what they are, also in the embedded store."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from models.simulator import Settings as Simulated
from models.simulator import coarse, market
from tests.services.flow_processes import ROOT

pytestmark = pytest.mark.services


def alphaplus(*arguments: str, cwd: Path = ROOT) -> str:
    environ_command = [sys.executable, "-m", "flows", *arguments]
    done = subprocess.run(environ_command, cwd=cwd, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


def capture(path: Path, symbol: str, seconds: int) -> str:
    simulated = coarse(Simulated(seed=5, symbols=(symbol,), seconds=seconds, accounts=0, traders=50))
    path.write_bytes(b"".join(b"%d %s\n" % (f.received_ns, f.data) for f in market(simulated)))
    return f"binance-usdm={path}"


def counts(printed: str) -> dict[str, tuple[int, str]]:
    """Table -> rows and digest, as a replay prints them."""
    found = re.findall(r"^(\w+) +([\d,]+) +([0-9a-f]{32}) *$", printed, re.MULTILINE)
    return {table: (int(rows.replace(",", "")), digest) for table, rows, digest in found}


def test_a_replay_counts_its_own_rows_where_others_have_left_theirs(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    first = alphaplus("replay", capture(tmp_path / "a.log", "BTCUSDT", 60), *data)
    second = alphaplus("replay", capture(tmp_path / "b.log", "ETHUSDT", 20), *data)
    before, after = counts(first), counts(second)
    assert 0 < after["features_tape"][0] < before["features_tape"][0]
    names = [re.search(r"the rows are in database (replay_[0-9a-f]+) of ", said)[1] for said in (first, second)]  # type: ignore[index]
    assert len(set(names)) == 2

    def asked(*more: str) -> list[dict[str, str | int]]:
        sql = "SELECT symbol, count() AS rows FROM features_tape FINAL GROUP BY symbol ORDER BY symbol"
        printed = alphaplus("query", sql, "--format", "json", *data, *more)
        return [{k: v if k == "symbol" else int(v) for k, v in json.loads(r).items()} for r in printed.splitlines()]

    newest, older = asked(), asked("--set", f"clickhouse.database={names[0]}")
    assert newest == [{"symbol": "ETHUSDT", "rows": after["features_tape"][0]}], "without a name it is the newest run"
    assert older == [{"symbol": "BTCUSDT", "rows": before["features_tape"][0]}]
