"""A recovery directory is for one process at a time, for the flow it was made for, and whole."""

import json
import os
import pickle
import resource
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from bytewax.testing import TestingSink, TestingSource, run_main

from flows import market, risk
from flows.engine.wiring import flow
from flows.recovery.directory import PART, Recovery, step_ids
from flows.recovery.sealing import Seal
from flows.refusal import Refused, Unreachable
from flows.settings.sources import load
from operators.evolving import Part


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
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "x"}))
    with pytest.raises(Refused, match=r"manifest.json is damaged: it does not say what it is"):
        Recovery(tmp_path)


def test_a_directory_of_the_first_release_is_refused_in_one_line_that_says_how_to_begin_anew(tmp_path):
    """As c548cb0 wrote it; its states go by no fingerprints."""
    bound(tmp_path)
    manifest = {"format": 1, "run_id": "fd14467fe69d73eb", "made_for": {"flow": "market", "steps": ["market.read"]}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Refused) as refused:
        Recovery(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} was left by an earlier release (format 1, not 3): let the release that saved it run until its lag"
        " is 0 and stop it, then start with a new recovery directory: what it makes again of what it reads replaces"
        " what is there"
    )


def test_a_directory_of_a_later_release_is_refused(tmp_path):
    bound(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 99, "run_id": "x"}))
    with pytest.raises(Refused, match=r"was left by a later release \(format 99, not 3\)$"):
        Recovery(tmp_path)


def evolve(directory, *parts):
    recovery = Recovery(directory)
    try:
        recovery.bind(graph(), IDENTITY, parts)
        return recovery.evolved
    finally:
        recovery.close()


def test_the_manifest_knows_which_states_are_new_gone_or_begin_anew(tmp_path):
    assert evolve(tmp_path, Part("cvd", "1"), Part("old", "1"), Part("walls", "1")) == ""
    assert evolve(tmp_path, Part("cvd", "1"), Part("kyle", "1"), Part("walls", "2", "anew")) == (
        "new, empty: kyle; gone: old; changed, begins anew: walls"
    )
    assert evolve(tmp_path, Part("cvd", "1"), Part("kyle", "1"), Part("walls", "2", "anew")) == ""
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["states"] == {"cvd": "1", "kyle": "1", "walls": "2"} and manifest["release"]
    with pytest.raises(Refused, match=r"cvd is 1 in the recovered state and 3 now, .*; let the release that saved it"):
        evolve(tmp_path, Part("cvd", "3"))
    assert json.loads((tmp_path / "manifest.json").read_text()) == manifest


def test_a_setting_that_counts_from_now_on_is_told_of(tmp_path):
    assert evolve(tmp_path, Part("risk.bybit_rule", "2024-09", "goes on")) == ""
    assert evolve(tmp_path, Part("risk.bybit_rule", "2026-05", "goes on")) == (
        "changed, counts from here on: risk.bybit_rule 2024-09 to 2026-05"
    )


def test_what_to_do_with_misplaced_frames_may_not_change_under_recovered_books(tmp_path):
    for misplaced in ("reject", "use"):
        recovery = Recovery(tmp_path)
        identity = market.identity(load(None, {}, [f"market.misplaced={misplaced}"]))
        if misplaced == "use":
            with pytest.raises(Refused, match="was made for misplaced reject, not use"):
                recovery.bind(graph(), identity)
        else:
            recovery.bind(graph(), identity)
        recovery.close()


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


BOOK = "market.book.state of a"


def saved_by(directory):
    """A directory with states of a flow, of a source and a sink that have some too."""
    recovery = Recovery(directory)
    dataflow = flow("market", TestingSource([("a", 1), ("b", 2)]), [("book", Nothing)], TestingSink([]))
    run_main(dataflow, epoch_interval=timedelta(0), recovery_config=recovery.bind(dataflow, {}))
    recovery.close()
    return recovery.seal


def put(directory, step, blob, more=""):
    with closing(sqlite3.connect(directory / PART)) as database, database:
        assert database.execute(f"UPDATE snaps SET ser_change = ? WHERE step_id = ? {more}", (blob, step)).rowcount > 0


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda seal: pickle.dumps(Evil()), "it would call posix.system"),
        (lambda seal: b"\x80\x04 nothing", "invalid load key"),
        (lambda seal: b"", "Ran out of input"),
        (lambda seal: pickle.dumps(7), "is not"),
        (lambda seal: pickle.dumps(seal.seal(BOOK, b"state")[:-1] + b"!"), "it was altered since it was saved"),
        (lambda seal: pickle.dumps(seal.seal("market.book.state of b", b"")), "it was altered since it was saved"),
        (lambda seal: pickle.dumps(Seal(b"another key").seal(BOOK, b"")), "it was altered since it was saved"),
        (lambda seal: pickle.dumps(b"\x01state"), "it was saved in format 1, not 3"),
    ],
)
def test_a_state_that_was_altered_is_one_line_before_the_engine_loads_it(tmp_path, made, why):
    seal = saved_by(tmp_path)
    put(tmp_path, "market.book.state", made(seal), "AND state_key = 'a'")
    with pytest.raises(Refused) as refused:
        Recovery(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}: the state of {BOOK} cannot be used: ")
    assert why in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("blob", [pickle.dumps(1), pickle.dumps(Evil())])
