"""Laws of what meets across venues: the rows are a function of the depth logs alone, and held is what must wait."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators import catalog
from operators.stages import NotOffered, check
from schemas.frames import frames, marks
from tests.laws.side_by_side import Together, lines_of_venues
from tests.laws.test_market import CUT, EVERY, MS, START_MS, USDM, Line, diff, mark, snapshot, trade

VENUES = ("binance-usdm", "binance-spot", "bybit-linear", "okx-swap", "deribit")
TABLE = "consolidated_bbo"
BYBIT = "bybit-linear"


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), turn=st.integers(0, 10**6))
@example(seed=164, turn=2639)  # a book counted as there before its first message, if its venue was read further
def test_cuts_turns_freezing_and_the_moment_of_each_end_do_not_matter(seed, turn):
    lines = lines_of_venues(VENUES, seed)
    whole = Together(lines).end()
    assert Together(lines).at_random(turn).rows == whole.rows
    assert whole.rows[TABLE]


@pytest.mark.parametrize("cut", [CUT, EVERY], ids=["moved", "every row"])
def test_which_rows_there_are_and_what_they_say_is_decided_by_the_depth_logs_alone(cut):
    lines = lines_of_venues(VENUES, 7)
    whole = Together(lines, cut=cut).end().rows
    books = {venue: [line for line in of if line.kind == "depth"] for venue, of in lines.items()}
    late = {venue: [line._replace(received_ns=line.received_ns + 10**10) if line.kind != "depth" else line for line in of]
            for venue, of in lines.items()}  # fmt: skip
    assert whole == Together(books, cut=cut).end().rows == Together(late, cut=cut).at_random(3).rows


def test_a_venue_more_changes_only_the_rows_of_the_assets_and_quotes_that_it_trades():
    lines = lines_of_venues(VENUES, 5)
    fewer = {venue: of for venue, of in lines.items() if venue != "okx-swap"}
    with_it, without = (Together(of, cut=EVERY).end().decoded(TABLE) for of in (lines, fewer))
    others = [[{**r, "closed_by": ""} for r in rows if r["quote"] == "USDC"] for rows in (with_it, without)]
    assert others[0][: len(others[1])] == others[1] != []
    ended = max(r["event_time"] for r in without)
    assert all(r["event_time"] > ended for r in others[0][len(others[1]) :]), "the log of the venue goes further"
    assert with_it != without


def test_rows_stand_in_order_of_time_then_asset_and_quote_and_each_keeps_its_declaration():
    run = Together(lines_of_venues(VENUES, 2)).at_random(9)
    rows = run.decoded(TABLE)
    place = [(r["event_time"], r["asset"], r["quote"]) for r in rows]
    assert place == sorted(set(place))
    table = next(c for c in catalog.OPERATORS if c.name == TABLE).columns
    for key, value in run.rows[TABLE]:
        row = json.loads(value)
        assert key.decode() == row["asset"]
        assert list(row) == ["id", "asset", "quote", *(c.name for c in table)]
        assert all(c.dtype == "time" or c.holds(row[c.name]) for c in table)


def test_nothing_is_held_and_nothing_comes_out_where_no_operator_asks(monkeypatch):
    lines = lines_of_venues(VENUES, 1)
    asked = Together(lines)
    monkeypatch.setattr(catalog, "OPERATORS", tuple(o for o in catalog.OPERATORS if o.stage != "asset"))
    nobody = Together(lines)
    for run in (asked, nobody):
        for of in run.runs.values():
            for kind in of.logs:
                of.read(kind, len(of.logs[kind]) // 2)
        run.advance()
    assert len(asked.assets.held) > 0
    assert (len(nobody.assets.held), nobody.assets.books, nobody.assets.statistics) == (0, [], ())
    assert nobody.end().rows == {}
    assert asked.end().rows[TABLE]


def other(ms, last, price="99"):
    """A depth message of Bybit: the whole book."""
    data = {"s": "BTCUSDT", "b": [[price, "5"]], "a": [["102", "5"]], "u": last, "seq": last}
    return Line("depth", ms * MS, json.dumps(
        {"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": ms, "cts": ms, "data": data}).encode())  # fmt: skip


def seconds(first, last, venue):
    at = START_MS
    if venue == BYBIT:
        return [other(at + 1000 * n + 100, n + 1) for n in range(first, last)]
    book = [snapshot(at + 1000 * first + 100, first + 1)] if first == 0 else []
    return book + [diff(at + 1000 * n + 100, n + 1) for n in range(first + len(book), last)]


def test_a_venue_that_is_ahead_waits_for_the_others_and_holds_one_row_a_book_and_pane():
    run = Together({USDM: seconds(0, 30, USDM), BYBIT: seconds(0, 30, BYBIT)})
    ours, theirs = run.runs[USDM], run.runs[BYBIT]
    for kind in ("trades", "liquidations", "derivatives"):
        ours.market.mark(kind, ended=True)
        if kind in theirs.logs:
            theirs.market.mark(kind, ended=True)
    ours.read("depth", 30)
    theirs.read("depth", 5)
    run.advance()
    assert {r["event_time"] - START_MS for r in run.decoded(TABLE)} <= {1000 * n for n in range(1, 5)}
    assert len(run.assets.held) == 28 - 3 + 2, "panes that wait, and of each book what is in force"
    theirs.read("depth", 25)
    run.advance()
    assert len(run.assets.held) == 2
    run.end()
    assert run.rows == Together({USDM: seconds(0, 30, USDM), BYBIT: seconds(0, 30, BYBIT)}).end().rows


def test_a_gap_is_told_of_in_the_pane_that_shows_it_and_of_its_own_book_alone():
    late = [other(START_MS + 1000 * n + 100, n + 9 * (n >= 4)) for n in range(1, 8) if n != 3]
    run, seen = Together({USDM: seconds(0, 8, USDM), BYBIT: late}), []
    rows = run.assets.running.rows
    run.assets.running.rows = lambda panes: seen.append(panes) or rows(panes)
    run.end()
    shown = {
        (int(panes["pane_end_ns"][i]) // MS - START_MS, str(panes["book_venue"][i, c])): int(panes["book_gap_ns"][i, c])
        for panes in seen
        for i, c in zip(*np.nonzero(panes["book_gap_ns"]), strict=True)
    }
    assert shown == {(5_000, BYBIT): 2 * 10**9}, "nothing came for two seconds, and what then came was not the next"


def told(run, venue, kind, received_ms, guessed):
    of = run.runs[venue]
    come_to = marks([(0, received_ms * MS, guessed)])
    of.market.read(kind, frames(f"raw.{kind}.{venue}", 0, [], [], of.at[kind], marks=come_to))


@pytest.mark.parametrize(("guessed", "closed_by"), [(False, "event"), (True, "idle")])
def test_a_venue_that_has_nothing_holds_up_no_row_that_its_marks_have_passed(guessed, closed_by):
    lines = {USDM: [*seconds(0, 8, USDM), trade(START_MS + 100), mark(START_MS + 100)], BYBIT: seconds(0, 1, BYBIT)}
    run = Together(lines)
    for venue, of in run.runs.items():
        for kind in of.logs:
            of.read(kind, 20)
            if venue != USDM or kind != "depth":
                told(run, venue, kind, START_MS + 7_400, guessed and venue == BYBIT)
    run.advance()
    rows = run.decoded(TABLE)
    assert [r["closed_by"] for r in rows[1:]] == [closed_by] * len(rows[1:])
    assert rows[-1]["event_time"] == START_MS + 6_000, "Bybit's book is 5 s old and out"
    assert (rows[-1]["books"], rows[-1]["books_out"]) == (1, 1)


def test_a_shard_says_what_it_takes_up_when_it_is_thawed_into_a_release_with_an_operator_more():
    lines = lines_of_venues(VENUES[:2], 3)
    run = Together(lines)
    run.end()
    of_now = next(o for o in run.assets.running.operators if o.name == TABLE)
    assert replace(of_now, horizons_ns=(1,)).fingerprint != of_now.fingerprint


def test_what_no_book_says_stops_the_import_in_one_line():
    with pytest.raises(NotOffered, match=r"^operator x reads book_mood, which the stage asset does not offer$"):
        check([replace(o, name="x", reads=("book_mood",)) if o.name == TABLE else o for o in catalog.OPERATORS])
