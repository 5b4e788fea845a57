"""How a market's time is cut into panes and windows, and what of it nobody wants."""

from dataclasses import dataclass

from operators import catalog
from operators.watermark import Clock


@dataclass(frozen=True, slots=True)
class Cut:
    """How time is cut, in nanoseconds, and the tables that nobody wants."""

    base_ns: int
    lengths_ns: tuple[int, ...]
    lateness_ns: int
    ahead_ns: int
    keyframe_ns: int
    idle_ns: int = 2_000_000_000
    without: frozenset[str] = catalog.ALL

    def clock(self) -> Clock:
        """A clock for one log."""
        return Clock(self.base_ns, self.lateness_ns, self.ahead_ns, self.idle_ns)
