"""Ends of bounded logs: how a publisher tells readers that nothing more will be written to a topic."""

import json
import os
from pathlib import Path

from flows.refusal import Refused


def announce(directory: Path, topic: str, end_offsets: list[int]) -> None:
    """Say that `topic` ends at these offsets, one a partition; a reader sees the whole file or none."""
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / f".{topic}.{os.getpid()}.partial"
    with partial.open("w") as file:
        json.dump(end_offsets, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(directory / f"{topic}.json")


def announced(directory: Path, topic: str, partition: int) -> int | None:
    """The end offset of a partition, None while nobody has announced it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as d:
    ...     announce(Path(d), "raw.trades.deribit", [3, 0])
    ...     announced(Path(d), "raw.trades.deribit", 0), announced(Path(d), "raw.depth.deribit", 0)
    (3, None)
    """
    path = directory / f"{topic}.json"
    try:
        ends = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Refused(f"{path} is not a list of end offsets: {error}") from None
    if not isinstance(ends, list) or partition >= len(ends) or not all(isinstance(n, int) and n >= 0 for n in ends):
        raise Refused(f"{path} has no end offset for partition {partition}")
    return int(ends[partition])
