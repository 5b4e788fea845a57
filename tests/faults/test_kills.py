"""A small campaign of kills in every run of the tests; `python -m tests.faults.kills` is the large one."""

import random
from itertools import islice

import pytest

from tests.faults.kills import NAMES, SETS, disturbed
from tests.faults.replaying import differences, run, services, settings_for, simulated

pytestmark = pytest.mark.services

KILLS = {"embedded": 4, "kafka": 2}


@pytest.fixture(scope="module")
def items():
    return simulated(seconds=60, disturbed=True)


@pytest.fixture(scope="module")
def base(broker, tmp_path_factory):
    with services(tmp_path_factory.mktemp("services"), broker.bootstrap) as session:
        yield session.settings


@pytest.fixture(scope="module")
def expected(base, items):
    return run(settings_for(base, SETS), items)


@pytest.mark.parametrize("flow", NAMES)
def test_a_flow_killed_again_and_again_leaves_the_rows_of_an_undisturbed_one(broker, base, items, expected, flow):
    kills = KILLS.get(broker.name, 2)
    found, killer = disturbed(settings_for(base, SETS), items, [flow], kills, seed=7)
    assert killer.done >= 1, "nothing was killed: no test"
    assert differences(expected, found) == []


def test_the_moments_of_a_campaign_are_drawn_from_its_seed():
    def drawn(seed):
        chance = random.Random(f"{seed}:kills")
        return list(islice(iter(lambda: chance.uniform(0, 1), None), 5))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
