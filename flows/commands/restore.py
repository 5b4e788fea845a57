"""`alphaplus restore`: a savepoint put back in the place of a flow's recovery directories, if it fits."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import Data, Directories, File, Sets, place, seal_key, settings
from flows.commands.run import MODULES, module_of
from flows.kafka.glance import bounds_of
from flows.recovery.directory import Identity
from flows.recovery.sealing import BEGIN_ANEW
from flows.settings.tree import Settings
from flows.upkeep.savepoints import Savepoint, read, unlike
from flows.upkeep.savepoints import restore as put_back
from operators.evolving import Changed, Part, matched


def restore(
    savepoint: Annotated[Path, Parameter(help="folder of a savepoint")],
    *,
    recovery: Directories = "",
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Put a savepoint in the place of the flow's recovery directories; these are kept beside it.

    Refused in one line while a process of it runs, and when something does not fit: other settings, states that this
    release cannot take up, another key, a file that changed, offsets that a log no longer or not yet has.
    """
    told = settings(config, set, data)
    flow = read(savepoint).flow
    done = put_back(savepoint, place(told, flow, recovery), lambda saved: unfit(told, saved), seal_key(told))
    count = len(done.savepoint.processes)
    print(f"{flow}: the states of {count} processes are back: start it with share.count={count}")
    if done.kept:
        print(f"{flow}: kept as they were: {', '.join(map(str, done.kept))}")
    return 0


def unfit(told: Settings, saved: Savepoint) -> str:
    """Why a flow of these settings and this release cannot go on from a savepoint, "" if it can."""
    if saved.flow not in MODULES:
        return f"it is of the flow {saved.flow!r}, which this release does not have"
    module = module_of(saved.flow)
    identity: Identity = module.identity(told)
    if why := unlike(saved.made_for, identity):
        return f"it was made for {why}"
    parts: list[Part] = module.parts(told) if hasattr(module, "parts") else []
    try:
        matched(saved.states, parts)
    except Changed as error:
        return f"{error}; {BEGIN_ANEW}"
    if told.kafka.brokers:
        offsets = saved.offsets
        for (topic, partition), (low, end) in bounds_of(told.kafka, offsets).items():
            if not low <= offsets[topic, partition] <= end:
                at = offsets[topic, partition]
                return f"{topic}[{partition}] must go on at offset {at}, and has {low} to {end}"
    return ""
