"""Wall clock: whether it was set back since this process began, which stops for as long what is timed by it.

The engine times epochs by it, and Kafka's client its waits: one that began while the clock was ahead lasts until the
clock has caught up, in compiled code that nothing interrupts. Begun anew, a process goes on from its last commit.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.monitoring import telemetry
from flows.monitoring.log_lines import LOG

SET_BACK = telemetry.CLOCK_SET_BACK.counter()
STEP_S = 1.0
"""Being set back by less delays what waits by less."""
LOOK_S = 0.25
PATIENCE_S = 5.0
"""How long a flow may take to end by itself after that."""
CODE = 1


class WallClock:
    """Looked at now and then, from any thread."""

    def __init__(self) -> None:
        self._ahead_s = time.time() - time.monotonic()
        self._back_s = 0.0

    def set_back_s(self) -> float:
        """By how many seconds it was set back at once; 0 if it never was."""
        ahead_s = time.time() - time.monotonic()
        if not self._back_s and ahead_s < self._ahead_s - STEP_S:
            self._back_s = self._ahead_s - ahead_s
            SET_BACK.inc()
        self._ahead_s = ahead_s
        return self._back_s


FROM_COMMIT = "starting again from the last committed epoch"
CLOCK = WallClock()
"""That of this process, from its beginning."""


@contextmanager
def watched(name: str, after: str, clock: WallClock = CLOCK, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """While inside, the process ends when the clock was set back and the inside has not noticed by itself.

    What comes `after` is said with it.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_S):
            if back_s := clock.set_back_s():
                if not over.wait(patience_s):
                    LOG.error(
                        "%s: the wall clock was set back by %.1f s, and what waits by it was ended: %s",
                        name,
                        back_s,
                        after,
                    )
                    os._exit(CODE)
                return

    watcher = threading.Thread(target=watch, name="clock-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
