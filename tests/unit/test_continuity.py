"""The rules of sequence, vector by vector, of the venues' documents and of the tests of barter-rs and tardis-node."""

import pytest

from operators.book.continuity import (
    APPLY,
    DROP,
    EMPTY,
    FETCHED_NS,
    GAP,
    HOLD,
    JOINING,
    LIVE,
    NO_ID,
    REPLACE,
    SET_BACK_NS,
    verdict,
)
from schemas.batches import BESIDE, REFUSED, WHOLE, Sequencing

FUTURES, SPOT = Sequencing.BINANCE_FUTURES, Sequencing.BINANCE_SPOT
BYBIT, OKX, DERIBIT = Sequencing.BYBIT, Sequencing.OKX, Sequencing.DERIBIT


def judge(
    venue: Sequencing,
    state: int,
    last: int,
    message: tuple[int, int, int],
    snapshot: bool = False,
    replay: bool = False,
    last_previous: int = -2,
) -> int:
    """The verdict on (first, u, previous)."""
    first, u, previous = message
    return verdict(int(venue), state, last, last_previous, snapshot, first, u, previous, replay)


@pytest.mark.parametrize("venue", Sequencing)
def test_before_a_snapshot_every_diff_is_held_and_every_snapshot_taken(venue: Sequencing) -> None:
    assert judge(venue, EMPTY, 100, (101, 110, 100)) == HOLD
    assert judge(venue, EMPTY, 100, (NO_ID, 50, NO_ID), snapshot=True) == REPLACE


# barter-rs barter-data/src/exchange/binance/futures/l2.rs; (101, 110, 100) after a snapshot by tardis-node's mapper; by
# hand (100, 110, 99) when live: all that changed after 99 is in it, as when @depth@500ms comes beside @depth@100ms
@pytest.mark.parametrize(
    ("state", "message", "expected"),
    [
        (JOINING, (100, 110, 90), APPLY),
        (JOINING, (110, 120, 90), GAP),
        (JOINING, (110, 90, 90), DROP),
        (JOINING, (100, 90, 90), DROP),
        (JOINING, (101, 110, 100), APPLY),
        (JOINING, (95, 100, 94), APPLY),
        (LIVE, (101, 110, 100), APPLY),
        (LIVE, (105, 110, 100), APPLY),
        (LIVE, (111, 120, 105), GAP),
        (LIVE, (0, 0, 0), DROP),
        (LIVE, (95, 100, 94), DROP),
        (LIVE, (100, 110, 99), APPLY),
        (LIVE, (102, 110, 101), GAP),
        (LIVE, (100, 110, NO_ID), GAP),
    ],
)
def test_binance_futures(state: int, message: tuple[int, int, int], expected: int) -> None:
    assert judge(FUTURES, state, 100, message) == expected


# barter-rs barter-data/src/exchange/binance/spot/l2.rs; (102, 110) when live by hand; (100, 110) when live by Binance's
# web-socket-streams.md: start again only if U > update id + 1
@pytest.mark.parametrize(
    ("state", "message", "expected"),
    [
        (JOINING, (100, 110, -1), APPLY),
        (JOINING, (101, 110, -1), APPLY),
        (JOINING, (102, 110, -1), GAP),
        (JOINING, (102, 90, -1), DROP),
        (JOINING, (110, 90, -1), DROP),
        (JOINING, (90, 100, -1), DROP),
        (LIVE, (101, 110, -1), APPLY),
        (LIVE, (120, 130, -1), GAP),
        (LIVE, (102, 110, -1), GAP),
        (LIVE, (100, 110, -1), APPLY),
        (LIVE, (90, 100, -1), DROP),
    ],
)
def test_binance_spot(state: int, message: tuple[int, int, int], expected: int) -> None:
    assert judge(SPOT, state, 100, message) == expected


