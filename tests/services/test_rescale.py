"""Two processes of a flow, then three, then one, while its topics are written: as if it had never been touched."""

import json
import pickle
import resource
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.commands.rescale import rescale as command
from flows.kafka.ends import announce
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics, end_offsets
from flows.recovery.directory import Recovery
from flows.recovery.sealing import place
from flows.refusal import Refused, Unreachable
from flows.settings.tree import SettingsError
from flows.upkeep.rescaling import rescale
from operators.once import Once
from schemas.frames import frames
from tests.faults.kills import SETS
from tests.faults.replaying import differences, run, running, services, settings_for, simulated
from tests.services.flow_processes import finish, read, start, wait_until

pytestmark = pytest.mark.services

PARTITIONS = 4
STEPS = ((2, signal.SIGTERM), (3, signal.SIGKILL), (1, None))
"""Of so many processes, and how they end: stopped, killed, at the end of what there is."""


class Load(threading.Thread):
    """Writes until told to stop; `written` by topic and partition."""

    def __init__(self, address: str, topics: list[str]) -> None:
        super().__init__(daemon=True)
        self.publisher, self.topics = Publisher(address), topics
        self.written: dict[str, list[list[bytes]]] = {t: [[] for _ in range(PARTITIONS)] for t in topics}
        self.over = threading.Event()

    def run(self) -> None:
        n = 0
        while not self.over.is_set():
            for _ in range(20):
                for topic, every in zip(self.topics, (1, 7), strict=True):
                    if n % every == 0:
                        value = json.dumps({"n": n, "pad": "x" * (n % 40)}).encode()
                        self.written[topic][n % PARTITIONS].append(value)
                        at = 1_700_000_000_000 + n
                        self.publisher.publish(topic, b"k", value, at, partition=n % PARTITIONS)
                n += 1
            self.publisher.poll()
            time.sleep(0.01)
        self.publisher.flush()


def test_a_flow_that_is_two_then_three_then_one_process_under_load_loses_and_doubles_nothing(
    broker, topic_name, tmp_path
):
    address = broker.bootstrap
    *topics, derived = (topic_name(stem) for stem in ("depth", "trades", "derived"))
    create_topics(address, [*topics, derived], PARTITIONS, forever=True)
    setting = {"brokers": address, "topics": topics, "derived": derived, "partitions": PARTITIONS, "epoch_ms": 50}
    setting |= {"ends": str(tmp_path / "ends"), "pace": {"batch_frames": 50}}

    def directory(ordinal: int) -> Path:
        return tmp_path / f"identity-{ordinal}"

    load = Load(address, topics)
    load.start()
    try:
        before = 0
        for count, ending in STEPS:
            if before:
                done = rescale("identity", directory, count)
                assert done[:3] == (before, count, PARTITIONS)
                assert [p.is_dir() for p in done.kept] == [True] * before
            for ordinal in range(count, before):
                assert not directory(ordinal).exists(), "a directory of nobody would be found by a later process"
            processes = [
                start("identity_flow.py", setting | {"directory": str(directory(i)), "share": [i, count]})
                for i in range(count)
            ]
            there = end_offsets(address, derived)
            wait_until(
                lambda was=there: all(a > b for a, b in zip(end_offsets(address, derived), was, strict=True)), 60
            )
            if ending is not None:
                for process in processes:
                    process.send_signal(ending)
                expected = 0 if ending == signal.SIGTERM else -ending
                assert [finish(p) for p in processes] == [(expected, "")] * count
            before = count
    finally:
        load.over.set()
        load.join()
    for topic in topics:
        announce(tmp_path / "ends", topic, end_offsets(address, topic))
    assert [finish(p) for p in processes] == [(0, "")]

    log = read(address, derived)
    for partition, values in enumerate(log):
        fresh, rejects = Once().select(frames(derived, partition, values, [0] * len(values)))
        assert rejects == []
        rows = [json.loads(fresh.frame(i)) for i in range(len(fresh))]
        for topic in topics:
            mine = [r for r in rows if r["id"].startswith(topic)]
            assert [r["offset"] for r in mine] == list(range(len(load.written[topic][partition])))
            assert [int(r["id"].rsplit("|")[1]) for r in mine] == list(range(len(mine)))
            assert [json.dumps(r["value"]).encode() for r in mine] == load.written[topic][partition]


