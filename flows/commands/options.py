"""Options that commands share, and where a demo is when no folder is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from flows.session.embedded import running_store
from flows.settings.sources import environment, load
from flows.settings.tree import Settings, SettingsError

DEMO = "demo"
"""A demo that is given no folder is in this one of the default folder, so that replays and demos do not meet."""

AT_LEAST_ONE = Number(gte=1)
MOST_MINUTES = 10 * 365 * 24 * 60

Sets = Annotated[tuple[str, ...], Parameter(name="--set", negative=(), help="section.key=value, as often as needed")]
File = Annotated[Path | None, Parameter(name="--settings", help="a TOML or JSON file of settings")]
Data = Annotated[
    Path | None,
    Parameter(name="--data", help="folder of the embedded store (default ./.alphaplus, of a demo ./.alphaplus/demo)"),
]
Minutes = Annotated[
    float, Parameter(help="stop after so many minutes (0: at Ctrl-C)", validator=Number(gte=0, lte=MOST_MINUTES))
]
Directories = Annotated[
    str, Parameter(name="--recovery", help="directories, {} for the ordinal (default DATA/recovery/FLOW-{})")
]


def place(told: Settings, flow: str, recovery: str) -> Callable[[int], Path]:
    """Where the recovery directory of each process of a flow is."""
    pattern = recovery or str(Path(told.data) / "recovery" / f"{flow}-{{}}")
    if "{}" not in pattern:
        raise SettingsError(f"--recovery {pattern!r}: write {{}} where the ordinal stands")
    return lambda ordinal: Path(pattern.replace("{}", str(ordinal)))


def seal_key(told: Settings) -> Path | None:
    """The file with the key of recovered states, where the settings name one."""
    return Path(told.recovery.key_file) if told.recovery.key_file else None


def settings(file: Path | None, sets: tuple[str, ...], data: Path | None) -> Settings:
    """The settings of a command."""
    more = (f"data={data}",) if data is not None else ()
    return load(file, environment(), (*sets, *more))


def asked(file: Path | None, sets: tuple[str, ...], data: Path | None) -> Settings:
    """The settings of a command that asks a run: if no folder is named, the demo when that is all that runs or ran."""
    told = settings(file, sets, data)
    folder, demo = Path(told.data), Path(told.data) / DEMO
    if data is not None or told.clickhouse.url or running_store(folder):
        return told
    if running_store(demo) or (not (folder / "store").exists() and (demo / "store").exists()):
        return msgspec.structs.replace(told, data=str(demo))
    return told
