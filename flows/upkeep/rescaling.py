"""Rescaling: the states of a stopped flow, dealt out anew to the directories of another number of processes.

The states of these flows are of one shard (a partition) each, and sealed for its step and shard, not for its directory.
So nothing is computed or read again: rows move from the databases of the old directories to those of new ones, which
are whole before the first of the old ones gives way. A list of the moves is written down before; a run that finds one
finishes it.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from flows.kafka.source import shard_name, shards_of
from flows.recovery import moves
from flows.recovery.directory import Recovery
from flows.refusal import Refused

Place = Callable[[int], Path]
"""Ordinal -> recovery directory."""


class Rescaled(NamedTuple):
    """From and to how many processes, how many shards hold a state, and where the old directories are now."""

    before: int
    after: int
    shards: int
    kept: list[Path]


def rescale(flow: str, place: Place, count: int, key: Path | None = None) -> Rescaled | None:
    """Deal the states of `flow` out to `count` processes; None when they are dealt out so.

    Refused while one of its processes runs, when a directory is missing, is of another flow or was sealed with another
    key, and when there would be more processes than partitions.
    """
    journal = place(0).with_name(f"{flow}{moves.MOVES}")
    moves.finish(journal)
    with ExitStack() as stack, ExitStack() as begun:
        first = opened(stack, place(0), key)
        made_for = made_for_flow(first, flow)
        before, partitions = int(made_for["share"][1]), int(made_for["partitions"])
        if before == count:
            return None
        if not 0 < count <= partitions:
            raise Refused(f"{flow}: {count} processes cannot share {partitions} partitions out")
        old = [first, *(opened(stack, place(i), key) for i in range(1, before))]
        for i, recovery in enumerate(old):
            told = made_for_flow(recovery, flow)
            if told != {**made_for, "share": [i, before]}:
                raise Refused(f"{recovery.directory} is not of the same run of {flow} as {first.directory}")
            if recovery.seal.name != first.seal.name:
                raise Refused(f"{recovery.directory} was sealed with another key than {first.directory}")
            if recovery.states != first.states:
                raise Refused(
                    f"{recovery.directory} and {first.directory} are of different releases: let one release run"
                    " as all processes once"
                )
        rows = [row for recovery in old for row in recovery.committed()]
        owner = {shard_name(p): i for i in range(count) for p in shards_of(partitions, i, count)}
        if strange := sorted({shard for _, shard, _ in rows} - owner.keys()):
            raise Refused(f"{flow} keeps states of {', '.join(strange)}, which are no shards: they cannot be dealt out")
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        kept = [place(i).with_name(f"{place(i).name}.{stamp}") for i in range(before)]
        planned = [(place(i), kept[i]) for i in range(before)]
        for i in range(count):
            fresh = place(i).with_name(f".{place(i).name}.{stamp}")
            if i >= before and place(i).exists():
                raise Refused(f"{place(i)} is in the way: move it aside, it is of an earlier run")
            place(i).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            begun.callback(shutil.rmtree, fresh, ignore_errors=True)
            made = stack.enter_context(closing(Recovery(fresh, key or place(0).resolve().parent / "recovery.key")))
            made.fill({**made_for, "share": [i, count]}, first.states, [row for row in rows if owner[row[1]] == i])
            planned.append((fresh, place(i)))
        begun.pop_all()  # from here on they are needed
        moves.write(journal, planned)
        moves.finish(journal)
    return Rescaled(before, count, len({shard for _, shard, _ in rows}), kept)


def opened(stack: ExitStack, directory: Path, key: Path | None) -> Recovery:
    """A directory that is there, held as long as the stack."""
    if not (directory / "manifest.json").exists():
        raise Refused(f"{directory} is no recovery directory: all processes' are needed (--recovery)")
    return stack.enter_context(closing(Recovery(directory, key)))


def made_for_flow(recovery: Recovery, flow: str) -> dict[str, Any]:
    """What a directory of this flow was made for; Refused when it is of another one."""
    made_for = recovery.made_for
    if made_for is None or made_for.get("flow") != flow:
        raise Refused(f"{recovery.directory} is of {made_for and made_for.get('flow')}, not of {flow}")
    return made_for
