"""Moves: directories that change places, all of them or, after a crash, by whoever comes next.

Until then none of them is what it was: one that gave way already would be begun anew, one that did not yet would change
places under the flow that uses it. So what is about to be moved is written down beside each of them, and a flow is not
started on a directory while it stands there (`cut_short`).
"""

import json
import os
from pathlib import Path

from flows.recovery.durable import settle
from flows.refusal import Refused

Move = tuple[Path, Path]
"""From where, to where."""
MOVES = ".moves.json"
"""How the names of journals end."""


def write(journal: Path, moves: list[Move]) -> None:
    """Write down what is about to be moved: first in `journal`, which `finish` asks, then beside every directory."""
    text = json.dumps([[str(a.resolve()), str(b.resolve())] for a, b in moves], indent=1)
    for place in _journals(journal, moves):
        partial = place.with_suffix(".partial")
        with partial.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(place)
        settle(place.parent)


def finish(journal: Path) -> None:
    """Make the moves that are written down and not made yet."""
    if not journal.exists():
        return
    moves = _read(journal)
    for source, target in moves:
        if source.exists() and not target.exists():
            source.rename(target)
            settle(target.parent)
    for place in reversed(_journals(journal, moves)):
        place.unlink(missing_ok=True)
        settle(place.parent)


def cut_short(directory: Path) -> Path | None:
    """The journal of moves of a directory that are not finished; None where there are none."""
    there = directory.resolve()
    return next((j for j in sorted(there.parent.glob(f"*{MOVES}")) if any(there in move for move in _read(j))), None)


def _journals(journal: Path, moves: list[Move]) -> list[Path]:
    folders = dict.fromkeys((journal.resolve().parent, *(target.resolve().parent for _, target in moves)))
    return [folder / journal.name for folder in folders]


def _read(journal: Path) -> list[Move]:
    try:
        return [(Path(a), Path(b)) for a, b in json.loads(journal.read_bytes())]
    except (ValueError, TypeError):
        raise Refused(
            f"{journal} is no list of moves: nothing starts beside it; if it is not ours, remove it"
        ) from None
