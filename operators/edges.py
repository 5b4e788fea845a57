"""Edges: what books said at the ends of panes, in force at the edges of others, for who reads events beside the book.

What a book says at the end of its last pane with a message stays in force until the next. Held is what was in force
when panes were last taken, and those panes; of what is frozen one row a book.
"""

from collections.abc import Iterable

import numpy as np

from operators import quality
from operators.contract import I8, Array
from operators.pack import pack, unpack
from operators.panes import Panes

TOUCH = ("best_bid", "best_bid_qty_base", "best_ask", "best_ask_qty_base", "last_event_ns")
"""With the best prices the event time of the last message that they rest on: what was traded since is not in them."""
EDGES = tuple(f"{name}_{at}" for name in TOUCH for at in ("before", "after"))
AGE = ("last_event_ns",)
"""What `age_ms` asks for."""
_BITS = 42
_NONE = -1


class Edges:
    """The last words of each book of a venue, by the venue's numbers, and by pane."""

    def __init__(self, names: Iterable[str]) -> None:
        """Nothing known of the statistics `names`."""
        self.names = tuple(dict.fromkeys(names))
        # A row of no book stands first, so that there is always one before.
        self.book, self.pane = np.array([_NONE]), np.zeros(1, np.int64)
        self.values = np.full((1, len(self.names)), np.nan)

    def take(self, books: Panes) -> None:
        """Take in closed panes of the books, none of which came before, and keep of the others what is in force."""
        if not self.names or not len(books):
            return
        held = self._in_force()
        book, pane = np.append(self.book[held], books.instrument), np.append(self.pane[held], books.pane)
        values = np.vstack([self.values[held], np.column_stack([books.columns[n] for n in self.names])])
        order = np.lexsort((pane, book))
        self.book, self.pane, self.values = book[order], pane[order], values[order]

    def at_end(self, book: I8, pane: I8, names: Iterable[str]) -> dict[str, Array]:
        """What is in force where panes end that are no older than the last that were taken; null: nothing was said."""
        key = (self.book << _BITS) | self.pane
        row = np.searchsorted(key, (book << _BITS) | pane, side="right") - 1
        there = self.book[row] == book
        return {n: np.where(there, self.values[row, self.names.index(n)], np.nan) for n in names}

    def age_ms(self, book: I8, at_ns: I8, base_ns: int) -> Array:
        """The age of the last message of books at times that were not passed before; to the end of a pane before."""
        last = self.at_end(book, at_ns // base_ns - 1, AGE)["last_event_ns"]
        # As f8 a time is within 128 ns of itself; venues tell microseconds.
        return np.round(quality.stale_ms(at_ns, last), 3)

    def _in_force(self) -> I8:
        return np.flatnonzero(np.append(self.book[1:] != self.book[:-1], True))

    def freeze(self) -> bytes:
        """What is in force."""
        held = self._in_force()
        said = {n: self.values[held, c] for c, n in enumerate(self.names)}
        return pack({"book": self.book[held], "pane": self.pane[held], **said})

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen; null where somebody asks for more since."""
        was = unpack(data)
        self.book, self.pane = was["book"].astype(np.int64), was["pane"].astype(np.int64)
        self.values = np.full((len(self.book), len(self.names)), np.nan)
        for c, name in enumerate(self.names):
            self.values[:, c] = was.get(name, np.nan)
