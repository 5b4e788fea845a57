"""Preflight: what flows would refuse of the settings and the files they name, found before any process starts."""

import importlib
from collections.abc import Iterable, Mapping

from flows.settings.tree import Settings

CHECKS: Mapping[str, tuple[str, ...]] = {
    "market": ("known_instruments", "cut"),
    "risk": ("terms",),
    "forecast": ("how",),
    "alerts": ("rules",),
}
"""Of each flow's module the functions that read what settings name; a process loads only what it is to run."""


def check(settings: Settings, flows: Iterable[str] = CHECKS) -> Settings:
    """The settings, if each of the flows would start by them; SettingsError in one line if not."""
    for name in flows:
        for reads in CHECKS.get(name, ()):
            getattr(importlib.import_module(f"flows.{name}"), reads)(settings)
    return settings
