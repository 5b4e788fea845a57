"""Lag: what a flow has not committed, as `alphaplus lag` tells it and as Kafka's own tool sees it."""

import json
import subprocess
import time

import msgspec
import pytest

from flows.commands import lag as command
from flows.commands.lag import lag, lags
from flows.kafka.ends import announce
from flows.kafka.glance import bounds_of, last_marks, times_before
from flows.kafka.offsets import Offsets
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics, end_offsets
from flows.kafka.written_marks import KEY
from flows.refusal import Refused
from flows.settings.sources import load
from flows.upkeep.committed import directories, least, positions
from tests.services.flow_processes import finish, start
from tests.services.kafka_kraft.jars import jars

pytestmark = pytest.mark.services
BEGAN_MS = 1_700_000_000_000


def write(address, topic, count, partition=0):
    publisher = Publisher(address)
    for i in range(count):
        publisher.publish(topic, b"k", b"%d" % i, BEGAN_MS + i, partition=partition)
    publisher.flush()


def test_the_lag_of_a_flow_is_what_its_recovery_directory_has_not_committed(
    broker, topic_name, tmp_path, monkeypatch, capsys
):
    address, (topic, derived) = broker.bootstrap, (topic_name("raw"), topic_name("derived"))
    create_topics(address, [topic, derived], 2, forever=True)
    write(address, topic, 30)
    announce(tmp_path / "ends", topic, end_offsets(address, topic))
    setting = {"brokers": address, "topics": [topic], "derived": derived, "partitions": 2}
    setting |= {"directory": str(tmp_path / "identity-0"), "ends": str(tmp_path / "ends")}
    assert finish(start("identity_flow.py", setting)) == (0, "")
    write(address, topic, 12)
    write(address, topic, 5, partition=1)

    pattern = str(tmp_path / "identity-{}")
    assert directories(pattern) == [tmp_path / "identity-0"]
    found = least([positions("identity", d) for d in directories(pattern)])
    assert found == {(topic, 0): 30, (topic, 1): 0}
    within = bounds_of(address, found)
    assert within == {(topic, 0): (0, 42), (topic, 1): (0, 5)}
    assert times_before(address, found, within) == {(topic, 0): BEGAN_MS + 29}

    told = load(None, {}, [f"kafka.brokers={address}"])
    monkeypatch.setattr(command, "_closed", lambda *_: {0: BEGAN_MS + 1_000})
    rows = lags(told, "market", found)
    assert [(r.topic, r.partition, r.committed, r.end, r.lag_messages) for r in rows] == [
        (topic, 0, 30, 42, 12),
        (topic, 1, 0, 5, 5),
    ]
    assert rows[0].closed_until_ms == BEGAN_MS + 1_000
    assert rows[0].event_time_lag_s == pytest.approx(time.time() - BEGAN_MS / 1e3 - 1, abs=60)
    assert rows[1].event_time_lag_s is None

    monkeypatch.setattr(command, "positions", lambda flow, directory, key: found)
    (tmp_path / "recovery" / "market-0").mkdir(parents=True)
    on = {"set": (f"kafka.brokers={address}",), "data": tmp_path}
    assert lag("market", format="json", **on) == 0
    assert [msgspec.json.encode(r) for r in rows][1] == msgspec.json.encode(json.loads(capsys.readouterr().out)[1])
    assert lag("market", most=12, **on) == 0
    assert lag("market", most=11, **on) == 1
    out = capsys.readouterr()
    assert out.err.startswith(f"alphaplus: market is behind in {topic}[0]: 12 messages, ")
    assert lag("market", most_s=60, **on) == 1
    with pytest.raises(Refused, match=f"no {topic}\\[2\\] at "):
        bounds_of(address, [(topic, 2)])


