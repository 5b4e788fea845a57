"""Operators: what each of them costs, in time as a share of the market's and in state an instrument.

The market runs in this process over the frames of one venue, every function of every operator within a clock of its
own; what the clocks themselves take, some 0.2 us a call, is in the shares.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from flows.bench.in_process import batches, feed, finish, opened
from flows.bench.material import Material
from flows.bench.result import Result
from flows.bench.size import Size
from flows.settings import Settings
from operators import catalog
from operators.contract import Operator


def clocked(function: Callable[..., Any] | None, name: str, spent_ns: Counter[str]) -> Callable[..., Any] | None:
    """The function, which adds what it takes to `spent_ns`."""
    if function is None:
        return None

    def run(*arguments: Any) -> Any:
        began = time.perf_counter_ns()
        out = function(*arguments)
        spent_ns[name] += time.perf_counter_ns() - began
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


def measure(material: Material, settings: Settings, size: Size) -> list[Result]:
    """A row an operator, the dearest first; one that nothing in the material reaches takes nothing."""
    frames = material.frames[: size.frames]
    steps = list(batches(material.venue, frames, settings.source.batch_frames))
    shares: dict[str, list[float]] = {o.name: [] for o in catalog.OPERATORS}
    for _ in range(size.repeats):
        spent_ns: Counter[str] = Counter()
        with every_operator_clocked(spent_ns):
            began = time.perf_counter_ns()
            market = opened(material.venue, settings)
            feed(market, steps)
            finish(market)
            whole = time.perf_counter_ns() - began
        for name, of in shares.items():
            of.append(100 * spent_ns[name] / whole)
    out = []
    for operator in sorted(catalog.OPERATORS, key=lambda o: -sum(shares[o.name])):
        row = f"operator {operator.name}"
        out.append(Result(row, "time", tuple(shares[operator.name]), "% of the market"))
        if held := state_bytes(operator):
            out.append(Result(row, "state", (float(held),), "B/instrument"))
    return out
