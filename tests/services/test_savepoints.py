"""A savepoint, what comes after it, and the savepoint put back: nothing lost, nothing doubled; what does not fit is refused."""

import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

from flows import market
from flows.commands.restore import restore as command
from flows.commands.restore import unfit
from flows.kafka.ends import announce
from flows.kafka.topic_making import create_topics, end_offsets
from flows.recovery.directory import LOCK, PART, Recovery
from flows.refusal import Refused, Unreachable
from flows.settings.sources import load
from flows.upkeep.committed import positions
from flows.upkeep.savepoints import NAME, Savepoint, read, restore, take
from operators.once import Once
from schemas.frames import frames
from tests.faults.kills import SETS
from tests.faults.replaying import differences, run, running, services, settings_for, simulated
from tests.services.flow_processes import finish, start, wait_until
from tests.services.flow_processes import read as read_topic
from tests.services.test_rescale import PARTITIONS, Load, filled, no_file_beyond, states

pytestmark = pytest.mark.services


def test_a_flow_put_back_to_a_savepoint_under_load_loses_and_doubles_nothing(broker, topic_name, tmp_path):
    address = broker.bootstrap
    *topics, derived = (topic_name(stem) for stem in ("depth", "trades", "derived"))
    create_topics(address, [*topics, derived], PARTITIONS, forever=True)
    setting = {"brokers": address, "topics": topics, "derived": derived, "partitions": PARTITIONS, "epoch_ms": 50}
    setting |= {"ends": str(tmp_path / "ends"), "pace": {"batch_frames": 50}}

    def place(ordinal: int) -> Path:
        return tmp_path / f"identity-{ordinal}"

    def begin():
        there = end_offsets(address, derived)
        of = [start("identity_flow.py", setting | {"directory": str(place(i)), "share": [i, 2]}) for i in range(2)]
        wait_until(lambda: all(a > b for a, b in zip(end_offsets(address, derived), there, strict=True)), 60)
        return of

    load = Load(address, topics)
    load.start()
    try:
        processes = begin()
        saved = take("identity", place, tmp_path / "saved")
        assert [finish(p) for p in processes] == [(0, "")] * 2, "they were asked to stop and did"
        at = end_offsets(address, derived)
        assert sum(saved.offsets.values()) > 0
        assert {p for _, p in saved.offsets} == set(range(PARTITIONS))
        for process in begin():
            process.send_signal(signal.SIGKILL)
            finish(process)
        assert all(a > b for a, b in zip(end_offsets(address, derived), at, strict=True)), "it went on"
        done = restore(tmp_path / "saved", place, lambda saved: "")
        assert [p.is_dir() for p in done.kept] == [True] * 2
        assert done.savepoint == saved
        processes = begin()
    finally:
        load.over.set()
        load.join()
    for topic in topics:
        announce(tmp_path / "ends", topic, end_offsets(address, topic))
    assert [finish(p) for p in processes] == [(0, "")] * 2

    repeats = 0
    for partition, values in enumerate(read_topic(address, derived)):
        fresh, rejects = Once().select(frames(derived, partition, values, [0] * len(values)))
        assert rejects == []
        repeats += len(values) - len(fresh)
        rows = [json.loads(fresh.frame(i)) for i in range(len(fresh))]
        for topic in topics:
            mine = [r for r in rows if r["id"].startswith(topic)]
            assert [int(r["id"].rsplit("|")[1]) for r in mine] == list(range(len(mine)))
            assert [json.dumps(r["value"]).encode() for r in mine] == load.written[topic][partition]
    assert repeats > 0, "what was written after the savepoint is written again, under the same ids"


def saved_to(tmp_path: Path) -> Path:
    for i in range(2):
        filled(tmp_path / f"market-{i}", [i, 2], [i, i + 2])
    take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "saved")
    return tmp_path / "saved"


def test_a_savepoint_says_what_it_is_and_is_put_back_as_it_was(tmp_path):
    folder = saved_to(tmp_path)
    saved = read(folder)
    assert (saved.flow, saved.states, saved.made_for["share"]) == ("market", {"book": "1"}, [0, 2])
    assert [p.directory for p in saved.processes] == ["market-0", "market-1"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
    before = {p.name: p.read_bytes() for p in (folder / "market-1").iterdir()}
    filled(tmp_path / "market-2", [2, 3], [2])
    done = restore(folder, lambda i: tmp_path / f"market-{i}", lambda saved: "")
    assert len(done.kept) == 3, "that of a process which the savepoint does not know would be found by a later one"
    assert not (tmp_path / "market-2").exists()
    again = take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "again")
    assert again.processes[1].offsets == saved.processes[1].offsets
    assert (tmp_path / "again" / "market-1" / "manifest.json").read_bytes() == before["manifest.json"]


