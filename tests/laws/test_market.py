"""Laws of a venue's market: the rows are a function of the logs alone, and each keeps what its column declares."""

import json
import math
import random
from collections import Counter
from dataclasses import replace
from itertools import groupby

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.engine.json_rows import records
from flows.tables import BY_NAME
from models.simulator import Settings as Simulated
from models.simulator import instruments as listed
from models.simulator import market as simulated
from operators.asset_books import AssetBooks
from operators.catalog import OPERATORS
from operators.cut import Cut
from operators.lanes.lane import AHEAD
from operators.operator_states import Running
from operators.venue_market import VenueMarket
from schemas import rejected
from schemas.frames import frames, marks
from schemas.instrument import Instrument, InstrumentTable
from schemas.venues.registry import VENUES
from tests.laws.written import AHEAD_MS, START_MS, SYMBOLS, Line, market

SECOND = 1_000_000_000
CUT = Cut(SECOND, (SECOND, 10 * SECOND, 60 * SECOND), 500_000_000, 5 * SECOND, 20 * SECOND)
EVERY = replace(CUT, keyframe_ns=SECOND)
KINDS = ("depth", "trades", "liquidations", "derivatives")
NAMES = list(VENUES)


class Run:
    """A market being fed: its rows by table, its rejects by kind."""

    def __init__(self, venue, lines, known=None, cut=CUT):
        self.venue, self.known, self.cut = VENUES[venue], known or {}, cut
        self.market = VenueMarket(self.venue, self.known, cut)
        self.logs = {k: [line for line in lines if line.kind == k] for k in self.venue.kinds}
        self.at = dict.fromkeys(self.logs, 0)
        self.rows = {name: [] for name in BY_NAME}
        self.times = {name: [] for name in BY_NAME}
        self.rejects = {kind: [] for kind in self.logs}

    def read(self, kind, count):
        """The next frames of a topic."""
        start = self.at[kind]
        lines = self.logs[kind][start : start + count]
        self.at[kind] = start + len(lines)
        headers = {i: line.header for i, line in enumerate(lines) if line.header}
        values, received = [line.data for line in lines], [line.received_ns for line in lines]
        batch = frames(f"raw.{kind}.{self.venue.name}", 0, values, received, start, headers)
        self.rejects[kind] += rejected.records("market", self.market.read(kind, batch))

    def done(self, kind):
        return self.at[kind] >= len(self.logs[kind])

    def advance(self):
        for published in self.market.advance():
            self.rows[published.table] += records(published, BY_NAME[published.table].columns)
            self.times[published.table] += published.at_ms

    def thaw(self):
        self.market = VenueMarket.thaw(self.venue, self.known, self.cut, self.market.freeze())

    def end(self):
        for kind in self.logs:
            self.read(kind, len(self.logs[kind]))
            self.market.mark(kind, ended=True)
        self.advance()
        return self

    def decoded(self, table):
        return [json.loads(value) for _, value in self.rows[table]]

    def reasons(self, kind):
        return Counter(json.loads(value)["reason"] for _, value in self.rejects[kind])


def at_random(run, seed, most=40):
    """Batches of any size, topics in any turn, ends announced at any time, freezing now and then."""
    rng, ended = random.Random(seed), set()
    while len(ended) < len(run.logs):
        kind = rng.choice([k for k in run.logs if k not in ended])
        run.read(kind, rng.choice([1, 3, 10, most]))
        if run.done(kind) and rng.random() < 0.7:
            ended.add(kind)
            run.market.mark(kind, ended=True)
        if rng.random() < 0.7:
            run.advance()
        if rng.random() < 0.15:
            run.thaw()
    return run.end()


def lines_of(venue, seed, **how):
    return market(venue, VENUES[venue].kinds, seed, **how)


@pytest.mark.parametrize("venue", NAMES)
@settings(max_examples=4, deadline=None)
@example(seed=9611, turn=176)  # on binance-spot a book without a time changed the mids of closed panes
@given(seed=st.integers(0, 10**6), turn=st.integers(0, 10**6))
def test_cuts_turns_freezing_and_the_moment_of_the_end_do_not_matter(venue, seed, turn):
    lines = lines_of(venue, seed)
    whole, parts = Run(venue, lines).end(), at_random(Run(venue, lines), turn)
    assert parts.rejects == whole.rejects
    assert parts.times == whole.times
    for table, rows in whole.rows.items():
        assert parts.rows[table] == rows, table


