"""The campaign, one round of all troubles, every venue."""

import asyncio

from flows.live.feeds_by_venue import FEEDS
from tests.live.campaign import TROUBLES, campaign


def test_whatever_a_venue_does_every_drop_is_found_every_book_right_again_and_no_frame_lost():
    told = asyncio.run(campaign(list(FEEDS), 0, 60, 11))
    for found in told:
        assert found.good, found.line
        assert set(found.troubles) == set(TROUBLES)
        assert found.compared > 20
        assert found.missing >= 10, "the buffer never overflowed: no test"
