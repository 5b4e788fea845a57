"""`alphaplus rescale`: a stopped flow's states, dealt out to another number of processes."""

import sys
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import Data, Directories, File, Sets, place, seal_key, settings
from flows.job_graph import FLOWS
from flows.settings.tree import SettingsError
from flows.upkeep.rescaling import rescale as deal

NOTHING_TO_DEAL = {
    "archive": "it goes on where the database says",
    "risk": "its state is of all its partitions at once: it reads again what its topics hold, and rows that came before"
    " are dropped by their ids",
}
"""Flows whose states are not of one partition each, and what they do with new recovery directories."""


def rescale(
    flow: Annotated[str, Parameter(help="market, forecast or alerts; all its processes are stopped")],
    *,
    to: Annotated[int, Parameter(help="how many processes it shall be")],
    recovery: Directories = "",
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Deal the recovered states of a stopped flow out to another number of processes; nothing is read again.

    The old directories are kept beside the new ones. Start the processes then with share.count of that number.
    """
    told = settings(config, set, data)
    if why := NOTHING_TO_DEAL.get(flow):
        raise SettingsError(
            f"{flow} has nothing to deal out: start it with new recovery directories (--recovery) and another"
            f" share.count; {why}"
        )
    if flow not in (known := [f.name for f in FLOWS if f.name not in NOTHING_TO_DEAL]):
        raise SettingsError(f"there is no flow {flow!r}; there are: {', '.join(known)}")
    done = deal(flow, place(told, flow, recovery), to, seal_key(told))
    if done is None:
        print(f"{flow} is {to} processes already", file=sys.stderr)
        return 0
    print(f"{flow}: the states of {done.shards} shards went from {done.before} to {done.after} processes")
    print(f"{flow}: kept as they were: {', '.join(map(str, done.kept))}")
    return 0