@pytest.mark.parametrize("venue", NAMES)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_value_keeps_its_declaration_and_every_record_its_place(venue, seed):
    run = Run(venue, lines_of(venue, seed)).end()
    obeys(run)
    assert run.rows["features_book"]
    assert run.rows["features_tape"]


def obeys(run):
    for name, rows in run.rows.items():
        table, last = BY_NAME[name], {}
        for key, value in rows:
            row = json.loads(value)
            assert list(row) == ["id", *(c.name for c in table.columns)]
            natural, _, order = row["id"].rpartition("|")
            assert natural.startswith(f"{row['venue']}|{row['symbol']}")
            assert last.get(natural, -1) < int(order), f"{name}: {row['id']} is not after {last[natural]}"
            assert table.orders_per_ms is None or int(order) // table.orders_per_ms == row[table.time], row["id"]
            last[natural] = int(order)
            assert key == b"BTC" or row["symbol"].startswith(key.decode())
            for c in table.columns:
                if c.dtype == "time":
                    assert isinstance(row[c.name], int)
                else:
                    assert c.holds(row[c.name]), f"{name}.{c.name}: {row[c.name]!r}"
        assert len({json.loads(value)["id"] for _, value in rows}) == len(rows)


@pytest.mark.parametrize("venue", NAMES)
def test_the_finer_tick_found_later_leaves_the_rows_as_if_it_had_been_known(venue):
    steps = ((100, 1000), (10, 1000), (10, 50), (1, 1))
    lines = lines_of(venue, 11, steps=steps)
    known = {}
    for symbol in SYMBOLS[venue]:
        found = inferred(venue, lines, symbol)
        known[symbol] = Instrument(
            venue, symbol, found.base, found.quote, found.kind, "0.01", "0.001", found.contract, inferred=False
        )
    guessed, told = Run(venue, lines, cut=EVERY).end(), Run(venue, lines, known, EVERY).end()
    cut = at_random(Run(venue, lines, cut=EVERY), 5)
    assert guessed.rejects == told.rejects == cut.rejects
    for table in ("features_book", "features_tape", "liquidations", "quality"):
        alike(told.decoded(table), guessed.decoded(table))
        alike(told.decoded(table), cut.decoded(table))


