"""Damage: parts of tables that could not be read when the engine was opened, which it has put aside.

A part that a failing disk cut short was never acknowledged, but the table may have written down its token before, and
the block that comes again would be taken for a repeat. So the token of a part that was put aside is forgotten.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SQL = "SELECT database, table, name, reason, path FROM system.detached_parts WHERE startsWith(reason, 'broken')"
LOGS = "deduplication_logs"


class Damaged(NamedTuple):
    """A part that was put aside: of which table, how it is called there and why, and in which folder it lies."""

    database: str
    table: str
    name: str
    reason: str
    path: str

    def __str__(self) -> str:
        return f"{self.database}.{self.table} {self.name}"


def damaged(told: str) -> list[Damaged]:
    r"""What the answer to `SQL` says, in lines with tabs.

    >>> print(*damaged("d\tt\tbroken-on-start_all_1_1_0\tbroken-on-start\t/store/t/detached/broken-on-start_all_1_1_0"))
    d.t broken-on-start_all_1_1_0
    """
    return [Damaged(*line.split("\t")) for line in told.splitlines()]


def forget_tokens(parts: Iterable[Damaged]) -> bool:
    """Take the tokens of these parts out of the tables' files, for the next engine to open; whether there were any."""
    changed = False
    for part in parts:
        name = part.name.removeprefix(f"{part.reason}_").encode()
        for log in sorted((Path(part.path).parents[1] / LOGS).glob("*.txt")):
            lines = log.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if line.split(b"\t")[1:2] != [name]]
            if len(kept) < len(lines):
                draft = log.with_suffix(".draft")
                draft.write_bytes(b"".join(kept))
                draft.replace(log)
                changed = True
    return changed
