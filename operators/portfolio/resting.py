"""Resting: what the last published book of each market says, its middle, its trust, and its depth by band in USD."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.book.bands import BANDS_BPS
from operators.pack import pack, unpack
from operators.portfolio.timeline import BookRow

F8 = NDArray[np.float64]
BANDS = np.array(BANDS_BPS, np.float64)


@dataclass(slots=True)
class Resting:
    """By market; depths are cumulative from the middle, a column a band."""

    mid: F8 = field(default_factory=lambda: np.empty(0))
    ok: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    bid: F8 = field(default_factory=lambda: np.empty((0, len(BANDS))))
    ask: F8 = field(default_factory=lambda: np.empty((0, len(BANDS))))

    def widen(self, markets: int) -> None:
        """Room for markets seen for the first time."""
        more = markets - len(self.mid)
        if more > 0:
            self.mid = np.append(self.mid, np.full(more, np.nan))
            self.ok = np.append(self.ok, np.zeros(more, np.bool_))
            self.bid = np.vstack([self.bid, np.full((more, len(BANDS)), np.nan)])
            self.ask = np.vstack([self.ask, np.full((more, len(BANDS)), np.nan)])

    def put(self, at: int, row: BookRow) -> None:
        """A newer row of a market."""
        self.mid[at], self.ok[at] = number(row.mid), row.book_ok
        self.bid[at] = [number(getattr(row, f"bid_depth_{x}bps_usd")) for x in BANDS_BPS]
        self.ask[at] = [number(getattr(row, f"ask_depth_{x}bps_usd")) for x in BANDS_BPS]

    def freeze(self) -> bytes:
        """All of it."""
        return pack({"mid": self.mid, "ok": self.ok, "bid": self.bid, "ask": self.ask})

    @classmethod
    def thaw(cls, data: bytes) -> "Resting":
        """As it was frozen."""
        arrays = unpack(data)
        return cls(
            arrays["mid"].astype(np.float64),
            arrays["ok"].astype(np.bool_),
            arrays["bid"].astype(np.float64),
            arrays["ask"].astype(np.float64),
        )


def number(value: float | None) -> float:
    """A number that may be null as one that may be NaN."""
    return np.nan if value is None else value
