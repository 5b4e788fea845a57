"""Event time: up to when each shard of a flow has closed, how old that is, and one line when it stands still."""

import time
from collections.abc import Callable

from flows.monitoring import telemetry
from flows.monitoring.log_lines import LOG

CLOSED = telemetry.CLOSED.gauge()
LAG = telemetry.EVENT_LAG.gauge()
STANDING_STILL = telemetry.STANDING_STILL.gauge()
TO_ROWS = telemetry.EVENT_TO_ROWS.histogram()
STILL_S = 30.0
MOST_S = 1.0
"""A longer time between two batches does not count: this process was not there, or nothing came."""


class Held:
    """Whether a shard's source hands nothing over although frames wait. `waits_for` says for which log it waits."""

    def __init__(self, shard: str, waits_for: Callable[[], str]) -> None:
        """Nothing is held back yet."""
        self._shard, self._waits_for = shard, waits_for
        self._of = {"shard": str(int(shard.rpartition("-")[2]))}
        self._attended_s = 0.0
        self._seen_s = time.monotonic()
        self._told = False

    def looked(self, held: bool) -> None:
        """Whether anything that was fetched could not be handed over now."""
        now = time.monotonic()
        self._attended_s = self._attended_s + min(MOST_S, now - self._seen_s) if held else 0.0
        self._seen_s = now
        if self._told and not held:
            self._told = False
            STANDING_STILL.labels(self._shard).set(0)
            LOG.warning("%s hands over again", self._shard, extra=self._of)
        elif self._attended_s > STILL_S and not self._told:
            self._told = True
            STANDING_STILL.labels(self._shard).set(1)
            LOG.warning(
                "%s has handed nothing over for %.0f s although frames wait: %s is not read to its end; look whether it"
                " has a leader",
                self._shard,
                self._attended_s,
                self._waits_for(),
                extra=self._of,
            )


class Closing:
    """How far one shard has closed. `waits_for` says in a few words for which log it waits."""

    def __init__(self, flow: str, shard: str, waits_for: Callable[[], str]) -> None:
        """Nothing closed yet."""
        self._flow, self._shard, self._waits_for = flow, shard, waits_for
        self._until_ms: int | None = None
        self._frames = 0
        self._attended_s = 0.0
        self._seen_s = time.monotonic()
        self._told = False
        STANDING_STILL.labels(shard).set(0)

    def came(self, frames: int, until_ms: int | None) -> None:
        """After a batch: so many frames were read, and all event time up to `until_ms` is closed."""
        now = time.monotonic()
        self._attended_s += min(MOST_S, now - self._seen_s)
        self._seen_s = now
        self._frames += frames
        if until_ms is not None and (self._until_ms is None or until_ms > self._until_ms):
            self._move(until_ms)
        elif self._frames and self._attended_s > STILL_S and not self._told:
            self._told = True
            STANDING_STILL.labels(self._shard).set(1)
            LOG.warning(
                "%s: shard %s has closed nothing for %.0f s although %d frames came: it waits for %s",
                self._flow,
                self._shard,
                self._attended_s,
                self._frames,
                self._waits_for(),
                extra={"shard": self._shard},
            )

    def _move(self, until_ms: int) -> None:
        if self._until_ms is None:
            LAG.labels(self._shard).set_function(lambda: time.time() - (self._until_ms or 0) / 1e3)
        if self._told:
            self._told = False
            STANDING_STILL.labels(self._shard).set(0)
            LOG.warning("%s: shard %s closes again", self._flow, self._shard, extra={"shard": self._shard})
        self._until_ms, self._frames, self._attended_s = until_ms, 0, 0.0
        CLOSED.labels(self._shard).set(until_ms / 1e3)
        TO_ROWS.observe(max(0.0, time.time() - until_ms / 1e3))