def test_a_log_that_no_process_has_begun_is_named_and_counts_where_the_brokers_know_of_all_processes(
    broker, topic_name, tmp_path, monkeypatch, capsys
):
    address, topic = broker.bootstrap, topic_name("raw")
    create_topics(address, [topic], 2, forever=True)
    write(address, topic, 30)
    write(address, topic, 5, partition=1)
    monkeypatch.setattr(command, "_closed", lambda told, flow, partitions: dict.fromkeys(partitions, 0))
    monkeypatch.setattr(command, "positions", lambda flow, directory, key: {(topic, 0): 30})
    (tmp_path / "recovery" / "market-0").mkdir(parents=True)
    on = {"set": (f"kafka.brokers={address}",), "data": tmp_path}
    assert lag("market", most=4, **on) == 0, "its process may be on another machine"
    assert f"market: no process here has committed anything of {topic}[1]" in capsys.readouterr().err
    monkeypatch.setattr(command, "told_to_group", lambda brokers, group: {(topic, 0): 30})
    on["set"] += ("kafka.offsets_group=all",)
    assert lag("market", most=4, **on) == 1
    assert f"alphaplus: market is behind in {topic}[1]: 5 messages, " in capsys.readouterr().err


def test_the_archive_is_not_behind_in_a_log_of_which_it_has_stored_everything(broker, topic_name):
    address, topic = broker.bootstrap, topic_name("rejects")
    create_topics(address, [topic], 3, forever=True)
    write(address, topic, 30)
    write(address, topic, 5, partition=1)
    told = load(None, {}, [f"kafka.brokers={address}"])
    rows = lags(told, "archive", {(topic, 0): 30, (topic, 1): 3, (topic, 2): 0})
    assert [r.event_time_lag_s and round(r.event_time_lag_s, -3) for r in rows] == [
        0.0,
        round(time.time() - BEGAN_MS / 1e3, -3),
        0.0,
    ]
    assert rows[0].closed_until_ms == BEGAN_MS + 29


def test_directories_are_found_wherever_the_ordinal_stands_in_their_names(tmp_path):
    for name in ("claims/0/recovery/market-0", "claims/1/recovery/market-1", "claims/1/recovery/market-0", "market-10",
                 "market-2", "market-2.20261128T022746", ".market-3.20261128T022746"):  # fmt: skip
        (tmp_path / name).mkdir(parents=True)
    assert directories(f"{tmp_path}/claims/{{}}/recovery/market-{{}}") == [
        tmp_path / "claims/0/recovery/market-0",
        tmp_path / "claims/1/recovery/market-1",
    ]
    assert directories(f"{tmp_path}/market-{{}}") == [tmp_path / "market-10", tmp_path / "market-2"]
    assert directories(f"{tmp_path}/nowhere/market-{{}}") == []


def test_the_newest_closed_second_is_the_last_mark_however_many_rows_came_after_it(broker, topic_name):
    address, topic = broker.bootstrap, topic_name("features")
    create_topics(address, [topic], 3, forever=True)
    publisher = Publisher(address)
    publisher.publish(topic, KEY, None, BEGAN_MS, partition=0)
    publisher.publish(topic, KEY, None, BEGAN_MS + 500, partition=0)
    for partition in (0, 1):
        for i in range(700):
            publisher.publish(topic, b"k", b"%d" % i, BEGAN_MS + 900, partition=partition)
    publisher.flush()
    within = bounds_of(address, [(topic, p) for p in range(3)])
    assert last_marks(address, within) == {(topic, 0): BEGAN_MS + 500}


def test_kafkas_own_tool_shows_what_a_flow_has_not_committed(broker, topic_name):
    if broker.name != "kafka":
        pytest.skip("only Apache's brokers keep offsets of groups without members, and have the tool")
    topic, group = topic_name("lag"), topic_name("group")
    create_topics(broker.bootstrap, [topic], 2, forever=True)
    write(broker.bootstrap, topic, 100)
    offsets = Offsets(broker.bootstrap, group, every_s=0.2)
    offsets.committed({(topic, 0): 30, (topic, 1): 0})
    offsets.close()
    tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
    asked = ["--bootstrap-server", broker.bootstrap, "--describe", "--group", group]
    run = subprocess.run(
        ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", str(jars() / "*"), tool, *asked],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    rows = [line.split() for line in run.stdout.splitlines() if line.startswith(group)]
    assert [row[1:6] for row in sorted(rows)] == [[topic, "0", "30", "100", "70"], [topic, "1", "0", "0", "0"]], run

    told = load(None, {}, [f"kafka.brokers={broker.bootstrap}", f"kafka.offsets_group={group.rpartition('.')[0]}"])
    assert command.told_to_group(told.kafka, group) == {(topic, 0): 30, (topic, 1): 0}