@pytest.mark.parametrize("venue", [FUTURES, SPOT])
def test_binance_drops_a_snapshot_inside_the_live_chain_and_takes_a_newer_one(venue: Sequencing) -> None:
    for state in (JOINING, LIVE):
        assert judge(venue, state, 100, (NO_ID, 99, NO_ID), snapshot=True) == DROP
        assert judge(venue, state, 100, (NO_ID, 100, NO_ID), snapshot=True) == DROP
        assert judge(venue, state, 100, (NO_ID, 101, NO_ID), snapshot=True) == REPLACE


# Bybit v5 order-book document; barter-rs bybit/book/l2.rs; by hand: snapshot 10, 11 apply, 11 again, 13
def test_bybit() -> None:
    assert judge(BYBIT, JOINING, 10, (NO_ID, 11, NO_ID)) == APPLY
    assert judge(BYBIT, LIVE, 11, (NO_ID, 11, NO_ID)) == DROP
    assert judge(BYBIT, LIVE, 11, (NO_ID, 13, NO_ID)) == GAP
    assert judge(BYBIT, LIVE, 11, (NO_ID, 1, NO_ID), snapshot=True) == REPLACE
    assert judge(BYBIT, LIVE, 11, (NO_ID, 1, NO_ID)) == GAP
    assert judge(BYBIT, LIVE, 1, (NO_ID, 1, NO_ID)) == GAP
    assert judge(BYBIT, LIVE, 11, (NO_ID, 9, NO_ID)) == GAP
    assert judge(BYBIT, LIVE, 11, (NO_ID, 9, NO_ID), snapshot=True) == REPLACE


# OKX API v5, order-book channel: -1/10 snapshot, 10/15, 15/15 heartbeat, 15/3 maintenance, 3/5
def test_okx_documented_sequence() -> None:
    assert judge(OKX, EMPTY, -1, (NO_ID, 10, -1), snapshot=True) == REPLACE
    assert judge(OKX, JOINING, 10, (NO_ID, 15, 10)) == APPLY
    assert judge(OKX, LIVE, 15, (NO_ID, 15, 15), last_previous=10) == APPLY
    assert judge(OKX, LIVE, 15, (NO_ID, 3, 15), last_previous=10) == APPLY
    assert judge(OKX, LIVE, 3, (NO_ID, 5, 3), last_previous=15) == APPLY


def test_okx_takes_only_the_message_applied_last_for_a_repeat() -> None:
    assert judge(OKX, LIVE, 15, (NO_ID, 15, 10), last_previous=10) == DROP
    assert judge(OKX, LIVE, 15, (NO_ID, 20, 16), last_previous=10) == GAP
    assert judge(OKX, LIVE, 15, (NO_ID, 5, 3), last_previous=10) == GAP


# OKX notice of 2026-05-21, step 5: the first must satisfy prevSeqId <= snapshot < seqId
def test_okx_joins_a_rest_snapshot_inside_a_message() -> None:
    assert judge(OKX, JOINING, 12, (NO_ID, 15, 10)) == APPLY
    assert judge(OKX, JOINING, 12, (NO_ID, 12, 10)) == DROP
    assert judge(OKX, JOINING, 12, (NO_ID, 20, 15)) == GAP
    assert judge(OKX, JOINING, 12, (NO_ID, 20, 15), replay=True) == DROP
    assert judge(OKX, LIVE, 12, (NO_ID, 15, 10)) == GAP


def test_okx_without_ids_applies_unverified_but_never_across_a_snapshot() -> None:
    assert judge(OKX, JOINING, NO_ID, (NO_ID, NO_ID, NO_ID)) == APPLY
    assert judge(OKX, LIVE, NO_ID, (NO_ID, NO_ID, NO_ID)) == APPLY
    assert judge(OKX, JOINING, NO_ID, (NO_ID, NO_ID, NO_ID), replay=True) == DROP


