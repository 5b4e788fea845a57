"""Windows of a table: those unfinished, what was last published of them, and the operators that describe them."""

from functools import cache

from operators import catalog
from operators.contract import Array
from operators.cut import Cut
from operators.delta import Deltas
from operators.lanes import depth, derivatives, liquidation_log, tape
from operators.market_tables import WINDOW_TABLES, WindowTable
from operators.operator_states import Running, frozen, take_up
from operators.panes import Layout, layout
from operators.stages import NotOffered
from operators.windows import Windows


@cache
def held(without: frozenset[str] = catalog.ALL) -> dict[str, Layout]:
    """What the panes of each kind of log hold, and of what is made where trades and books meet."""
    said = {
        "depth": depth.statistics(without),
        "trades": (*tape.statistics(without), *(s for o in catalog.at("pane", without) for s in o.statistics)),
        "liquidations": liquidation_log.STATISTICS,
        "derivatives": derivatives.STATISTICS,
        "meeting": tuple(s for o in catalog.at("meeting", without) for s in o.statistics),
    }
    return {kind: layout(statistics) for kind, statistics in said.items()}


_OF_TABLE = {s.name: o.table for o in catalog.OPERATORS for s in o.statistics} | {
    c.name: o.table for o in catalog.at("close") if isinstance(o.table, str) for c in o.columns
}


def _layouts(of: WindowTable) -> dict[str, Layout]:
    """Of a table, what no operator of another keeps: a log's stamp, and what operators without a table make of it."""
    kept = {
        kind: [s for s in held()[kind].statistics if _OF_TABLE.get(s.name, "") in (of.name, "")] for kind in of.logs
    }
    stamp = {s.name for statistics in kept.values() for s in statistics} - _OF_TABLE.keys()
    for name in stamp & {c.name for o in of.operators for c in o.columns}:
        raise NotOffered(f"a column of {of.name} is called {name}, under which its stamp is kept")
    return {kind: layout(tuple(statistics)) for kind, statistics in kept.items()}


LAYOUTS = {t.name: _layouts(t) for t in WINDOW_TABLES}


class TableWindows:
    """The unfinished windows of a table, what was last published of it, and its operators over windows."""

    def __init__(self, of: WindowTable, cut: Cut) -> None:
        """Nothing seen yet."""
        self.of = of
        self.layouts = LAYOUTS[of.name]
        statistics = tuple(s for kind in of.logs for s in self.layouts[kind].statistics)
        self.windows = Windows(statistics, [n // cut.base_ns for n in cut.lengths_ns], cut.keyframe_ns // cut.base_ns)
        self.deltas = Deltas({c.name: c.tolerance for c in of.columns if c.dtype != "str"})
        self.running = Running(o for o in of.operators if o.stage == "window")

    def compute(self, values: dict[str, Array]) -> None:
        """Add what the operators say of closed windows, in the order of the catalog."""
        for operator in self.of.operators:
            if operator.stage == "window" and operator.step is not None:
                values |= operator.step(self.running.states[operator.name], values)
            elif operator.stage != "close" and operator.compute is not None:
                values |= operator.compute(values)

    def freeze(self) -> tuple[bytes, bytes, bytes]:
        """Windows, deltas and states."""
        return self.windows.freeze(), self.deltas.freeze(), frozen((self.running,))

    def thaw(self, was: tuple[bytes, bytes, bytes], fresh: frozenset[str]) -> None:
        """Take up what was frozen."""
        self.windows.thaw(was[0], fresh)
        self.deltas.thaw(was[1], fresh)
        take_up((self.running,), was[2])
