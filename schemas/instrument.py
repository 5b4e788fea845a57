"""An instrument: how a venue counts price and quantity, and the table in which a log numbers its own."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Kind = Literal["linear", "inverse", "spot"]
DOLLARS = frozenset(
    ("USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDP", "USDE", "USD1", "USDS", "USDG", "PYUSD", "GUSD", "RLUSD",
     "DAI", "U")
)  # fmt: skip
"""Quotes that count as US dollars. What is quoted in anything else has no value in USD, and what says so is null."""

_DATE = re.compile(r"(?<!_XPERP)[-_]\d{6}(-|$)|-\d{1,2}[A-Z]{3}\d{2}|USDT?[FGHJKMNQUVXZ]\d{2}$")


class Instrument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tick` and `lot` are decimal strings.

    `contract` is what one unit of the venue's quantity is: base units (linear, spot) or quote USD (inverse).
    None means that it is not known, and what depends on it is null. `settle` is the asset of margin and profit, where
    the venue or the settings say. `first_decimals`: of price and quantity in the message it was inferred from.
    """

    venue: str
    symbol: str
    base: str
    quote: str
    kind: Kind
    tick: str
    lot: str
    contract: float | None = 1.0
    inferred: bool = False
    first_decimals: tuple[int, int] = (0, 0)
    settle: str = ""

    @property
    def settlement(self) -> str:
        """The asset of margin and profit: as said, else the base of inverse and the quote of all others; "" unknown."""
        return self.settle or (self.base if self.kind == "inverse" else self.quote)

    @property
    def in_dollars(self) -> bool:
        """Whether what its price counts is US dollars, or a coin that stands for them.

        >>> Instrument("deribit", "ETH_BTC", "ETH", "BTC", "spot", "0.0001", "0.1").in_dollars
        False
        """
        return self.quote in DOLLARS

    @property
    def expires(self) -> bool:
        """Whether its symbol names a date of expiry: futures, options and spreads of them, as venues write them.

        OKX's X-Perps do name one, years ahead, and are funded and priced as perpetuals until then.

        >>> symbols = "BTCUSDT", "BTCUSDT_250627", "BTC-USD-250627", "BTC-27JUN25-60000-C", "BTCUSDM25", "BTC-PERPETUAL"
        >>> [Instrument("v", s, "BTC", "USD", "linear", "1", "1").expires for s in symbols]
        [False, True, True, True, True, False]
        >>> Instrument("okx-swap", "BTC-USD_UM_XPERP-310404", "BTC", "USD", "linear", "1", "1").expires
        False
        """
        return _DATE.search(self.symbol) is not None


class View(msgspec.Struct, frozen=True):
    """Which view of a symbol's book a log keeps, to how many levels it goes, and when it was last seen.

    `beside`: of every other view the last id; `alone_ns`: since when these alone tell of changes, 0: they do not;
    `begun`: whether it has had a whole book.
    """

    name: str
    levels: int
    event_ns: int
    beside: dict[str, int] = {}
    alone_ns: int = 0
    begun: bool = True


class FrozenTable(msgspec.Struct, frozen=True):
    """An `InstrumentTable` as it is kept: what the parsers of a log remember."""

    rows: tuple[Instrument, ...]
    views: dict[str, View]
    orders: list[tuple[str, int, str, str, str, float, int, bool]]


@lru_cache(maxsize=1 << 14)
def scale(step: str) -> tuple[int, int]:
    """A decimal step as mantissa and number of decimals: step = mantissa / 10**decimals.

    >>> scale("0.5"), scale("0.10"), scale("1"), scale("100")
    ((5, 1), (1, 1), (1, 0), (100, 0))
    """
    try:
        value = Decimal(step).normalize()
    except InvalidOperation:
        raise ValueError(f"{step!r} is not a decimal number") from None
    if not value.is_finite() or value <= 0:
        raise ValueError(f"a step must be positive, not {step!r}")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = max(0, -exponent)
    return int(value.scaleb(decimals)), decimals


def everywhere(base: str) -> bool:
    """Every base asset may be in a log."""
    return True


@dataclass(slots=True)
class InstrumentTable:
    """The instruments of one log, numbered in the order in which the log first named them; what its parsers remember.

    `known` are the settings' instruments of the venue; a symbol outside it is inferred by the venue's parser.
    Of an instrument whose base asset is not `here` no frame is used: it belongs to another shard, and would be
    published there under the same names.
    The arrays are parallel to `rows` and are what the compiled parsers read; `version` counts changes.
    `refined` tells of steps that a finer number corrected, inferred ones and, where a venue changed them, known ones:
    (row of the batch, instrument, tick factor, lot factor): from that row on, ticks and lots count the finer steps, so
    what is kept from before is multiplied by the factors. The reader of a batch empties it.
    `views` (by symbol) and `orders` are what `schemas/venues/views` and `schemas/venues/forced_orders` remember.
    """

    known: dict[str, Instrument] = field(default_factory=dict)
    rows: list[Instrument] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    tick_mantissa: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    tick_decimals: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    lot_mantissa: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    lot_decimals: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    names: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    name_starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    contract: NDArray[np.float64] = field(default_factory=lambda: np.empty(0, np.float64))
    inverse: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    version: int = 0
    here: Callable[[str], bool] = everywhere
    refined: list[tuple[int, int, int, int]] = field(default_factory=list)
    views: dict[str, View] = field(default_factory=dict)
    orders: dict[tuple[str, int, str, str], tuple[str, float, int, bool]] = field(default_factory=dict)

    def add(self, instrument: Instrument) -> int:
        """Number a new instrument, or replace the one of the same symbol (a refined inference)."""
        at = self.index.get(instrument.symbol)
        steps = *scale(instrument.tick), *scale(instrument.lot)
        columns = self.tick_mantissa, self.tick_decimals, self.lot_mantissa, self.lot_decimals
        if at is None:
            at = len(self.rows)
            self.rows.append(instrument)
            self.index[instrument.symbol] = at
            name = np.frombuffer(instrument.symbol.encode(), np.uint8)
            self.names = np.append(self.names, name)
            self.name_starts = np.append(self.name_starts, len(self.names))
            self.contract = np.append(self.contract, np.nan)
            self.inverse = np.append(self.inverse, np.bool_(False))
            columns = tuple(np.append(column, step) for column, step in zip(columns, steps, strict=True))  # type: ignore[assignment]
        else:
            self.rows[at] = instrument
            columns = tuple(column.copy() for column in columns)  # type: ignore[assignment]
            for column, step in zip(columns, steps, strict=True):
                column[at] = step
        self.contract[at] = np.nan if instrument.contract is None else instrument.contract
        self.inverse[at] = instrument.kind == "inverse"
        self.version += 1
        self.tick_mantissa, self.tick_decimals, self.lot_mantissa, self.lot_decimals = columns
        return at

    def freeze(self) -> FrozenTable:
        """What is needed to thaw."""
        return FrozenTable(tuple(self.rows), dict(self.views), [(*key, *was) for key, was in self.orders.items()])

    @classmethod
    def thaw(cls, known: dict[str, Instrument], frozen: FrozenTable) -> "InstrumentTable":
        """The table as it was frozen, on the settings of today.

        What they say of an instrument holds, but for the steps: what is kept counts in those that were frozen. Where
        today's are finer, the first number that needs them refines them.
        """
        table = cls(known)
        for row in frozen.rows:
            kept = {"tick": row.tick, "lot": row.lot}
            table.add(msgspec.structs.replace(known.get(row.symbol, row), **kept))
        table.views = dict(frozen.views)
        table.orders = {order[:4]: order[4:] for order in frozen.orders}
        return table