def test_the_positions_of_a_source_are_sealed_too(tmp_path, blob):
    saved_by(tmp_path)
    Recovery(tmp_path).close()
    put(tmp_path, "market.read", blob)
    with pytest.raises(Refused, match=r"the state of market.read of .* cannot be used: "):
        Recovery(tmp_path)


def test_another_key_or_none_is_refused_in_one_line(tmp_path):
    directory, key = tmp_path / "r", tmp_path / "recovery.key"
    saved_by(directory)
    assert key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32
    first = key.read_bytes()
    key.unlink()
    with pytest.raises(Refused, match=f"^the key {key} of the recovered states is missing: restore it "):
        Recovery(directory)
    key.write_bytes(first[::-1])
    key.chmod(0o600)
    with pytest.raises(Refused, match=f"^{directory} was sealed with another key than {key}: name that one "):
        Recovery(directory)
    key.write_bytes(first)
    Recovery(directory).close()
    key.chmod(0o644)
    with pytest.raises(Refused, match=f"others can read or write it: chmod 600 {key}$"):
        Recovery(directory)


def test_a_key_of_another_place_is_taken_where_it_is_named(tmp_path):
    Recovery(tmp_path / "r", tmp_path / "keys" / "k").close()
    assert not (tmp_path / "recovery.key").exists()
    Recovery(tmp_path / "r", tmp_path / "keys" / "k").close()


def test_a_contract_size_that_changed_is_told_of(tmp_path):
    def told(contract, symbols=("BTC-USDT-SWAP",)):
        rows = [
            {"venue": "okx-swap", "symbol": s, "base": "BTC", "quote": "USDT", "kind": "linear", "tick": "0.1"}
            | {"lot": "1", "contract": contract}
            for s in symbols
        ]
        given = [f"market.instruments={json.dumps(rows)}", 'market.venues=["okx-swap"]']
        return market.contracts(load(None, {}, given))

    assert evolve(tmp_path, *told(0.01)) == ""
    assert evolve(tmp_path, *told(0.1)) == (
        "changed, counts from here on: the contract of okx-swap BTC-USDT-SWAP linear 0.01 USDT to linear 0.1 USDT"
    )
    many = tuple(f"C{i}-USDT-SWAP" for i in range(20))
    assert evolve(tmp_path, *told(0.1, many)) == "gone: the contract of okx-swap BTC-USDT-SWAP"
    assert evolve(tmp_path, *told(0.2, many)).endswith("C7-USDT-SWAP linear 0.1 USDT to linear 0.2 USDT and 12 more")


def test_every_rule_that_accounts_are_valued_by_is_told_of_when_it_changes(tmp_path):
    (tmp_path / "brackets.json").write_text("[]")
    before = risk.parts(load(None, {}, []))
    given = ["risk.bybit_rule=2026-05", 'risk.haircuts={"BTC":0.95}', 'risk.taker_fee={"okx-swap":0.0005}']
    given.append(f'risk.brackets_json={{"bybit-linear":"{tmp_path / "brackets.json"}"}}')
    assert evolve(tmp_path / "r", *before) == ""
    said = evolve(tmp_path / "r", *risk.parts(load(None, {}, given)))
    assert said.startswith("changed, counts from here on: risk.bybit_rule 2024-09 to 2026-05, risk.brackets_json of ")
    assert "risk.haircuts none to BTC 0.95, risk.taker_fee none to okx-swap 0.0005" in said


def test_a_haircut_from_the_environment_whose_names_have_no_capitals_left_is_of_the_asset_that_it_names():
    told = load(None, {"ALPHAPLUS_RISK__HAIRCUTS__BTC": "0.05"}, ["risk.haircuts.ETH=0.1"])
    assert risk.terms(told).haircuts == {"BTC": 0.05, "ETH": 0.1}


def test_a_process_that_died_while_making_the_directory_does_not_spoil_it(tmp_path):
    (tmp_path / PART).write_bytes(b"")
    Recovery(tmp_path).close()
    Recovery(tmp_path).close()


def test_a_disk_without_room_for_a_new_directory_is_one_line_and_no_panic(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(Unreachable, match=r"part-0.sqlite3 cannot be written: "):
            Recovery(tmp_path / "market-0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    Recovery(tmp_path / "market-0").close()


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
