"""Liquidations that meet the books: each waits until all mids that it asks for are known, and makes its row then.

What the book said before it is the book's at its last end of a pane before the liquidation's, taken once that pane is
closed; null where a gap has shown meanwhile that it was not known.
"""

import numpy as np

from operators import catalog
from operators.contract import Array, Columns
from operators.edges import Edges
from operators.lanes.lane import offered
from operators.meeting import LIQUIDATION, Meeting
from operators.operator_states import Running, frozen, take_up
from operators.stages import BEFORE, STAGES
from operators.waiting import Waiting

STAGE = "liquidation_meeting"


class LiquidationMeeting:
    """The operators of that stage for one venue, and the liquidations whose horizons are not over."""

    def __init__(self, without: frozenset[str], base_ns: int, beside: Meeting) -> None:
        """None has come. The mids are those of the meeting `beside`."""
        self.base_ns = base_ns
        self.running = Running(catalog.at(STAGE, without))
        asked = self.running.reads - {*STAGES[STAGE].offers}
        self.said_before = tuple(sorted(n.removesuffix(BEFORE) for n in asked))
        """What is asked of the books before liquidations."""
        columns = LIQUIDATION | {n + BEFORE: np.float64 for n in self.said_before}
        self.events = Meeting(self.running.horizons_ns, columns, beside)
        self.rows = Waiting(self.running.operators, base_ns)

    def __len__(self) -> int:
        """How many wait."""
        return len(self.events.waiting["pane"])

    def add(self, met: Columns, instrument: Array) -> None:
        """Take in liquidations of a log, by the venue's numbers."""
        unread = {n + BEFORE: np.full(len(instrument), np.nan) for n in self.said_before}
        self.events.add({**met, **unread, "instrument": instrument})

    def meet(self, panes: tuple[int, int], known: tuple[int, int], edges: Edges, instruments: int) -> None:
        """Make the rows of those that have met all mids they ask for; `panes` (after, up to) are closed by now.

        `known`: up to when all logs are closed, and up to when it is known what the books said.
        """
        waiting, base_ns = self.events.waiting, self.base_ns
        if not len(self):
            return
        new = np.flatnonzero((waiting["pane"] > panes[0]) & (waiting["pane"] <= panes[1]))
        who, pane = waiting["instrument"][new], waiting["pane"][new]
        missing = self.events.mids.missing(who, pane * base_ns, (pane + 1) * base_ns)
        for name, said in edges.at_end(who, pane - 1, self.said_before).items():
            waiting[name + BEFORE][new] = np.where(missing, np.nan, said)
        events = self.events.release(*known)
        events["stale_ms"] = edges.age_ms(events["instrument"], events["event_ns"] + self.events.longest_ns, base_ns)
        for name in self.said_before:
            events[name + BEFORE] = np.where(np.isnan(events["mid_before"]), np.nan, events[name + BEFORE])
        self.running.grow(instruments)
        given = offered(self.running.reads, events, events["instrument"], events["pane"], base_ns, {})
        due = events["pane"] - -self.events.longest_ns // base_ns
        self.rows.add(self.running.rows(given), events["instrument"], due)

    def freeze(self) -> tuple[bytes, bytes, bytes]:
        """The liquidations that wait, the rows that do, and the operators' states."""
        return self.events.freeze(mids=False), self.rows.freeze(), frozen((self.running,))

    def thaw(self, was: tuple[bytes, bytes, bytes]) -> None:
        """Take up what was frozen."""
        self.events.thaw(was[0])
        self.rows.thaw(was[1])
        take_up((self.running,), was[2])
