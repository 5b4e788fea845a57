"""Scans: computations over closed books that take turns, some books at a time, while the cache holds their ladders.

A thousand ladders are thirty megabytes. Each computation over all of them by itself would fetch them from memory again,
which takes as long as computing with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from operators.contract import Columns

AT_ONCE = 64
"""Books: two megabytes with a thousand levels a side."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A computation under way: `some(begin, end)` takes in these books, all in their order; then `said` says it."""

    some: Callable[[int, int], None]
    said: Callable[[], Columns]


class Scans:
    """An operator's `compute` or `step` that is a scan: called, it takes in all books by itself.

    It reads what the stage itself offers: with others that take turns it begins before any operator has said anything.
    """

    def __init__(self, begin: Callable[..., Scan]) -> None:
        """`begin` takes what `compute` or `step` takes."""
        self.begin = begin

    def __call__(self, *given: Columns) -> Columns:
        """What it says of all books."""
        return taken_in([self.begin(*given)], len(given[-1]["live"]))[0]


def taken_in(scans: Sequence[Scan], books: int) -> list[Columns]:
    """What scans say of the same books, having taken turns.

    >>> order: list[tuple[str, int, int]] = []
    >>> one, other = (Scan(lambda b, e, n=n: order.append((n, b, e)), lambda: {}) for n in "ab")
    >>> taken_in([one, other], 100), order
    ([{}, {}], [('a', 0, 64), ('b', 0, 64), ('a', 64, 100), ('b', 64, 100)])
    """
    for begin in range(0, books, AT_ONCE):
        for scan in scans:
            scan.some(begin, min(begin + AT_ONCE, books))
    return [scan.said() for scan in scans]
