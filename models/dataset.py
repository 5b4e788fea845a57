"""Dataset: published vectors as cases for training, labelled with what was liquidated afterwards.

A vector counts when a forecast would have been made of it: book trusted, enough of it fresh and known. The labels come
from the same rows: the money of each minute. A minute without a row, or whose money is not known, is down.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bursts import SIDES
from models.forecaster import LEAST_FRESH, LEAST_KNOWN, freshness
from models.labels import STEP_NS, Labels, label
from models.training import Cases, join
from models.vector_items import NAMES, seen_by
from operators.contract import Columns

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row an instrument and minute; `usd` is (row, side), liquidated within the minute."""

    instrument: I8
    at_ns: I8
    x: F8
    usd: F8
    book_ok: NDArray[np.bool_]

    def cases(self, side: str, horizon_min: int, floor_usd: float) -> Cases:
        """The labelled cases of one horizon as one side sees them, in order of time. ValueError when there are none."""
        used = self.book_ok & (freshness(self.x) >= LEAST_FRESH) & (np.isnan(self.x).mean(axis=1) <= 1 - LEAST_KNOWN)
        x = seen_by(side, self.x)
        vectors: Columns = {
            "instrument": self.instrument[used],
            "at_ns": self.at_ns[used],
            **{name: x[used, i] for i, name in enumerate(NAMES)},
        }
        return join(vectors, self._labels(SIDES.index(side), horizon_min, floor_usd))

    def _labels(self, side: int, horizon_min: int, floor_usd: float) -> dict[int, Labels]:
        out = {}
        for instrument in np.unique(self.instrument).tolist():
            mine = np.flatnonzero(self.instrument == instrument)
            mine = mine[np.argsort(self.at_ns[mine], kind="stable")]
            at_ns, usd = self.at_ns[mine], self.usd[mine, side]
            start_ns, end_ns = int(at_ns[0]) - STEP_NS, int(at_ns[-1])
            known = np.zeros((end_ns - start_ns) // STEP_NS, np.bool_)
            known[(at_ns[~np.isnan(usd)] - start_ns) // STEP_NS - 1] = True
            begins = start_ns + np.flatnonzero(~known) * STEP_NS
            down = np.column_stack([begins, begins + STEP_NS])
            at, money = at_ns[~np.isnan(usd)], usd[~np.isnan(usd)]
            out[instrument] = label(at, money, start_ns, end_ns, horizon_min * STEP_NS, floor_usd, down)
        return out


def together(parts: list[Dataset]) -> Dataset:
    """Several datasets as one; their instruments are different ones. ValueError without any."""
    if not parts:
        raise ValueError("no vectors to train on")
    shift = np.cumsum([0, *(int(p.instrument.max(initial=-1)) + 1 for p in parts[:-1])])
    return Dataset(
        np.concatenate([p.instrument + s for p, s in zip(parts, shift, strict=True)]),
        np.concatenate([p.at_ns for p in parts]),
        np.concatenate([p.x for p in parts]),
        np.concatenate([p.usd for p in parts]),
        np.concatenate([p.book_ok for p in parts]),
    )
