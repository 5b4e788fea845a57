"""Operators: what each of them costs, in time by batch size and number of instruments, and in state an instrument.

The market runs in this process over the frames of one venue, every function of every operator within a clock of its
own, of CPU time; what the clocks themselves take, some 0.5 us a call, is in the shares.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice, product
from typing import Any

import numpy as np

from flows.bench.in_process import batches, feed, finish, opened
from flows.bench.material import Material
from flows.bench.multiplied import multiplied, whole_book
from flows.bench.result import Result
from flows.bench.size import RATE, Size
from flows.captures.capture import Recorded
from flows.market import cut
from flows.settings.tree import Settings
from operators import catalog
from operators.asset_books import AssetBooks
from operators.contract import Operator

START_NS = 1_767_225_600_000_000_000
MOST, MANY, SMALL = 200_000, 100, 100


def clocked(function: Callable[..., Any] | None, name: str, spent_ns: Counter[str]) -> Callable[..., Any] | None:
    """The function, which adds what it takes to `spent_ns`."""
    if function is None:
        return None

    def run(*arguments: Any) -> Any:
        began = time.thread_time_ns()
        out = function(*arguments)
        spent_ns[name] += time.thread_time_ns() - began
        return out

    return run


@contextmanager
def every_operator_clocked(spent_ns: Counter[str]) -> Iterator[None]:
    """Markets that are opened within have operators that add what they take to `spent_ns`, by name."""
    plain = catalog.OPERATORS
    catalog.OPERATORS = tuple(
        replace(
            o,
            fold=clocked(o.fold, o.name, spent_ns),
            step=clocked(o.step, o.name, spent_ns),
            compute=clocked(o.compute, o.name, spent_ns),
        )
        for o in plain
    )
    try:
        yield
    finally:
        catalog.OPERATORS = plain


def state_bytes(operator: Operator) -> int:
    """What it holds of each instrument in memory; 0 for one that remembers rows instead."""
    if operator.kept:
        return 0
    return sum(np.dtype(f.dtype).itemsize * int(np.prod(f.shape, dtype=np.int64)) for f in operator.fields)


def spent(
    material: Material, settings: Settings, frames: int, instruments: int, batch: int
) -> tuple[Counter[str], int]:
    """What each operator took of the frames, and what all took, in ns; among many instruments once all have books."""
    source: Iterable[Recorded] = material.frames[:frames]
    before: Iterable[Recorded] = ()
    if instruments > 1:
        source = multiplied(material, instruments, RATE, START_NS)
        before = islice(source, whole_book(material, instruments))
    spent_ns: Counter[str] = Counter()
    with every_operator_clocked(spent_ns):
        market, how = opened(material.venue, settings), cut(settings)
        beside = AssetBooks(how.base_ns, how.keyframe_ns, how.without)
        feed(market, batches(material.venue, before, batch))
        beside.meet([market])
        steps = list(batches(material.venue, islice(source, frames), batch))
        spent_ns.clear()
        began = time.thread_time_ns()
        for step in steps:
            feed(market, (step,))
            beside.meet([market])
        finish(market)
        beside.meet([market])
        return spent_ns, time.thread_time_ns() - began


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """Rows an operator, the dearest first: its share, its time by instruments and batch, and its state.

    One that nothing in the material reaches takes nothing. Only frames of Binance can be multiplied.
    """
    frames = min(MOST, size.frames)
    many = max(n for n in size.counts if n <= MANY)
    counts = (1, many) if material.venue.name.startswith("binance") else (1,)
    grid = [(n, b) for n in counts for b in (settings.source.batch_frames, SMALL)]
    shares: dict[str, list[float]] = {o.name: [] for o in catalog.OPERATORS}
    costs: dict[tuple[int, int], dict[str, list[float]]] = {at: {name: [] for name in shares} for at in grid}
    spent(material, settings, min(frames, 2_000), 1, SMALL)
    for _, at in product(range(size.repeats), grid):
        taken, whole = spent(material, settings, frames, *at)
        read = min(frames, len(material.frames)) if at[0] == 1 else frames
        for name, of in shares.items():
            costs[at][name].append(taken[name] / read)
            if at == grid[0]:
                of.append(100 * taken[name] / whole)
    out = []
    for operator in sorted(catalog.OPERATORS, key=lambda o: -sum(shares[o.name])):
        row = f"operator {operator.name}"
        out.append(Result(row, "time", tuple(shares[operator.name]), "% of the market"))
        for n, batch in grid:
            what = f"{n:,} instrument{'s' if n > 1 else ''}, batches of {batch:,}"
            out.append(Result(row, what, tuple(costs[n, batch][operator.name]), "ns/frame"))
        if held := state_bytes(operator):
            out.append(Result(row, "state", (float(held),), "B/instrument"))
    return out
