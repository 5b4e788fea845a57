"""The embedded broker as a process."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "deploy.local.broker"]


def launch(*more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([*COMMAND, *more], cwd=ROOT, stderr=subprocess.PIPE, text=True)


def announced(path: Path) -> dict[str, int]:
    for _ in range(600):
        if path.exists():
            return dict(json.loads(path.read_text()))
        time.sleep(0.05)
    pytest.fail("the broker did not answer within 30 s")


def closes(port: int) -> bool:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_it_takes_records_and_gives_them_back_and_ends_on_sigterm(tmp_path: Path) -> None:
    process = launch("--port", "0", "--port-file", str(tmp_path / "broker.json"))
    said = announced(tmp_path / "broker.json")
    assert said["pid"] == process.pid
    servers = {"bootstrap.servers": f"127.0.0.1:{said['port']}"}
    admin = AdminClient(servers)
    for made in admin.create_topics([NewTopic("t", 2, 1)]).values():
        made.result(20)
    failures: list[object] = []
    producer = Producer(servers)
    for i in range(10):
        producer.produce("t", b"%d" % i, partition=1, on_delivery=lambda error, _: failures.append(error))
    assert producer.flush(20) == 0
    assert failures == [None] * 10
    consumer = Consumer({**servers, "group.id": "g"})
    consumer.assign([TopicPartition("t", 1, 0)])
    assert [record.value() for record in consumer.consume(10, 20)] == [b"%d" % i for i in range(10)]
    consumer.close()
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 0
    assert closes(said["port"])
    assert not (tmp_path / "broker.json").exists()


def test_a_used_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = launch("--port", str(port))
        said = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert said.startswith(f"broker: port {port} cannot be used: ") and said.count("\n") == 1


def test_the_broker_does_not_outlive_its_process_killed(tmp_path: Path) -> None:
    process = launch("--port-file", str(tmp_path / "broker.json"))
    port = announced(tmp_path / "broker.json")["port"]
    process.kill()
    process.communicate()
    assert closes(port)


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    command = [*COMMAND, "--port-file", str(tmp_path / "b.json")]
    script = f"import subprocess, time\nsubprocess.Popen({command!r})\ntime.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    port = announced(tmp_path / "b.json")["port"]
    parent.kill()
    parent.wait()
    assert closes(port)


def test_it_ends_when_its_broker_does(tmp_path: Path) -> None:
    process = launch("--port-file", str(tmp_path / "broker.json"))
    announced(tmp_path / "broker.json")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    subprocess.run(["kill", "-9", *children], check=True)
    said = process.communicate(timeout=30)[1]
    assert (process.returncode, said) == (137, "broker: the broker ended with status -9\n")
