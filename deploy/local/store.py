"""The embedded store: the one process that owns a chDB directory and answers others over HTTP on loopback.

`python -m deploy.local.store --data DIR --port P [--port-file F] [--with-parent]`; port 0 is any free one. When it
answers, `DIR/store.json` (and F) hold `{"port": ..., "pid": ...}`. The tables are in `DIR/store`. SIGTERM and SIGINT
let running statements end and stop it; after kill -9 the next start has everything that was acknowledged.
"""

import argparse
import fcntl
import os
import sys
import threading
from pathlib import Path
from typing import IO

from deploy.local.process import announce, orphaned, refuse, stop_on_signals, withdraw


def main(arguments: list[str]) -> None:
    """Serve until told to stop; a directory or port in use is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.store", description="The embedded store.")
    parser.add_argument("--data", type=Path, required=True, help="the directory, made if it is not there")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 is any free one")
    parser.add_argument("--port-file", type=Path, help="where to write port and pid besides DIR/store.json")
    parser.add_argument("--with-parent", action="store_true", help="stop when the starting process is gone")
    given = parser.parse_args(arguments)
    parent = os.getppid()
    stop = stop_on_signals()
    lock = _lock(given.data)
    os.environ["TZ"] = "UTC"
    from deploy.local.engine import Engine  # noqa: PLC0415  the engine reads TZ when it is loaded
    from deploy.local.interface import Server  # noqa: PLC0415

    try:
        server = Server(given.port)
    except (OSError, OverflowError) as error:
        refuse(f"store: port {given.port} cannot be used: {error}")
    try:
        server.engine = Engine(given.data / "store")
    except RuntimeError as error:
        refuse(f"store: {given.data} cannot be opened: {' '.join(str(error).split())}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    written = [path for path in (given.data / "store.json", given.port_file) if path]
    for path in written:
        announce(path, server.server_address[1])
    while not stop.wait(0.5):
        if given.with_parent and orphaned(parent):
            break
    for path in written:
        withdraw(path)
    server.shutdown()
    server.server_close()
    server.engine.close()
    lock.close()


def _lock(data: Path) -> IO[str]:
    """The directory for this process alone, until it ends however it ends."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "store.lock").open("a+")
    except OSError as error:
        refuse(f"store: {data} cannot be written: {error}")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        refuse(f"store: {data} is in use by process {lock.read().strip() or 'unknown'}; one store a directory")
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


if __name__ == "__main__":
    main(sys.argv[1:])
