"""Settings of the simulated market: what is simulated, how finely, and what is done to its frames afterwards."""

import hashlib
from typing import Literal

import msgspec

from schemas.instrument import Instrument

LISTED: dict[str, tuple[float, str, str, float]] = {
    "BTCUSDT": (60_000.0, "0.10", "0.001", 4e6),
    "ETHUSDT": (3_000.0, "0.01", "0.001", 2.5e6),
    "SOLUSDT": (150.0, "0.0100", "0.01", 1.2e6),
    "XRPUSDT": (0.6, "0.0001", "0.1", 8e5),
    "DOGEUSDT": (0.12, "0.000010", "1", 6e5),
}
"""First price, tick, lot, and the notional in USD that rests within 10 bps on one side."""


class Disturbances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `disturb` injects: probabilities per frame, but `p_gap` per snapshot that could end a gap.

    `delay_max_ms` bounds how long a frame is held back and `gap_max_s` how long depth frames go missing.
    """

    p_gap: float = 0.0
    gap_max_s: float = 8.0
    p_duplicate: float = 0.0
    p_delay: float = 0.0
    p_delay_depth: float = 0.0
    delay_max_ms: int = 200
    p_garbage: float = 0.0

    def __post_init__(self) -> None:
        for name in ("p_gap", "p_duplicate", "p_delay", "p_delay_depth", "p_garbage"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a probability, not {getattr(self, name)}")
        if self.gap_max_s <= 0 or self.delay_max_ms <= 0:
            raise ValueError("gap_max_s and delay_max_ms must be positive")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulated market; equal settings give equal bytes.

    `intensity` frames a second and instrument, of which `depth_share` are depth; `levels` a side stand in the book,
    `slot_bps` apart (at least one tick); `changes` levels are requoted with each depth message. A snapshot, an
    open-interest frame and an accounts frame are sent every so many seconds (0: never). `seconds` None: without end.
    """

    seed: int = 1
    symbols: tuple[str, ...] = tuple(LISTED)
    start_ns: int = 1_767_225_600_000_000_000
    seconds: int | None = None
    venue: Literal["binance-usdm"] = "binance-usdm"
    intensity: float = 20.0
    depth_share: float = 0.6
    changes: int = 8
    levels: int = 200
    slot_bps: float = 0.5
    snapshot_depth: int = 1000
    snapshot_every_s: int = 60
    open_interest_every_s: int = 5
    traders: int = 600
    warm_up_s: int = 3600
    accounts: int = 8
    accounts_every_s: int = 1
    disturbances: Disturbances = Disturbances()

    def __post_init__(self) -> None:
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols must be named, each once")
        for symbol in self.symbols:
            if not symbol.endswith("USDT") or len(symbol) < 5 or not symbol.isascii() or not symbol.isalnum():
                raise ValueError(f"{symbol!r} is not a USDT perpetual such as BTCUSDT or SIM001USDT")
        for name, low in (("intensity", 1), ("changes", 1), ("levels", 20), ("traders", 1), ("warm_up_s", 0)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, not {getattr(self, name)}")
        for name in ("snapshot_every_s", "open_interest_every_s", "accounts", "accounts_every_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if not 0 < self.depth_share < 1 or self.slot_bps <= 0 or self.snapshot_depth < self.levels:
            raise ValueError("depth_share lies within 0 and 1, slot_bps is positive, snapshot_depth at least levels")
        if self.start_ns % 1_000_000_000 or self.start_ns <= 0:
            raise ValueError("start_ns must be a whole second after 1970")

    @property
    def steps(self) -> int:
        """Depth messages a second and instrument; the market moves once for each."""
        return max(1, round(self.intensity * self.depth_share))

    @property
    def trades_per_s(self) -> float:
        """Trades a second and instrument that are aimed at; the mark and open interest take 1.2 frames a second."""
        return max(0.5, self.intensity * (1 - self.depth_share) - 1.2)


def numbered(count: int) -> tuple[str, ...]:
    """Symbols for any number of instruments.

    >>> numbered(2)
    ('SIM001USDT', 'SIM002USDT')
    """
    return tuple(f"SIM{i:03d}USDT" for i in range(1, count + 1))


def coarse(settings: Settings) -> Settings:
    """The same market at one depth message and five to ten frames a second and instrument: for days at once.

    >>> coarse(Settings()).steps
    1
    """
    return msgspec.structs.replace(
        settings, intensity=4.0, depth_share=0.25, slot_bps=1.0, levels=100, changes=12, snapshot_every_s=3600
    )


def listing(symbol: str) -> tuple[float, str, str, float]:
    """First price, tick, lot and 10 bps depth in USD of a symbol; drawn from its name where it is not listed.

    >>> listing("SIM001USDT")[1:3]
    ('0.01', '0.01')
    """
    if symbol in LISTED:
        return LISTED[symbol]
    draw = hashlib.sha256(symbol.encode()).digest()
    magnitude = draw[0] % 5 - 1
    price = round((1 + draw[1] / 32) * 10.0**magnitude, 6)
    return price, decimal(magnitude - 4), decimal(-magnitude), 3e5 * (1 + draw[2] / 64)


def decimal(exponent: int) -> str:
    """A power of ten as a decimal string.

    >>> decimal(-3), decimal(1)
    ('0.001', '10')
    """
    return "0." + "0" * (-exponent - 1) + "1" if exponent < 0 else "1" + "0" * exponent


def instruments(settings: Settings) -> list[Instrument]:
    """The simulated instruments, in the order of `symbols`.

    >>> instruments(Settings(symbols=("BTCUSDT",)))[0].tick
    '0.10'
    """
    return [
        Instrument(settings.venue, symbol, symbol[:-4], "USDT", "linear", *listing(symbol)[1:3])
        for symbol in settings.symbols
    ]
