"""What the embedded processes share: an address on loopback, where it is written down, and when to stop."""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

LOOPBACK = "127.0.0.1"


def refuse(line: str) -> NoReturn:
    """End the process with one line on standard error and exit status 1."""
    print(line, file=sys.stderr, flush=True)
    raise SystemExit(1)


def announce(path: Path, port: int) -> None:
    """Write `{"port": ..., "pid": ...}` so that a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"port": port, "pid": os.getpid()}))
    draft.replace(path)


def withdraw(path: Path) -> None:
    """Take back what this process announced; what another one wrote there stays."""
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text())["pid"] == os.getpid():
            path.unlink()


def free_port(wanted: int) -> int:
    """`wanted`, or one that is free now for 0; OSError says that it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, wanted))
        return int(probe.getsockname()[1])


def listening(wanted: int) -> socket.socket:
    """A socket of this machine alone on `wanted`, any free port for 0; OSError says that it is taken."""
    # only where it is told so, asyncio takes it for TCP and sends at once: the end of an answer else waits 40 ms until
    # the receipt of its beginning is confirmed
    found = socket.socket(proto=socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((LOOPBACK, wanted))
        found.listen(128)
    except BaseException:
        found.close()
        raise
    return found


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets; call it on the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def orphaned(parent: int) -> bool:
    """Whether the process that started this one, `parent`, is gone."""
    return os.getppid() != parent
