"""How a market's time is cut into panes and windows, and what of it nobody wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from operators import catalog
from operators.contract import Array
from operators.watermark import Clock


@dataclass(frozen=True, slots=True)
class Cut:
    """How time is cut, in nanoseconds, the tables that nobody wants, and what was fitted beforehand."""

    base_ns: int
    lengths_ns: tuple[int, ...]
    lateness_ns: int
    ahead_ns: int
    keyframe_ns: int
    idle_ns: int = 2_000_000_000
    without: frozenset[str] = catalog.ALL
    micro_prices: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    """Venue -> symbol -> the row in which the micro-price is looked up (`operators/book/micro_price`)."""

    def clock(self) -> Clock:
        """A clock for one log."""
        return Clock(self.base_ns, self.lateness_ns, self.ahead_ns, self.idle_ns)
