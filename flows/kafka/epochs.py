"""Epochs as the parts of a source live them: what is committed, how old that is, and when it is safe to stop.

Bytewax asks a part for the first batch of epoch e + 1 only after e is committed. So the first `next_batch` after a
`snapshot` proves the commit: there the commit gauge is set, and there a process that was told to stop may abort,
because nothing was handed over since. Stopping by StopIteration would instead tell every step that its input ended.
"""

import time

from bytewax.inputs import AbortExecution

from flows.monitoring import telemetry
from flows.monitoring.wall_clock import CLOCK, FROM_COMMIT
from flows.refusal import Unreachable

COMMITTED = telemetry.COMMITTED.gauge()
COMMIT = telemetry.COMMIT.histogram()


class Stopping:
    """The wish to stop, shared by the parts of a process; it is granted when each has committed all it handed over."""

    def __init__(self) -> None:
        self.requested = False
        self._waiting: set[str] = set()

    def join(self, part: str) -> None:
        """A part that must be safe before the process stops."""
        self._waiting.add(part)

    def safe(self, part: str) -> bool:
        """This part has nothing uncommitted; whether that holds for all of them now."""
        self._waiting.discard(part)
        return not self._waiting


class Epochs:
    """The epochs of one part: `begin` first in every `next_batch`, `close` in every `snapshot`."""

    def __init__(self, part: str, stopping: Stopping) -> None:
        self._part = part
        self._stopping = stopping
        stopping.join(part)
        self._closed = False
        self._closed_s = 0.0
        self._quiet = False
        self._quiet_when_closed = False

    def begin(self) -> bool:
        """Whether the epoch before has just been committed.

        Raises AbortExecution when the process is to stop and every part is safe, and Unreachable when the wall clock
        was set back: Bytewax would end no epoch until it has caught up. Started again, it goes on where it was.
        """
        if back_s := CLOCK.set_back_s():
            raise Unreachable(
                f"the wall clock was set back by {back_s:.1f} s, and epochs are timed by it: {FROM_COMMIT}"
            )
        committed, self._closed = self._closed, False
        if committed:
            COMMITTED.set(time.time())
            COMMIT.observe(time.monotonic() - self._closed_s)
        if self._stopping.requested:
            if self._quiet_when_closed and self._stopping.safe(self._part):
                raise AbortExecution()
            self._quiet = True
        return committed

    @property
    def quiet(self) -> bool:
        """Nothing more may be handed over."""
        return self._quiet

    def close(self) -> None:
        """A snapshot is being taken."""
        self._closed, self._closed_s = True, time.monotonic()
        self._quiet_when_closed = self._quiet

    def end(self) -> None:
        """The part is finished: whatever it handed over is committed before any other part may begin an epoch."""
        self._stopping.safe(self._part)
