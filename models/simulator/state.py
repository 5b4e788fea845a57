"""State: the arrays of one simulated market, how they begin, and one second of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import cast

import numpy as np
from numpy.typing import NDArray

from models.simulator import simulated_rows
from models.simulator.chance import words
from models.simulator.second import advance, skip
from models.simulator.simulated_rows import I8
from models.simulator.simulation import Settings, instruments, listing
from models.simulator.slot_ring import rebuild, room
from models.simulator.weather import BASE_VOL_BPS
from schemas.instrument import scale

Rows = NDArray[np.void]
EVENTS = 1 << 15
LEVELS = 1 << 18


@dataclass(slots=True)
class State:
    """Instrument i is row i everywhere; `crowds[i]` are its traders, `words` one stream of chance each."""

    clock: Rows
    tide: Rows
    words: NDArray[np.uint64]
    markets: Rows
    crowds: Rows
    books: I8
    shown: I8

    def copy(self) -> "State":
        """The same market, to be run ahead without moving this one."""
        return State(**{f.name: getattr(self, f.name).copy() for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Buffers:
    """What one stretch of simulation writes."""

    events: Rows
    levels: I8
    truth: Rows
    seconds: Rows


def buffers(settings: Settings) -> Buffers:
    """Room for several of the busiest steps, whatever the settings."""
    most = 4 * (settings.traders + settings.levels) + 512
    return Buffers(
        np.zeros(max(EVENTS, most), simulated_rows.dtype(simulated_rows.Event)),
        np.zeros((max(LEVELS, 16 * room(settings.levels)), 2), np.int64),
        np.zeros(4096 + settings.traders, simulated_rows.dtype(simulated_rows.Liquidation)),
        np.zeros(len(settings.symbols), simulated_rows.dtype(simulated_rows.Second)),
    )


def begin(settings: Settings) -> State:
    """The market at its first second, after a warm-up in seconds that nobody sees, so that positions have a past."""
    n = len(settings.symbols)
    start = settings.start_ns // 1_000_000_000
    state = State(
        np.zeros(1, simulated_rows.dtype(simulated_rows.Clock)),
        np.zeros(1, simulated_rows.dtype(simulated_rows.Tide)),
        words(settings.seed, (*settings.symbols, "the tide")),
        np.zeros(n, simulated_rows.dtype(simulated_rows.Market)),
        np.zeros((n, settings.traders), simulated_rows.dtype(simulated_rows.Trader)),
        np.zeros((n, room(settings.levels)), np.int64),
        np.zeros((n, room(settings.levels)), np.int64),
    )
    state.tide["regime"] = 1
    for i, instrument in enumerate(instruments(settings)):
        first_price, _, _, depth_usd = listing(instrument.symbol)
        (tick, tick_decimals), (lot, lot_decimals) = scale(instrument.tick), scale(instrument.lot)
        m = state.markets[i]
        m["tick"], m["lot"] = tick / 10**tick_decimals, lot / 10**lot_decimals
        m["log_fair"], m["mark"] = math.log(first_price), first_price
        m["width"] = max(1, round(settings.slot_bps * 1e-4 * first_price / m["tick"]))
        m["slot_bps"] = 1e4 * m["width"] * m["tick"] / first_price
        m["depth_usd"] = depth_usd
        m["slot_lots"] = depth_usd / first_price / m["lot"] * m["slot_bps"] / 10.0
        m["base_lots"] = int(10 * depth_usd / first_price / m["lot"])
        m["depth"], m["vol_bps"], m["funding"] = 1.0, BASE_VOL_BPS, 1e-4
        m["vol_scale"] = 1.0 + 0.6 * min(1.0, 4e6 / depth_usd - 1.0) / 4.0
        m["centre"] = int(first_price / m["tick"] / m["width"])
        m["update_id"], m["trade_id"] = 1_000_000_000 * (i + 1), 1_000_000 * (i + 1)
        rebuild(m, state.books[i], settings.levels, state.words[i])
        m["shown_low"], m["shown_high"] = m["low"], m["high"]
    state.shown[:] = state.books
    state.clock["second"] = start - settings.warm_up_s
    unseen(state, buffers(settings), plan(settings, steps=1, quiet=True), settings.trades_per_s, settings.warm_up_s)
    return state


def plan(settings: Settings, *, steps: int, quiet: bool = False) -> I8:
    """What `engine.advance` reads; a quiet market sends no snapshots and no open interest."""
    snapshots, interest = (0, 0) if quiet else (settings.snapshot_every_s, settings.open_interest_every_s)
    first = settings.start_ns // 1_000_000_000
    depth = (steps, settings.levels, settings.changes, settings.snapshot_depth)
    return np.array((*depth, snapshots, interest, first), np.int64)


def second(state: State, out: Buffers, steps: I8, trades_per_s: float) -> Iterator[tuple[int, int]]:
    """Run one second. Yields each time the buffers are to be read: how many events and liquidations they hold."""
    out.seconds[:] = 0
    done = False
    while not done:
        state.clock["events"] = state.clock["levels"] = state.clock["liquidations"] = 0
        done = advance(
            steps,
            trades_per_s,
            *_rows(state),
            cast(list[simulated_rows.Event], out.events),
            out.levels,
            cast(list[simulated_rows.Liquidation], out.truth),
            cast(list[simulated_rows.Second], out.seconds),
        )
        yield int(state.clock["events"][0]), int(state.clock["liquidations"][0])


def unseen(state: State, out: Buffers, steps: I8, trades_per_s: float, seconds: int) -> Rows:
    """Run seconds without frames. Returns what an observer knew after each (`rows.Second`), (seconds, instruments)."""
    table = np.zeros((seconds, len(state.markets)), simulated_rows.dtype(simulated_rows.Second))
    skip(
        steps,
        trades_per_s,
        *_rows(state),
        cast(list[simulated_rows.Event], out.events),
        out.levels,
        cast(list[simulated_rows.Liquidation], out.truth),
        cast(list[list[simulated_rows.Second]], table),
    )
    return table


def _rows(
    state: State,
) -> tuple[
    list[simulated_rows.Clock],
    list[simulated_rows.Tide],
    NDArray[np.uint64],
    list[simulated_rows.Market],
    list[list[simulated_rows.Trader]],
    I8,
    I8,
]:
    return (
        cast(list[simulated_rows.Clock], state.clock),
        cast(list[simulated_rows.Tide], state.tide),
        state.words,
        cast(list[simulated_rows.Market], state.markets),
        cast(list[list[simulated_rows.Trader]], state.crowds),
        state.books,
        state.shown,
    )
