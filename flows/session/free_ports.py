"""Free ports: loopback ports for processes that are about to start, claimed so that nobody else picks them meanwhile.

Between the look at a port and the start of who will listen there lie seconds. A claim is a lock on the port's byte of a
file that all processes of a user share; the system drops it when the process that picked the port is gone.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path

FIRST, BEYOND = 20_000, 32_768
"""Below the range from which Linux takes the ports of outgoing connections: a client that calls out before the listener
has started, or keeps calling a dead broker, could be given the same."""
KEPT = 1_000
"""So many claims a process keeps; the listeners of older ones have long started."""

_claimed: deque[int] = deque()
_file: list[int] = []


def free_port() -> int:
    """A loopback port that nobody listens on, and that no process has picked that is still there."""
    # a fixed global seed (Hypothesis sets one) must not give two runs the same ports
    draw = random.SystemRandom()
    for _ in range(10_000):
        port = draw.randrange(FIRST, BEYOND)
        if port in _claimed:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if _claim(port):
                return port
    raise OSError(f"no port from {FIRST} to {BEYOND - 1} is free on 127.0.0.1")


def _claim(port: int) -> bool:
    try:
        if not _file:
            path = Path(tempfile.gettempdir()) / f"alphaplus-ports-{os.getuid()}"
            _file.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        fcntl.lockf(_file[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    except OSError:  # no file can be shared here: the claim is known to this process alone
        _claimed.append(port)
        return True
    _claimed.append(port)
    if len(_claimed) > KEPT:
        fcntl.lockf(_file[0], fcntl.LOCK_UN, 1, _claimed.popleft())
    return True
