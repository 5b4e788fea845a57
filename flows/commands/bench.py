"""`alphaplus bench`: the targets of the design as they are measured on this machine, as one table."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from flows.bench import (
    archived,
    closed_books,
    compute,
    forecasts,
    freeze,
    instruments,
    latency,
    memory,
    operators,
    restart,
    start,
    through_kafka,
    valued_accounts,
)
from flows.bench.in_process import compile_once
from flows.bench.machine import machine
from flows.bench.material import Material, materials
from flows.bench.result import Result, table
from flows.bench.size import FRAMES, Size
from flows.commands.options import Data, File, Sets, settings
from flows.commands.printer import Printer
from flows.printable import printable
from flows.session.supervisor import ProcessFailed
from flows.settings.services import Clickhouse
from flows.settings.tree import Settings, SettingsError

FEWEST = 1_000
WARM = 5_000
WIDTH = 150
Rows = dict[str, Callable[[list[Material], Settings, Size], list[Result]]]
ROWS: Rows = {
    "compute": compute.measure,
    "kafka": lambda m, s, z: through_kafka.measure(m[0], s, z),
    "archive": lambda m, s, z: archived.measure(m[0], s, z),
    "latency": lambda m, s, z: latency.measure(m[0], s, z),
    "operators": lambda m, s, z: operators.measure(m[0], s, z),
    "instruments": lambda m, s, z: instruments.measure(m[0], s, z),
    "closings": lambda m, s, z: closed_books.measure(m[0], s, z),
    "freeze": lambda m, s, z: freeze.measure(m[0], s, z),
    "memory": lambda m, s, z: memory.measure(m[0], s, z, Path(s.data)),
    "start": lambda m, s, z: start.measure(m[0], s, z),
    "risk": lambda m, s, z: valued_accounts.measure(z),
    "forecasts": lambda m, s, z: forecasts.measure(z),
    "restart": lambda m, s, z: restart.measure(m[0], s, z),
}


def bench(
    *files: Annotated[str, Parameter(help="VENUE=FILE: frames to measure (default: the simulated market)")],
    only: Annotated[str, Parameter(help=f"rows, separated by commas: {','.join(ROWS)}")] = "",
    repeats: Annotated[int, Parameter(help="repetitions of which the median is taken")] = 5,
    frames: Annotated[int, Parameter(help="frames through the largest rows")] = FRAMES,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Measure throughput, latency, memory and restarts; `compute` takes every venue's frames, the rest the first's.

    It has a broker and a store of its own, the store in a folder below DIR that is removed again; `--set
    kafka.brokers=...` measures on those brokers, on topics that are deleted again. Nothing else should run meanwhile.
    """
    chosen = [name.strip() for name in only.split(",") if name.strip()] or list(ROWS)
    for name in chosen:
        if name not in ROWS:
            raise SettingsError(f"--only: there is no row {name!r}; there are: {', '.join(ROWS)}")
    if repeats < 1 or frames < FEWEST:
        raise SettingsError(f"--repeats must be at least 1 and --frames at least {FEWEST}")
    told = settings(config, set, data)
    folder = Path(told.data) / f"bench-{time.time_ns():x}"
    told = msgspec.structs.replace(told, data=str(folder), clickhouse=Clickhouse(), metrics_port=0)
    found = materials(files)
    say = Printer(highlight=False, soft_wrap=True)
    say.print(machine())
    say.print(f"frames: {', '.join(files) or 'of the simulated market'}; medians of {repeats}")
    results: list[Result] = []
    for material in found:
        compile_once(material.venue, material.frames[:WARM], told)
    try:
        for name in chosen:
            say.print(f"measuring {name} ...", style="dim")
            results += ROWS[name](found, told, Size(frames, repeats))
    except ProcessFailed as error:
        print(printable(f"alphaplus: {error}"), file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if results:
            Printer(width=max(say.width, WIDTH)).print(table(results))
    return 0
