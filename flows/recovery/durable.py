"""Durable: a file or folder brought to the disk, so that what is written next may count on it."""

import os
from pathlib import Path


def settle(path: Path) -> None:
    """Return when the disk has it; OSError when it cannot."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
