"""Event order: what several logs say, held until all of them have passed its time, then given out in that order.

Each log has its own clock, which tells how far it is complete; one that is over holds nobody up. What is of one time
comes by a rule that is said of it, and then in the order of its log, never in that of arrival. Panes and rows, which
are columns, are held by `operators/panes` and `operators/waiting`, by the same clocks.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from operators.watermark import ENDED

T = TypeVar("T")


class Reached(NamedTuple):
    """How far some logs are together, in the unit of their clocks."""

    all: int
    """Up to which all are complete; `ENDED` when all are over."""
    furthest: int
    """Up to which the first of them is by what it has shown: what lies behind it was closed by an end."""
    behind: str
    """The log for which the others wait."""


def reached(shown: Mapping[str, int], over: Collection[str] = ()) -> Reached:
    """How far logs are together, by how far each has shown to be complete, and which of them are over.

    >>> reached({"trades": 7, "depth": 5})
    Reached(all=5, furthest=7, behind='depth')
    >>> reached({"trades": 7, "depth": 5}, {"depth"})
    Reached(all=7, furthest=7, behind='trades')
    >>> reached({"trades": 7}, {"trades"}).all == ENDED
    True
    """
    held = {name: ENDED if name in over else at for name, at in shown.items()}
    behind = min(held, key=held.__getitem__)
    return Reached(held[behind], max(shown.values()), behind)


class EventOrder(Generic[T]):
    """Items that wait, by time; `ties` is what those of one time are ordered by.

    >>> waiting = EventOrder[str](ties=len)
    >>> for at, word in ((20, "late"), (10, "three"), (10, "a"), (10, "b")):
    ...     waiting.add(at, word)
    >>> list(waiting.release(10)), len(waiting)
    ([(10, ['a', 'b', 'three'])], 1)
    """

    def __init__(self, ties: Callable[[T], Any]) -> None:
        """Nothing waits."""
        self._ties = ties
        self._held: dict[int, list[T]] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many items wait."""
        return self._count

    def __iter__(self) -> Iterator[tuple[int, T]]:
        """What waits, in the order in which it will be given out."""
        return ((at, item) for at in sorted(self._held) for item in sorted(self._held[at], key=self._ties))

    def add(self, at: int, item: T) -> None:
        """Hold an item that is of this time."""
        self._held.setdefault(at, []).append(item)
        self._count += 1

    def release(self, until: int) -> Iterator[tuple[int, list[T]]]:
        """Take out what is of times up to `until`, a time with all that is of it."""
        for at in sorted(at for at in self._held if at <= until):
            items = self._held.pop(at)
            self._count -= len(items)
            yield at, sorted(items, key=self._ties)
