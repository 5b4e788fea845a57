"""Book: one depth message as a venue's reader hands it on."""

from typing import NamedTuple


class Book(NamedTuple):
    """A depth message; bids and asks are JSON arrays of levels.

    `view` names which of the venue's views of the book it is of, `levels` how far that goes; "" where there is one.
    """

    symbol: str
    event_ns: int
    snapshot: bool
    first_id: int
    last_id: int
    previous_id: int
    bids: bytes
    asks: bytes
    view: str = ""
    levels: int = 0
