"""Progress: up to which event time a derived log is complete, read off its own rows.

A venue's rows of a shard are published window end by window end, so once a row of a later end has been seen, all rows
of the ends before it have. A log holds several venues; it is complete up to the one that is furthest behind, except
that a venue which has said nothing for two keyframes of the log's time holds nobody up. A venue that is awaited and has
not shown a row yet counts as furthest behind from the first row of another: its rows of that time may come after those.
A mark of the flow that writes the log says at once that all rows up to its time have been seen. Rows that the end of a
bounded log closed are not to be shown: they hold for times that did not come, and another venue's rows may follow them.

The flow writes a row at the time for which it holds. One that holds for more than `ahead` past its record's time is
nobody's, and refused before it moves anything: all that is to come would be late.
"""

from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64] | NDArray[np.uint64]

SILENT_MS = 120_000
NEVER_MS = -1
AHEAD = "event_time_ahead of its record's time by more than clock.ahead_ms"


@overload
def ahead(end_ms: int, received_ns: int, ahead_ms: int) -> bool: ...
@overload
def ahead(end_ms: Times, received_ns: Times, ahead_ms: int) -> NDArray[np.bool_]: ...
def ahead(end_ms: Any, received_ns: Any, ahead_ms: int) -> Any:
    """Whether a row, or each of many, holds for a time that its record, written at `received_ns`, cannot know of.

    >>> ahead(7_000, 2_000_000_000, 5_000), ahead(7_001, 2_000_000_000, 5_000)
    (False, True)
    """
    return end_ms > received_ns // 1_000_000 + ahead_ms


@dataclass(slots=True)
class Progress:
    """One derived log: the latest end that each venue has shown, and the latest mark.

    >>> log = Progress()
    >>> log.see("okx-swap", 2_000), log.see("deribit", 5_000)
    (None, None)
    >>> log.complete_ms
    1999
    >>> log.see("deribit", 200_000)
    >>> log.complete_ms
    199999
    >>> log.mark(201_000)
    >>> log.complete_ms
    201000
    >>> both = Progress(awaited=("okx-swap", "deribit"))
    >>> both.see("okx-swap", 1_000), both.see("okx-swap", 9_000), both.complete_ms
    (None, None, 999)
    """

    ends_ms: dict[str, int] = field(default_factory=dict)
    marked_ms: int = NEVER_MS
    awaited: tuple[str, ...] = ()

    def mark(self, time_ms: int) -> None:
        """All rows up to this time have been seen."""
        self.marked_ms = max(self.marked_ms, time_ms)

    def see(self, venue: str, end_ms: int) -> None:
        """A row of this venue that holds for `end_ms`."""
        if not self.ends_ms:
            self.ends_ms = dict.fromkeys(self.awaited, end_ms)
        if end_ms > self.ends_ms.get(venue, NEVER_MS):
            self.ends_ms[venue] = end_ms

    @property
    def complete_ms(self) -> int:
        """All rows up to this time have been seen; -1 before the first row."""
        if not self.ends_ms:
            return self.marked_ms
        latest = max(self.ends_ms.values())
        return max(self.marked_ms, min(end for end in self.ends_ms.values() if end >= latest - SILENT_MS) - 1)
