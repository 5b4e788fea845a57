"""Relatives of faults that were told of: the same kinds on another venue, at another moment, of another field; invented."""

import pytest

from flows.captures.capture import read
from schemas.venues.registry import VENUES
from tests.venues.cases import book, replayed
from tests.venues.fuzz_books import faults_of, rows_of
from tests.venues.test_kinds import BYBIT, COINM, DERIBIT, OKX, SPOT, SYMBOLS, USDM, T, capture, depth, trade


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


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT])
def test_a_book_whose_ids_the_venue_sets_back_is_not_the_old_one_for_ever(venue, tmp_path):
    """A symbol that is listed anew counts from its own beginning: all of it was dropped as old, the old book trusted."""

    def whole(last, at, bid, ask):
        return depth(venue, last, last, -1, at, ((bid, "1"),), ((ask, "1"),), snapshot=True)

    def diff(first, last, at, bid):
        return depth(venue, first, last, first - 1, at, ((bid, "2"),))

    frames = [whole(1000, 0, "100", "101"), diff(1001, 1002, 100, "100"), diff(1003, 1004, 900, "100")]
    anew = [diff(1, 3, 60_000, "50"), diff(4, 6, 61_000, "50"), whole(6, 62_000, "50", "51"), diff(7, 9, 62_100, "50")]
    sides, said, rejects = book(venue, [*frames, *anew], SYMBOLS[venue])
    assert (rejects, said[3:]) == ([], ["gap", "held", "fresh", "applied"])
    assert sides == ({50.0: 2.0}, {51.0: 1.0})
    got = replayed([(venue, capture(tmp_path / "anew.log", [*frames, *anew, trade(venue, 64_000)]))], batch=1)
    trusted = {r["best_bid"] for r in got.rows("features_book", window_ms=1000) if r["book_ok"]}
    assert trusted == {100.0, 50.0}
    last = [r for r in got.rows("features_book", window_ms=60_000) if r["book_ok"] is not None][-1]
    assert last["best_bid"] == 50.0


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("venue", [USDM, COINM, SPOT])
def test_ids_that_are_set_back_while_no_diff_has_joined_the_fetched_book_do_not_leave_it_for_ever(venue, timed):
    """All that was sent after it was dropped as older than the snapshot, which was trusted; spot's tells no time."""

    def whole(last, at, bid):
        told = depth(venue, last, last, -1, at, ((bid, "1"),), (("101", "1"),), snapshot=True)
        return {k: v for k, v in told.items() if timed or k not in ("E", "T")}

    def diff(first, last, at, bid):
        return depth(venue, first, last, first - 1, at, ((bid, "2"),))

    anew = [diff(1, 3, 1_000, "50"), diff(4, 6, 30_000, "50"), diff(7, 9, 62_000, "50")]
    sides, said, rejects = book(
        venue, [whole(1000, 0, "100"), *anew, whole(9, 63_000, "50"), diff(10, 12, 63_100, "50")], SYMBOLS[venue]
    )
    assert (rejects, said) == ([], ["fresh", "dropped", "dropped", "gap", "fresh", "applied"])
    assert sides == ({50.0: 2.0}, {101.0: 1.0})
    lags = [diff(900 + n, 900 + n, 1_000 * n, "99") for n in range(0, 60, 10)]
    sides, said, _ = book(venue, [whole(1000, 60_000, "100"), *lags, diff(1000, 1001, 60_100, "100")], SYMBOLS[venue])
    assert (said[-1], sides) == ("applied", ({100.0: 2.0}, {101.0: 1.0}))
    held = [diff(n, n, 60_000 * n, "99") for n in range(1, 9)]
    sides, said, _ = book(venue, [*held, whole(7, 420_000, "100")], SYMBOLS[venue])
    assert (said[-1], sides) == ("fresh", ({100.0: 1.0, 99.0: 2.0}, {101.0: 1.0}))


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT])
def test_diffs_that_are_held_from_before_ids_were_set_back_do_not_end_each_new_book(venue):
    """A book was lost before its symbol was listed anew: on every snapshot of the new count the old diffs were a gap."""

    def whole(last, at):
        told = depth(venue, last, last, -1, at, (("50", "1"),), (("51", "1"),), snapshot=True)
        return {k: v for k, v in told.items() if venue != SPOT or k not in ("E", "T")}

    def diff(first, last, at):
        return depth(venue, first, last, first - 1, at, (("50", str(last)),))

    old = [diff(5000, 5001, 0), diff(5002, 5003, 100)]
    end = [diff(4, 6, 60_200), whole(6, 60_250), diff(7, 9, 60_300)]
    for anew in ([diff(1, 3, 60_000), whole(3, 60_100), *end], [whole(3, 60_100), *end]):
        sides, said, rejects = book(venue, [*old, *anew], SYMBOLS[venue])
        assert (rejects, said[-1], sides) == ([], "applied", ({50.0: 9.0}, {51.0: 1.0}))
        assert said.count("fresh") == 1 or venue == SPOT


@pytest.mark.parametrize("venue", [USDM, COINM, SPOT, BYBIT, OKX, DERIBIT])
def test_a_trusted_book_is_the_venues_own_whatever_is_lost_repeated_held_back_or_begun_anew(venue, tmp_path):
    for seed in range(4):
        assert faults_of(venue, seed, (1, 1, 2, 9)[seed]) == []
    assert rows_of(venue, 5, tmp_path / "played.log") == []


