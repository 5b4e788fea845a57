"""Rescale: the books of an instrument whose tick or lot turned out finer than was inferred."""

import numpy as np
from numpy.typing import NDArray

from operators.book import closings, pages
from operators.book.books import Books, levels, table_for
from operators.book.continuity import EMPTY

I8 = NDArray[np.int64]


def rescale(books: Books, instrument: int, tick_factor: int, lot_factor: int) -> None:
    """An instrument's tick became `tick_factor` times finer and its lot `lot_factor` times: count everything anew.

    The held diffs too. Nothing to do for an instrument not seen yet. Raises ValueError, changing nothing, where a price
    or quantity would leave the scale.
    """
    if tick_factor < 1 or lot_factor < 1:
        raise ValueError(f"a tick or lot can only be refined by whole factors, not {tick_factor} and {lot_factor}")
    if instrument >= len(books.heads) or tick_factor == lot_factor == 1:
        return
    sides = [levels(books, 2 * instrument), levels(books, 2 * instrument + 1)]
    held_levels = [np.repeat(chunk.instrument == instrument, np.diff(chunk.starts)) for chunk in books.waiting]
    for ticks, lots in [*sides, *((c.ticks[m], c.lots[m]) for c, m in zip(books.waiting, held_levels, strict=True))]:
        if max(_most(ticks) * tick_factor, _most(lots) * lot_factor) > pages.MOST_TICKS:
            raise ValueError(f"instrument {instrument}: prices or quantities leave 0..2**50 - 1 with the finer step")
    for chunk, mine in zip(books.waiting, held_levels, strict=True):
        chunk.ticks[mine] *= tick_factor
        chunk.lots[mine] *= lot_factor
    head = books.heads[instrument]
    for end in (closings.FLOOR, closings.CEILING):
        if head[end] != pages.MOST_TICKS:
            head[end] *= tick_factor
    for side, (ticks, lots) in zip((2 * instrument, 2 * instrument + 1), sides, strict=True):
        pages.clear(books.tables, side)
        table_for(books, side, len(ticks))
        pages.put(books.tables, side, ticks * tick_factor, lots * lot_factor, 0, len(ticks))
        pages.refresh(books.tables, side)


def forget(books: Books, instrument: int) -> None:
    """Trust an instrument's book no more, as after a gap, and hold nothing for it: what there was counts otherwise."""
    if instrument >= len(books.heads):
        return
    for side in (2 * instrument, 2 * instrument + 1):
        pages.clear(books.tables, side)
    for chunk in books.waiting:
        chunk.instrument[chunk.instrument == instrument] = -1
    head = books.heads[instrument]
    head[closings.STATE], head[closings.CROSSED_NS], head[closings.HELD], head[closings.BEFORE] = EMPTY, -1, 0, 0


def _most(values: I8) -> int:
    """The largest value, 0 for none."""
    return int(values.max(initial=0))
