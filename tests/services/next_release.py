"""A later release, for the upgrade drill: `alphaplus` with another catalog, `python -m tests.services.next_release KIND`.

`later`: a column is added (`mid_twice`), an operator is added (`trades_ever`), one is removed with the one that reads it
(Kyle's lambda; their columns stay and are null), and one is changed and begins anew by its own declaration (`cvd`).
`abrupt`: `cvd` is changed and declares nothing. `later migration` prints the statements that bring a store up to it.
"""

import sys
from dataclasses import replace

import numpy as np

from operators import catalog
from operators.book.touch import TOUCH
from operators.contract import I8, Columns, Field, Operator, State, Statistic
from operators.tape.asymmetry import ASYMMETRY
from operators.tape.cvd import CVD
from operators.tape.kyle import KYLE
from schemas.column import Column

ALWAYS = float("inf")
"""A tolerance: the new columns are never news by themselves, so rows come out where they came out before."""


def _twice(closes: Columns) -> Columns:
    assert TOUCH.compute is not None
    made = TOUCH.compute(closes)
    return {**made, "mid_twice": 2 * made["mid"]}


def _count(state: State, events: Columns, panes: Columns, slot: I8) -> None:
    for i, row in enumerate(slot):
        state["ever"][events["instrument"][i]] += 1
        panes["ever_last"][row] = state["ever"][events["instrument"][i]]


WIDER = replace(
    TOUCH,
    columns=(*TOUCH.columns, Column("mid_twice", "f8", "twice the mid", null_when="no mid", tolerance=ALWAYS)),
    compute=_twice,
)
ADDED = Operator(
    "trades_ever",
    "trade",
    ("instrument",),
    (Column("trades_ever", "i8", "trades since there is this operator", tolerance=ALWAYS),),
    table="features_tape",
    state=(Field("ever", "i8"),),
    statistics=(Statistic("ever_last", "i8", "asof"),),
    fold=_count,
    compute=lambda windows: {"trades_ever": windows["ever_last"]},
)


def retired(operator: Operator) -> Operator:
    """What stays of an operator that is removed: its published columns, null from now on, and no state."""

    def nulls(windows: Columns) -> Columns:
        return {c.name: np.full(len(windows["window_end_ns"]), np.nan) for c in operator.columns}

    name, reads = f"retired_{operator.name}", ("window_end_ns",)
    return Operator(name, "window", reads, operator.columns, table=operator.table, compute=nulls)


RELEASES = {
    "later": {
        "touch": (WIDER,),
        "kyle": (retired(KYLE),),
        "asymmetry": (retired(ASYMMETRY),),
        "cvd": (replace(CVD, revision=2, anew=True), ADDED),
    },
    "abrupt": {"cvd": (replace(CVD, revision=2),)},
}


def main(kind: str, arguments: list[str]) -> None:
    """Run a command of that release; what is imported from here on knows its catalog only."""
    changes = RELEASES[kind]
    catalog.OPERATORS = tuple(new for o in catalog.OPERATORS for new in changes.get(o.name, (o,)))
    catalog.check(catalog.OPERATORS)
    if arguments == ["migration"]:
        print(";\n\n".join(migration()) + ";")
    else:
        from flows.__main__ import main as alphaplus

        alphaplus(arguments)


def migration() -> list[str]:
    """What the next numbered migration holds."""
    from flows.clickhouse.migrations import FOLDER, migrations, statements
    from flows.tables import TABLES
    from schemas.migration import added_up, steps

    before = added_up(s for path in migrations(FOLDER).values() for s in statements(path.read_text()))
    return steps(before, TABLES)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
