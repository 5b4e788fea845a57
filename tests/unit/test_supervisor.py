"""The supervisor: what is killed starts again, what cannot run is given up in one line, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.session import supervisor as module
from flows.session.supervisor import ProcessFailed, Supervisor

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = {
    "sleeper": "import time\nprint('up', flush=True)\ntime.sleep(600)\n",
    "failing": "import sys\nprint('first')\nprint('no such thing', file=sys.stderr)\nsys.exit(3)\n",
    "refusing": "import sys\nprint('wrong argument')\nsys.exit(2)\n",
    "aborting": "import os\nprint('panicked', flush=True)\nos.abort()\n",
    "done": "print('done')\n",
    "stubborn": "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
    "time.sleep(600)\n",
    "bound": "import time\nfrom flows.session.supervisor import end_with_parent\nend_with_parent()\nprint('up', flush=True)\n"
    "time.sleep(600)\n",
    "once": "import os, sys\nsys.exit(0 if os.path.exists('mark') else open('mark', 'w').close() or 7)\n",
}
WAIT_S = 60.0


@pytest.fixture
def watched(tmp_path, monkeypatch):
    for name, text in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(REPOSITORY)]))
    found = Supervisor(tmp_path / "logs")
    yield found
    found.stop(patience_s=0.2)


def up(child):
    return child.log.exists() and b"up" in child.log.read_bytes()


def alive(pid):
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_what_is_killed_is_started_again_under_the_same_name(watched):
    child = watched.start("one", "sleeper")
    assert watched.wait(lambda: up(child), timeout_s=WAIT_S)
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    assert watched.wait(lambda: child.restarts == 1 and child.log.read_bytes().count(b"up") == 2, timeout_s=WAIT_S)
    assert child.process.pid != first
    assert alive(child.process.pid)


def test_what_fails_once_and_then_ends_well_is_finished_and_left_alone(watched):
    child = watched.start("one", "once")
    assert watched.wait(lambda: child.finished, timeout_s=WAIT_S)
    assert child.restarts == 1
    watched.check()
    assert child.restarts == 1


def test_what_keeps_failing_is_given_up_with_its_last_line(watched, monkeypatch):
    monkeypatch.setattr(module, "MOST_FAILURES", 4)
    child = watched.start("one", "failing")
    with pytest.raises(ProcessFailed) as caught:
        watched.wait(lambda: False, timeout_s=WAIT_S)
    assert str(caught.value) == "one failed 5 times: no such thing"
    assert child.log.read_bytes().count(b"first") == 5


def test_why_something_is_started_again_is_said_once_and_that_a_full_disk_is_why(watched, monkeypatch, capfd):
    """A demo on a full disk showed `1/5 flows up` and `done`, and no reason."""
    monkeypatch.setattr(module, "MOST_FAILURES", 3)
    watched.start("one", "failing")
    with pytest.raises(ProcessFailed):
        watched.wait(lambda: False, timeout_s=WAIT_S)
    assert capfd.readouterr().err == "alphaplus: one ended with 3 and is started again: no such thing\n"
    monkeypatch.setattr(module, "ROOM_BYTES", 1 << 62)
    assert watched.children["one"].why() == f"no such thing; the disk of {watched.folder} is full"


def test_what_keeps_aborting_is_given_up_like_what_keeps_failing_and_not_without_a_pause(watched, monkeypatch):
    monkeypatch.setattr(module, "MOST_FAILURES", 4)
    child = watched.start("one", "aborting")
    assert watched.wait(lambda: child.failures == 4, timeout_s=WAIT_S)
    assert child.due_s > time.monotonic()
    with pytest.raises(ProcessFailed, match=r"^one failed 5 times: panicked$"):
        watched.wait(lambda: False, timeout_s=WAIT_S)


def test_a_process_that_ran_well_begins_a_new_count(watched, monkeypatch):
    monkeypatch.setattr(module, "WELL_S", 0.0)
    monkeypatch.setattr(module, "MOST_FAILURES", 2)
    child = watched.start("one", "failing")
    assert watched.wait(lambda: child.restarts == 5, timeout_s=WAIT_S)
    assert child.failures == 1


def test_the_most_restarts_allowed_are_not_exceeded(watched):
    watched.most_restarts = 1
    watched.start("one", "failing")
    with pytest.raises(ProcessFailed, match=r"^one ended with 3: no such thing$"):
        watched.wait(lambda: False, timeout_s=WAIT_S)
    assert watched.children["one"].restarts == 1


def test_a_refusal_is_not_tried_again(watched):
    child = watched.start("one", "refusing")
    with pytest.raises(ProcessFailed, match=r"^one ended with 2: wrong argument$"):
        watched.wait(lambda: False, timeout_s=WAIT_S)
    assert child.restarts == 0


def test_a_service_that_is_not_to_be_kept_is_missed_at_once(watched):
    child = watched.start("one", "sleeper", keep=False)
    assert watched.wait(lambda: up(child), timeout_s=WAIT_S)
    child.process.kill()
    with pytest.raises(ProcessFailed, match=r"^one ended with -9: up$"):
        watched.wait(lambda: False, timeout_s=WAIT_S)


def test_waiting_ends_when_the_time_is_up(watched):
    watched.start("one", "sleeper")
    assert not watched.wait(lambda: False, timeout_s=0.1)


def test_stopping_ends_all_also_those_that_do_not_listen(watched):
    children = [watched.start("one", "sleeper"), watched.start("two", "stubborn"), watched.start("three", "done")]
    assert watched.wait(lambda: up(children[0]) and up(children[1]) and children[2].finished, timeout_s=WAIT_S)
    watched.stop(patience_s=0.5)
    assert [c.process.returncode for c in children] == [-signal.SIGTERM, -signal.SIGKILL, 0]
    watched.check()
    assert [c.restarts for c in children] == [0, 0, 0]


def test_stopping_one_leaves_the_others(watched):
    one, two = watched.start("one", "sleeper"), watched.start("two", "sleeper")
    assert watched.wait(lambda: up(one) and up(two), timeout_s=WAIT_S)
    watched.stop("one")
    assert not alive(one.process.pid)
    assert alive(two.process.pid)


def test_children_do_not_hear_the_terminal_of_their_supervisor(watched):
    child = watched.start("one", "sleeper")
    assert os.getsid(child.process.pid) == child.process.pid != os.getsid(0)


def test_a_child_ends_when_its_supervisor_is_killed(watched, tmp_path):
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom flows.session.supervisor import Supervisor\n"
        "s = Supervisor(Path('logs'))\nc = s.start('one', 'bound')\n"
        "s.wait(lambda: b'up' in c.log.read_bytes())\nprint(c.process.pid, flush=True)\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    until(lambda: not alive(pid))
