"""What an earlier release froze, taken up by this one: it goes on, begins anew or is refused as it is declared."""

from contextlib import closing
from pathlib import Path

import pytest
from bytewax.dataflow import Dataflow

from flows.recovery.directory import Recovery
from operators import catalog
from tests.laws.yesterday import MODULES, depends_on, on, opened, parts, read_from, records

KEPT = {path.stem.removeprefix("frozen_at_"): path for path in sorted(Path(__file__).parent.glob("frozen_at_*.xz"))}
"""By commit, as `tests.laws.yesterday` wrote it there."""
EVOLVED = {("1342dee", "market"): "changed, begins anew: trailing, lead_lag, price_discovery"}
"""What is said of the states of a release and flow; of all others nothing: they are taken up as they are."""

COUNTED = {(commit, name) for commit in ("1342dee", "9a43326") for name in ("forecast", "market")}
"""States that hold what would be counted otherwise today: minutes in which nothing was heard were calm ones to
thresholds, and trades whose contract is not known waited for their costs without a weight."""


@pytest.fixture(scope="module", params=KEPT)
def release(request):
    return request.param, read_from(KEPT[request.param])


@pytest.mark.parametrize("name", MODULES)
def test_states_of_an_earlier_release_are_taken_up_or_begin_anew_as_is_declared_here(release, name, tmp_path):
    commit, flows = release
    with closing(Recovery(tmp_path / "recovery")) as recovery:
        recovery.fill({"flow": name, "steps": [], **flows[name].depends_on}, flows[name].states, [])
        recovery.bind(Dataflow(name), depends_on(name), parts(name))
    assert recovery.evolved == EVOLVED.get((commit, name), "")


@pytest.mark.parametrize("name", MODULES)
def test_from_states_of_an_earlier_release_come_the_rows_of_a_run_without_an_upgrade(release, name):
    """All columns but those of operators that begin anew; where none does, the state is the same to the byte.

    But for `COUNTED`.
    """
    commit, flows = release
    was, whole = flows[name], opened(name, None)
    on(name, whole, was.read)
    upgraded = opened(name, was.frozen)
    if (commit, name) not in EVOLVED and (commit, name) not in COUNTED:
        on(name, upgraded, [])
        assert upgraded.freeze() == whole.freeze()
    expected, found = (on(name, shard, was.to_come, ended=True) for shard in (whole, upgraded))
    if name == "archive":
        assert repr(found) == repr(expected)
        return
    anew = {c.name for o in catalog.OPERATORS if o.name in EVOLVED.get((commit, name), "") for c in o.columns}
    weighed = (commit, name) not in COUNTED
    kept = [
        {
            topic: [
                {k: v for k, v in row.items() if k not in anew}
                for row in rows
                if weighed or row.get("measured_volume_base", 0) is not None
            ]
            for topic, rows in of.items()
        }
        for of in map(records, (found, expected))
    ]
    assert kept[0] == kept[1] and sum(map(len, kept[0].values())) > 0
