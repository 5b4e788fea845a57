"""The campaign's parts: what a seed draws, where its log goes on, and what stands before the database."""

import json
import random
import resource
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tests.faults.campaign import FAULTS, NAMES, STEPS, Fault, disk, draw, last, long_pause, step
from tests.faults.relay import EXCEPTION, Relay

BLOCK = "/?insert_deduplication_token=t"


@pytest.fixture
def behind():
    """A store that counts what it is asked to store."""
    stored: list[bytes] = []

    class Store(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            stored.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_address[1], stored
    server.shutdown()
    server.server_close()


def ask(port: int, rows: bytes) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{BLOCK}", rows, timeout=10) as answer:
        return answer.read()


def test_before_the_database_it_passes_on_lies_refuses_and_drops_answers(behind):
    target, stored = behind
    relay = Relay(target)
    with relay.serve() as port:
        assert ask(port, b"1") == b"ok"
        relay.mode = "lies"
        assert ask(port, b"2") == EXCEPTION
        relay.mode = "refuses"
        with pytest.raises(urllib.error.HTTPError, match="503"):
            ask(port, b"3")
        assert stored == [b"1"]
        relay.mode = "drops"
        with pytest.raises(OSError):
            ask(port, b"4")
        assert stored == [b"1", b"4"], "stored, and the answer lost"


def test_a_seed_draws_the_same_again_and_no_broker_without_a_disk_is_killed():
    drawn = [draw(random.Random(f"campaign:{seed}"), 15.0, 6, durable=False) for seed in range(300)]
    assert drawn == [draw(random.Random(f"campaign:{seed}"), 15.0, 6, durable=False) for seed in range(300)]
    faults = [fault for plan in drawn for fault in plan]
    assert {fault.kind for fault in faults} == set(FAULTS) - {"clock"}
    assert {fault.what for fault in faults if fault.kind == "crash"} == {"store"}
    assert all(0.0 <= fault.at_s <= 15.0 for fault in faults)
    assert all(plan == sorted(plan, key=lambda fault: fault.at_s) for plan in drawn)


def test_the_log_of_seeds_goes_on_for_each_broker_by_itself(tmp_path):
    log = tmp_path / "campaign.jsonl"
    assert last(log, "kafka") == 0
    log.write_text("".join(json.dumps({"seed": s, "broker": b}) + "\n" for s, b in ((1, "kafka"), (7, "embedded"))))
    assert (last(log, "kafka"), last(log, "embedded")) == (1, 7)


def test_a_seed_steps_the_clock_and_lets_a_flow_stand_the_same_again_and_leaves_its_other_faults_as_they_are():
    drawn = [step(random.Random(f"clock:{seed}"), 15.0) for seed in range(50)]
    assert drawn == [step(random.Random(f"clock:{seed}"), 15.0) for seed in range(50)]
    assert {fault.what for fault in drawn} == set(STEPS)
    assert {fault.kind for fault in drawn} == {"clock"}
    stood = [long_pause(random.Random(f"pause:{seed}"), 15.0) for seed in range(150)]
    assert 30 < sum(map(bool, stood)) < 70
    assert {fault.what for few in stood for fault in few} == set(NAMES)
    assert all(20 <= fault.for_s <= 60 for few in stood for fault in few)


def test_a_disk_that_fails_while_it_fails_takes_writes_again_when_both_are_over():
    """Of seed 120 the store's disk stayed full for good: what the second fault put back was the first."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        store = SimpleNamespace(pid=child.pid, running=True)
        scene, fault = SimpleNamespace(store=store), Fault(0.0, "disk", "store", 1.0)
        before = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
        undone = [disk(scene, fault), disk(scene, fault)]
        assert resource.prlimit(child.pid, resource.RLIMIT_FSIZE)[0] == 0
        for undo in filter(None, undone):
            undo()
        assert resource.prlimit(child.pid, resource.RLIMIT_FSIZE) == before
        child.kill()
