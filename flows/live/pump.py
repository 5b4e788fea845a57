"""Pump: the thread that hands received frames to an outlet.

Kafka may keep it waiting as long as it likes: frames wait in the buffer meanwhile, and the sockets go on.
"""

import threading
import time

from flows.live.buffer import Buffer
from flows.live.outlet import Missed, Outlet
from flows.monitoring import telemetry

HELD = telemetry.LIVE_HELD.gauge()
GATHER_S = 0.001
"""What comes so soon after a piece is handed over with the next: two threads that wake each other each time do little
else."""
HELD_S = 0.25


class Pump:
    """From a buffer to an outlet."""

    def __init__(self, venue: str, buffer: Buffer, outlet: Outlet) -> None:
        self._held = HELD.labels(venue)
        self._buffer = buffer
        self._outlet = outlet
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pump-{venue}", daemon=True)
        self.failed: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Hand over what is left, and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        looked = 0.0
        try:
            while True:
                stopping = self._stop.is_set()
                taken = self._buffer.take(0.05)
                for piece in taken:
                    if isinstance(piece, Missed):
                        self._outlet.missed(piece)
                    elif piece.routed.frames:
                        self._outlet.frames(piece.at_ns, piece.routed)
                        self._buffer.release(piece.bytes)
                    else:
                        self._outlet.tick(piece.at_ns)
                if (now := time.monotonic()) - looked > HELD_S:
                    looked = now
                    self._held.set(self._buffer.bytes)
                if stopping and not taken:
                    break
                if taken and not stopping:
                    time.sleep(GATHER_S)
            self._outlet.close()
        except BaseException as error:
            self.failed = error
