"""A few thousand mutated frames in every run of the tests; `python -m tests.faults.fuzz_flow` is the large one."""

import pytest

from tests.faults.fuzz_flow import check
from tests.faults.replaying import differences, services

pytestmark = pytest.mark.services


def test_every_mutated_frame_is_accounted_for_and_batches_of_any_size_leave_the_same_rows(tmp_path):
    with services(tmp_path) as session:
        outcome, expected = check(session.settings, seed=1, count=1_500, sets=[], size=2_000_000)
        assert sum(outcome.values()) > 1_400
        assert outcome["rows"] > 100 and outcome["not_json"] > 100
        _, found = check(session.settings, seed=1, count=1_500, sets=["source.batch_frames=37"], size=2_000_000)
        assert differences(expected, found) == []