def alike(wanted, got):
    """The same rows but for the flag and the last bits of ratios, which are rounded in the steps then known."""
    assert [r["id"] for r in wanted] == [r["id"] for r in got]
    for a, b in zip(wanted, got, strict=True):
        for name, value in a.items():
            if name != "inferred":
                assert b[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name


def inferred(venue, lines, symbol):
    run = Run(venue, lines).end()
    return next(r for lane in run.market.lanes.values() for r in lane.table.rows if r.symbol == symbol)


@pytest.mark.parametrize("venue", NAMES)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_late_row_that_is_rejected_is_counted_in_a_row_of_the_tape(venue, seed):
    run = Run(venue, lines_of(venue, seed), cut=EVERY).end()
    counted = sum(r["late_rows"] for r in run.decoded("features_tape") if r["window_ms"] == 1000)
    assert counted == sum(run.reasons(kind)["late"] for kind in run.logs if kind != "depth")


def test_a_deribit_trade_that_liquidated_is_a_row_of_liquidations_and_of_the_tape():
    run = Run("deribit", lines_of("deribit", 3)).end()
    assert run.rows["liquidations"]
    counted = [r for r in run.decoded("features_tape") if r["window_ms"] == 1000]
    assert sum(r["long_liquidations"] + r["short_liquidations"] for r in counted) == len(run.rows["liquidations"])


USDM = "binance-usdm"
MS = 1_000_000


def trade(ms, price="100", size="1", symbol="BTCUSDT", received_ms=None):
    data = {"e": "trade", "E": ms, "T": ms, "s": symbol, "t": 1, "p": price, "q": size, "X": "MARKET", "m": False}
    return Line("trades", (received_ms or ms) * MS, json.dumps(data).encode())


def mark(ms, symbol="BTCUSDT"):
    data = {"e": "markPriceUpdate", "E": ms, "s": symbol, "p": "100", "i": "100", "r": "0.0001", "T": 0}
    return Line("derivatives", ms * MS, json.dumps(data).encode())


def forced(ms, size="1"):
    order = {"s": "BTCUSDT", "S": "SELL", "p": "99", "ap": "99", "X": "FILLED", "l": size, "z": size, "T": ms}
    return Line("liquidations", ms * MS, json.dumps({"e": "forceOrder", "E": ms, "o": order}).encode())


def diff(ms, last, symbol="BTCUSDT"):
    data = {"e": "depthUpdate", "E": ms, "T": ms, "s": symbol, "U": last, "u": last, "pu": last - 1,
            "b": [["99", str(last)]], "a": []}  # fmt: skip
    return Line("depth", ms * MS, json.dumps(data).encode())


def snapshot(ms, last, symbol="BTCUSDT"):
    data = {"lastUpdateId": last, "E": ms, "T": ms, "bids": [["99", "5"]], "asks": [["101", "5"]]}
    return Line("depth", ms * MS, json.dumps(data).encode(), symbol)


def test_late_trades_marks_and_liquidations_are_counted_in_the_first_open_window_and_rejected():
    at = START_MS
    lines = [trade(at + 100), trade(at + 1700), trade(at + 900), mark(at + 1700), mark(at + 800), forced(at + 1800)]
    lines += [forced(at + 700, "2"), diff(at + 100, 1)]
    run = Run(USDM, lines).end()
    rows = [r for r in run.decoded("features_tape") if r["window_ms"] == 1000]
    assert [(r["window_start"], r["trades"], r["late_rows"]) for r in rows] == [(at, 1, 0), (at + 1000, 1, 3)]
    assert {k: dict(run.reasons(k)) for k in ("trades", "derivatives", "liquidations")} == {
        "trades": {"late": 1},
        "derivatives": {"late": 1},
        "liquidations": {"late": 1},
    }
    assert len(run.rows["liquidations"]) == 1


def test_a_late_deribit_trade_that_liquidated_is_one_late_row_and_one_reject():
    def told(ms, name, received_ms, **more):
        at = {"timestamp": START_MS + ms, "trade_id": name, "instrument_name": "BTC-PERPETUAL"}
        params = {"channel": "trades.BTC-PERPETUAL.100ms"}
        params["data"] = [at | {"price": 100.0, "amount": 10.0, "direction": "buy"} | more]
        data = {"jsonrpc": "2.0", "method": "subscription", "params": params}
        return Line("trades", (START_MS + received_ms) * MS, json.dumps(data).encode())

    forced = told(100, "1", 100, liquidation="T")
    late = told(200, "3", 5020, liquidation="MT")
    block = told(200, "4", 5030, liquidation="T", block_trade_id="B")
    again = forced._replace(received_ns=(START_MS + 5010) * MS)
    run = Run("deribit", [forced, told(5000, "2", 5000), again, late, block]).end()
    rows = [r for r in run.decoded("features_tape") if r["window_ms"] == 1000 and r["trades"]]
    assert [(r["trades"], r["late_rows"], r["repeated_rows"]) for r in rows] == [(1, 0, 0), (1, 2, 1)]
    assert run.reasons("trades") == {"late": 2}
    assert len(run.rows["liquidations"]) == 1


def test_events_of_microseconds_around_the_end_of_a_pane_keep_ids_of_their_own_however_the_log_is_cut():
    at_us = (1_000_000, 1_000_400, 1_000_600, 1_001_000, 1_800_000, 9_000_000)
    lines = []
    for size, us in enumerate(at_us, 1):
        data = forced(START_MS, str(size)).data.replace(b'"T": %d' % START_MS, b'"T": %d' % (START_MS * 1000 + us))
        lines.append(Line("liquidations", (START_MS + 10_000) * MS, data))
    run = Run(USDM, lines)
    for kind in KINDS:
        run.market.mark(kind, ended=kind != "liquidations")
    for _ in lines:
        run.read("liquidations", 1)
        run.advance()
    rows = run.end().decoded("liquidations")
    told = [(r["event_time"] - START_MS, r["nth"], r["qty_base"]) for r in rows]
    # of (1000 ms, 1001 ms] are three; a time goes up to its millisecond, as a window holds all up to its end
    assert told == [(1000, 0, 1), (1001, 0, 2), (1001, 1, 3), (1001, 2, 4), (1800, 0, 5), (9000, 0, 6)]
    assert len({r["id"] for r in rows}) == len(rows)
    assert rows == Run(USDM, lines).end().decoded("liquidations")


@pytest.mark.parametrize("base_s", [1, 60])
def test_what_is_told_again_before_its_pane_is_closed_counts_once_however_long_the_pane(base_s):
    at, again = START_MS + 200 * base_s, START_MS + 600 * base_s
    cut = replace(CUT, base_ns=base_s * SECOND, lengths_ns=(60 * SECOND,), keyframe_ns=60 * SECOND)
    told = trade(at), forced(at)
    lines = [*told, trade(again, "101"), forced(again, "2"), *(line._replace(received_ns=again * MS) for line in told)]
    for run in (Run(USDM, lines, cut=replace(cut, lateness_ns=s * SECOND)).end() for s in (0, 30)):
        (row,) = run.decoded("features_tape")
        assert (row["trades"], row["repeated_rows"], row["long_liquidations"]) == (2, 1, 2)


def test_a_late_depth_message_is_applied_and_counted_but_not_rejected():
    at = START_MS
    lines = [snapshot(at + 100, 1), diff(at + 1700, 2), diff(at + 900, 3)]
    run = Run(USDM, lines).end()
    rows = [r for r in run.decoded("features_book") if r["window_ms"] == 1000]
    assert [(r["window_start"], r["messages"], r["late_rows"], r["last_update_id"]) for r in rows] == [
        (at, 1, 0, 1),
        (at + 1000, 2, 1, 3),
    ]
    assert not run.rejects["depth"]


def test_a_time_ahead_of_its_receipt_is_rejected_and_moves_no_clock_of_any_kind():
    at = START_MS
    ahead = at + AHEAD_MS
    lines = [trade(at + 100), mark(at + 100), forced(at + 100), snapshot(at + 100, 1)]
    bad = [trade(ahead), mark(ahead), forced(ahead), diff(ahead, 2)]
    lines += [line._replace(received_ns=(at + 200) * MS) for line in bad]
    run = Run(USDM, lines)
    for kind in KINDS:
        run.read(kind, 10)
        assert dict(run.reasons(kind)) == {AHEAD: 1}
        assert run.market.lanes[kind].clock.now_ns == (at + 100) * MS
    run.advance()
    assert not any(run.rows.values())


def told(run, kind, received_ms, guessed=False):
    """A mark after all that was read of a topic."""
    come_to = marks([(0, received_ms * MS, guessed)])
    assert run.market.read(kind, frames(f"raw.{kind}.{run.venue.name}", 0, [], [], run.at[kind], marks=come_to)) == []


def quiet_run(*later, guessed=False):
    """One frame of each topic, then depth only; the others are told to have come to 6.4 s."""
    at = START_MS
    lines = [trade(at + 100), mark(at + 100), forced(at + 100), snapshot(at + 100, 1)]
    lines += [diff(at + 1000 * n + 100, n + 1) for n in range(1, 7)]
    run = Run(USDM, [*lines, *later])
    for kind, n in (("trades", 1), ("derivatives", 1), ("liquidations", 1), ("depth", 7)):
        run.read(kind, n)
    run.advance()
    assert not any(run.rows.values())
    for kind in KINDS[1:]:
        told(run, kind, at + 6_400, guessed)
    run.advance()
    return run


@pytest.mark.parametrize(("guessed", "closed_by"), [(False, "event"), (True, "idle")])
def test_topics_that_have_nothing_hold_up_no_window_that_their_marks_have_passed(guessed, closed_by):
    run = quiet_run(guessed=guessed)
    book = [r for r in run.decoded("features_book") if r["window_ms"] == 1000]
    assert [(r["window_start"] - START_MS, r["closed_by"]) for r in book] == [(1000 * n, closed_by) for n in range(5)]
    tape = [r for r in run.decoded("features_tape") if r["window_ms"] == 1000]
    assert tape[0]["closed_by"] == closed_by
    assert [r["closed_by"] for r in run.decoded("liquidations")] == [closed_by]


@pytest.mark.parametrize("guessed", [False, True])
def test_what_comes_for_a_window_that_a_mark_closed_is_late_also_after_a_freeze(guessed):
    at = START_MS
    later = [trade(at + 4900), trade(at + 5100), forced(at + 4900), mark(at + 4900)]
    run = quiet_run(*(line._replace(received_ns=(at + 6_500) * MS) for line in later), guessed=guessed)
    run.thaw()
    run.end()
    assert {k: dict(run.reasons(k)) for k in KINDS[1:]} == {
        "trades": {"late": 1},
        "liquidations": {"late": 1},
        "derivatives": {"late": 1},
    }
    tape = [r for r in run.decoded("features_tape") if r["window_ms"] == 1000]
    late = next(r for r in tape if r["window_start"] == START_MS + 5000)
    assert (late["trades"], late["late_rows"]) == (1, 3)
    obeys(run)


def test_a_mark_changes_nothing_while_the_clock_of_the_log_moves_however_far_it_lags():
    at = START_MS
    lines = [trade(at + 1000 * n)._replace(received_ns=(at + 1000 * n + 60_000) * MS) for n in range(1, 6)]
    run = Run(USDM, lines)
    for n in range(1, 6):
        run.read("trades", 1)
        told(run, "trades", at + 1000 * n + 60_900)
        assert run.market.lanes["trades"].clock.closed == (at + 1000 * n - 500) // 1000 - 1
    told(run, "trades", at + 67_000)
    assert run.market.lanes["trades"].clock.closed == (at + 6_500) // 1000 - 1, "its own delay is waited for"


def test_frames_of_which_none_can_be_used_hold_up_no_window():
    at = START_MS
    book = [snapshot(at + 100, 1), *(diff(at + 1000 * n + 100, n + 1) for n in range(1, 30))]
    garbage = [forced(at)._replace(data=b"{", received_ns=(at + 500 * n) * MS) for n in range(60)]
    run = Run(USDM, [*book, *garbage])
    run.read("depth", 40)
    for n in range(60):
        run.read("liquidations", 1)
        for kind in KINDS[1:]:
            told(run, kind, at + 500 * n)
    run.advance()
    ends = [r["window_start"] + 1000 - at for r in run.decoded("features_book") if r["window_ms"] == 1000]
    assert ends[-1] == 28_000
    assert len(run.rejects["liquidations"]) == 60


def test_the_end_of_the_logs_closes_the_last_windows_and_says_so():
    at = START_MS
    run = Run(USDM, [snapshot(at + 100, 1), diff(at + 2600, 2), trade(at + 2600), forced(at + 2600)], cut=EVERY).end()
    book = [r for r in run.decoded("features_book") if r["window_ms"] == 1000]
    assert [(r["window_start"] - at, r["closed_by"]) for r in book] == [(0, "event"), (1000, "event"), (2000, "end")]
    assert [r["closed_by"] for r in run.decoded("liquidations")] == ["end"]
    minute = [r for r in run.decoded("quality") if r["window_ms"] == 60_000]
    assert [r["closed_by"] for r in minute] == ["end"]


def test_the_windows_in_which_the_log_of_an_instrument_begins_are_not_trusted_as_a_whole():
    at = START_MS  # 19 s before a minute
    lines = [snapshot(at + 100, 1), diff(at + 900, 2), *(diff(at + 1_000 * n + 500, n + 2) for n in range(1, 90))]
    second = [line._replace(data=line.data.replace(b"BTCUSDT", b"BTCUSDC"), header=line.header and "BTCUSDC")
              for line in lines[30:]]  # fmt: skip
    later = snapshot(at + 1_000 * 29 + 200, 30, "BTCUSDC")
    run = Run(USDM, sorted([*lines, later, *second], key=lambda line: line.received_ns), cut=EVERY).end()
    for symbol, begins in (("BTCUSDT", at), ("BTCUSDC", at + 29_000)):
        rows = [r for r in run.decoded("features_book") if r["symbol"] == symbol]
        assert {r["window_ms"] for r in rows} == {1_000, 10_000, 60_000}
        for r in rows:
            assert r["book_ok"] == (r["window_start"] > begins), (symbol, r["window_ms"], r["window_start"] - at)
            assert r["gap_ms"] == 0


def test_one_topic_that_goes_on_after_another_has_ended_adds_no_rows_to_the_ended_one():
    at = START_MS
    lines = [snapshot(at + 100, 1), *(trade(at + 1000 * n + 100) for n in range(130))]
    at_once = Run(USDM, lines).end()
    early = Run(USDM, lines)
    early.read("depth", 1)
    for kind in ("depth", "liquidations", "derivatives"):
        early.market.mark(kind, ended=True)
    for _ in range(0, 130, 7):
        early.read("trades", 7)
        early.advance()
    early.end()
    assert early.rows == at_once.rows
    costs = [r for r in at_once.decoded("features_costs") if r["measured_trades"]]
    assert not costs, "nobody has seen the book a minute after any of these trades"


def test_the_age_of_the_last_trade_grows_through_windows_without_one_and_a_late_trade_leaves_it():
    at = START_MS
    marks_at = [mark(at + n) for n in (100, 2_200, 5_900)]
    run = Run(USDM, [*marks_at, trade(at + 1_100), trade(at + 4_600), trade(at + 100)], cut=EVERY).end()
    expected = {"features_tape": [None, 900, 1_900, 2_900, 400, 1_400], "features_efficiency": [900, 1_900, 2_900, 400]}
    for table, ages in expected.items():
        assert [r["stale_ms"] for r in run.decoded(table) if r["window_ms"] == 1_000] == ages, table


def test_what_marks_have_passed_is_told_whether_the_logs_end_at_once_or_later():
    at = START_MS
    lines = [snapshot(at + 100, 1), trade(at + 100), mark(at + 100), forced(at + 100)]
    runs = [Run(USDM, lines, cut=EVERY) for _ in range(3)]
    for n, run in enumerate(runs):
        for kind in KINDS[n:] + KINDS[:n]:
            run.read(kind, 1)
            told(run, kind, at + 9_400)
            if n == 2:
                run.market.mark(kind, ended=True)
                run.advance()
        if n:
            run.advance()
        run.end()
    assert runs[1].rows == runs[0].rows
    assert runs[2].rows == runs[0].rows
    for table in ("features_book", "features_tape"):
        ends = [r["window_start"] + 1_000 - at for r in runs[0].decoded(table) if r["window_ms"] == 1_000]
        assert ends == [1_000 * n for n in range(1, 9)], table


def fills(ms, first, last, aggregate=False):
    """Fills as Binance tells them, one by one or merged."""
    own = {"e": "aggTrade", "a": first, "f": first, "l": last} if aggregate else {"e": "trade", "t": first}
    data = own | {"E": ms, "T": ms, "s": "BTCUSDT", "p": "100", "q": "1", "X": "MARKET", "m": False}
    return Line("trades", ms * MS, json.dumps(data).encode())


def test_a_fill_that_waits_for_the_other_feed_counts_when_a_mark_closes_its_pane_whenever_that_is_published():
    at = START_MS
    lines = [fills(at + 100, 1, 1, True), fills(at + 1_100, 2, 2), fills(at + 10_100, 5, 5, True)]
    runs = [Run(USDM, [*lines, snapshot(at + 100, 1)]) for _ in range(2)]
    for run, at_once in zip(runs, (False, True), strict=True):
        for kind in ("depth", "liquidations", "derivatives"):
            run.read(kind, 1)
            run.market.mark(kind, ended=True)
        run.read("trades", 2)
        told(run, "trades", at + 9_400)
        if at_once:
            run.advance()
        run.end()
    assert runs[0].rows == runs[1].rows
    counted = [r for r in runs[0].decoded("features_tape") if r["window_ms"] == 1000 and r["trades"]]
    assert [(r["window_start"] - at, r["trades"]) for r in counted] == [(0, 1), (1_000, 1), (10_000, 1)]


def test_the_tape_of_an_instrument_that_has_not_traded_yet_does_not_depend_on_trades_to_come():
    at = START_MS
    lines = [mark(at + 100), mark(at + 5100), trade(at + 20_100), snapshot(at + 20_100, 1), forced(at + 20_100)]
    at_once = Run(USDM, lines).end()
    slowly = Run(USDM, lines)
    for kind in ("derivatives", "liquidations", "depth"):
        slowly.read(kind, 9)
        slowly.market.mark(kind, ended=True)
    slowly.market.lanes["trades"].clock.now_ns = (at + 10_000) * MS
    slowly.advance()
    slowly.end()
    assert slowly.rows["features_tape"] == at_once.rows["features_tape"]


def test_a_refined_lot_in_the_midst_of_a_batch_leaves_the_liquidations_before_it_as_they_were():
    at = START_MS
    lines = [forced(at + 100, "3"), forced(at + 200, "0.5"), forced(at + 300, "3")]
    run = Run(USDM, lines).end()
    assert [r["qty_base"] for r in run.decoded("liquidations")] == [3.0, 0.5, 3.0]
    one_by_one = Run(USDM, lines)
    for _ in lines:
        one_by_one.read("liquidations", 1)
    assert one_by_one.end().rows == run.rows


def test_a_liquidation_that_is_sent_again_after_its_lot_was_refined_is_still_a_repeat():
    at = START_MS
    run = Run(USDM, [forced(at + 100, "3"), forced(at + 200, "0.5"), forced(at + 100, "3")]).end()
    assert [r["qty_base"] for r in run.decoded("liquidations")] == [3.0, 0.5]


@pytest.fixture(scope="module")
def simulation():
    told = Simulated(
        seed=3, symbols=("BTCUSDT", "ETHUSDT"), seconds=25, traders=60, warm_up_s=60, accounts=0, levels=40,
        snapshot_every_s=8, intensity=16,
    )  # fmt: skip
    lines = [
        Line(f.kind, f.received_ns, f.data, f.symbol if f.data.startswith(b'{"lastUpdateId"') else None)
        for f in simulated(told)
        if f.kind in KINDS
    ]
    return lines, {row.symbol: row for row in listed(told)}


def test_the_simulated_market_gives_the_same_rows_however_it_is_cut(simulation):
    lines, known = simulation
    whole = Run(USDM, lines, known).end()
    assert not any(whole.rejects.values())
    obeys(whole)
    for seed in (1, 2):
        parts = at_random(Run(USDM, lines, known), seed, most=200)
        assert parts.rows == whole.rows


def test_fifty_depth_frames_cut_out_leave_the_book_untrusted_and_null_until_the_next_snapshot(simulation):
    lines, known = simulation
    depth = [i for i, line in enumerate(lines) if line.kind == "depth" and b"BTCUSDT" in line.data]
    cut = set(depth[60:110])
    missing = [line for i, line in enumerate(lines) if i not in cut]
    whole, gapped = Run(USDM, lines, known, EVERY).end(), Run(USDM, missing, known, EVERY).end()
    resumed = lines[depth[110]].received_ns
    back = min(
        line.received_ns
        for line in missing
        if line.kind == "depth" and line.header == "BTCUSDT" and line.received_ns > resumed
    )
    features = [c.name for c in BY_NAME["features_book"].columns if c.null_when and c.name != "stale_ms"]

    def seconds(run):
        rows = [r for r in run.decoded("features_book") if r["window_ms"] == 1000 and r["symbol"] == "BTCUSDT"]
        return {r["window_start"]: r for r in rows}

    wanted, got = seconds(whole), seconds(gapped)
    first, last = resumed // MS // 1000 * 1000, back // MS // 1000 * 1000
    assert last - first >= 2000, "the gap spans some whole windows"
    broken = [s for s in got if first <= s < last]
    assert len(broken) == (last - first) // 1000
    for start in broken:
        assert not got[start]["book_ok"]
        assert [n for n in features if got[start][n] is not None] == [], start
    assert not got[last]["book_ok"], "the window in which the book came back was not trusted as a whole"
    after = [s for s in got if s > last]
    assert after
    at_close = ("best_bid", "best_ask", "mid", "spread_bps", "book_ok")
    for start in after:
        assert {n: got[start][n] for n in at_close} == {n: wanted[start][n] for n in at_close}
    assert sum(r["depth_gaps"] for r in gapped.decoded("quality") if r["symbol"] == "BTCUSDT") == 1
    others = [r for r in gapped.decoded("features_book") if r["symbol"] == "ETHUSDT"]
    assert others == [r for r in whole.decoded("features_book") if r["symbol"] == "ETHUSDT"]


def test_rejects_of_one_frame_are_numbered_and_every_one_is_there():
    at = START_MS
    rows = [{"T": at - ms, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "100", "BT": False} for ms in (0, 3000, 4000)]
    data = json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": at, "data": rows}).encode()
    run = Run("bybit-linear", [Line("trades", at * MS, data), Line("trades", at * MS, data[:-4])]).end()
    found = [json.loads(value) for _, value in run.rejects["trades"]]
    assert [(r["offset"], r["nth"], r["reason"]) for r in found] == [(0, 0, "late"), (0, 1, "late"), (1, 0, "not_json")]
    assert [list(group) for _, group in groupby(sorted(r["id"] for r in found))] == [[r["id"]] for r in found]


def test_a_garbled_price_with_many_decimals_stops_nothing_and_moves_no_book():
    def depth(first, last, before, price):
        data = {"e": "depthUpdate", "E": 1_700_000_000_000 + last, "T": 1_700_000_000_000 + last, "s": "BTCUSDT"}
        return json.dumps(data | {"U": first, "u": last, "pu": before, "b": [[price, "1"]], "a": []}).encode()

    snapshot = {"lastUpdateId": 160, "E": 1_700_000_000_160, "T": 1_700_000_000_160, "symbol": "BTCUSDT"}
    values = [
        json.dumps(snapshot | {"bids": [["61800.20", "2"]], "asks": [["61800.30", "2"]]}).encode(),
        depth(157, 165, 149, "61800.10"),
        depth(166, 170, 165, "0.000000000001"),
        depth(171, 175, 165, "61800.00"),
    ]
    venue = VENUES["binance-usdm"]
    market = VenueMarket(venue, {}, Cut(10**9, (10**9,), 0, 10**10, 60 * 10**9))
    rejects = market.read("depth", frames("raw.depth.binance-usdm", 0, values, [1_700_000_000_200 * 10**6] * 4))
    assert [(r.offset, r.reason) for r in rejects] == [(2, "out_of_range decimals")]
    for kind in venue.kinds:
        market.mark(kind, ended=True)
    row = next(p for p in market.advance() if p.table == "features_book").columns
    # The scale stays, but what the message said is missing from the book, which is not trusted until a snapshot.
    assert (math.isnan(row["best_bid"][-1]), row["book_ok"][-1]) == (True, False)


def test_what_the_settings_say_of_an_instrument_holds_after_a_restart_also_for_what_was_counted_before():
    venue = VENUES["okx-swap"]
    cut = Cut(10**9, (10**9,), 0, 10**10, 60 * 10**9)
    body = {"instId": "BTC-USDT-SWAP", "px": "60000.5", "sz": "3", "side": "buy", "ts": "1700000000100", "tradeId": "1"}
    frame = json.dumps({"arg": {"channel": "trades-all", "instId": "BTC-USDT-SWAP"}, "data": [body]}).encode()
    market = VenueMarket(venue, {}, cut)
    assert market.read("trades", frames("raw.trades.okx-swap", 0, [frame], [1_700_000_000_200 * 10**6])) == []
    row = Instrument("okx-swap", "BTC-USDT-SWAP", "BTC", "USDT", "linear", "0.1", "1", 0.01)
    market = VenueMarket.thaw(venue, {row.symbol: row}, cut, market.freeze())
    assert market.lanes["trades"].table.rows == [row]
    for kind in venue.kinds:
        market.mark(kind, ended=True)
    got = next(p for p in market.advance() if p.table == "features_tape").columns
    assert (got["volume_base"][0], got["inferred"][0]) == (pytest.approx(0.03), False)
    table = InstrumentTable({row.symbol: row})
    table.add(row)
    assert InstrumentTable.thaw({}, table.freeze()).rows == [row]
    finer = msgspec.structs.replace(row, tick="0.01")
    assert InstrumentTable.thaw({row.symbol: finer}, table.freeze()).rows == [
        row
    ]  # until a number needs the finer step


def ids(rows):
    return [json.loads(value)["id"] for _, value in rows]


def test_of_a_contract_that_is_not_known_what_says_so_is_null_and_everything_else_is_as_it_is():
    lines = lines_of(USDM, 4, frames=900, disturbed=False)
    known = {s: inferred(USDM, lines, s) for s in SYMBOLS[USDM]}
    told = Run(USDM, lines, known, EVERY).end()
    found = Run(USDM, lines, {s: msgspec.structs.replace(i, contract=None) for s, i in known.items()}, EVERY).end()
    assert any(r["measured_trades"] for r in told.decoded("features_costs"))
    for table in told.rows:
        for row, got in zip(told.decoded(table), found.decoded(table), strict=True):
            for c in BY_NAME[table].columns:
                if "contract" in c.null_when:
                    assert got[c.name] in (None, 0), f"{table}.{c.name}: nothing, or the sum of nothing"
                elif c.name not in RESTS_ON_SIZES:
                    assert got[c.name] == row[c.name], f"{table}.{c.name}"


RESTS_ON_SIZES = {
    *("liquidity_score", "liquidity_absolute", "depth_rank", "impact_rank", "half_life_rank"),
    *("information_asymmetry", "kyle_rank", "share_of_10bps", "share_of_25bps", "share_of_50bps", "depth"),
}
"""What is null, or made of less, where a part of it is."""


@pytest.mark.parametrize("venue", NAMES)
def test_which_rows_a_table_has_is_decided_by_its_own_logs(venue):
    """With every row published, what another log holds changes values at most, never which rows there are."""
    lines = lines_of(venue, 4)
    whole = Run(venue, lines, cut=EVERY).end()
    no_books = Run(venue, [line for line in lines if line.kind != "depth"], cut=EVERY).end()
    no_trades = Run(venue, [line for line in lines if line.kind != "trades"], cut=EVERY).end()
    assert ids(no_trades.rows["features_book"]) == ids(whole.rows["features_book"])
    for table in ("features_tape", "features_costs", "liquidations"):
        assert ids(no_books.rows[table]) == ids(whole.rows[table]), table
    assert whole.rows["features_costs"]


def test_every_operator_of_the_catalog_is_run_by_the_flow(monkeypatch):
    ran = set()
    for name in ("fold", "step", "rows"):
        original = getattr(Running, name)

        def seen(self, *given, original=original):
            ran.update(o.name for o in self.operators)
            return original(self, *given)

        monkeypatch.setattr(Running, name, seen)
    run = Run(USDM, lines_of(USDM, 1)).end()
    AssetBooks(CUT.base_ns, CUT.keyframe_ns).meet([run.market])
    assert {o.name for o in OPERATORS if o.stage != "account"} - ran == set()
