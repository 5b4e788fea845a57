"""Rows: published columns as the JSON records of a topic.

A record begins with its id, `{"id":"<natural key>|<order>"`: readers drop what they have already seen of a key without
decoding it (`operators/once`). Times are integer milliseconds since 1970 UTC, a null is null (so is time 0 where a
time can be null), and numbers are printed so that reading them gives the same double again.
"""

from collections.abc import Callable

import msgspec
import numpy as np

from operators.contract import Array
from operators.published import Published
from schemas.column import Column

_encode: Callable[[object], bytes] = msgspec.json.Encoder().encode


def _printable(column: Column, values: Array | list[str]) -> list[object]:
    """A column as JSON values: NaN and infinities are null."""
    if isinstance(values, list):
        return list(values)
    if column.dtype == "f8":
        finite = np.isfinite(values)
        listed: list[object] = values.tolist()
        return listed if finite.all() else [v if ok else None for v, ok in zip(listed, finite.tolist(), strict=True)]
    if column.dtype == "time":
        times = (values // 1_000_000).tolist()
        return [at or None for at in times] if column.null_when else list(times)
    if column.dtype == "bool":
        return list(values.astype(np.bool_).tolist())
    return list(values.astype(np.int64).tolist())


def records(published: Published, columns: tuple[Column, ...]) -> list[tuple[bytes, bytes]]:
    """Key and value of every row.

    >>> from operators.published import Published
    >>> p = Published("t", ["BTC"], ["v|BTCUSDT|1000"], [5], [6], {"mid": np.array([np.nan]), "n": np.array([2])})
    >>> records(p, (Column("mid", "f8", "", null_when="no book"), Column("n", "i8", "")))
    [(b'BTC', b'{"id":"v|BTCUSDT|1000|5","mid":null,"n":2}')]
    """
    names = ("id", *(c.name for c in columns))
    ids = [f"{key}|{order}" for key, order in zip(published.natural, published.order, strict=True)]
    cells = zip(ids, *(_printable(c, published.columns[c.name]) for c in columns), strict=True)
    return [
        (base.encode(), _encode(dict(zip(names, row, strict=True))))
        for base, row in zip(published.base, cells, strict=True)
    ]
