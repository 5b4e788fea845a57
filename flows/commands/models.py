"""`alphaplus models`: the versions in the registry: list them, show one, put one in force, go back."""

import sys
from collections.abc import Callable
from typing import Annotated

import msgspec
import numpy as np
from cyclopts import App, Parameter
from rich.table import Table

from flows.commands.options import Data, File, Sets, asked
from flows.commands.printer import Printer
from flows.commands.reach import with_broker
from flows.forecast import folder, loader
from flows.learning.promotion import put_in_force
from flows.recovery.durable import settle
from flows.refusal import Refused
from flows.settings.tree import Settings
from models import model_registry

models = App(name="models", help="Model versions: list, show, promote, rollback.")
Named = Annotated[str, Parameter(help="model version, see `alphaplus models list`")]


@models.command(name="list")
def list_versions(*, set: Sets = (), config: File = None, data: Data = None) -> int:
    """All versions; the champion is marked."""
    root = folder(asked(config, set, data))
    try:
        champion = model_registry.champion(root)
    except ValueError as error:
        raise Refused(str(error)) from None
    grid = Table("", "version", "forecasts", "trained to (UTC)", "PR-AUC / prevalence", box=None)
    for name in model_registry.versions(root):
        try:
            about = model_registry.load(root, name).metadata
        except ValueError as error:
            grid.add_row("", name, str(error), "", "")
            continue
        scores = ", ".join(
            f"{c.position_side} {c.horizon_min}: {_ratio(c.score)}"
            for c in sorted(about.models, key=lambda c: (c.horizon_min, c.position_side))
        )
        mark = "champion" if name == champion else ""
        grid.add_row(mark, name, str(len(about.models)), str(np.datetime64(about.trained_to_ms, "ms")), scores)
    Printer(highlight=False).print(grid)
    return 0


def _ratio(score: dict[str, float | None]) -> str:
    area, base = score.get("pr_auc"), score.get("prevalence")
    return "-" if area is None or base is None else f"{area:.2f}/{base:.2f}"


@models.command
def show(version: Named, *, set: Sets = (), config: File = None, data: Data = None) -> int:
    """All that is kept of a version, as JSON."""
    try:
        about = model_registry.load(folder(asked(config, set, data)), version).metadata
    except ValueError as error:
        raise Refused(str(error)) from None
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(about), indent=1).decode() + "\n")
    return 0


@models.command
def promote(version: Named, *, set: Sets = (), config: File = None, data: Data = None) -> int:
    """Make a version champion and put it in force in the flows of the brokers, from a minute soon."""
    told = with_broker(asked(config, set, data))
    return _put(told, lambda: version, lambda: model_registry.promote(folder(told), version, settle))


@models.command
def rollback(*, set: Sets = (), config: File = None, data: Data = None) -> int:
    """Put the champion before this one in force again."""
    told = with_broker(asked(config, set, data))
    root = folder(told)
    return _put(told, lambda: model_registry.earlier(root), lambda: model_registry.rollback(root, settle))


def _put(told: Settings, chosen: Callable[[], str], point: Callable[[], object]) -> int:
    """Tell the flows of a version that they can use, then make it champion: what fails before can be asked again."""
    try:
        version = chosen()
        loaded = loader(told)(version)
        since_ms = put_in_force(told, loaded.version) if told.kafka.brokers else None
        point()
    except ValueError as error:
        raise Refused(str(error)) from None
    if since_ms is None:
        print(f"{version} is champion; no broker is configured or running here: the next replay uses it")
    else:
        print(f"{version} is champion, in force from {np.datetime64(since_ms, 'ms')} UTC")
    return 0
