"""News: which rows of a second are published, and under which names."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from operators.contract import Array
from operators.delta import Deltas
from operators.portfolio.timeline import Second
from operators.published_rows import Published
from schemas.column import Column

MS = 1_000_000
ESCAPES = str.maketrans({c: f"%{ord(c):02X}" for c in '%|"\\'})
"""An account may be called anything printable; the parts of a record's id may not hold what delimits them."""


class News:
    """The rows of one table that were published last, by a key that its owner numbers."""

    def __init__(self, table: str, columns: tuple[Column, ...]) -> None:
        """Nothing published yet. Text is no news by itself, nor is the time for which a row holds."""
        self.table, self.columns = table, columns
        self.compared = {c.name: c.tolerance for c in columns if c.dtype != "str" and c.name != "as_of"}
        self.deltas = Deltas(self.compared)

    def chosen(self, key: Array, keyframe: bool, values: Mapping[str, Array]) -> NDArray[np.bool_]:
        """Which rows moved beyond tolerance, or all at a keyframe."""
        matrix = np.column_stack([np.asarray(values[name], np.float64) for name in self.compared])
        return self.deltas.news(np.asarray(key, np.int64), np.full(len(key), keyframe), matrix)

    def last(self, key: int, name: str) -> float:
        """A column, one that is compared, of the row of a key that was published last; NaN where none was."""
        known = key < len(self.deltas.known) and self.deltas.known[key]
        return float(self.deltas.last[key, self.deltas.names.index(name)]) if known else np.nan

    def published(
        self, second: Second, home: Array, chosen: Array, named: Mapping[str, list[str]], values: Mapping[str, Array]
    ) -> list[tuple[int, Published]]:
        """The chosen rows, one `Published` a partition (`home`, a row); the natural key is the named columns."""
        out = []
        for partition in np.unique(home[chosen]).tolist():
            at = np.flatnonzero(chosen & (home == partition))
            places = at.tolist()
            told: dict[str, Array | list[str]] = {n: [names[i] for i in places] for n, names in named.items()}
            base = list(told["account"])
            natural = ["|".join(p.translate(ESCAPES) for p in parts) for parts in zip(*told.values(), strict=True)]
            told["as_of"] = np.full(len(at), second.at_ms * MS)
            told["closed_by"] = [second.closed_by] * len(at)
            for c in self.columns:
                if c.name not in told:
                    picked = values[c.name][at]
                    told[c.name] = picked.tolist() if c.dtype == "str" else picked
            times = [second.at_ms] * len(at)
            out.append((partition, Published(self.table, base, natural, times, times, told)))
        return out


def age_ms(at_ms: int, mark_ns: Array) -> Array:
    """How old a mark is at the end of a second; the difference is taken first, as whole ns since 1970 fill no float.

    >>> age_ms(1_767_614_700_000, np.array([1_767_614_580_142_000_000])).tolist()
    [119858.0]
    """
    return np.asarray((at_ms * MS - mark_ns) / MS)
