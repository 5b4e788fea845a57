"""The parts of a batch that went through the books, as one."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from operators.book.applied import Applied


def joined(parts: Iterator[Applied]) -> Applied:
    """All parts one after the other, each copied before the next overwrites it."""
    taken: list[dict[str, np.ndarray]] = []
    counted = 0
    for part in parts:
        assert part.first == counted
        counted += len(part.live)
        taken.append({f.name: np.array(getattr(part, f.name)) for f in dataclasses.fields(part) if f.name != "first"})
    whole = {name: np.concatenate([columns[name] for columns in taken]) for name in taken[0]}
    for side in ("bid", "ask"):
        counts = np.concatenate([np.diff(columns[f"close_{side}_starts"]) for columns in taken])
        whole[f"close_{side}_starts"] = np.concatenate([[0], np.cumsum(counts)])
    return Applied(0, **whole)
