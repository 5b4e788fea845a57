"""Which run a command speaks of when it is told no folder and no database."""

import json
import os
from pathlib import Path

import pytest

from flows.commands import demo as demos
from flows.commands import options
from flows.commands.options import asked
from flows.commands.reach import of_newest_run
from flows.refusal import Refused
from flows.session.embedded import newest_database, refuse_in_use
from flows.settings.sources import load
from flows.settings.tree import Settings


def ran(data: Path, name: str, database: str, at: int) -> None:
    folder = data / "runs" / name
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"clickhouse": {"database": database}}))
    os.utime(folder / "settings.json", (at, at))


def test_rows_are_asked_of_the_newest_demo_or_replay_unless_another_is_named(tmp_path: Path) -> None:
    def database(*sets: str) -> str:
        return of_newest_run(load(None, {}, [f"data={tmp_path}", *sets])).clickhouse.database

    assert database() == "default"
    ran(tmp_path, "replay-1-7", "replay_1", 2)
    ran(tmp_path, "demo-1-8", "simulated", 1)
    ran(tmp_path, "read-1-9", "default", 3)
    assert newest_database(tmp_path) == database() == "replay_1"
    assert database("clickhouse.database=simulated") == "simulated"
    (tmp_path / "runs" / "replay-1-7" / "settings.json").write_text("{")
    assert database() == "simulated"


def test_without_a_folder_a_command_asks_the_demo_when_that_is_all_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    running: set[Path] = set()
    monkeypatch.setattr(options, "running_store", lambda data: "http://x" if data in running else None)
    own, demo = Path(".alphaplus"), Path(".alphaplus/demo")
    assert asked(None, (), None).data == str(own)
    (demo / "store").mkdir(parents=True)
    assert asked(None, (), None).data == str(demo)
    assert asked(None, (), own).data == str(own)
    (own / "store").mkdir()
    assert asked(None, (), None).data == str(own)
    running.add(demo)
    assert asked(None, (), None).data == str(demo)
    running.add(own)
    assert asked(None, (), None).data == str(own)


def test_a_demo_that_is_given_no_folder_has_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []

    def session(told: Settings, name: str) -> None:
        seen.append(told)
        raise KeyboardInterrupt

    monkeypatch.setattr(demos, "Session", session)
    assert demos.demo() == demos.demo(data=Path("elsewhere")) == 0
    assert [(told.data, told.clickhouse.database) for told in seen] == [
        (".alphaplus/demo", "simulated"),
        ("elsewhere", "simulated"),
    ]


def test_a_folder_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.session.embedded.running_store", lambda data: "http://127.0.0.1:1")
    with pytest.raises(Refused, match="is in use: another demo or replay writes there; name another folder with"):
        refuse_in_use(load(None, {}, [f"data={tmp_path}"]))
    refuse_in_use(load(None, {}, [f"data={tmp_path}", "clickhouse.url=http://c:8123"]))
