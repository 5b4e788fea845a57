"""`alphaplus savepoint`: a flow stopped at one epoch, and its recovery directories copied."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import Data, Directories, File, Sets, place, seal_key, settings
from flows.job_graph import FLOWS
from flows.settings.tree import SettingsError
from flows.upkeep.savepoints import take


def savepoint(
    flow: Annotated[str, Parameter(help="market, risk, forecast or alerts")],
    *,
    to: Annotated[Path, Parameter(help="a new folder")],
    recovery: Directories = "",
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Stop the processes of a flow on this machine and copy their recovery directories, with what they are of.

    A process stops once all it has handed over is committed. Those elsewhere are to be stopped before. The key of the
    states (recovery.key) is not copied: keep it apart.
    """
    told = settings(config, set, data)
    if flow == "archive":
        raise SettingsError("archive has nothing to save: it goes on where the database says")
    if flow not in (known := [f.name for f in FLOWS if f.name != "archive"]):
        raise SettingsError(f"there is no flow {flow!r}; there are: {', '.join(known)}")
    saved = take(flow, place(told, flow, recovery), to, seal_key(told))
    logs, shards = len(saved.offsets), len(saved.processes)
    print(f"{flow}: {shards} processes at the next offsets of {logs} logs, by release {saved.release}, are in {to}")
    return 0