def damage(folder, tmp_path):
    with (folder / "market-1" / PART).open("r+b") as file:
        file.seek(5_000)
        file.write(b"x")


def lose(folder, tmp_path):
    (folder / "market-0" / "manifest.json").unlink()


def other_key(folder, tmp_path):
    shutil.rmtree(tmp_path / "market-0")
    shutil.rmtree(tmp_path / "market-1")
    (tmp_path / "recovery.key").write_bytes(os.urandom(32))


def garble(folder, tmp_path):
    (folder / NAME).write_text("{")


def later(folder, tmp_path):
    said = json.loads((folder / NAME).read_text())
    (folder / NAME).write_text(json.dumps(said | {"format": 9}))


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (damage, r"market-1/part-0.sqlite3 is not as it was saved: the savepoint is damaged"),
        (lose, r"market-0/manifest.json is not as it was saved"),
        (other_key, r"was sealed with another key than .*recovery.key"),
        (garble, r"savepoint.json is damaged: "),
        (later, r"is a savepoint of format 9, not 1: of another release"),
    ],
)
def test_a_savepoint_that_is_not_what_was_saved_is_refused_in_one_line_and_nothing_is_touched(tmp_path, harm, why):
    folder = saved_to(tmp_path)
    harm(folder, tmp_path)
    there = sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("."))
    with pytest.raises(Refused, match=why) as caught:
        restore(folder, lambda i: tmp_path / f"market-{i}", lambda saved: "")
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".")) == there


def test_nothing_is_saved_from_or_put_over_a_process_that_does_not_stop(tmp_path):
    folder = saved_to(tmp_path)
    held = Recovery(tmp_path / "market-0")
    try:
        with pytest.raises(Refused, match="in use by another process"):
            restore(folder, lambda i: tmp_path / f"market-{i}", lambda saved: "")
        assert (tmp_path / "market-0" / LOCK).read_text() == f"{os.getpid()} {socket.gethostname()}"
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            with pytest.raises(Unreachable, match=f"process {os.getpid()} did not let go of "):
                take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "more", patience_s=0.3)
        finally:
            signal.signal(signal.SIGTERM, before)
        (tmp_path / "market-0" / LOCK).write_text("7 elsewhere")
        with pytest.raises(Refused, match="in use by a process of elsewhere: stop it first"):
            take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "more", patience_s=0.3)
    finally:
        held.close()
    with pytest.raises(Refused, match="is not empty: a savepoint is a new folder"):
        take("market", lambda i: tmp_path / f"market-{i}", folder)
    shutil.rmtree(tmp_path / "market-1")
    with pytest.raises(Refused, match="market-1 is no recovery directory"):
        take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "more")


@pytest.mark.parametrize("harm", ["damaged", "half made", "of an earlier release"])
def test_a_savepoint_takes_the_place_of_what_can_no_longer_be_opened(tmp_path, harm):
    folder = saved_to(tmp_path)
    if harm == "damaged":
        (tmp_path / "market-1" / PART).write_bytes(b"no database")
    elif harm == "half made":
        (tmp_path / "market-1" / "manifest.json").unlink()
    else:
        manifest = tmp_path / "market-1" / "manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 1}))
    with pytest.raises(Refused):
        Recovery(tmp_path / "market-1").close()
        take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "more")
    done = restore(folder, lambda i: tmp_path / f"market-{i}", lambda saved: "")
    assert [p.is_dir() for p in done.kept] == [True] * 2
    assert states(tmp_path / "market-1").keys() == {"shard-0001", "shard-0003"}


def test_nothing_is_stopped_for_a_savepoint_that_cannot_be_written(tmp_path):
    filled(tmp_path / "market-0", [0, 1], [0, 1, 2, 3])
    (tmp_path / "file").write_text("")
    stops = []
    running_process = Recovery(tmp_path / "market-0")
    before = signal.signal(signal.SIGTERM, lambda *_: stops.append(1))
    try:
        with pytest.raises(OSError, match="Not a directory"):
            take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "file" / "saved", patience_s=0.3)
        assert stops == []
    finally:
        signal.signal(signal.SIGTERM, before)
        running_process.close()


