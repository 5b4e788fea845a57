"""Waiting: rows of tables that are operators' own, until the panes of their events are closed."""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from operators.contract import Array, Columns, EventTable, Operator
from operators.pack import pack, unpack
from operators.watermark import ENDED

GIVEN = ("nth", "closed_by", "inferred")
"""Columns that the room gives to a row, not its operator."""
_MOST_APART = 4_096
"""Of rows that are to be added up, so many may stand apart, or as many as there are together."""
_DTYPES = {"i8": np.int64, "time": np.int64, "f8": np.float64, "bool": np.bool_, "str": np.dtype("<U1")}


def _none(operator: Operator) -> dict[str, Array]:
    made = {c.name: np.empty(0, _DTYPES[c.dtype]) for c in operator.columns if c.name not in GIVEN}
    return {"instrument": np.empty(0, np.int64), "pane": np.empty(0, np.int64), **made}


def summed(rows: Mapping[str, Array], sums: tuple[str, ...]) -> dict[str, Array]:
    """Rows that are the same in all columns but `sums` as one, in the order of those columns.

    >>> rows = {"price": np.array([2.0, 1.0, 2.0]), "qty": np.array([5.0, 3.0, 4.0])}
    >>> {n: c.tolist() for n, c in summed(rows, ("qty",)).items()}
    {'price': [1.0, 2.0], 'qty': [3.0, 9.0]}
    """
    same = [n for n in rows if n not in sums]
    order = np.lexsort([rows[n] for n in reversed(same)])  # stable: what was made later stands later
    first = np.zeros(len(order), np.bool_)
    first[:1] = True
    out = {n: rows[n][order] for n in rows}
    for n in same:
        first[1:] |= out[n][1:] != out[n][:-1]
    which = np.cumsum(first) - 1
    for n in rows:
        if n in sums:
            total = np.zeros(int(first.sum()), out[n].dtype)
            np.add.at(total, which, out[n])
            out[n] = total
        else:
            out[n] = out[n][first]
    return out


class Waiting:
    """The rows of each of some operators, in the order in which they were made."""

    def __init__(self, operators: Iterable[Operator], base_ns: int, *, in_log_order: bool = True) -> None:
        """None yet. `in_log_order`: rows of one time stand in the order in which they were made, else by instrument.

        Books are closed in an order that depends on where batches were cut, so their rows must not. Rows that are added
        up stand by instrument too. `base_ns`: how long a pane is.
        """
        mine = {o.name: (o, o.table) for o in operators if isinstance(o.table, EventTable)}
        self.in_log_order, self.base_ns = in_log_order, base_ns
        self.sums = {name: table.sums for name, (_, table) in mine.items() if table.sums}
        self.rows = {name: _none(o) for name, (o, _) in mine.items()}
        self._apart: dict[str, list[dict[str, Array]]] = {name: [] for name in self.sums}
        self._many = dict.fromkeys(self.sums, 0)
        """How many rows stand apart."""
        self._first = dict.fromkeys(mine, ENDED)
        """The first pane of any row."""

    def add(self, made: Mapping[str, Columns], instrument: Array, pane: Array) -> None:
        """Take in what the operators made of events of these instruments and panes."""
        for name, columns in made.items():
            row = columns["row"]
            if not len(row):
                continue
            # Rows of one time are numbered as they are released, so all of them wait for the pane of that time.
            until = np.maximum(pane[row], (columns["event_time"] - 1) // self.base_ns)
            new = {**columns, "instrument": instrument[row].astype(np.int64), "pane": until}
            if name in self.sums:
                self._apart[name].append(new)
                self._many[name] += len(row)
                if self._many[name] > max(_MOST_APART, len(self.rows[name]["pane"])):
                    self._sum_up(name)
            else:
                self.rows[name] = {n: np.concatenate([held, new[n]]) for n, held in self.rows[name].items()}
            self._first[name] = min(self._first[name], int(new["pane"].min()))

    def _sum_up(self, name: str) -> None:
        if parts := self._apart[name]:
            held = self.rows[name]
            self.rows[name] = summed(
                {n: np.concatenate([c, *(p[n] for p in parts)]) for n, c in held.items()}, self.sums[name]
            )
            self._apart[name], self._many[name] = [], 0

    def release(self, closed: int) -> dict[str, dict[str, Array]]:
        """The rows of panes up to `closed`, by event time, and then as was said."""
        out = {}
        for name in self.rows:
            if self._first[name] > closed:
                continue
            if name in self.sums:
                self._sum_up(name)
            rows = self.rows[name]
            done = rows["pane"] <= closed
            taken = {n: c[done] for n, c in rows.items()}
            self.rows[name] = {n: c[~done] for n, c in rows.items()}
            self._first[name] = int(self.rows[name]["pane"].min(initial=ENDED))
            by_log = self.in_log_order and name not in self.sums
            ties = np.zeros(len(taken["pane"])) if by_log else taken["instrument"]
            order = np.lexsort((np.arange(len(ties)), ties, taken["event_time"]))
            out[name] = {n: c[order] for n, c in taken.items()}
        return out

    def freeze(self) -> bytes:
        """All rows."""
        for name in self.sums:
            self._sum_up(name)
        return msgspec.msgpack.encode({name: pack(rows) for name, rows in self.rows.items()})

    def thaw(self, data: bytes) -> None:
        """Take up the rows that were frozen, of operators that are still there and columns that they still have."""
        for name, packed in msgspec.msgpack.decode(data, type=dict[str, bytes]).items():
            if name in self.rows:
                arrays = unpack(packed)
                n = len(arrays["pane"])
                self.rows[name] = {c: arrays.get(c, _missing(of, n)) for c, of in self.rows[name].items()}
                self._first[name] = int(self.rows[name]["pane"].min(initial=ENDED))


def _missing(of: Array, n: int) -> Array:
    """A column that the rows were frozen without."""
    return np.full(n, np.nan if of.dtype.kind == "f" else np.zeros(1, of.dtype)[0], of.dtype)
