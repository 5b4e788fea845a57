"""A recovery directory is for one process at a time, for the flow it was made for, and whole."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from bytewax.testing import TestingSink, TestingSource, run_main

from flows.recovery import PART, Recovery, step_ids
from flows.refusal import Refused
from flows.wiring import flow


class Nothing:
    def __init__(self, key: str, frozen: bytes | None) -> None:
        pass

    def on_batch(self, batch: object) -> list:
        return []

    def freeze(self) -> bytes:
        return b""


def graph(step: str = "book", name: str = "market"):
    return flow(name, TestingSource([]), [(step, Nothing)], TestingSink([]))


IDENTITY = {"topics": ["raw.trades.okx-swap", "raw.depth.okx-swap"], "partitions": 8, "share": [0, 1]}


def bound(directory, **changes):
    recovery = Recovery(directory)
    try:
        recovery.bind(graph(changes.pop("step", "book"), changes.pop("name", "market")), {**IDENTITY, **changes})
        return recovery.run_id
    finally:
        recovery.close()


def test_it_opens_again_for_the_same_flow_and_keeps_its_run_id(tmp_path):
    assert bound(tmp_path) == bound(tmp_path)


def test_another_directory_has_another_run_id(tmp_path):
    assert bound(tmp_path / "a") != bound(tmp_path / "b")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step": "ladder"}, "other steps: market.book, market.book.name, market.book.state is gone, market.ladder"),
        ({"name": "markets"}, "flow market, not markets"),
        ({"partitions": 16}, "partitions 8, not 16"),
        ({"share": [1, 2]}, "other share: 0 is gone, 2 is new"),
        ({"topics": ["raw.trades.okx-swap"]}, "other topics: raw.depth.okx-swap is gone, nothing is new"),
        ({"topics": IDENTITY["topics"][::-1]}, "topics .*, not "),
    ],
)
def test_what_it_was_not_made_for_is_refused_and_named(tmp_path, changes, said):
    bound(tmp_path)
    with pytest.raises(Refused, match=said):
        bound(tmp_path, **changes)
    bound(tmp_path)


def test_a_second_opening_is_refused(tmp_path):
    first = Recovery(tmp_path)
    with pytest.raises(Refused, match="in use by another process"):
        Recovery(tmp_path)
    first.close()
    Recovery(tmp_path).close()


def test_a_missing_part_is_refused(tmp_path):
    bound(tmp_path)
    (tmp_path / PART).unlink()
    with pytest.raises(Refused, match=r"part-0.sqlite3 is missing"):
        Recovery(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"not a database, not even a small one" * 100])
def test_a_damaged_part_is_refused(tmp_path, damage):
    bound(tmp_path)
    (tmp_path / PART).write_bytes(damage)
    with pytest.raises(Refused, match=r"part-0.sqlite3 is damaged: (no table|file is not a database)"):
        Recovery(tmp_path)


def test_a_part_damaged_in_the_middle_is_refused(tmp_path):
    bound(tmp_path)
    data = bytearray((tmp_path / PART).read_bytes())
    data[4096 + 8 : 2 * 4096] = b"\xff" * 4088
    (tmp_path / PART).write_bytes(data)
    with pytest.raises(Refused, match=r"part-0.sqlite3 is damaged: "):
        Recovery(tmp_path)


def test_a_damaged_manifest_is_refused(tmp_path):
    bound(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(Refused, match=r"manifest.json is damaged"):
        Recovery(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 99, "run_id": "x"}))
    with pytest.raises(Refused, match=r"manifest.json is not of format 1"):
        Recovery(tmp_path)


def test_a_process_that_died_while_making_the_directory_does_not_spoil_it(tmp_path):
    (tmp_path / PART).write_bytes(b"")
    Recovery(tmp_path).close()
    Recovery(tmp_path).close()


def test_snapshots_of_an_epoch_that_was_never_committed_are_deleted_before_they_can_pass_for_committed(tmp_path):
    """Bytewax keeps them; a step without items in the first epoch after a crash would later resume from one."""
    out: list = []
    items = [("a", 1), ("b", 5), TestingSource.ABORT(), ("b", 1)]
    dataflow = flow("market", TestingSource(items), [("book", Nothing)], TestingSink(out))

    def execute() -> None:
        recovery = Recovery(tmp_path)
        run_main(dataflow, epoch_interval=timedelta(0), recovery_config=recovery.bind(dataflow, {}))
        recovery.close()

    def snapshots() -> list:
        with closing(sqlite3.connect(tmp_path / PART)) as database:
            return database.execute("SELECT step_id, state_key, snap_epoch FROM snaps ORDER BY 1, 2, 3").fetchall()

    execute()
    with closing(sqlite3.connect(tmp_path / PART)) as database, database:
        (resume,) = database.execute("SELECT worker_frontier FROM fronts").fetchone()
        database.execute("INSERT INTO snaps VALUES ('', 'market.book.state', 'a', ?, x'00')", (resume,))
    kept = [row for row in snapshots() if row[2] < resume]
    assert kept != []
    Recovery(tmp_path).close()
    assert snapshots() == kept
    execute()


def test_step_ids_name_the_substeps_too():
    assert step_ids(graph())[:4] == ["market.read", "market.book", "market.book.name", "market.book.state"]
