"""Relatives of faults that were told of: the same kinds on another venue, at another moment, of another field; invented."""

import pytest

from tests.venues.cases import book
from tests.venues.test_kinds import COINM, SPOT, SYMBOLS, USDM, depth


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT])
@pytest.mark.parametrize("aligned", [True, False])
def test_two_speeds_of_one_binance_book_are_one_chain_whichever_comes_first(venue, aligned):
    """Diff. Book Depth Streams: `U` and `u` of one book, 100, 250 or 500 ms apart, `pu` the last id of the same stream."""
    stream = f"{SYMBOLS[venue].lower()}@depth@"

    def diff(speed, first, last, previous):
        return {"stream": stream + speed, "data": depth(venue, first, last, previous, 100, (("100", str(last)),))}

    begun = depth(venue, 10, 10, -1, 0, (("100", "1"), ("99", "1")), (("101", "1"),), snapshot=True)
    fast = [diff("100ms", 11, 11, 10), diff("100ms", 12, 13, 11), diff("100ms", 14, 18, 13)]
    slow = diff("500ms", 11, 13 if aligned else 15, 10)
    for at in (1, 2, 3):
        sides, said, rejects = book(venue, [begun, *fast[:at], slow, *fast[at:]], SYMBOLS[venue])
        assert (rejects, "gap" in said, said[-1 if at < 3 else -2]) == ([], False, "applied")
        assert sides == ({100.0: 18.0, 99.0: 1.0}, {101.0: 1.0})
