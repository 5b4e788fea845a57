"""Tuning: how much a flow takes at once, how long its records wait for company, and how much goes between two flushes.

The objective is the age of what is handed over: how long ago its newest frame was received. Looked at every few
seconds, by the age that 95 % of the batches do not exceed:

    too old, most batches full      more load than such batches carry: all three grow (fewer, larger pieces of work)
    too old, most batches not full  the frames waited for company or for a flush: linger and flush shrink
    young enough for long           each goes back towards what the settings say, a step at a time

Every step is a factor, within the bounds of the settings, logged with its reason and counted. Rows do not depend on it:
a batch is cut anywhere. Epochs are timed by the engine (`recovery.epoch_ms`) and stay as they are; what is tuned of the
flush is how many bytes go into one (`source.epoch_bytes`). The archive plans its blocks ahead and is not tuned.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.monitoring import telemetry
from flows.monitoring.log_lines import LOG

TUNED = telemetry.TUNED.gauge()
DECISIONS = telemetry.TUNING_DECISIONS.counter()
LOOK_S = 5.0
STEP = 1.5
"""A step makes a setting so many times larger or smaller."""
CALM = 6
"""So many looks in a row must be young before it goes back a step."""
MOSTLY = 0.5
LATEST = 0.95


@dataclass(slots=True)
class Range:
    """One of what is tuned: what the settings say, within which bounds it may go, and what it is now."""

    name: str
    told: float
    low: float
    high: float
    now: float = field(init=False)

    def __post_init__(self) -> None:
        """It begins as the settings say."""
        self.now = self.told

    def grow(self) -> bool:
        """A step up; whether it moved."""
        return self._to(min(self.high, self.now * STEP if self.now > 0 else self.high))

    def shrink(self) -> bool:
        """A step down; whether it moved."""
        return self._to(max(self.low, self.now / STEP))

    def back(self) -> bool:
        """A step towards what the settings say; whether it moved."""
        if self.now > self.told:
            return self._to(max(self.told, self.now / STEP))
        return self._to(min(self.told, self.now * STEP))

    def _to(self, value: float) -> bool:
        moved, self.now = value != self.now, value
        return moved


@dataclass(slots=True)
class Tuner:
    """What is tuned in one process, by the batches that its shards hand over."""

    objective_ms: float
    batch: Range
    linger: Range
    flush: Range
    clock_s: Callable[[], float] = time.monotonic
    wall_ns: Callable[[], int] = time.time_ns
    _ages_ms: list[float] = field(default_factory=list)
    _full: int = 0
    _calm: int = 0
    _looked_s: float | None = None

    def handed(self, newest_ns: int, full: bool) -> None:
        """A batch was handed over: when its newest frame was received, and whether it held all that it may."""
        now_s = self.clock_s()
        self._looked_s = now_s if self._looked_s is None else self._looked_s
        self._ages_ms.append(max(0.0, (self.wall_ns() - newest_ns) / 1e6))
        self._full += full
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._look()

    def _look(self) -> None:
        ages = sorted(self._ages_ms)
        age_ms = ages[min(len(ages) - 1, int(LATEST * len(ages)))]
        full = self._full > MOSTLY * len(ages)
        self._ages_ms, self._full = [], 0
        if age_ms > self.objective_ms:
            self._calm = 0
            if full:
                self._decide("larger", age_ms, [r for r in (self.batch, self.linger, self.flush) if r.grow()])
            else:
                self._decide("smaller", age_ms, [r for r in (self.linger, self.flush) if r.shrink()])
            return
        self._calm += 1
        if self._calm >= CALM:
            self._calm = 0
            self._decide("back", age_ms, [r for r in (self.batch, self.linger, self.flush) if r.back()])

    def _decide(self, what: str, age_ms: float, moved: list[Range]) -> None:
        for one in moved:
            TUNED.labels(one.name).set(one.now)
            DECISIONS.labels(one.name, what).inc()
        if moved:
            LOG.info(
                "tuning: %s: 95 %% of batches were at most %.0f ms old, the objective is %.0f ms: %s",
                what,
                age_ms,
                self.objective_ms,
                ", ".join(f"{one.name} {one.now:,.6g}" for one in moved),
            )
