"""Size: how much each row measures, all from one number of frames, so that a small run is small everywhere."""

from dataclasses import dataclass

RATE = 20_000.0
"""Frames a second of event time, the rate of the design's latency and instrument targets."""
BACKLOG_S = 60
FRAMES = int(RATE * BACKLOG_S)


@dataclass(frozen=True, slots=True)
class Size:
    """`frames` go through the largest rows; `repeats` medians are taken over."""

    frames: int = FRAMES
    repeats: int = 5

    @property
    def instruments(self) -> int:
        """Of the rows that go through Kafka."""
        return max(2, min(20, self.frames // 5_000))

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of instruments whose cost is compared."""
        return tuple(n for n in (1, 10, 100, 1_000) if n <= max(10, self.frames // 100))

    @property
    def many(self) -> int:
        """The most of them."""
        return self.counts[-1]

    @property
    def accounts(self) -> int:
        """Whose positions are valued."""
        return max(100, self.frames // 120)

    @property
    def paced_s(self) -> float:
        """How long latency is watched."""
        return max(6.0, min(30.0, self.frames / RATE))
