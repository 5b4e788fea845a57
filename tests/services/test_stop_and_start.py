"""Stopping and starting a flow: SIGTERM leaves nothing to repeat, and a wrong start says why in one line."""

import signal
import time

import pytest

from flows.engine.runner import REFUSED
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics, end_offsets
from tests.services.flow_processes import Growth, brokers, finish, named, read, start, wait_until

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def address():
    with brokers() as found:
        yield found


@pytest.fixture
def setting(address, tmp_path):
    a, derived = named("a", "derived")
    create_topics(address, [a, derived], 2, forever=True)
    return {
        "brokers": address,
        "directory": str(tmp_path / "recovery"),
        "topics": [a],
        "derived": derived,
        "partitions": 2,
        "epoch_ms": 200,
    }


def feed(setting: dict, first: int, count: int) -> None:
    publisher = Publisher(setting["brokers"])
    for i in range(first, first + count):
        publisher.publish(setting["topics"][0], b"k", b"%d" % i, 1_700_000_000_000 + i, partition=i % 2)
    publisher.flush()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_flow_exits_0_soon_and_goes_on_without_a_repeat(setting, number):
    setting["pace"] = {"batch_frames": 20, "epoch_bytes": 400}
    feed(setting, 0, 4_000)
    growth = Growth(setting["brokers"], setting["derived"], 2)
    for _ in range(3):
        growth.since_the_last_time()
        process = start("identity_flow.py", setting)
        wait_until(growth.since_the_last_time)
        time.sleep(0.3)
        process.send_signal(number)
        assert finish(process, timeout_s=10) == (0, "")
    growth.close()
    values = read(setting["brokers"], setting["derived"])
    for partition, found in enumerate(values):
        assert found, "it did some work"
        topic = setting["topics"][0]
        head = f'{{"id":"{topic}-{partition}|%d","offset":%d,"value":%d}}'
        assert found == [(head % (i, i, 2 * i + partition)).encode() for i in range(len(found))]


def test_a_second_process_on_the_directory_is_refused_in_one_line(setting):
    feed(setting, 0, 10)
    first = start("identity_flow.py", setting)
    wait_until(lambda: sum(end_offsets(setting["brokers"], setting["derived"])) == 10)
    assert finish(start("identity_flow.py", setting)) == (
        REFUSED,
        f"{setting['directory']} is in use by another process",
    )
    first.terminate()
    assert finish(first) == (0, "")


def test_a_renamed_step_is_refused_in_one_line(setting):
    first = start("identity_flow.py", setting)
    feed(setting, 0, 10)
    wait_until(lambda: sum(end_offsets(setting["brokers"], setting["derived"])) == 10)
    first.terminate()
    assert finish(first) == (0, "")
    code, text = finish(start("identity_flow.py", setting | {"step": "copies"}))
    assert code == REFUSED
    assert text.count("\n") == 0
    assert text.startswith(f"identity: {setting['directory']} was made for other steps: identity.copy, ")


def test_a_missing_topic_is_one_line_and_exit_code_1(setting):
    code, text = finish(start("identity_flow.py", setting | {"topics": ["not.there"], "start_s": 1}))
    assert (code, text) == (1, f"identity: no topic not.there at {setting['brokers']} (waited 1 s)")
