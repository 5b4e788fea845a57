"""Committed: how far a flow has come in its logs, read from its recovery directories while its processes write."""

import glob
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from flows import archive
from flows.kafka import source
from flows.recovery import sealing
from flows.recovery.directory import PART, RESUME
from flows.recovery.sealing import place
from flows.refusal import Refused, Unreachable

COMMITTED = f"""{RESUME}
SELECT step_id, state_key, ser_change FROM snaps AS s
WHERE step_id = ? AND ser_change IS NOT NULL AND snap_epoch = (
    SELECT max(snap_epoch) FROM snaps
    WHERE step_id = s.step_id AND state_key = s.state_key AND snap_epoch < (SELECT min(epoch) FROM resume)
)
"""
"""The positions of the newest epoch that is committed: a process that starts now would go on there."""
WAIT_S = 5.0
Place = tuple[str, int]
"""Topic and partition."""


def directories(pattern: str) -> list[Path]:
    """The recovery directories of the processes of a flow; `{}` stands where the ordinal does, wherever that is."""
    first, *rest = pattern.split("{}")
    named = re.compile(re.escape(first) + r"(\d+)" + r"\1".join(map(re.escape, rest)))
    return sorted(Path(d) for d in glob.glob("*".join(map(glob.escape, (first, *rest)))) if named.fullmatch(d))


def positions(flow: str, directory: Path, key: Path | None = None) -> dict[Place, int]:
    """The next offset of each log of a process, all before being committed; nothing before its first epoch."""
    part = directory / PART
    if not part.exists():
        return {}
    seal = sealing.kept(key or directory.resolve().parent / "recovery.key", make=False)
    step = f"{flow}.read"
    try:
        with closing(sqlite3.connect(f"file:{part}?mode=ro", uri=True, timeout=WAIT_S)) as database:
            rows = database.execute(COMMITTED, (step,)).fetchall()
    except sqlite3.Error as error:
        raise Unreachable(f"{part} cannot be read: {error}") from None
    found: dict[Place, int] = {}
    for _, shard, saved in rows:
        where = place(step, shard)
        try:
            state = seal.load(where, sealing.plain(saved))
        except Exception as error:  # whatever a reader of altered bytes may raise
            raise Refused(f"{directory}: the state of {where} cannot be used: {error}") from None
        found |= archive.offsets(state) if flow == archive.NAME else source.offsets(shard, state)
    return found


def least(told: list[dict[Place, int]]) -> dict[Place, int]:
    """Of processes that read the same log, the one that is furthest behind.

    >>> least([{("a", 0): 5, ("b", 0): 3}, {("a", 0): 4, ("b", 1): 0}])
    {('a', 0): 4, ('b', 0): 3, ('b', 1): 0}
    """
    found: dict[Place, int] = {}
    for positions in told:
        for log, offset in positions.items():
            found[log] = min(offset, found.get(log, offset))
    return found
