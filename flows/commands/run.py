"""`alphaplus run`: flows in production, each a process of its own."""

import importlib
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import Data, File, Sets, settings
from flows.engine.incoming import share
from flows.engine.runner import run as run_flow
from flows.engine.signals import interrupted_when_told
from flows.job_graph import FLOWS
from flows.kafka.epochs import Stopping
from flows.kafka.source import shards_of
from flows.monitoring.log_lines import LOG, fail, speak
from flows.monitoring.probes import Judge, serve
from flows.monitoring.status import beginning, tell
from flows.monitoring.wall_clock import FROM_COMMIT, watched
from flows.recovery.directory import Recovery
from flows.session.preflight import check
from flows.session.supervisor import ProcessFailed, Supervisor, end_with_parent
from flows.settings.tree import Settings, SettingsError

FLOW = {f.name: f for f in FLOWS}
MODULES = {f.name: f"flows.{f.name}" for f in FLOWS}


def module_of(flow: str) -> ModuleType:
    """The module of a flow; KeyError for a name that is none of `FLOWS`."""
    return importlib.import_module(MODULES[flow])


def run(
    *flow: Annotated[str, Parameter(help="market, risk, forecast, alerts, archive; several become one process each")],
    recovery: Annotated[Path | None, Parameter(help="recovery directory (default DATA/recovery/FLOW-ORDINAL)")] = None,
    ends: Annotated[Path | None, Parameter(help="folder in which the ends of bounded topics are announced")] = None,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Run flows on this process's share of the partitions until told to stop (SIGTERM or Ctrl-C)."""
    told = settings(config, set, data)
    if not flow:
        raise SettingsError(f"which flow? There are: {', '.join(MODULES)}")
    for name in flow:
        if name not in MODULES:
            raise SettingsError(f"there is no flow {name!r}; there are: {', '.join(MODULES)}")
    if not told.kafka.brokers:
        raise SettingsError("kafka.brokers is not set: `run` is for real brokers, `demo` and `replay` bring their own")
    names = tuple(dict.fromkeys(flow))
    label = names[0] if len(names) == 1 else "run"
    speak(label, told.log.format)
    with watched(label, FROM_COMMIT):
        check(told, names)
        if len(names) == 1:
            end_with_parent()
            return _one(label, told, recovery or Path(told.data) / "recovery" / f"{label}-{told.share.ordinal}", ends)
        if recovery or ends:
            raise SettingsError("--recovery and --ends are of one flow; run each flow by itself")
        return _each(names, told, config, set)


def _one(name: str, told: Settings, directory: Path, ends: Path | None) -> int:
    """A flow in this process."""
    module = module_of(name)
    identity = module.identity(told)
    with closing(Recovery(directory, Path(told.recovery.key_file) if told.recovery.key_file else None)) as held:
        if told.metrics_port:
            serve(told.metrics_host, told.metrics_port, Judge(told.probes, closes=name != "archive"))
        stopping = Stopping()
        dataflow = module.build(told, held.run_id, stopping, ends)
        parts = module.parts(told) if hasattr(module, "parts") else ()
        partitions = shards_of(told.kafka.partitions, *share(told))
        writes = ", ".join(FLOW[name].writes) if name != "archive" else told.clickhouse.url
        reads = [*module.topics(told)]
        _say(beginning(name, reads, told.kafka.brokers, partitions, writes, str(directory), told.metrics_port))
        ended = tell(name, _say)
        try:
            return run_flow(dataflow, held, identity, stopping, told.recovery.epoch_ms, parts)
        finally:
            ended()


def _say(text: str) -> None:
    LOG.info("%s", text)


def _relay(log: Path, read: dict[Path, int]) -> None:
    """Print what a flow has written to its log since the last time, whole lines."""
    with log.open("rb") as file:
        file.seek(read[log])
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    read[log] += len(whole)
    if whole:
        print(whole.decode(errors="replace"), end="", flush=True)


def _each(names: tuple[str, ...], told: Settings, config: Path | None, sets: tuple[str, ...]) -> int:
    """One process a flow; when one cannot be kept running, all end."""
    if told.metrics_port and told.metrics_port + len(names) - 1 > 65_535:
        raise SettingsError(f"metrics_port: {len(names)} flows from {told.metrics_port} on go beyond the last, 65535")
    interrupted_when_told()
    supervisor = Supervisor(Path(told.data) / "logs")
    shared = [*(["--settings", str(config)] if config else []), *(a for s in sets for a in ("--set", s))]
    read: dict[Path, int] = {}

    def done() -> bool:
        for child in supervisor.children.values():
            _relay(child.log, read)
        return all(c.finished for c in supervisor.children.values())

    try:
        for at, name in enumerate(names):
            port = ["--set", f"metrics_port={told.metrics_port + at}"] if told.metrics_port else []
            log = supervisor.folder / f"{name}.log"
            read[log] = log.stat().st_size if log.exists() else 0
            supervisor.start(name, "flows", "run", name, *shared, "--data", told.data, *port)
        supervisor.wait(done)
    except KeyboardInterrupt:
        return 0
    except ProcessFailed as error:
        fail(str(error))
        return 1
    finally:
        supervisor.stop()
    return 0
