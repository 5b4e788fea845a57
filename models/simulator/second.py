"""Engine: the loop over instruments and steps of one second, which pauses when an output buffer is full."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.simulator import depth_step, messages, weather
from models.simulator.chance import U8
from models.simulator.simulated_rows import I8, Clock, Event, Liquidation, Market, Second, Tide, Trader
from schemas.kernels import kernel

Plan = NDArray[np.int64]
"""Steps a second, levels, changes, snapshot depth, snapshot every s, open interest every s, first second."""


@kernel
def advance(
    plan: Plan, trades_per_s: float, clock: Sequence[Clock], tide: Sequence[Tide], words: U8,
    markets: Sequence[Market], crowds: Sequence[Sequence[Trader]], books: I8, shown: I8,
    events: Sequence[Event], levels: I8, truth: Sequence[Liquidation], seconds: Sequence[Second],
) -> bool:  # fmt: skip
    """Run to the end of the second (True), or until the buffers must be emptied first (False).

    `words` has one stream per instrument and, last, the tide's.
    """
    steps, depth, changes, at_most, snapshot_every, interest_every, first = plan
    c = clock[0]
    dt = 1.0 / steps
    n = len(markets)
    trades_at_most = 2 * len(crowds[0]) + 2 * depth + 4 * depth_step.BUSIEST + 8
    if c.instrument == 0 and c.step == 0:
        weather.tide_second(tide[0], words[n])
    while c.instrument < n:
        i = c.instrument
        m, word, book, crowd, second = markets[i], words[i], books[i], crowds[i], seconds[i]
        while c.step < steps:
            roomy = c.events + trades_at_most <= len(events) and c.levels + 4 * len(book) <= len(levels)
            if not roomy or c.liquidations + len(crowd) > len(truth):
                return False
            k = c.step
            start_ms = 1000 * c.second
            m.now_ms = start_ms + 1000 * k // steps
            until_ms = start_ms + 1000 * (k + 1) // steps
            if k == 0:
                since = c.second - first
                depth_step.mark(m, i, tide[0], interest_every > 0 and since % interest_every == 0, word, events, c)
                depth_step.liquidate(m, i, crowd, book, min(80, 500 // steps), word, events, truth, second, c)
            depth_step.act(m, i, crowd, book, k, steps, word, events, second, c)
            depth_step.noise(m, i, book, dt, trades_per_s, until_ms, word, events, second, c)
            depth_step.drift(m, tide[0], dt, word)
            depth_step.follow(m, i, book, depth, word, events, second, c)
            depth_step.quote(m, book, changes, dt, word)
            m.now_ms = until_ms
            messages.depth(m, i, book, shown[i], word, events, levels, c)
            if k == 0 and snapshot_every > 0 and (c.second - first) % snapshot_every == 0:
                messages.snapshot(m, i, shown[i], at_most, events, levels, c)
            c.step += 1
        depth_step.observe(m, book, second)
        c.step = 0
        c.instrument += 1
    c.instrument = 0
    c.second += 1
    return True


@kernel
def skip(
    plan: Plan, trades_per_s: float, clock: Sequence[Clock], tide: Sequence[Tide], words: U8,
    markets: Sequence[Market], crowds: Sequence[Sequence[Trader]], books: I8, shown: I8,
    events: Sequence[Event], levels: I8, truth: Sequence[Liquidation], table: Sequence[Sequence[Second]],
) -> None:  # fmt: skip
    """Run a second for each row of `table` and keep nothing else: what is written to the buffers is overwritten."""
    c = clock[0]
    for at in range(len(table)):
        done = False
        while not done:
            c.events, c.levels, c.liquidations = 0, 0, 0
            done = advance(
                plan, trades_per_s, clock, tide, words, markets, crowds, books, shown, events, levels, truth, table[at]
            )  # fmt: skip
