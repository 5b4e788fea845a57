"""Touches: the best prices and their sizes in force at the edges of panes, for who reads trades beside the book.

With them the event time of the last message that they rest on: what was traded since is not in them yet.

What a book says at the end of its last pane with a message stays in force until the next; kept is one row a book.
"""

import numpy as np

from operators.contract import I8, Array
from operators.pack import pack, unpack
from operators.panes import Panes

NAMES = ("best_bid", "best_bid_qty_base", "best_ask", "best_ask_qty_base", "last_event_ns")
EDGES = tuple(f"{name}_{at}" for name in NAMES for at in ("before", "after"))
_BITS = 42
_NONE = -1


class Touches:
    """The last word of each book of a venue, by the venue's numbers."""

    def __init__(self) -> None:
        """Nothing known."""
        self.pane = np.empty(0, np.int64)
        self.values = np.empty((0, len(NAMES)))

    def at_edges(self, books: Panes | None, instrument: I8, pane: I8) -> dict[str, Array]:
        """What is in force where panes begin and end; `books`: closed panes of the books, none of which came before."""
        who = np.flatnonzero(self.pane != _NONE)
        of, at, values = who, self.pane[who], self.values[who]
        if books is not None and len(books):
            of, at = np.concatenate([of, books.instrument]), np.concatenate([at, books.pane])
            values = np.vstack([values, np.column_stack([books.columns[n] for n in NAMES])])
        order = np.lexsort((at, of))
        of, at, values = of[order], at[order], values[order]
        key = (of << _BITS) | at
        out: dict[str, Array] = {}
        for edge, last in (("before", pane - 1), ("after", pane)):
            row = np.searchsorted(key, (instrument << _BITS) | last, side="right") - 1
            there = (row >= 0) & (of[np.maximum(row, 0)] == instrument) if len(of) else np.zeros(len(pane), np.bool_)
            for c, name in enumerate(NAMES):
                out[f"{name}_{edge}"] = (
                    np.where(there, values[row, c], np.nan) if len(of) else np.full(len(pane), np.nan)
                )
        ends = np.flatnonzero(np.append(of[1:] != of[:-1], True)) if len(of) else np.empty(0, np.int64)
        more = int(of.max(initial=-1)) + 1 - len(self.pane)
        if more > 0:
            self.pane = np.append(self.pane, np.full(more, _NONE))
            self.values = np.vstack([self.values, np.full((more, len(NAMES)), np.nan)])
        self.pane[of[ends]], self.values[of[ends]] = at[ends], values[ends]
        return out

    def freeze(self) -> bytes:
        """Everything."""
        return pack({"pane": self.pane, "values": self.values})

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen."""
        was = unpack(data)
        if was["values"].shape[1] == len(NAMES):  # else of a release that kept less
            self.pane, self.values = was["pane"].astype(np.int64), was["values"].astype(np.float64)
