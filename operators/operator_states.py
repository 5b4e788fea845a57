"""Running: the states of operators, held, grown, rescaled, frozen and thawed as they are declared, and nothing else.

What happens to the state of an operator that is new, gone or declared otherwise stands in `operators/evolving`.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from operators.book.scans import Scan, Scans, taken_in
from operators.contract import I8, Array, Columns, EventTable, Field, Operator, State
from operators.evolving import Changed, Part, freeze, thaw
from operators.pack import pack, unpack

NOTHING: Mapping[str, Columns] = {}


def part(operator: Operator) -> Part:
    """An operator as a piece of recovered state."""
    return Part(operator.name, operator.fingerprint, "anew" if operator.anew else "refuse")


def frozen(together: Iterable["Running"]) -> bytes:
    """The states of all operators of a lane."""
    return freeze(
        (p, pack(r.states[p.name])) for r in together for p, o in zip(r.parts, r.operators, strict=True) if o.state
    )


def grown(state: State, fields: tuple[Field, ...], instruments: int) -> None:
    """Make room for instrument numbers below `instruments`."""
    for field in fields:
        held = state[field.name]
        if len(held) < instruments:
            more = np.full((instruments - len(held), *field.shape), field.empty, field.dtype)
            state[field.name] = np.concatenate([held, more])


class Running:
    """Some operators of one stage and log, with their states."""

    def __init__(self, operators: Iterable[Operator]) -> None:
        """Nothing seen yet."""
        self.operators = tuple(operators)
        self.parts = [part(o) for o in self.operators]
        """The operators as pieces of recovered state."""
        self.states: dict[str, State] = {o.name: o.init() for o in self.operators}
        self.reads = frozenset(name for o in self.operators for name in o.reads)
        """The columns that some of them read."""
        self.horizons_ns = tuple(sorted({h for o in self.operators for h in o.horizons_ns}))
        """How long after an event some of them ask for what is in force."""
        self._fields = {o.name: o.fields for o in self.operators}
        self._asked = {o.name: [self.horizons_ns.index(h) for h in o.horizons_ns] for o in self.operators}
        self.size = 0

    def grow(self, instruments: int) -> None:
        """Make room for instrument numbers below `instruments`."""
        if instruments <= self.size:
            return
        self.size = instruments
        for operator in self.operators:
            if not operator.kept:
                grown(self.states[operator.name], self._fields[operator.name], instruments)

    def fold(self, events: Columns, panes: Columns, slot: I8) -> None:
        """Take in events, in log order, each into its row of `panes`; of `mid_after` each its own horizons."""
        for operator in self.operators:
            if operator.fold is not None:
                operator.fold(self.states[operator.name], self._given(operator, events), panes, slot)

    def _given(self, operator: Operator, events: Columns) -> Columns:
        if "mid_after" not in operator.reads:
            return events
        return {**events, "mid_after": events["mid_after"].take(self._asked[operator.name], axis=1)}

    def scan(self, books: Columns) -> dict[str, Columns]:
        """What the operators that scan closed books say, by operator: all of them take turns."""
        begun: dict[str, Scan] = {}
        for operator in self.operators:
            if isinstance(operator.step, Scans):
                begun[operator.name] = operator.step.begin(self.states[operator.name], books)
            elif isinstance(operator.compute, Scans):
                begun[operator.name] = operator.compute.begin(books)
        return dict(zip(begun, taken_in(list(begun.values()), len(books["live"])), strict=True))

    def step(self, rows: Columns, scanned: Mapping[str, Columns] = NOTHING) -> dict[str, Array]:
        """What the operators say of rows, one after the other: a later one may read what an earlier one writes.

        `scanned`: what was said already.
        """
        out: dict[str, Array] = {}
        seen: dict[str, Array] = dict(rows)
        for operator in self.operators:
            if isinstance(operator.table, EventTable):
                continue
            if operator.name in scanned:
                made = scanned[operator.name]
            elif operator.step is not None:
                made = operator.step(self.states[operator.name], seen)
            elif operator.compute is not None:
                made = operator.compute(seen)
            else:
                continue
            out.update(made)
            seen.update(made)
        return out

    def rows(self, events: Columns, scanned: Mapping[str, Columns] = NOTHING) -> dict[str, Columns]:
        """The rows of the tables that are operators' own, by operator; `scanned`: what was said already."""
        out: dict[str, Columns] = {}
        for operator in self.operators:
            if not isinstance(operator.table, EventTable):
                continue
            if operator.name in scanned:
                out[operator.name] = scanned[operator.name]
            elif operator.step is not None:
                out[operator.name] = operator.step(self.states[operator.name], self._given(operator, events))
            elif operator.compute is not None:
                made = operator.compute(events)
                out[operator.name] = {**made, "row": np.arange(len(made[operator.columns[0].name]))}
        return out

    def rescale(self, instrument: int, tick_factor: int, lot_factor: int) -> None:
        """An inferred tick or lot was refined: the same quantities in the finer unit."""
        for operator in self.operators:
            state = self.states[operator.name]
            for field in self._fields[operator.name]:
                if field.ticks or field.lots:
                    power = float(tick_factor) ** field.ticks * float(lot_factor) ** field.lots
                    values = state[field.name]
                    mine = state["instrument"] == instrument if operator.kept else slice(instrument, instrument + 1)
                    part = values[mine]
                    factor = int(power) if field.dtype == "i8" else power
                    values[mine] = np.where(part == field.empty, part, part * factor)

    def take_up(self, states: Mapping[str, bytes]) -> None:
        """Go on with states that were frozen and may be taken up; an operator without one starts empty."""
        size = 0
        for operator in self.operators:
            if operator.name not in states:
                continue
            arrays = unpack(states[operator.name])
            fields = self._fields[operator.name]
            for field in fields:
                values = arrays[field.name].astype(field.dtype, copy=False)
                if values.shape[1:] != field.shape or len(values) != len(arrays[fields[0].name]):
                    raise Changed(f"{field.name} of {operator.name} was frozen as {values.shape}")
                self.states[operator.name][field.name] = values
            if fields and not operator.kept:
                size = max(size, len(self.states[operator.name][fields[0].name]))
        self.size = 0
        self.grow(size)


def take_up(together: Iterable[Running], data: bytes) -> None:
    """The states of all operators of a lane, in so far as they are still declared; Changed if one is refused."""
    running = list(together)
    states = thaw(data, [p for r in running for p in r.parts])
    for one in running:
        one.take_up(states)
