"""The embedded store: the one process that owns a chDB directory and answers others over HTTP on loopback.

`python -m deploy.local.store --data DIR --port P [--port-file F] [--with-parent]`; port 0 is any free one. When it
answers, `DIR/store.json` (and F) hold `{"port": ..., "pid": ...}`. The tables are in `DIR/store`. SIGTERM and SIGINT
let running statements end and stop it; after kill -9 the next start has everything that was acknowledged. When the disk
refused something, the store begins anew by itself on what is whole.

Whoever asks it shows a secret: `DIR/store.secret` as `default`, who writes, `DIR/store.reader` as `reader`.
"""

import argparse
import fcntl
import os
import shutil
import sys
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from socket import socket as Socket
from typing import IO, TYPE_CHECKING, NoReturn

from deploy.local.damage import forget_tokens
from deploy.local.fence import fence
from deploy.local.process import announce, listening, orphaned, refuse, stop_on_signals, withdraw
from deploy.local.store_secrets import Secrets, kept, private

if TYPE_CHECKING:
    from uvicorn import Server

    from deploy.local.engine import Engine


def main(arguments: list[str]) -> None:
    """Serve until told to stop; a directory or port in use is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.store", description="The embedded store.")
    parser.add_argument("--data", type=Path, required=True, help="the directory, made if it is not there")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 is any free one")
    parser.add_argument("--port-file", type=Path, help="where to write port and pid besides DIR/store.json")
    parser.add_argument("--with-parent", action="store_true", help="stop when the starting process is gone")
    given = parser.parse_args(arguments)
    parent = os.getppid()
    os.umask(0o077)
    stop = stop_on_signals()
    lock = _lock(given.data)
    try:
        secrets = kept(given.data)
    except OSError as error:
        refuse(f"store: {error}")
    try:
        socket = listening(given.port)
    except (OSError, OverflowError) as error:
        refuse(f"store: port {given.port} cannot be used: {error}")
    serving: Future[tuple[Server, Engine]] = Future()
    thread = threading.Thread(target=_serve, args=(given.data / "store", socket, secrets, serving), daemon=True)
    thread.start()
    try:
        server, engine = serving.result()
    except (RuntimeError, OSError) as error:
        refuse(f"store: {given.data} cannot be opened: {' '.join(str(error).split())}")
    if engine.damaged:
        if forget_tokens(engine.damaged):  # which this engine has read
            _begin_anew(socket.getsockname()[1])
        _say(f"store: {given.data}: damaged and left out: {', '.join(map(str, engine.damaged))}")
    port = socket.getsockname()[1]
    written = [path for path in (given.data / "store.json", given.port_file) if path]
    for path in written:
        announce(path, port)
    while not stop.wait(0.5) and thread.is_alive():
        if given.with_parent and orphaned(parent):
            break
        if not engine.whole():
            _say(f"store: {given.data}: the disk refused what was written; beginning anew on what is whole")
            while not (taken := _takes(given.data)) and not stop.wait(0.2):
                pass
            if taken:
                _begin_anew(port)
    for path in written:
        withdraw(path)
    server.should_exit = True
    thread.join()
    lock.close()


def _begin_anew(port: int) -> NoReturn:
    """In the place of this process, with its number and port, one that opens what is there; nothing is closed."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], "--port", str(port)])


def _takes(data: Path) -> bool:
    """Whether a megabyte can be written there."""
    try:
        with tempfile.TemporaryFile(dir=data) as file:
            file.write(bytes(2**20))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _say(line: str) -> None:
    """On standard error, if that takes it: it may lie on the disk that fails."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _serve(tables: Path, socket: Socket, secrets: Secrets, serving: "Future[tuple[Server, Engine]]") -> None:
    """Within a fence, open the engine and answer; the fence is this thread's and of all that it starts.

    The main thread stays outside: it writes down where the store is.
    """
    scratch = tables / "scratch"
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        os.environ.update(TZ="UTC", TMPDIR=str(scratch.resolve()))  # which the engine reads when it is loaded
        fence(tables)
        from deploy.local.engine import Engine  # noqa: PLC0415
        from deploy.local.interface import Interface  # noqa: PLC0415
        from deploy.local.serving import server  # noqa: PLC0415

        engine = Engine(tables)
        made = server(Interface(engine, secrets).app)
    except BaseException as error:
        serving.set_exception(error)
        return
    serving.set_result((made, engine))
    made.run(sockets=[socket])
    engine.close()


def _lock(data: Path) -> IO[str]:
    """The directory for this process alone, until it ends however it ends."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        private(data / "store")
        lock = (data / "store.lock").open("a+")
    except OSError as error:
        refuse(f"store: {data} cannot be used: {error}")
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
