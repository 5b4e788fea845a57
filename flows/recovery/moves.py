"""Moves: directories that change places, all of them or, after a crash, by whoever comes next."""

import json
import os
from pathlib import Path

from flows.recovery.durable import settle

Move = tuple[Path, Path]
"""From where, to where."""


def write(journal: Path, moves: list[Move]) -> None:
    """Write down what is about to be moved."""
    partial = journal.with_suffix(".partial")
    with partial.open("w") as file:
        json.dump([[str(a.resolve()), str(b.resolve())] for a, b in moves], file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(journal)
    settle(journal.parent)


def finish(journal: Path) -> None:
    """Make the moves that are written down and not made yet."""
    if not journal.exists():
        return
    moves = [(Path(a), Path(b)) for a, b in json.loads(journal.read_bytes())]
    for source, target in moves:
        if source.exists() and not target.exists():
            source.rename(target)
            settle(target.parent)
    journal.unlink()
    settle(journal.parent)
