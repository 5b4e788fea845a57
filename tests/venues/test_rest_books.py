"""REST books beside a stream that sends its own: they begin a book, and never make a full one shallow or foreign."""

import pytest

from tests.venues.cases import book, replayed, written
from tests.venues.test_kinds import BYBIT, OKX, SYMBOLS, T, begun, depth


def asked(venue, u, bids, asks, ms=0):
    """An answer of Bybit's `market/orderbook` or of OKX's `market/books`."""
    at = T + ms
    if venue == BYBIT:
        held = {"s": "BTCUSDT", "b": bids, "a": asks, "ts": at, "u": u, "seq": u, "cts": at}
        return {"retCode": 0, "retMsg": "OK", "result": held, "retExtInfo": {}, "time": at}
    rows = {n: [[*x, "0", "1"] for x in x_s] for n, x_s in (("bids", bids), ("asks", asks))}
    return {"code": "0", "msg": "", "data": [{**rows, "ts": str(at), "seqId": u}]}


def said(venue, frames):
    names = {i: SYMBOLS[venue] for i, f in enumerate(frames) if "code" in f}
    return book(venue, frames, SYMBOLS[venue], names)


@pytest.mark.parametrize("venue", [BYBIT, OKX])
@pytest.mark.parametrize("u", [13, 14, 99_999])
def test_an_answer_of_one_level_does_not_replace_the_book_of_the_stream(venue, u):
    """OKX answers one level where `sz` is not given; Bybit's ids of an answer are those of its deepest stream."""
    answer = asked(venue, u, [["100", "1"]], [["101", "1"]], 350)
    sides, told, rejects = said(venue, [*begun(venue), answer, depth(venue, 14, 14, 13, 400, (("100", "14"),))])
    assert (told[-2:], rejects) == (["dropped", "applied"], [])
    assert sides == ({100.0: 14.0, 99.0: 1.0}, {101.0: 1.0})


@pytest.mark.parametrize("venue", [BYBIT, OKX])
def test_an_answer_begins_a_book_and_the_next_one_replaces_it_until_the_stream_goes_on(venue):
    first = asked(venue, 10, [["100", "1"], ["99", "1"]], [["101", "1"]])
    second = asked(venue, 12, [["90", "1"]], [["91", "1"]], 200)
    third = asked(venue, 15, [["80", "1"]], [["81", "1"]], 500)
    sides, told, _ = said(venue, [first, second, depth(venue, 13, 13, 12, 300, (("90", "13"),)), third])
    assert (told[0], told[-1], sides) == ("fresh", "dropped", ({90.0: 13.0}, {91.0: 1.0}))
    sides, told, _ = said(venue, [first, third])
    assert sides == ({80.0: 1.0}, {81.0: 1.0})


@pytest.mark.parametrize("venue", [BYBIT, OKX])
def test_an_answer_replaces_the_book_of_a_stream_that_has_been_silent_and_says_how_long(venue, tmp_path):
    answer = asked(venue, 99, [["80", "1"]], [["81", "1"]], 200_000)
    sides, _, _ = said(venue, [*begun(venue), answer])
    assert sides == ({80.0: 1.0}, {81.0: 1.0})
    times = (0, 100, 200, 300, 200_000)
    log = [((T + ms + 10) * 10**6, f) for ms, f in zip(times, [*begun(venue), answer], strict=True)]
    got = replayed([(venue, written(tmp_path / "silent.log", log))])
    quality = got.rows("quality")
    assert sum(q["untrusted_ms"] for q in quality) == pytest.approx(199_700, abs=101)


@pytest.mark.parametrize("venue", [BYBIT, OKX])
def test_after_a_gap_an_answer_is_taken(venue):
    broken = depth(venue, 20, 20, 19, 400)
    answer = asked(venue, 20, [["80", "1"]], [["81", "1"]], 450)
    sides, told, _ = said(venue, [*begun(venue), broken, answer, depth(venue, 21, 21, 20, 500, (("80", "2"),))])
    assert ("gap" in told, told[-1], sides) == (True, "applied", ({80.0: 2.0}, {81.0: 1.0}))


@pytest.mark.parametrize("venue", [BYBIT, OKX])
def test_an_answer_that_is_older_than_what_the_stream_said_before_it_begins_no_book(venue):
    """OKX, order book channel: where the answer's `seqId` is less than the `prevSeqId` of an update, ask again."""
    view = "full" if venue == BYBIT else "books"
    stream = [depth(venue, n, n, n - 1, 10 * n, (("99", str(n)),), view=view) for n in (11, 12, 13)]
    too_old = asked(venue, 5, [["100", "1"]], [["101", "1"]], 50)
    sides, told, _ = said(venue, [stream[0], too_old, stream[1]])
    assert (told, sides) == (["held", "held", "held"], ({}, {}))
    fit = asked(venue, 11, [["100", "1"], ["99", "11"]], [["101", "1"]], 110)
    sides, told, _ = said(venue, [stream[0], too_old, stream[1], fit, stream[2]])
    assert (told[3:], sides) == (["fresh", "applied"], ({100.0: 1.0, 99.0: 13.0}, {101.0: 1.0}))
    anew = depth(venue, 5000, 5000, 4999, 10, (("99", "5"),), view=view)
    assert said(venue, [anew, fit])[1] == ["held", "fresh"], "ids that restarted since are no later"
