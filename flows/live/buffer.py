"""Buffer: what was received and is not handed on yet, bounded; what finds no room is counted, never just gone.

One thread puts, another takes, and neither waits for the other. Times never go back, so that a tick says that
everything received up to its time stands before it. Nor do they stand still: when the wall clock is set back they go on
by the steady one, for logs without news close windows by the times of ticks.
"""

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from flows.live.outlet import Missed, Routed

AT_ONCE = 200
"""So many pieces are taken in one go."""


@dataclass(slots=True)
class Received:
    """Frames that came in one piece; without any it is a tick."""

    at_ns: int
    routed: Routed
    bytes: int


class Buffer:
    """At most `limit` bytes of frames."""

    def __init__(
        self, limit: int, clock: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._limit = limit
        self._clock, self._steady = clock, steady
        self._steady_ns = 0
        self._held: deque[Received | Missed] = deque()
        self._put_bytes = self._taken_bytes = 0
        self._last_ns = 0
        self._missed: Missed | None = None
        self._there = threading.Event()
        self._waiting = False

    def put(self, routed: Routed) -> int:
        """Frames that have just been received (none at all: a tick); how many of them found room."""
        now_ns = self._now()
        frames = routed.frames
        size, kept = sum(map(len, frames)), len(frames)
        room = self._limit - self._put_bytes + self._taken_bytes
        if size > room:
            kept = bisect_right(list(accumulate(map(len, frames))), room)
            routed = routed.first(kept)
            size = sum(map(len, routed.frames))
        if kept or not frames:
            self._put_bytes += size
            if self._missed is not None:
                # what was missed stands in the log where it was missed
                self._held.append(self._missed)
                self._missed = None
            self._held.append(Received(now_ns, routed, size))
            if self._waiting:
                self._there.set()
        for missed in frames[kept:]:
            self._miss(now_ns, len(missed))
        return kept

    def _now(self) -> int:
        # the wall clock first: a pause between the two readings must not count as time that it lost
        wall_ns, steady_ns = self._clock(), self._steady()
        passed_ns = steady_ns - self._steady_ns if self._last_ns else 0
        self._last_ns, self._steady_ns = max(wall_ns, self._last_ns + passed_ns), steady_ns
        return self._last_ns

    def _miss(self, now_ns: int, size: int) -> None:
        missed = self._missed
        if missed is None:
            self._missed = Missed(now_ns, now_ns, 1, size)
        else:
            missed.last_ns, missed.frames, missed.bytes = now_ns, missed.frames + 1, missed.bytes + size

    def take(self, wait_s: float) -> list[Received | Missed]:
        """All that is there, in its order; waits up to a time for the first."""
        if not self._held:
            self._there.clear()
            self._waiting = True
            if not self._held:
                self._there.wait(wait_s)
            self._waiting = False
        held, pop = self._held, self._held.popleft
        return [pop() for _ in range(min(len(held), AT_ONCE))]

    def release(self, size: int) -> None:
        """So many bytes of what was taken are handed on."""
        self._taken_bytes += size

    @property
    def bytes(self) -> int:
        """How much waits."""
        return self._put_bytes - self._taken_bytes
