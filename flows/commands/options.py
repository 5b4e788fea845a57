"""Options that commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.settings import Settings, environment, load

Sets = Annotated[tuple[str, ...], Parameter(name="--set", negative=(), help="section.key=value, as often as needed")]
File = Annotated[Path | None, Parameter(name="--settings", help="a TOML or JSON file of settings")]
Data = Annotated[Path | None, Parameter(name="--data", help="folder of the embedded store (default ./.alphaplus)")]


def settings(file: Path | None, sets: tuple[str, ...], data: Path | None) -> Settings:
    """The settings of a command."""
    more = (f"data={data}",) if data is not None else ()
    return load(file, environment(), (*sets, *more))
