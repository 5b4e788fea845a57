"""Rows: published columns as the JSON records of a topic.

A record begins with its id, `{"id":"<natural key>|<order>"`: readers drop what they have already seen of a key without
decoding it (`operators/once`). Times are integer milliseconds since 1970 UTC, a null is null (so is time 0 where a
time can be null), and numbers are printed so that reading them gives the same double again.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import starmap

import msgspec
import numpy as np

from operators.contract import Array
from operators.published_rows import Published
from schemas.column import Column

_encode: Callable[[object], bytes] = msgspec.json.Encoder().encode


@lru_cache
def _row(names: tuple[str, ...]) -> Callable[..., object]:
    """The type of a table's rows: its keys are written once for all, which printing a dict would do for each row."""
    return msgspec.defstruct("Row", [("id", object), *((name, object) for name in names)])


def _finite(columns: tuple[Column, ...], published: Published) -> dict[str, list[bool]]:
    """Of the columns of floats that hold NaN or infinities: which values are neither."""
    names = [c.name for c in columns if c.dtype == "f8"]
    finite = np.isfinite(np.array([published.columns[n] for n in names], np.float64))
    return {names[i]: finite[i].tolist() for i in np.flatnonzero(~finite.all(axis=-1)).tolist()}


def _printable(column: Column, values: Array | list[str], finite: list[bool] | None) -> list[object]:
    """A column as JSON values: NaN and infinities are null."""
    if isinstance(values, list):
        return list(values)
    if column.dtype == "f8":
        listed: list[object] = values.tolist()
        return listed if finite is None else [v if ok else None for v, ok in zip(listed, finite, strict=True)]
    if column.dtype == "time":
        times = (values // 1_000_000).tolist()
        return [at or None for at in times] if column.null_when else list(times)
    if column.dtype == "bool":
        # what a closing does not say yet, of an operator that is new to a recovered state, is NaN: not true
        return list((np.nan_to_num(values) != 0).tolist())
    return list(values.astype(np.int64).tolist())


def records(published: Published, columns: tuple[Column, ...]) -> list[tuple[bytes, bytes]]:
    """Key and value of every row.

    >>> from operators.published_rows import Published
    >>> p = Published("t", ["BTC"], ["v|BTCUSDT|1000"], [5], [6], {"mid": np.array([np.nan]), "n": np.array([2])})
    >>> records(p, (Column("mid", "f8", "", null_when="no book"), Column("n", "i8", "")))
    [(b'BTC', b'{"id":"v|BTCUSDT|1000|5","mid":null,"n":2}')]
    """
    finite = _finite(columns, published)
    cells = [_printable(c, published.columns[c.name], finite.get(c.name)) for c in columns]
    ids = [f"{key}|{order}" for key, order in zip(published.natural, published.order, strict=True)]
    rows = zip(ids, *cells, strict=True)
    values = map(_encode, starmap(_row(tuple(c.name for c in columns)), rows))
    return [(base.encode(), value) for base, value in zip(published.base, values, strict=True)]
