"""The log of liquidations, whichever topic it came by: counted once, on their way to panes and rows of their own."""

from dataclasses import replace

import msgspec
import numpy as np

from operators import catalog, units
from operators.contract import Array, Statistic
from operators.lanes.lane import offered
from operators.liquidation.normal import sizes
from operators.meeting import LIQUIDATION
from operators.operator_states import Running, frozen, take_up
from operators.panes import Panes, keys
from operators.waiting import Waiting
from operators.watermark import Assigned
from schemas.batches import Liquidations
from schemas.frames import Frames
from schemas.instrument import InstrumentTable

STATISTICS = (
    *(s for o in catalog.at("liquidation") for s in o.statistics),
    Statistic("late_liquidations", "i8", "sum"),
)
_GIVEN = ("event_ns", "order_side", "price", "price_kind", "lots", "throttled", "id")


class FrozenLog(msgspec.Struct):
    """A log as bytes."""

    panes: bytes
    waiting: bytes
    operators: bytes


class LiquidationLog:
    """Liquidations of one log, whichever of its frames carry them, kept until their panes close."""

    def __init__(self, base_ns: int, without: frozenset[str] = catalog.ALL) -> None:
        """None yet; `base_ns`: how long a pane is."""
        self.base_ns = base_ns
        self.orders = Running(catalog.at("forced_order", without))
        self.counted = Running(catalog.at("liquidation", without))
        self.panes = Panes.of(STATISTICS)
        self.waiting = Waiting(catalog.at("liquidation", without), base_ns)
        self.met: list[dict[str, Array]] = []
        """What is for the meeting with the books, if anyone asks."""
        self._meets = bool(catalog.at("liquidation_meeting", without))

    def restate(self, batch: Liquidations, refined: list[tuple[int, int, int]]) -> Liquidations:
        """A batch and what is remembered, all in the lots known at the batch's end.

        `refined`: from which row on, of which instrument, lots count finer by which factor.
        """
        lots = batch.lots.copy()
        for row, instrument, factor in refined:
            lots[:row][batch.instrument[:row] == instrument] *= factor
            self.orders.rescale(instrument, 1, factor)
            self.counted.rescale(instrument, 1, factor)
        return replace(batch, lots=lots)

    def add(self, frames: Frames, batch: Liquidations, table: InstrumentTable, assigned: Assigned) -> None:
        """Take in events: late ones are counted, those ahead of their receipt left out."""
        if assigned.late.any():
            slot = self.panes.slots(keys(batch.instrument[assigned.late], assigned.pane[assigned.late]))
            np.add.at(self.panes.columns["late_liquidations"], slot, 1)
        kept = ~(assigned.late | assigned.ahead)
        batch, pane = batch.keep(kept), assigned.pane[kept]
        given = {name: getattr(batch, name) for name in _GIVEN} | {"open_from": assigned.open_from[kept]}
        given |= {"received_ns": frames.received_ns[batch.frame], "offset": frames.offsets[batch.frame]}
        reads = self.orders.reads | self.counted.reads | frozenset(units.READS)
        reads |= (frozenset(LIQUIDATION) if self._meets else frozenset()) - {"qty_base", "notional_usd"}
        events = offered(reads, given, batch.instrument, pane, self.base_ns, units.of_table(table))
        for running in (self.orders, self.counted):
            running.grow(len(table.rows))
        repeated = self.orders.step(events)["repeated"]
        events = {n: c[~repeated] for n, c in events.items()}
        events |= sizes(events)
        slot = self.panes.slots(keys(events["instrument"], events["pane"]))
        self.counted.fold(events, self.panes.columns, slot)
        self.waiting.add(self.counted.rows(events), events["instrument"], events["pane"])
        if self._meets and len(events["pane"]):
            self.met.append({n: events[n] for n in LIQUIDATION})

    def freeze(self) -> FrozenLog:
        """What was seen, the open panes, the rows that wait."""
        return FrozenLog(self.panes.freeze(), self.waiting.freeze(), frozen((self.orders, self.counted)))

    def thaw(self, was: FrozenLog, fresh: frozenset[str]) -> None:
        """Take up what was frozen, into an empty log."""
        self.panes = Panes.thaw(STATISTICS, was.panes, fresh)
        self.waiting.thaw(was.waiting)
        take_up((self.orders, self.counted), was.operators)
