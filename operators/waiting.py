"""Waiting: rows of tables that are operators' own, until the panes of their events are closed."""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from operators.contract import Array, Columns, EventTable, Operator
from operators.pack import pack, unpack

GIVEN = ("nth", "closed_by", "inferred")
"""Columns that the room gives to a row, not its operator."""
_DTYPES = {"i8": np.int64, "time": np.int64, "f8": np.float64, "bool": np.bool_, "str": np.dtype("<U1")}


def _none(operator: Operator) -> dict[str, Array]:
    made = {c.name: np.empty(0, _DTYPES[c.dtype]) for c in operator.columns if c.name not in GIVEN}
    return {"instrument": np.empty(0, np.int64), "pane": np.empty(0, np.int64), **made}


class Waiting:
    """The rows of each of some operators, in the order in which they were made."""

    def __init__(self, operators: Iterable[Operator], *, in_log_order: bool = True) -> None:
        """None yet. `in_log_order`: rows of one time stand in the order in which they were made, else by instrument.

        Books are closed in an order that depends on where batches were cut, so their rows must not.
        """
        self.in_log_order = in_log_order
        self.rows = {o.name: _none(o) for o in operators if isinstance(o.table, EventTable)}

    def add(self, made: Mapping[str, Columns], instrument: Array, pane: Array) -> None:
        """Take in what the operators made of events of these instruments and panes."""
        for name, columns in made.items():
            row = columns["row"]
            if len(row):
                new = {**columns, "instrument": instrument[row].astype(np.int64), "pane": pane[row]}
                self.rows[name] = {n: np.concatenate([held, new[n]]) for n, held in self.rows[name].items()}

    def release(self, closed: int) -> dict[str, dict[str, Array]]:
        """The rows of panes up to `closed`, by event time, and then as was said."""
        out = {}
        for name, rows in self.rows.items():
            done = rows["pane"] <= closed
            if not done.any():
                continue
            taken = {n: c[done] for n, c in rows.items()}
            self.rows[name] = {n: c[~done] for n, c in rows.items()}
            ties = np.zeros(len(taken["pane"])) if self.in_log_order else taken["instrument"]
            order = np.lexsort((np.arange(len(ties)), ties, taken["event_time"]))
            out[name] = {n: c[order] for n, c in taken.items()}
        return out

    def freeze(self) -> bytes:
        """All rows."""
        return msgspec.msgpack.encode({name: pack(rows) for name, rows in self.rows.items()})

    def thaw(self, data: bytes) -> None:
        """Take up the rows that were frozen, of operators that are still there and columns that they still have."""
        for name, packed in msgspec.msgpack.decode(data, type=dict[str, bytes]).items():
            if name in self.rows:
                arrays = unpack(packed)
                n = len(arrays["pane"])
                self.rows[name] = {c: arrays.get(c, _missing(of, n)) for c, of in self.rows[name].items()}


def _missing(of: Array, n: int) -> Array:
    """A column that the rows were frozen without."""
    return np.full(n, np.nan if of.dtype.kind == "f" else np.zeros(1, of.dtype)[0], of.dtype)