@contextmanager
def no_file_beyond(size: int):
    """A disk that takes no more, as far as one process can have one by itself."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def filled(
    directory: Path, share: list[int], shards: list[int], key: Path | None = None, size: int = 0, **changes
) -> None:
    """A directory that has committed a state of each shard, of so many bytes."""
    recovery = Recovery(directory, key)
    made_for = {"flow": "market", "steps": ["a"], "partitions": PARTITIONS, "share": share} | changes
    rows = [("a", f"shard-{p:04d}", _sealed(recovery, p, size)) for p in shards]
    recovery.fill(made_for, {"book": "1"}, rows)
    recovery.close()


def _sealed(recovery: Recovery, shard: int, size: int) -> bytes:
    return pickle.dumps(recovery.seal.seal(place("a", f"shard-{shard:04d}"), (b"state %d" % shard).ljust(size)))


def states(directory: Path, key: Path | None = None) -> dict[str, bytes]:
    recovery = Recovery(directory, key)
    try:
        return {key: saved for _, key, saved in recovery.committed()}
    finally:
        recovery.close()


def test_each_process_gets_the_states_of_its_shards_and_the_old_directories_are_kept(tmp_path):
    for i in range(2):
        filled(tmp_path / f"market-{i}", [i, 2], [i, i + 2])
    whole = states(tmp_path / "market-0") | states(tmp_path / "market-1")
    done = rescale("market", lambda i: tmp_path / f"market-{i}", 3)
    assert (done.before, done.after, done.shards) == (2, 3, 4)
    assert [set(states(tmp_path / f"market-{i}")) for i in range(3)] == [
        {"shard-0000", "shard-0003"},
        {"shard-0001"},
        {"shard-0002"},
    ]
    assert {k: v for i in range(3) for k, v in states(tmp_path / f"market-{i}").items()} == whole
    assert states(done.kept[0]) | states(done.kept[1]) == whole
    assert rescale("market", lambda i: tmp_path / f"market-{i}", 3) is None


def test_a_rescaling_that_died_between_its_moves_is_finished_by_the_next(tmp_path, monkeypatch):
    for i in range(2):
        filled(tmp_path / f"market-{i}", [i, 2], [i, i + 2])
    cut_short(monkeypatch, 3, lambda: rescale("market", lambda i: tmp_path / f"market-{i}", 4))
    assert rescale("market", lambda i: tmp_path / f"market-{i}", 4) is None
    assert [set(states(tmp_path / f"market-{i}")) for i in range(4)] == [{f"shard-000{i}"} for i in range(4)]


def cut_short(monkeypatch, after, act):
    """Let `act` die before it renames one more directory than so many."""
    renamed, made = [], Path.rename

    def dies(source, target):
        if len(renamed) == after:
            raise KeyboardInterrupt
        renamed.append(source)
        return made(source, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", dies)
        with pytest.raises(KeyboardInterrupt):
            act()


@pytest.mark.parametrize("layout", ["market-{}", "claims/{}/recovery/market-{}"])
@pytest.mark.parametrize("after", range(5))
def test_no_process_starts_on_directories_whose_moves_were_cut_short(tmp_path, monkeypatch, after, layout):
    def place(ordinal: int) -> Path:
        return tmp_path / layout.replace("{}", str(ordinal))

    key = tmp_path / "recovery.key"
    for i in range(2):
        filled(place(i), [i, 2], [i, i + 2], key=key)
    cut_short(monkeypatch, after, lambda: rescale("market", place, 3, key))
    for i in range(3):
        with pytest.raises(
            Refused, match=r"was about to change places, and that was cut short \(.*market.moves.json\)"
        ):
            Recovery(place(i), key)
    assert rescale("market", place, 3, key) is None, "it is finished"
    assert [len(states(place(i), key)) for i in range(3)] == [2, 1, 1]


@pytest.mark.parametrize("content", [b"", b"{", b"[[1]]", b"7", b"\xff"])
def test_a_journal_that_cannot_be_read_is_one_line_and_nothing_is_begun(tmp_path, content):
    (tmp_path / "market.moves.json").write_bytes(content)
    with pytest.raises(Refused, match=r"market.moves.json is no list of moves"):
        Recovery(tmp_path / "market-0", tmp_path / "recovery.key")
    assert not (tmp_path / "market-0").exists()


def test_what_else_lies_beside_the_directories_is_no_matter(tmp_path):
    filled(tmp_path / "market-0", [0, 1], [0, 1, 2, 3])
    (tmp_path / "link").symlink_to("/nowhere")
    tmp_path.chmod(0o755)
    assert rescale("market", lambda i: tmp_path / f"market-{i}", 2) is not None
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_disk_without_room_for_the_new_directories_is_one_line_and_leaves_all_as_it_was(tmp_path):
    filled(tmp_path / "market-0", [0, 1], [0, 1, 2, 3])
    there = sorted(tmp_path.iterdir())
    with no_file_beyond(100_000), pytest.raises(Unreachable, match=r"part-0.sqlite3 cannot be written: "):
        rescale("market", lambda i: tmp_path / f"market-{i}", 2)
    assert sorted(tmp_path.iterdir()) == there
    assert rescale("market", lambda i: tmp_path / f"market-{i}", 2) is not None


@pytest.mark.parametrize(
    ("second", "count", "said"),
    [
        (None, 3, r"market-1 is no recovery directory: all processes' are needed"),
        ({"share": [0, 2]}, 3, r"market-1 is not of the same run of market as .*market-0"),
        ({"share": [1, 2], "partitions": 8}, 3, r"market-1 is not of the same run"),
        ({"share": [1, 2], "flow": "risk"}, 3, r"market-1 is of risk, not of market"),
        ({"share": [1, 2]}, 5, r"market: 5 processes cannot share 4 partitions out"),
        ({"share": [1, 2]}, 0, r"market: 0 processes cannot share 4 partitions out"),
    ],
)
def test_what_cannot_be_dealt_out_is_refused_in_one_line_and_left_as_it_is(tmp_path, second, count, said):
    filled(tmp_path / "market-0", [0, 2], [0, 2])
    if second is not None:
        filled(tmp_path / "market-1", second.pop("share"), [1, 3], **second)
    there = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(Refused, match=said):
        rescale("market", lambda i: tmp_path / f"market-{i}", count)
    assert sorted(p.name for p in tmp_path.iterdir()) == there


def test_a_process_that_runs_is_not_dealt_out(tmp_path):
    filled(tmp_path / "market-0", [0, 1], [0, 1, 2, 3])
    running_process = Recovery(tmp_path / "market-0")
    with pytest.raises(Refused, match="in use by another process"):
        rescale("market", lambda i: tmp_path / f"market-{i}", 2)
    running_process.close()


def test_the_command_says_what_it_did_and_what_flows_do_that_it_deals_nothing_out_of(tmp_path, capsys):
    filled(tmp_path / "recovery" / "market-0", [0, 1], [0, 1, 2, 3])
    assert command("market", to=2, data=tmp_path) == 0
    assert capsys.readouterr().out.startswith("market: the states of 4 shards went from 1 to 2 processes\n")
    for flow, instead in (("archive", "where the database says"), ("risk", "reads again what its topics hold")):
        with pytest.raises(SettingsError, match=f"^{flow} has nothing to deal out: .*{instead}"):
            command(flow, to=2, data=tmp_path)
    with pytest.raises(SettingsError, match="there is no flow 'markets'"):
        command("markets", to=2, data=tmp_path)


@pytest.mark.campaign
def test_all_flows_give_the_same_rows_when_they_are_rescaled_in_the_middle(broker, tmp_path):
    items = simulated(seconds=40, disturbed=True)
    with services(tmp_path / "services", broker.bootstrap) as base:
        untouched, rescaled = (settings_for(base.settings, [*SETS, "source.align_ms=1000"]) for _ in range(2))
        expected = run(untouched, items)
        with running(rescaled, processes=2) as under_way:
            session = under_way.session
            rest = under_way.begin(items)
            third = len(rest) // 3
            before = 2
            for part, count in enumerate((2, 3, 1)):
                if count != before:
                    session.supervisor.stop()
                    for i in range(before):
                        shutil.move(session.folder / "recovery" / f"risk-{i}", tmp_path / f"risk-{before}-{i}")
                    for flow in ("market", "forecast", "alerts"):
                        done = rescale(flow, lambda i, flow=flow: session.folder / "recovery" / f"{flow}-{i}", count)
                        assert done[:2] == (before, count)
                    session.supervisor.children.clear()
                    for flow in ("market", "risk", "forecast", "alerts", "archive"):
                        session.start_flow(flow, 1 if flow == "archive" else count, bounded=True)
                    before = count
                here = [session.folder / "recovery" / f"risk-{i}" for i in range(count)]
                wait_until(lambda here=here: all(path.exists() for path in here), 120)
                under_way.publish(rest[part * third : (part + 1) * third if part < 2 else None])
                time.sleep(5)
            under_way.settle()
            assert differences(expected, under_way.stored()) == []
