"""A small campaign of kills in every run of the tests; `python -m tests.faults.kills` is the large one."""

import random
from itertools import islice

import pytest

from tests.faults.kills import NAMES, SETS, TAIL, disturbed
from tests.faults.replaying import differences, run, services, settings_for, simulated

pytestmark = pytest.mark.services

KILLS = 4
DERIVING = ["risk", "forecast", "alerts"]
"""They read what others derive and write each topics of its own, so that a fault of one shows in its own tables."""


@pytest.fixture(scope="module")
def items():
    return simulated(seconds=60, disturbed=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    with services(tmp_path_factory.mktemp("services")) as session:
        yield session.settings


@pytest.fixture(scope="module")
def expected(base, items):
    return run(settings_for(base, SETS), items)


def killed(base, items, flows):
    """The tables after a replay in which each of these flows was killed."""
    found, killer = disturbed(settings_for(base, SETS), items, flows, max(KILLS, len(flows) + TAIL), seed=7)
    assert {label.rpartition("-")[0] for label in killer.deaths} == set(flows), "one was not killed: no test"
    return found


@pytest.mark.parametrize("flows", [["market"], DERIVING, ["archive"]], ids="-".join)
def test_flows_killed_again_and_again_leave_the_rows_of_an_undisturbed_replay(base, items, expected, flows):
    assert differences(expected, killed(base, items, flows)) == []


def test_kills_of_every_flow_in_one_replay_on_another_broker_leave_the_same_rows(
    one_broker, base, items, expected, tmp_path
):
    at = base.clickhouse
    store = [f"clickhouse.user={at.user}", f"clickhouse.password_file={at.password_file}"]
    with services(tmp_path, one_broker.bootstrap, at.url, store) as session:
        assert differences(expected, killed(session.settings, items, NAMES)) == []


def test_the_moments_of_a_campaign_are_drawn_from_its_seed():
    def drawn(seed):
        chance = random.Random(f"{seed}:kills")
        return list(islice(iter(lambda: chance.uniform(0, 1), None), 5))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