@pytest.mark.parametrize("bad", ["abc", "-1", "0.0000000000000001", "99999999999999999999"])
@pytest.mark.parametrize("venue", [BYBIT, OKX])
def test_a_deeper_view_whose_first_snapshot_is_refused_leaves_the_book_to_the_view_that_is_kept(venue, bad, tmp_path):
    """It stayed the view that is kept, so the other was left out, and no book came until it sent a snapshot again."""
    deep, flat = ("200", "50") if venue == BYBIT else ("books", "books50-l2-tbt")

    def told(n, ms, view, price="100", whole=False):
        levels = ((price, str(n)), ("99", "1")), (("101", "1"),)
        return depth(venue, n, n, n - 1, ms, *(levels if whole else (levels[0],)), snapshot=whole, view=view)

    refused = told(500, 5, deep, bad, whole=True)
    kept = [told(10, 0, flat, whole=True), *(told(10 + n, 100 * n, flat) for n in range(1, 30))]
    beside = [told(500 + n, 100 * n + 50, deep) for n in range(1, 30)]
    both = [f for pair in zip(kept[1:], beside, strict=True) for f in pair]
    log = [kept[0], refused, *both]
    sides, said, rejects = book(venue, log, SYMBOLS[venue])
    assert (len(rejects), "gap" in said, sides) == (1, False, ({100.0: 39.0, 99.0: 1.0}, {101.0: 1.0}))
    sides, said, _ = book(venue, [refused, *beside[:2], kept[0], *kept[1:]], SYMBOLS[venue])
    assert sides == ({100.0: 39.0, 99.0: 1.0}, {101.0: 1.0}), "one that came first leaves it to any whole book"
    sides, _, _ = book(venue, [*log, told(700, 3_000, deep, whole=True), told(701, 3_100, deep)], SYMBOLS[venue])
    assert sides[0][100.0] == 701.0
    again = told(600, 2_980, deep, bad, whole=True)
    kept_deep = [
        told(500, 0, deep, whole=True),
        *beside,
        again,
        told(60, 2_990, flat, whole=True),
        told(61, 3_000, flat),
    ]
    assert book(venue, kept_deep, SYMBOLS[venue])[0][0] == {100.0: 61.0, 99.0: 1.0}
    cut = [replayed([(venue, capture(tmp_path / "deep.log", log))], batch=batch) for batch in (1, 7, 1000)]
    rows = [[r["best_bid"] for r in got.rows("features_book", window_ms=1000)] for got in cut]
    assert rows[0] == rows[1] == rows[2] and set(rows[0]) == {100.0}


def test_a_trade_of_two_recorders_counts_once_where_one_of_them_asked_for_microseconds(tmp_path):
    """Binance spot, `timeUnit=MICROSECOND`: the same trade at 200 ms, and at 200137 us, which is of the next pane."""
    coarse = [trade(SPOT, n, 100 * n) for n in range(20, 26)]
    fine = [{**t, "E": t["E"] * 1000 + 311, "T": t["T"] * 1000 + 137} for t in coarse]
    both = [t for pair in zip(coarse, fine, strict=True) for t in pair]
    for frames in (both, [fine[0], *both]):
        got = replayed([(SPOT, capture(tmp_path / "units.log", frames))], batch=1)
        assert got.total("features_tape", "trades", "BTCUSDT") == 6
        assert got.total("features_tape", "repeated_rows", "BTCUSDT") == len(frames) - 6


def liquidations(venue, *times):
    """One message of liquidations alike in all but their time."""
    if venue == BYBIT:
        rows = [{"T": T + ms, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": "100"} for ms in times]
        return {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": T, "data": rows}
    details = [{"bkPx": "100", "side": "sell", "posSide": "long", "sz": "5", "ts": str(T + ms)} for ms in times]
    row = {"instId": SYMBOLS[OKX], "details": details}
    return {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [row]}


@pytest.mark.parametrize("venue", [BYBIT, OKX])
def test_liquidations_that_one_message_lists_alike_are_as_many_and_its_repeat_adds_none(venue, tmp_path):
    """allLiquidation lists every liquidation of half a second: two of one price, size and millisecond were one."""
    frames = [liquidations(venue, 0, 0, 7), liquidations(venue, 0, 0, 7), liquidations(venue, 0, 900), trade(venue, 1)]
    got = replayed([(venue, capture(tmp_path / "alike.log", frames))], batch=1)
    rows = got.rows("liquidations", symbol=SYMBOLS[venue])
    assert [(r["event_time"] - T * 10**6) // 10**6 for r in rows] == [0, 0, 7, 900]
    assert got.reasons == []


@pytest.mark.parametrize("time", ["{s}.000020 ", "{s}.00002: ", "{iso}.000020Z ", "{iso}.00002+00:00 ", "{ns} "])
def test_receive_times_as_recorders_write_them_are_the_same_time(time, tmp_path):
    """`time.time()` and a blank, cryptofeed, Tardis, ISO with an offset, nanoseconds; the first behind a byte order mark."""
    ns = T * 10**6 + 20_000
    line = time.format(s=T // 1000, ns=ns, iso="2026-09-21T14:13:20").encode()
    path = tmp_path / "one.log"
    path.write_bytes(b"\xef\xbb\xbf" + line + b'{"e":"trade","s":"BTCUSDT"}\r\n')
    assert [(f.received_ns, f.problem) for f in read(path, VENUES[USDM])] == [(ns, None)]
