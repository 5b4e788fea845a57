"""Promotions: which model version is in force at which minute, decided by the records of a log, not by a clock.

A record `{"id":"registry|<order>","version":...,"in_force_from":<ms>,...}` puts a version in force from an event time
on. Of the records whose time has come the last of the log holds. A record that comes late holds from the next minute.
"""

from dataclasses import dataclass, field

import msgspec

KEPT = 8


class Promotion(msgspec.Struct, frozen=True):
    """What the flow reads of a record; what else it says is for people."""

    version: str
    in_force_from: int


@dataclass(slots=True)
class Promotions:
    """The last promotions, in the order of their log.

    >>> held = Promotions()
    >>> held.add(Promotion("v1", 60_000)); held.add(Promotion("v2", 180_000))
    >>> [held.at(ms) for ms in (0, 60_000, 120_000, 180_000)]
    ['', 'v1', 'v1', 'v2']
    """

    held: list[Promotion] = field(default_factory=list)

    def add(self, promotion: Promotion) -> None:
        """The next record."""
        self.held = [*self.held, promotion]

    def forget(self, until_ms: int) -> None:
        """No minute up to this time will be asked for again: of the records that held by then the last eight stay.

        One would do; the others are for versions that turn out to be unusable. By number alone nothing is forgotten: a
        reader that catches up has the promotions of many days before their minutes.
        """
        begun = [i for i, p in enumerate(self.held) if p.in_force_from <= until_ms]
        gone = set(begun[:-KEPT])
        self.held = [p for i, p in enumerate(self.held) if i not in gone]

    def at(self, ms: int) -> str:
        """The version in force at a minute; empty before the first."""
        return next((p.version for p in reversed(self.held) if p.in_force_from <= ms), "")

    def drop(self, version: str) -> None:
        """That version cannot be used after all: what was in force before it goes on."""
        self.held = [p for p in self.held if p.version != version]
