"""Two releases of the flows, one after the other, made from today's catalog; run as `python -m tests.services.releases`.

`then` has an operator that `now` has no longer; `now` has a new one, one more column of an old one, and one whose state
means something else. None of what they add is news by itself, so today's columns must be what they are without them.
Arguments: the release, then those of `alphaplus`, or `migrate` and a file of settings.
"""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from operators import catalog
from operators.book.touch import TOUCH
from operators.contract import Columns, Field, Operator, State, Statistic
from operators.stages import check
from schemas.column import Column


def counting(name: str, revision: int = 1, anew: bool = False) -> Operator:
    """An operator with state, statistics and a column: trades counted since it was first there, and in the window."""

    def fold(state: State, events: Columns, panes: Columns, slot: np.ndarray) -> None:
        np.add.at(state["seen"], events["instrument"], 1)
        np.add.at(panes[f"{name}_trades"], slot, 1)

    return Operator(
        name,
        "trade",
        ("instrument",),
        columns=(Column(f"{name}_count", "f8", "trades counted", null_when="never", tolerance=math.inf),),
        table="features_tape",
        state=(Field("seen", "i8"),),
        statistics=(Statistic(f"{name}_trades", "i8", "sum"),),
        fold=fold,
        compute=lambda windows: {f"{name}_count": windows[f"{name}_trades"].astype(np.float64)},
        revision=revision,
        anew=anew,
    )


def _wider(operator: Operator) -> Operator:
    compute = operator.compute
    assert compute is not None
    half = Column("half_spread_bps", "f8", "half of the spread", "bps", null_when="as the spread", tolerance=math.inf)

    def widened(books: Columns) -> Columns:
        made = compute(books)
        return {**made, half.name: made["spread_bps"] / 2}

    return replace(operator, columns=(*operator.columns, half), compute=widened)


TODAY = catalog.OPERATORS
RELEASES = {
    "then": (*TODAY, counting("leaves"), counting("changes", anew=True)),
    "now": (*(_wider(o) if o is TOUCH else o for o in TODAY), counting("comes"), counting("changes", 2, anew=True)),
    "refused": (*TODAY, counting("changes", 2)),
}
ADDED = {"features_book": ("half_spread_bps",), "features_tape": ("leaves_count", "changes_count", "comes_count")}


def _migrate(settings: Path) -> None:
    """As the migration of such a release would: what the store lacks of its declarations."""
    from flows.clickhouse.client import connect
    from flows.clickhouse.migrations import FOLDER, migrations, statements
    from flows.settings import load
    from flows.tables import TABLES
    from schemas.migration import added_up, steps

    store = added_up(s for path in migrations(FOLDER).values() for s in statements(path.read_text()))
    clickhouse = connect(load(settings, {}).clickhouse)
    for statement in steps(store, TABLES):
        clickhouse.command(statement)
    clickhouse.close()


if __name__ == "__main__":
    catalog.OPERATORS = RELEASES[sys.argv[1]]
    check(catalog.OPERATORS)
    if sys.argv[2] == "migrate":
        _migrate(Path(sys.argv[3]))
    else:
        from flows.__main__ import main

        main(sys.argv[2:])