# Deribit book notifications, by hand: snapshot 10, {10, 12}, {13, 15}
def test_deribit() -> None:
    assert judge(DERIBIT, EMPTY, -1, (NO_ID, 10, 0), snapshot=True) == REPLACE
    assert judge(DERIBIT, JOINING, 10, (NO_ID, 12, 10)) == APPLY
    assert judge(DERIBIT, LIVE, 12, (NO_ID, 15, 13), last_previous=10) == GAP
    assert judge(DERIBIT, LIVE, 12, (NO_ID, 12, 10), last_previous=10) == DROP
    assert judge(DERIBIT, LIVE, 12, (NO_ID, 11, 9), last_previous=10) == GAP
    assert judge(DERIBIT, LIVE, 12, (NO_ID, 15, NO_ID), last_previous=10) == GAP


@pytest.mark.parametrize("venue", [BYBIT, OKX, DERIBIT])
def test_a_message_of_a_second_recorder_that_is_not_later_than_the_book_is_a_repeat(venue: Sequencing) -> None:
    state = int(venue), LIVE, 12, 11
    assert verdict(*state, False, NO_ID, 10, 9, False, -5) == DROP
    assert verdict(*state, False, NO_ID, 10, 9, False, 0) == DROP
    assert verdict(*state, False, NO_ID, 10, 9, False, 5) == GAP
    assert verdict(*state, False, NO_ID, 15, 14, False, 0) == GAP


@pytest.mark.parametrize("venue", [BYBIT, OKX, DERIBIT])
def test_a_streamed_snapshot_that_is_not_newer_than_the_book_adds_nothing(venue: Sequencing) -> None:
    state = int(venue), LIVE, 12, 11
    assert verdict(*state, True, NO_ID, 10, NO_ID, False, -5) == DROP
    assert verdict(*state, True, NO_ID, 10, NO_ID, False, 5) == REPLACE
    assert verdict(*state, True, NO_ID, 10, WHOLE, False, -5) == REPLACE
    assert verdict(*state, True, NO_ID, 13, NO_ID, False, 5) == REPLACE
    assert verdict(int(venue), EMPTY, 12, 11, True, NO_ID, 10, NO_ID, False, -5) == REPLACE


@pytest.mark.parametrize("venue", list(Sequencing))
def test_a_link_of_the_chain_that_could_not_be_used_is_a_gap_and_another_view_is_none(venue: Sequencing) -> None:
    for state in (JOINING, LIVE):
        assert verdict(int(venue), state, 12, 11, False, REFUSED, REFUSED, REFUSED, False) == GAP
        assert verdict(int(venue), state, 12, 11, False, BESIDE, BESIDE, BESIDE, False) == DROP
    assert verdict(int(venue), EMPTY, 12, 11, False, REFUSED, REFUSED, REFUSED, False) == DROP


@pytest.mark.parametrize("venue", [FUTURES, SPOT])
@pytest.mark.parametrize(("later_ns", "diff", "snapshot"), [(SET_BACK_NS, DROP, DROP), (SET_BACK_NS + 1, GAP, REPLACE)])
def test_a_smaller_id_at_a_much_later_time_is_an_id_set_back_on_binance(
    venue: Sequencing, later_ns: int, diff: int, snapshot: int
) -> None:
    def told(state: int, u: int, whole: bool) -> int:
        return verdict(int(venue), state, 100, -2, whole, u, u, u - 1, False, later_ns)

    assert (told(LIVE, 5, False), told(LIVE, 5, True)) == (diff, snapshot)
    assert told(LIVE, 100, True) == DROP  # a quiet book that is fetched again
    assert told(JOINING, 5, False) == DROP  # a stream that lags behind a fetched book


@pytest.mark.parametrize("venue", [FUTURES, SPOT, OKX])
def test_a_smaller_id_is_no_longer_a_stream_that_lags_behind_a_fetched_book_when_it_is_long_after_it(venue) -> None:
    limit_ns = SET_BACK_NS if venue == OKX else FETCHED_NS
    for later_ns, expected in ((limit_ns, DROP), (limit_ns + 1, GAP)):
        assert verdict(int(venue), JOINING, 100, -2, False, 5, 5, 4, False, later_ns) == expected