def test_a_savepoint_for_which_the_disk_has_no_room_is_one_line_and_leaves_nothing(tmp_path):
    filled(tmp_path / "market-0", [0, 1], [0, 1, 2, 3], size=50_000)
    with no_file_beyond(100_000), pytest.raises(Unreachable, match=r"saved was not written: .*; market stands still"):
        take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    assert take("market", lambda i: tmp_path / f"market-{i}", tmp_path / "saved").flow == "market"


def test_a_savepoint_for_which_there_is_no_room_in_its_place_leaves_all_as_it_was(tmp_path):
    folder = saved_to(tmp_path)
    there = sorted(tmp_path.iterdir())
    with no_file_beyond(10_000), pytest.raises(OSError, match="File too large"):
        restore(folder, lambda i: tmp_path / f"market-{i}", lambda saved: "")
    assert sorted(tmp_path.iterdir()) == there


def savepoint(told, **changes):
    made_for = {"flow": "market", "steps": [], **market.identity(told)} | changes.pop("made_for", {})
    states = {part.name: part.fingerprint for part in market.parts(told)} | changes.pop("states", {})
    return Savepoint(1, changes.pop("flow", "market"), "0", 0, "", made_for, states, changes.pop("processes", []))


def test_what_the_settings_or_the_release_cannot_go_on_from_is_named(tmp_path):
    told = load(None, {}, [f"data={tmp_path}"])
    assert unfit(told, savepoint(told, flow="os")) == "it is of the flow 'os', which this release does not have"
    assert unfit(told, savepoint(told, made_for={"share": [0, 3]})) == ""
    assert unfit(told, savepoint(told, made_for={"partitions": 8})) == "it was made for partitions 8, not 4"
    refusing = next(part.name for part in market.parts(told) if part.changed == "refuse")
    why = unfit(told, savepoint(told, states={refusing: "another"}))
    assert why.startswith(f"{refusing} is another in the recovered state and ")


def test_offsets_that_a_log_does_not_have_do_not_fit(broker, topic_name, tmp_path):
    topic = topic_name("raw")
    create_topics(broker.bootstrap, [topic], 1, forever=True)
    told = load(None, {}, [f"data={tmp_path}", f"kafka.brokers={broker.bootstrap}"])
    saved = {"directory": "market-0", "offsets": [(topic, 0, 7)], "sha256": {}}
    processes = [type("Process", (), saved)()]
    assert unfit(told, savepoint(told, processes=processes)) == f"{topic}[0] must go on at offset 7, and has 0 to 0"


def test_the_command_says_what_it_put_back_and_refuses_what_is_not_of_these_settings(tmp_path):
    for i in range(2):
        filled(tmp_path / "recovery" / f"market-{i}", [i, 2], [i, i + 2])
    take("market", lambda i: tmp_path / "recovery" / f"market-{i}", tmp_path / "saved")
    with pytest.raises(Refused, match="saved does not fit: it was made for topics None, not "):
        command(tmp_path / "saved", data=tmp_path)


@pytest.mark.campaign
def test_all_flows_give_the_same_rows_when_they_are_put_back_in_the_middle(broker, tmp_path):
    items = simulated(seconds=40, disturbed=True)
    flows = ("market", "risk", "forecast", "alerts")
    with services(tmp_path / "services", broker.bootstrap) as base:
        untouched, put_back = (settings_for(base.settings, [*SETS, "source.align_ms=1000"]) for _ in range(2))
        expected = run(untouched, items)
        with running(put_back) as under_way:
            session = under_way.session

            def place(flow: str):
                return lambda i: session.folder / "recovery" / f"{flow}-{i}"

            def again():
                for flow in flows:
                    session.supervisor.children.pop(f"{flow}-0").process.wait(30)
                    session.start_flow(flow, bounded=True)

            rest = under_way.begin(items)
            third = len(rest) // 3
            for flow in flows:
                wait_until(lambda flow=flow: (place(flow)(0) / PART).exists(), 300)
            under_way.publish(rest[:third])
            time.sleep(5)
            saved = {flow: take(flow, place(flow), tmp_path / "saved" / flow) for flow in flows}
            assert sum(saved["market"].offsets.values()) > 0
            again()
            under_way.publish(rest[third : 2 * third])
            came = sum(saved["market"].offsets.values())
            wait_until(lambda: sum(positions("market", place("market")(0)).values()) > came, 120)
            time.sleep(3)
            session.supervisor.stop(*(f"{flow}-0" for flow in flows))
            for flow in flows:
                restore(tmp_path / "saved" / flow, place(flow), lambda saved: unfit(session.settings, saved))
            again()
            under_way.publish(rest[2 * third :])
            under_way.settle()
            assert differences(expected, under_way.stored()) == []
