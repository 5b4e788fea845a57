"""How many updates never came, of the venues whose ids count, and that the others do not tell."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.book import ladder, packing
from schemas.batches import AFTER_SILENCE, ASKED, BESIDE, REFUSED, WHOLE, Sequencing
from tests.unit.test_ladder import Message, feed

BYBIT, SPOT = Sequencing.BYBIT, Sequencing.BINANCE_SPOT
COUNT = [BYBIT, SPOT]
TELL_THAT = [s for s in Sequencing if s not in COUNT]
BIDS, ASKS = [(99, 1)], [(101, 1)]


def snapshot(u, event, previous=-1):
    return Message((-1, u, previous), BIDS, ASKS, True, event)


def diff(venue, first, u, event):
    """The diff of ids `first` to `u`, which follows `first - 1`."""
    return Message((first if venue in (SPOT, Sequencing.BINANCE_FUTURES) else -1, u, first - 1), BIDS, [], False, event)


def missed(venue, messages):
    """Of each message, how many are missing before it; None where ids do not tell."""
    applied = feed(ladder.init(venue), messages)
    return [None if untold else n for n, untold in zip(applied.missed.tolist(), applied.untold.tolist(), strict=True)]


@st.composite
def streams(draw):
    """Updates 1 to n of a venue, in messages; which of them came, and some twice; snapshots; how many are missing."""
    venue = draw(st.sampled_from(COUNT))
    messages, came, first = [], [], 1
    for event in range(1, draw(st.integers(2, 40))):
        u = first if venue == BYBIT else first + draw(st.integers(0, 5))
        whole = venue == BYBIT and draw(st.integers(0, 4)) == 0
        message = snapshot(u, 10 * event) if whole else diff(venue, first, u, 10 * event)
        if draw(st.integers(0, 3)):
            messages += [message] * draw(st.sampled_from([1, 1, 1, 2]))
            came.append((first, u))
        if venue == SPOT and came and draw(st.integers(0, 4)) == 0:
            messages.append(snapshot(draw(st.integers(came[0][1], u)), 10 * event))
        first = u + 1
    missing = came[-1][1] - came[0][0] + 1 - sum(u - f + 1 for f, u in came) if came else 0
    return venue, messages, missing


@settings(max_examples=200, deadline=None)
@given(streams(), st.lists(st.integers(0, 80), max_size=5))
def test_every_numbered_update_between_the_first_and_the_last_that_came_came_or_is_missing(stream, cuts):
    venue, messages, missing = stream
    books, found = ladder.init(venue), 0
    bounds = sorted({0, len(messages), *(c for c in cuts if c < len(messages))})
    for start, end in zip(bounds, bounds[1:], strict=False):
        applied = feed(books, messages[start:end])
        assert not applied.untold.any()
        found += int(applied.missed.sum())
        books = packing.thaw(packing.freeze(books))
    assert found == missing


def test_the_number_stands_at_the_message_that_shows_it():
    book = [snapshot(10, 10), *(diff(BYBIT, u, u, t) for u, t in ((11, 20), (15, 30), (16, 40), (19, 50)))]
    assert missed(BYBIT, [*book, snapshot(25, 60), snapshot(26, 70)]) == [0, 0, 3, 0, 2, 5, 0]
    assert missed(SPOT, [snapshot(10, 10), diff(SPOT, 8, 12, 20), diff(SPOT, 20, 25, 30)]) == [0, 0, 7]


def test_an_update_that_could_not_be_used_is_missing_when_the_next_one_comes():
    broken = Message((REFUSED, REFUSED, REFUSED), event_ns=0)
    assert missed(BYBIT, [snapshot(10, 10), broken, diff(BYBIT, 12, 12, 30)]) == [0, 0, 1]


def test_ids_that_begin_anew_do_not_tell_and_count_on_from_there():
    anew = [snapshot(900, 10), snapshot(1, 20), diff(BYBIT, 3, 3, 30)]
    assert missed(BYBIT, anew) == [0, None, 1]
    assert missed(BYBIT, [snapshot(900, 10), diff(BYBIT, 5, 5, 20), diff(BYBIT, 6, 6, 30)]) == [0, None, 0]


def test_ids_that_binance_sets_back_do_not_tell_and_count_on_from_there():
    second = 10**9
    before = [snapshot(900, second), diff(SPOT, 901, 905, 2 * second)]
    after = [diff(SPOT, 1, 3, 60 * second), diff(SPOT, 6, 7, 61 * second), snapshot(7, 0)]
    assert missed(SPOT, [*before, *after, diff(SPOT, 10, 12, 62 * second)]) == [0, 0, None, 2, 0, 2]


def test_the_ids_of_other_views_and_of_books_by_rest_are_not_counted_with():
    beside = Message((BESIDE, BESIDE, BESIDE), event_ns=0)
    other = Message((-1, 9_000, AFTER_SILENCE), BIDS, [], False, 40)
    assert missed(BYBIT, [snapshot(10, 10), beside, snapshot(7_000, 20, ASKED), diff(BYBIT, 12, 12, 30)]) == [
        0,
        0,
        0,
        1,
    ]
    assert missed(BYBIT, [snapshot(10, 10), snapshot(7_000, 20, WHOLE), diff(BYBIT, 7_001, 7_001, 30)]) == [0, 0, 0]
    assert missed(BYBIT, [snapshot(10, 10), other, diff(BYBIT, 9_002, 9_002, 50)]) == [0, None, 1]


@pytest.mark.parametrize("venue", TELL_THAT)
def test_ids_that_prove_only_that_something_is_missing_say_nothing_until_the_book_is_trusted_again(venue):
    begun = [snapshot(10, 10), diff(venue, 11, 11, 20), diff(venue, 13, 14, 30), diff(venue, 15, 15, 40)]
    assert missed(venue, begun) == [0, 0, None, None]
    assert missed(venue, [*begun, snapshot(15, 50), diff(venue, 16, 16, 60)])[4:] == [None, 0]


@pytest.mark.parametrize("venue", TELL_THAT)
def test_a_message_without_an_id_does_not_tell(venue):
    assert missed(venue, [snapshot(10, 10), Message((-1, -1, -1), BIDS, [], False, 20)])[1] is None
