"""Machine: what the figures were measured on, and whether it was busy with something else."""

import os

LOADED = 0.25
"""Runnable processes a core, beyond which figures are not to be trusted."""


def machine() -> str:
    """One line: cores, load average, and a warning when others use them.

    >>> machine().split()[1].startswith("core")
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0]
    line = f"{cores} cores, load average {load:.2f} at the start"
    return f"{line}: WARNING, the machine is busy, these figures are too low" if load > LOADED * cores else line
