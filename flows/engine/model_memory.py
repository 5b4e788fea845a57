"""Model memory: versions that were read stay in memory, each until it was not used for long; hits are counted."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.monitoring import telemetry
from flows.settings.tree import Processing
from models.forecaster import Forecaster

LOADS = telemetry.MODEL_LOADS.counter()


@dataclass(slots=True)
class Memory:
    """Versions by name; `read` is asked for those that are not there."""

    read: Callable[[str], Forecaster]
    how: Processing
    clock_s: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[Forecaster, float]] = field(default_factory=dict)
    _cleaned_s: float | None = None

    def load(self, version: str) -> Forecaster:
        """The version, from memory if it is there; what `read` raises where it cannot be used."""
        now_s = self.clock_s()
        self._clean(now_s)
        found, where = self._kept.get(version, (None, 0.0))[0], "memory"
        if found is None:
            found, where = self.read(version), "folder"
        LOADS.labels(where).inc()
        if self.how.memory_cache_enabled:
            self._kept[version] = found, now_s
        return found

    def _clean(self, now_s: float) -> None:
        if self._cleaned_s is not None and now_s - self._cleaned_s < self.how.cache_cleanup_interval:
            return
        self._cleaned_s = now_s
        self._kept = {
            v: (kept, used_s) for v, (kept, used_s) in self._kept.items() if now_s - used_s < self.how.cache_ttl
        }
