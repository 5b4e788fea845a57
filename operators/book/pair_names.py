"""Pair names: how a row of two books of an asset says which they are; the first is that by venue and symbol."""

from operators.contract import I8, Array, Columns
from schemas.column import Column

KEY = ("venue", "symbol", "other_venue", "other_symbol")
COLUMNS = (
    Column("venue", "str", "venue of the first book of the pair"),
    Column("symbol", "str", "the venue's name of its instrument"),
    Column("other_venue", "str", "venue of the second"),
    Column("other_symbol", "str", "that venue's name of its instrument"),
)


def named(panes: Columns, row: I8, first: I8, second: I8) -> dict[str, Array]:
    """The columns of `KEY` for rows of panes, whose books stand in columns `first` and `second` there.

    >>> import numpy as np
    >>> panes = {"book_venue": np.array([["x", "y"]]), "book_symbol": np.array([["BTC-PERP", "BTCUSDT"]])}
    >>> at = np.array([0])
    >>> {name: column.tolist() for name, column in named(panes, at, at, at + 1).items()}
    {'venue': ['x'], 'symbol': ['BTC-PERP'], 'other_venue': ['y'], 'other_symbol': ['BTCUSDT']}
    """
    return {
        f"{which}{what}": panes[f"book_{what}"][row, book]
        for which, book in (("", first), ("other_", second))
        for what in ("venue", "symbol")
    }
