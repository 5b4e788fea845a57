"""Result: one measured quantity of a row, its repetitions, and the table of all of them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table as Grid


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured, once per repetition; `target` is the design's own wording, empty where it has none."""

    row: str
    what: str
    values: tuple[float, ...]
    unit: str
    target: str = ""

    @property
    def median(self) -> float:
        """The middle of the repetitions."""
        return statistics.median(self.values)


def number(value: float) -> str:
    """Three significant digits, thousands separated.

    >>> number(1234567.0), number(12.345), number(0.01234)
    ('1,230,000', '12.3', '0.0123')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:.6g}"


def ratios(above: Sequence[float], below: Sequence[float]) -> tuple[float, ...]:
    """Repetition by repetition, so that what slowed both down cancels.

    >>> ratios([2.0, 9.0], [1.0, 3.0])
    (2.0, 3.0)
    """
    return tuple(a / b for a, b in zip(above, below, strict=True))


def table(results: Sequence[Result]) -> Grid:
    """All results as printed."""
    grid = Grid("row", "what", "median", "min - max", "unit", "target", box=None, pad_edge=False)
    for column in (2, 3):
        grid.columns[column].justify = "right"
    for r in results:
        spread = f"{number(min(r.values))} - {number(max(r.values))}" if len(r.values) > 1 else ""
        grid.add_row(r.row, r.what, number(r.median), spread, r.unit, r.target)
    return grid
