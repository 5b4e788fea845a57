"""The market: frames in order of receipt, and beside them the truth that no venue tells."""

from collections.abc import Iterator
from operator import itemgetter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from models.simulator import simulated_rows, trader_accounts
from models.simulator.frame import Frame, Kind
from models.simulator.simulation import Settings, instruments
from models.simulator.state import Buffers, State, begin, buffers, plan, second
from models.simulator.traders import CUMS, FLOORS, MAX_LEVERAGES, RATES
from models.simulator.writing import phrases, write
from schemas.instrument import scale

KINDS: tuple[Kind, ...] = ("depth", "depth", "trades", "liquidations", "derivatives", "derivatives")
"""The raw topic of each kind of event."""

_received = itemgetter(0)


class Simulation:
    """A simulated market under way: iterate for its frames; `liquidations`, `positions` and `book` are the truth.

    The truth may be up to a second ahead of the frame last handed out.

    >>> one = Simulation(Settings(symbols=("BTCUSDT",), traders=50, warm_up_s=60, seconds=2, accounts=0))
    >>> next(iter(one)).kind
    'derivatives'
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state: State = begin(settings)
        self.owners = trader_accounts.choose(settings, self.state)
        self._out: Buffers = buffers(settings)
        self._truth: list[NDArray[np.void]] = []
        self._text, self._at = phrases(settings.symbols)
        steps = [(scale(row.tick), scale(row.lot)) for row in instruments(settings)]
        self._ticks = np.array([tick for tick, _ in steps], np.int64)
        self._lots = np.array([lot for _, lot in steps], np.int64)
        self._bytes = np.zeros(0, np.uint8)

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order of receipt, until `settings.seconds` have passed."""
        waiting: list[Frame] = []
        sent: dict[str, trader_accounts.Account] = {}
        steps = plan(self.settings, steps=self.settings.steps)
        ran = 0
        while self.settings.seconds is None or ran < self.settings.seconds:
            for count, liquidated in second(self.state, self._out, steps, self.settings.trades_per_s):
                waiting += self._frames(count)
                if liquidated:
                    self._truth.append(self._out.truth[:liquidated].copy())
            waiting += trader_accounts.frames(self.owners, self.settings, self.state, sent)
            waiting.sort(key=_received)
            ran += 1
            until_ns = 1_000_000_000 * int(self.state.clock["second"][0])
            kept = len(waiting)
            while kept and waiting[kept - 1].received_ns >= until_ns:
                kept -= 1
            yield from waiting[:kept]
            del waiting[:kept]
        yield from waiting

    def _frames(self, count: int) -> list[Frame]:
        events = self._out.events[:count]
        order = np.argsort(events["received_ns"], kind="stable")
        room = 320 * count + 56 * int(self.state.clock["levels"][0])
        if len(self._bytes) < room:
            self._bytes = np.zeros(room, np.uint8)
        ends = np.zeros(count, np.int64)
        rows_out = cast(list[simulated_rows.Event], events)
        end = write(rows_out, order, self._out.levels, self._ticks, self._lots, self._text, self._at, self._bytes, ends)
        data = self._bytes[:end].tobytes()
        picked = events[order]
        symbols, stops = self.settings.symbols, ends.tolist()
        return [
            Frame(received, KINDS[kind], symbols[i], data[start:stop])
            for received, kind, i, start, stop in zip(
                picked["received_ns"].tolist(),
                picked["kind"].tolist(),
                picked["instrument"].tolist(),
                [0, *stops[:-1]],
                stops,
                strict=True,
            )
        ]

    @property
    def liquidations(self) -> NDArray[np.void]:
        """Every liquidation so far (`rows.Liquidation`), also those that the venue's feed leaves out."""
        return np.concatenate([np.zeros(0, simulated_rows.dtype(simulated_rows.Liquidation)), *self._truth])

    def positions(self, symbol: str) -> NDArray[np.void]:
        """The traders of an instrument (`rows.Trader`) with a position now: the true map of positions."""
        crowd = self.state.crowds[self.settings.symbols.index(symbol)]
        return np.asarray(crowd[crowd["lots"] != 0])

    def book(self, symbol: str) -> dict[int, int]:
        """Signed lots by price in ticks, as of the last depth message; bids positive."""
        i = self.settings.symbols.index(symbol)
        m, shown = self.state.markets[i], self.state.shown[i]
        slots = np.arange(m["shown_low"], m["shown_high"] + 1)
        width = int(m["width"])
        ticks = slots * width + ((slots * 2654435761) >> 7) % width
        lots = shown[slots & (len(shown) - 1)]
        return {int(t): int(q) for t, q in zip(ticks, lots, strict=True) if q}


def market(settings: Settings) -> Iterator[Frame]:
    """The frames of a simulated market in order of receipt: a pure function of the settings."""
    return iter(Simulation(settings))


def brackets(settings: Settings) -> dict[str, list[dict[str, object]]]:
    """The maintenance tiers of the simulated instruments, in the form in which ccxt writes Binance's.

    >>> brackets(Settings(symbols=("BTCUSDT",)))["BTC/USDT:USDT"][1]["maintenanceMarginRate"]
    0.005
    """
    caps = [*FLOORS[1:].tolist(), 1e9]
    return {
        f"{symbol[:-4]}/USDT:USDT": [
            {
                "tier": float(k + 1),
                "symbol": f"{symbol[:-4]}/USDT:USDT",
                "currency": "USDT",
                "minNotional": float(FLOORS[k]),
                "maxNotional": caps[k],
                "maintenanceMarginRate": float(RATES[k]),
                "maxLeverage": float(MAX_LEVERAGES[k]),
                "info": {
                    "bracket": k + 1,
                    "initialLeverage": int(MAX_LEVERAGES[k]),
                    "notionalCap": caps[k],
                    "notionalFloor": float(FLOORS[k]),
                    "maintMarginRatio": float(RATES[k]),
                    "cum": float(CUMS[k]),
                },
            }
            for k in range(len(FLOORS))
        ]
        for symbol in settings.symbols
    }
