"""Signals: SIGTERM, SIGINT and SIGHUP ask a flow to stop, and end it when it does not come to that within seconds.

A stop is granted at the end of an epoch, which a flow that waits for a broker or a database does not reach. To end it
there is no loss: it goes on from its last committed epoch, as after a kill.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from flows.kafka.epochs import Stopping
from flows.monitoring.log_lines import LOG
from flows.stops import stops

PATIENCE_S = 6.0
"""How long a stop may take to be granted: several epochs."""
CODE = 1


def interrupted_when_told() -> None:
    """From now on all of them end a command as Ctrl-C does: what it began for a while it takes away again."""
    for number in stops():
        if number != signal.SIGINT:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def stoppable(name: str, stopping: Stopping, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """While inside, these signals set `stopping`; where the inside then lasts longer than that, the process ends.

    The watcher learns of a signal from the system itself, so the main thread may be anywhere, in compiled code too.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.requested = True

    heard = stops()
    told, tells = socket.socketpair()
    tells.setblocking(False)
    over = threading.Event()

    def watch() -> None:
        while (number := told.recv(1)) and number[0] not in heard:
            pass
        if number and not over.wait(patience_s):
            LOG.error(
                "%s: did not come to a stop within %.0f s and was ended; it goes on from its last committed epoch",
                name,
                patience_s,
            )
            os._exit(CODE)

    before = {number: signal.signal(number, stop) for number in heard}
    wakes = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, name="stop-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(wakes)
        for number, handler in before.items():
            signal.signal(number, handler)
        tells.close()
        watcher.join()
        told.close()
