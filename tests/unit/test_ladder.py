"""The books against dictionaries: what each message leaves, what each pane closes with, however the log is cut."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from operators.book import held, ladder, packing
from operators.book.continuity import APPLY, DROP, EMPTY, GAP, HOLD, JOINING, LIVE, REPLACE, verdict
from operators.book.ladder import TOP, Applied, Books
from operators.evolving import Changed
from operators.pack import pack, unpack
from schemas.batches import ASKED, Depth, Sequencing
from tests.parts import joined

MOST_TICKS = 2**50 - 1
SECOND_NS = 1_000_000_000
FUTURES, SPOT = Sequencing.BINANCE_FUTURES, Sequencing.BINANCE_SPOT
Levels = list[tuple[int, int]]


@dataclass
class Message:
    """One depth message with its pane; ids are (first, last, previous)."""

    ids: tuple[int, int, int]
    bids: Levels = field(default_factory=list)
    asks: Levels = field(default_factory=list)
    snapshot: bool = False
    event_ns: int = 1
    instrument: int = 0
    pane: int = 0


def batch(messages: list[Message]) -> tuple[Depth, np.ndarray]:
    levels = [level for m in messages for level in m.bids + m.asks]
    ids = np.array([m.ids for m in messages], np.int64).reshape(-1, 3)
    return Depth(
        np.arange(len(messages), dtype=np.int32),
        np.array([m.instrument for m in messages], np.int32),
        np.array([m.event_ns for m in messages], np.int64),
        np.array([m.snapshot for m in messages], np.bool_),
        *(ids[:, c].copy() for c in range(3)),
        np.cumsum([0] + [len(m.bids) + len(m.asks) for m in messages], dtype=np.int64),
        np.array([len(m.bids) for m in messages], np.int32),
        np.array([t for t, _ in levels], np.int64),
        np.array([q for _, q in levels], np.int64),
    ), np.array([m.pane for m in messages], np.int64)


def feed(books: Books, messages: list[Message], closed_pane: int = -1) -> Applied:
    depth, pane = batch(messages)
    return joined(ladder.apply(books, depth, pane, closed_pane))


def row(applied: Applied, i: int) -> tuple[object, ...]:
    """What a message left: flags, untrusted time, best bids, best asks."""
    sides = (applied.bid_ticks, applied.bid_lots), (applied.ask_ticks, applied.ask_lots)
    best = [[(int(t), int(q)) for t, q in zip(ticks[i], lots[i], strict=True) if q] for ticks, lots in sides]
    flags = (bool(c[i]) for c in (applied.live, applied.fresh, applied.gap, applied.dropped))
    return (*flags, int(applied.untrusted_ns[i]), *best)


def closing(applied: Applied, j: int) -> tuple[object, ...]:
    """What a pane closed with."""
    a = applied
    scalars = (
        a.close_pane, a.close_instrument, a.close_live, a.close_sequenced, a.close_crossed, a.close_last_id,
        a.close_event_ns, a.close_reach_low_ticks, a.close_reach_high_ticks, a.close_bid_levels, a.close_ask_levels,
    )  # fmt: skip
    sides = [
        [(int(t), int(q)) for t, q in zip(ticks[s], lots[s], strict=True)]
        for starts, ticks, lots in (
            (a.close_bid_starts, a.close_bid_ticks, a.close_bid_lots),
            (a.close_ask_starts, a.close_ask_ticks, a.close_ask_lots),
        )
        for s in [slice(starts[j], starts[j + 1])]
    ]
    return (*(int(c[j]) for c in scalars), *sides)


class Plain:
    """One book as two dictionaries: the oracle. The verdicts themselves are tested in `test_continuity`."""

    def __init__(self, venue: Sequencing, number: int) -> None:
        self.venue, self.number = venue, number
        self.state, self.last, self.previous, self.event_ns, self.pane = EMPTY, -1, -2, 0, None
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.held: list[Message] = []
        self.crossed_ns, self.sequenced, self.ends = -1, True, (0, 0)
        self.applied_ns, self.asked, self.since = 0, None, None
        self.doubted, self.regained = False, False

    @property
    def trusted(self) -> bool:
        return self.state != EMPTY and not self.doubted

    def act(self, m: Message, replay: bool) -> int:
        first, u, previous = m.ids
        judged = EMPTY if self.doubted and m.snapshot and u > self.last else self.state
        state = int(self.venue), judged, self.last, self.previous
        later = m.event_ns - self.applied_ns if m.event_ns else 1
        what = verdict(*state, m.snapshot, first, u, previous, replay, later)
        if not replay:
            self.since = self.missed_since(m, what)
        if what in (APPLY, REPLACE):
            self.applied_ns = m.event_ns if what == REPLACE else max(self.applied_ns, m.event_ns)
        if what == REPLACE:
            self.bids, self.asks, self.crossed_ns, self.doubted = {}, {}, -1, False
            self.state, self.previous, self.sequenced = JOINING, -2, u != -1
        if what == APPLY:
            self.state = LIVE
            self.sequenced = self.sequenced and u != -1
            if previous != u:
                self.previous = previous
        if what in (APPLY, REPLACE):
            self.last = u
            for side, levels in ((self.bids, m.bids), (self.asks, m.asks)):
                for ticks, lots in levels:
                    side[ticks] = lots
                    if not lots:
                        del side[ticks]
        if what == REPLACE:
            low = min((t for t, q in m.bids if q), default=0)
            self.ends = low, max((t for t, q in m.asks if q), default=MOST_TICKS)
            again, self.held = self.held, []
            for n, old in enumerate(again):
                assert n < held.MOST_MESSAGES
                self.act(old, True)
        self.event_ns = max(self.event_ns, m.event_ns)
        if what in (APPLY, REPLACE) and self.state != EMPTY:
            if not (self.bids and self.asks and max(self.bids) >= min(self.asks)):
                self.crossed_ns, self.regained, self.doubted = -1, self.doubted, False
            elif self.crossed_ns <= 0:
                self.crossed_ns = self.event_ns
            elif self.event_ns - self.crossed_ns > SECOND_NS and self.sequenced:
                self.doubted = True
            elif self.event_ns - self.crossed_ns > SECOND_NS:
                what = GAP
        if what == GAP:
            self.state, self.bids, self.asks, self.crossed_ns, self.doubted = EMPTY, {}, {}, -1, False
        if what in (GAP, HOLD) and not m.snapshot:
            self.held.append(m)
        return what

    def missed_since(self, m: Message, what: int) -> int | None:
        """The event time since which updates were missed while the book was trusted, if this message shows that."""
        first, u, previous = m.ids
        by_rest = self.venue in (FUTURES, SPOT)
        since = None
        if self.asked and not m.snapshot and u > self.asked[0]:
            before, before_ns = self.asked
            goes_on = previous == before if self.venue == FUTURES else first <= before + 1
            since, self.asked = (None if goes_on else before_ns), None
        if what == GAP and self.trusted and since is None:
            since = self.event_ns
        if what == REPLACE and not self.trusted:
            self.asked = None
        elif what == REPLACE and by_rest:
            self.asked = self.asked or (self.last, self.event_ns)
        elif what == REPLACE and min(self.last, u) >= 0:
            at_head = u == self.last or (self.venue == Sequencing.BYBIT and u == self.last + 1)
            since = None if at_head else self.event_ns
        return since

    def take(self, m: Message) -> tuple[object, ...]:
        trusted, before, self.regained = self.trusted, self.event_ns, False
        what = self.act(m, False)
        self.pane = m.pane
        live = self.trusted
        untrusted = 0 if trusted or not before else max(0, m.event_ns - before)
        if trusted and self.since:
            untrusted = self.event_ns - self.since
        best = sorted(self.bids.items(), reverse=True)[:TOP], sorted(self.asks.items())[:TOP]
        begins = live and (self.regained or (what == REPLACE and not (trusted and self.venue in (FUTURES, SPOT))))
        flags = live, begins, (trusted and not live) or self.since is not None, what == DROP
        return (*flags, untrusted, *(best if live else ([], [])))

    def close(self) -> tuple[object, ...]:
        if not self.trusted:
            return (self.pane, self.number, 0, 0, 0, -1, self.event_ns, 0, 0, 0, 0, [], [])
        bids, asks = sorted(self.bids.items(), reverse=True), sorted(self.asks.items())
        ends = self.ends
        if self.venue not in (FUTURES, SPOT):
            ends = min(self.bids, default=0), max(self.asks, default=MOST_TICKS)
        mid2 = bids[0][0] + asks[0][0] if bids and asks else None
        near = [
            [
                level
                for n, level in enumerate(side)
                if n < 20 or (mid2 is not None and abs(2 * level[0] - mid2) * 100 <= mid2)
            ]
            for side in (bids, asks)
        ]
        state = self.sequenced, self.crossed_ns >= 0, self.last, self.event_ns, *ends, len(bids), len(asks)
        return (self.pane, self.number, 1, *map(int, state), *near)


def oracle(venue: Sequencing, messages: list[Message], closed: int) -> tuple[list[object], list[object]]:
    books: dict[int, Plain] = {}
    rows, closings = [], []
    for m in messages:
        book = books.setdefault(m.instrument, Plain(venue, m.instrument))
        if book.pane is not None and m.pane > book.pane:
            closings.append(book.close())
        rows.append(book.take(m))
    closings += [b.close() for b in books.values() if b.pane is not None and b.pane <= closed]
    return rows, sorted(closings, key=lambda c: c[:2])


def _next_ids(venue: Sequencing, head: int, how: str, step: int) -> tuple[tuple[int, int, int], int]:
    """Ids of a diff made after `head`, and the id that the venue stands at then."""
    if how == "repeat":
        return (head, head, head - 1), head
    if how == "reset" and venue in (Sequencing.OKX, Sequencing.BYBIT):
        return ((-1, 3, head) if venue == Sequencing.OKX else (-1, 1, -1)), (3 if venue == Sequencing.OKX else 1)
    if how == "old":
        return (max(head - 9, 0), max(head - 3, 0), max(head - 10, 0)), head
    if how == "lost":
        head += step + 1
    if venue == FUTURES:
        return (head + 1, head + step, head), head + step
    if venue == SPOT:
        return (head + 1, head + step, -1), head + step
    if venue == Sequencing.BYBIT:
        return (-1, head + 1, -1), head + 1
    return (-1, head + step, head), head + step


HOW = st.sampled_from(["chain"] * 14 + ["repeat", "old", "lost", "reset"])


@st.composite
def logs(draw: st.DrawFn) -> tuple[Sequencing, list[Message]]:
    """Messages of a few instruments: chained diffs, losses, repeats, resets, snapshots of now or of a little ago."""
    venue = draw(st.sampled_from(list(Sequencing)))
    scale = draw(st.sampled_from([1, 7, 64, 10**6, 2**18, 10**11]))
    offset = draw(st.sampled_from([0, 500_000, 2**49]))
    heads, panes, now = [10, 10, 10], [0, 0, 0], 0
    messages = []
    side = st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 0, 1, 2, 2**50 - 1])), max_size=9)
    for _ in range(draw(st.integers(1, 45))):
        i = draw(st.integers(0, 2))
        now += draw(st.sampled_from([0, 10**6, 4 * 10**8]))
        panes[i] += draw(st.sampled_from([0, 0, 0, 1, 3]))
        apart = draw(st.sampled_from([0, 25, 60, 60]))
        bids = [(offset + scale * t, q) for t, q in draw(side)]
        asks = [(offset + scale * (t + apart), q) for t, q in draw(side)]
        snapshot = draw(st.integers(0, 5)) == 0
        if snapshot:
            ids = (-1, max(0, heads[i] - draw(st.integers(0, 4)) * draw(st.integers(0, 1))), -1)
        else:
            ids, heads[i] = _next_ids(venue, heads[i], draw(HOW), draw(st.integers(1, 3)))
        event = 0 if draw(st.integers(0, 9)) == 0 else now
        messages.append(Message(ids, bids, asks, snapshot, event, i, panes[i]))
    return venue, messages


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(log=logs(), cuts=st.lists(st.integers(0, 45), max_size=6), closed=st.integers(-1, 20), tight=st.booleans())
def test_any_log_cut_anywhere_leaves_what_dictionaries_leave(
    log: tuple[Sequencing, list[Message]], cuts: list[int], closed: int, tight: bool
) -> None:
    venue, messages = log
    rows, closings = oracle(venue, messages, closed)
    books = ladder.init(venue)
    got_rows: list[object] = []
    got_closings: list[object] = []
    bounds = sorted({0, len(messages), *(c for c in cuts if c < len(messages))})
    for start, end in zip(bounds, [*bounds[1:], len(messages)], strict=True):
        if tight:
            books.rows, books.ladder = np.empty((1, books.rows.shape[1]), np.int64), np.empty((2, 2, 1), np.int64)
        applied = feed(books, messages[start:end], closed if end == len(messages) else -1)
        got_rows += [row(applied, i) for i in range(end - start)]
        got_closings += [closing(applied, j) for j in range(len(applied.close_pane))]
        frozen = packing.freeze(books)
        books = packing.thaw(frozen)
        assert packing.freeze(books) == frozen
    assert got_rows == rows
    assert sorted(got_closings, key=lambda c: c[:2]) == closings


def levels_of(books: Books, instrument: int = 0) -> tuple[Levels, Levels]:
    sides = (ladder.levels(books, 2 * instrument + side) for side in (0, 1))
    bids, asks = ([(int(t), int(q)) for t, q in zip(*side, strict=True)] for side in sides)
    return bids, asks


def test_the_book_after_a_futures_diff_is_that_of_barter_rs() -> None:
    """barter-rs futures/l2.rs; analytics 1.1."""
    books = ladder.init(FUTURES)
    snapshot = Message((-1, 100, -1), [(80, 1), (100, 1), (90, 1)], [(150, 1), (110, 1), (120, 1)], True)
    feed(books, [snapshot, Message((101, 110, 100), [(80, 0), (90, 10)], [(200, 1), (500, 0)])])
    assert levels_of(books) == ([(100, 1), (90, 10)], [(110, 1), (120, 1), (150, 1), (200, 1)])
    assert feed(books, [], 0).close_last_id.tolist() == [110]


def test_the_touch_is_that_of_tardis_nodes_order_book() -> None:
    """tardis-node test/orderbook.test.ts; analytics 1.6; prices in halves."""
    books = ladder.init(Sequencing.DERIBIT)
    applied = feed(
        books,
        [
            Message((-1, 1, 0), [(238, 5)], [(240, 5)]),
            Message((-1, 2, 0), [(238, 20)], [(400, 20), (240, 1)], True),
            Message((-1, 3, 2), [(236, 200), (238, 201), (239, 21)], [(402, 2000), (240, 100)]),
            Message((-1, 4, 3), [(238, 0)], [(240, 0)]),
        ],
    )
    assert applied.live.tolist() == [False, True, True, True]
    assert not applied.bid_ticks[0].any() and not applied.ask_lots[0].any()
    assert applied.bid_ticks[1:, 0].tolist() == [238, 239, 239]
    assert applied.bid_lots[1:, 0].tolist() == [20, 21, 21]
    assert applied.ask_ticks[1:, 0].tolist() == [240, 240, 400]
    assert applied.ask_lots[1:, 0].tolist() == [1, 100, 20]
    assert levels_of(books)[0] == [(239, 21), (236, 200)]


def test_diffs_that_came_before_their_snapshot_are_folded_into_it() -> None:
    books = ladder.init(FUTURES)
    applied = feed(
        books,
        [
            Message((80, 90, 79), [(9, 9)]),
            Message((91, 105, 90), [(10, 2)]),
            Message((106, 110, 105), [], [(20, 3)]),
            Message((-1, 100, -1), [(10, 1)], [(20, 1)], True, event_ns=5),
            Message((111, 112, 110), [(11, 1)]),
        ],
    )
    assert applied.live.tolist() == [False, False, False, True, True]
    assert applied.fresh.tolist() == [False, False, False, True, False]
    assert row(applied, 3)[-2:] == ([(10, 2)], [(20, 3)])
    assert row(applied, 4)[-2:] == ([(11, 1), (10, 2)], [(20, 3)])


def test_a_gap_drops_the_book_until_a_snapshot_joins_and_counts_the_time() -> None:
    books = ladder.init(FUTURES)
    applied = feed(
        books,
        [
            Message((-1, 100, -1), [(10, 1)], [(20, 1)], True, event_ns=1_000),
            Message((106, 110, 105), [(11, 1)], event_ns=1_100),
            Message((111, 115, 110), [(12, 1)], event_ns=1_250),
            Message((-1, 104, -1), [(10, 1)], [(20, 1)], True, event_ns=1_300),
            Message((-1, 112, -1), [(12, 7)], [(21, 1)], True, event_ns=1_400),
            Message((116, 118, 115), [(13, 1)], event_ns=1_500),
        ],
    )
    assert applied.gap.tolist() == [False, True, False, False, False, False]
    assert applied.live.tolist() == [True, False, False, False, True, True]
    # The time since the message before a gap counts: what it would have told is not known.
    assert applied.untrusted_ns.tolist() == [0, 100, 150, 50, 100, 0]
    assert row(applied, 4)[-2:] == ([(12, 1)], [(21, 1)])


def test_updates_lost_before_a_snapshot_are_told_by_a_diff_that_needs_a_larger_table_too() -> None:
    """Snapshots of 9 and of 10, then 11 to 13: 10 was lost. A message that finds no room is read a second time."""
    for levels in (1, 400):
        bids = [(2**40 - 10**6 * n, 1) for n in range(1, levels + 1)]
        log = [
            Message((-1, 9, -1), [(10, 1)], [(2**41, 1)], True, 1_000_000),
            Message((-1, 10, -1), [(10, 1)], [(2**41, 1)], True, 2_000_000),
            Message((11, 13, -1), bids, [], False, 5_000_000),
        ]
        applied = feed(ladder.init(SPOT), log)
        assert (applied.gap.tolist(), applied.untrusted_ns.tolist()) == ([False, False, True], [0, 0, 4_000_000]), (
            levels
        )


def test_a_snapshot_inside_the_live_chain_changes_nothing_and_a_newer_one_takes_over() -> None:
    books = ladder.init(SPOT)
    applied = feed(
        books,
        [
            Message((-1, 100, -1), [(10, 1)], [(20, 1)], True),
            Message((101, 110, -1), [(11, 1)]),
            Message((-1, 105, -1), [(5, 5)], [(30, 5)], True),
            Message((-1, 115, -1), [(9, 5)], [(21, 5)], True),
            Message((111, 120, -1), [(12, 1)]),
            Message((121, 122, -1), [(8, 1)]),
        ],
    )
    assert applied.live.all() and not applied.gap.any()
    assert applied.dropped.tolist() == [False, False, True, False, False, False]
    assert applied.fresh.tolist() == [True, False, False, False, False, False]
    assert applied.bid_ticks[:, 0].tolist() == [10, 11, 11, 9, 12, 12]


def test_a_book_crossed_for_more_than_a_second_is_not_believed() -> None:
    books = ladder.init(SPOT)
    begin = Message((-1, 1, -1), [(10, 1)], [(20, 1)], True, event_ns=SECOND_NS)
    locked = Message((2, 2, -1), [(20, 1)], event_ns=2 * SECOND_NS)
    still = Message((3, 3, -1), [(9, 1)], event_ns=3 * SECOND_NS, pane=1)
    longer = Message((4, 4, -1), [(8, 1)], event_ns=3 * SECOND_NS + 1, pane=2)
    applied = feed(books, [begin, locked, still, longer], 2)
    assert applied.live.tolist() == [True, True, True, False]
    assert applied.gap.tolist() == [False, False, False, True]
    assert applied.close_crossed.tolist() == [True, True, False]
    assert applied.close_live.tolist() == [True, True, False]
    uncrossed = Message((3, 3, -1), [(20, 0)], event_ns=3 * SECOND_NS)
    assert feed(ladder.init(SPOT), [begin, locked, uncrossed, longer]).live.all()


def auction(venue: Sequencing, at: int) -> list[Message]:
    """A call auction: crossed from 2 s on, more orders at 4 and 6 s, matched at 7 s; message `at` (from 0) is left out."""

    def diff(n: int, event_ns: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Message:
        return Message((n if venue in (SPOT, FUTURES) else -1, n, n - 1), bids, asks, event_ns=event_ns)

    begin = Message((-1, 1, -1), [(10, 1)], [(20, 1)], True, event_ns=SECOND_NS)
    orders = [diff(2, 2 * SECOND_NS, [(22, 3)], []), diff(3, 4 * SECOND_NS, [(21, 4)], [(15, 2)])]
    more = diff(4, 6 * SECOND_NS, [(18, 1)], [(19, 2)])
    matched = diff(5, 7 * SECOND_NS, [(22, 0), (21, 2)], [(15, 0), (19, 0), (20, 0), (23, 9)])
    log = [begin, *orders, more, matched, diff(6, 8 * SECOND_NS, [(21, 1)], [])]
    return [m for n, m in enumerate(log) if n != at]


@pytest.mark.parametrize("venue", Sequencing)
def test_a_book_whose_chain_went_on_through_a_call_auction_is_believed_again_when_it_is_not_crossed(venue) -> None:
    log = auction(venue, -1)
    for cut in range(len(log)):
        books = ladder.init(venue)
        parts = [feed(books, log[:cut])]
        books = packing.thaw(packing.freeze(books))
        parts.append(feed(books, log[cut:]))
        live, gap, fresh, untrusted = (
            [x for p in parts for x in getattr(p, name).tolist()] for name in ("live", "gap", "fresh", "untrusted_ns")
        )
        assert live == [True, True, False, False, True, True]
        assert gap == [False, False, True, False, False, False]
        assert fresh == [True, False, False, False, True, False]
        assert untrusted == [0, 0, 0, 2 * SECOND_NS, SECOND_NS, 0]
        assert levels_of(books) == ([(21, 1), (18, 1), (10, 1)], [(23, 9)])


@pytest.mark.parametrize("venue", Sequencing)
@pytest.mark.parametrize("lost", [2, 3, 4])
def test_a_crossed_book_whose_chain_breaks_waits_for_a_snapshot(venue, lost: int) -> None:
    assert feed(ladder.init(venue), auction(venue, lost)).live.tolist()[3:] == [False, False]


def test_a_crossed_book_without_ids_is_not_believed_again_before_a_snapshot() -> None:
    log = [replace(m, ids=(-1, -1, -1)) for m in auction(Sequencing.OKX, -1)]
    assert feed(ladder.init(Sequencing.OKX), log).live.tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("venue", [Sequencing.BYBIT, Sequencing.OKX, Sequencing.DERIBIT])
def test_a_book_that_was_asked_for_and_is_newer_replaces_one_that_is_crossed(venue) -> None:
    asked = Message((-1, 9, ASKED), [(10, 1)], [(20, 1)], True, event_ns=6 * SECOND_NS + 1)
    assert feed(ladder.init(venue), [*auction(venue, -1)[:4], asked]).live.tolist()[3:] == [False, True]


def test_a_book_that_is_forgotten_waits_for_a_snapshot_and_counts_the_time_and_the_others_go_on() -> None:
    books = ladder.init(Sequencing.BYBIT)
    begun = [Message((-1, 1, -1), [(10, 1)], [(20, 1)], True, event_ns=SECOND_NS, instrument=i, pane=0) for i in (0, 1)]
    feed(books, [*begun, Message((-1, 5, -1), event_ns=SECOND_NS, instrument=2)])
    ladder.forget(books, 0)
    ladder.forget(books, 2)
    ladder.forget(books, 9)
    books = packing.thaw(packing.freeze(books))
    more = [
        Message((-1, 2, -1), [(11, 1)], [], event_ns=3 * SECOND_NS, instrument=0),
        Message((-1, 2, -1), [(11, 1)], [], event_ns=3 * SECOND_NS, instrument=1),
        Message((-1, 9, -1), [(12, 1)], [(30, 1)], True, event_ns=4 * SECOND_NS, instrument=0),
        Message((-1, 4, -1), [(12, 1)], [(30, 1)], True, event_ns=4 * SECOND_NS, instrument=2),
    ]
    applied = feed(books, more)
    assert applied.live.tolist() == [False, True, True, True]
    assert applied.untrusted_ns.tolist() == [2 * SECOND_NS, 0, SECOND_NS, 3 * SECOND_NS]
    assert levels_of(books) == ([(12, 1)], [(30, 1)])
    assert levels_of(books, 1) == ([(11, 1), (10, 1)], [(20, 1)])
    assert levels_of(books, 2) == ([(12, 1)], [(30, 1)])


def test_okx_without_ids_is_applied_and_says_that_it_is_unverified() -> None:
    books = ladder.init(Sequencing.OKX)
    snapshot = Message((-1, -1, -1), [(10, 1)], [(20, 1)], True)
    applied = feed(books, [snapshot, Message((-1, -1, -1), [(11, 1)])], 0)
    assert applied.live.all() and applied.close_sequenced.tolist() == [False]
    applied = feed(books, [Message((-1, 5, -1), [(10, 1)], [(20, 1)], True, pane=1)], 1)
    assert applied.close_sequenced.tolist() == [True]


def test_a_closing_reaches_a_hundred_bps_and_at_least_twenty_levels() -> None:
    bids = [(10_000 - n, 1) for n in range(1, 151)]
    asks = [(10_000 + 50 * n, 1) for n in range(1, 31)]
    books = ladder.init(Sequencing.BYBIT)
    applied = feed(books, [Message((-1, 7, -1), bids, asks, True)], 0)
    mid = (9_999 + 10_050) / 2
    assert applied.close_bid_ticks.tolist() == [t for t, _ in bids if t >= mid * 0.99]
    assert applied.close_ask_ticks.tolist() == [t for t, _ in asks[:20]]
    assert (applied.close_bid_levels.tolist(), applied.close_ask_levels.tolist()) == ([150], [30])
    assert (applied.close_reach_low_ticks.tolist(), applied.close_reach_high_ticks.tolist()) == ([9_850], [11_500])


@pytest.mark.parametrize("pages", [20, 200, 1_500, 4_000, 40_000])
def test_a_closing_reads_levels_in_order_however_far_apart_they_lie(pages: int) -> None:
    """Within 100 bps lie so many pages of prices: few are looked up, some are laid out, and many sorted."""
    chance, half = np.random.default_rng(pages), 8 * pages
    middle = 100 * half
    below = np.unique(chance.integers(middle - half, middle, 400))[::-1]
    above = np.unique(chance.integers(middle + 1, middle + half, 400))
    bids = [(int(p), int(q)) for p, q in zip(below, chance.integers(1, 1 << 40, len(below)), strict=True)]
    asks = [(int(p), int(q)) for p, q in zip(above, chance.integers(1, 1 << 40, len(above)), strict=True)]
    books = ladder.init(Sequencing.BINANCE_FUTURES)
    gone = [(price, 0) for price, _ in bids[5::7]]
    feed(books, [Message((-1, 5, -1), bids, asks, True), Message((6, 6, 5), gone)])
    applied = feed(books, [], 0)
    kept = [level for level in bids if (level[0], 0) not in gone]
    twice = kept[0][0] + asks[0][0]
    reach = twice * 100 // 10_000
    near_bids = [level for level in kept if 2 * level[0] >= twice - reach]
    near_asks = [level for level in asks if 2 * level[0] <= twice + reach]
    assert list(zip(applied.close_bid_ticks.tolist(), applied.close_bid_lots.tolist(), strict=True)) == near_bids
    assert list(zip(applied.close_ask_ticks.tolist(), applied.close_ask_lots.tolist(), strict=True)) == near_asks


def test_binance_knows_its_book_as_far_as_the_snapshot_went() -> None:
    books = ladder.init(FUTURES)
    applied = feed(
        books,
        [
            Message((-1, 7, -1), [(99, 1), (98, 1)], [(101, 1), (102, 1)], True),
            Message((8, 9, 7), [(98, 0), (50, 1)], [(200, 1)]),
        ],
        0,
    )
    assert (applied.close_reach_low_ticks.tolist(), applied.close_reach_high_ticks.tolist()) == ([98], [102])


def test_a_newer_snapshot_says_anew_how_far_the_book_is_known_and_is_no_gap() -> None:
    books = ladder.init(FUTURES)
    begin = Message((-1, 7, -1), [(99, 1), (98, 1)], [(101, 1), (102, 1)], True)
    moved = Message((8, 9, 7), [(103, 1)], [(101, 0), (102, 0), (104, 1)])
    again = Message((-1, 12, -1), [(103, 1), (100, 4), (97, 2)], [(104, 1), (110, 1)], True, pane=1)
    following = Message((10, 14, 9), [(103, 2)], pane=1)
    applied = feed(books, [begin, moved, again, following], 1)
    assert not applied.gap.any() and applied.live.all()
    assert applied.fresh.tolist() == [True, False, False, False]
    assert (applied.close_reach_low_ticks.tolist(), applied.close_reach_high_ticks.tolist()) == ([98, 97], [102, 110])


def test_levels_at_both_ends_of_the_scale_are_exact() -> None:
    books = ladder.init(SPOT)
    bids, asks = [(0, 3), (1, 4), (10**14, 5)], [(10**14 + 1, 6), (MOST_TICKS, MOST_TICKS)]
    applied = feed(books, [Message((-1, 1, -1), bids, asks, True)], 0)
    assert row(applied, 0)[-2:] == ([(10**14, 5), (1, 4), (0, 3)], asks)
    assert levels_of(packing.thaw(packing.freeze(books))) == ([(10**14, 5), (1, 4), (0, 3)], asks)


@pytest.mark.parametrize("stride", [1, 64, 1_000, 2**18, 10**6, 2**30, 10**11])
def test_a_thousand_levels_take_less_than_half_a_megabyte_at_any_spacing(stride: int) -> None:
    middle = 2**49
    bids = [(middle - stride * n, n) for n in range(1, 1_001)]
    asks = [(middle + stride * n, n) for n in range(1, 1_001)]
    books = ladder.init(SPOT)
    applied = feed(books, [Message((-1, 1, -1), bids, asks, True)])
    assert row(applied, 0)[-2:] == (bids[:5], asks[:5])
    assert books.slots * 72 < 500_000
    for n in range(1, 996):
        applied = feed(books, [Message((n + 1, n + 1, -1), [(bids[n - 1][0], 0)], [(asks[n - 1][0], 0)])])
        assert row(applied, 0)[-2:] == (bids[n : n + 5], asks[n : n + 5])
    assert levels_of(books) == (bids[995:], asks[995:])


def test_a_market_that_wanders_does_not_grow_its_table() -> None:
    books = ladder.init(SPOT)
    middle = 10**9
    near = [(middle - n, 1) for n in range(1, 200)], [(middle + n, 1) for n in range(1, 200)]
    feed(books, [Message((-1, 1, -1), *near, True)])
    for step in range(1, 400):
        at = middle + 200 * (step - 1)
        bids = [(at - n, 0) for n in range(1, 200)] + [(at + 200 - n, 2) for n in range(1, 200)]
        asks = [(at + n, 0) for n in range(1, 200)] + [(at + 200 + n, 2) for n in range(1, 200)]
        applied = feed(books, [Message((step + 1, step + 1, -1), bids, asks)])
        assert (applied.bid_ticks[0, 0], applied.ask_ticks[0, 0]) == (at + 199, at + 201)
    assert books.slots < 2_000


def test_refining_a_step_counts_book_reach_and_held_diffs_anew() -> None:
    books = ladder.init(FUTURES)
    snapshot = Message((-1, 100, -1), [(10, 3)], [(20, 4)], True)
    feed(books, [snapshot, Message((1, 2, 0), [(5, 6)], [(7, 8)], instrument=1)])
    ladder.rescale(books, 0, 10, 100)
    ladder.rescale(books, 1, 10, 1)
    ladder.rescale(books, 9, 10, 1)
    finer = Message((-1, 2, -1), [(49, 1)], [(80, 1)], True, instrument=1)
    applied = feed(books, [Message((101, 101, 100), [(101, 1)]), finer, Message((3, 3, 2), instrument=1)], 0)
    assert row(applied, 0)[-2:] == ([(101, 1), (100, 300)], [(200, 400)])
    assert row(applied, 1)[-2:] == ([(50, 6), (49, 1)], [(70, 8), (80, 1)])
    assert applied.close_reach_low_ticks.tolist() == [100, 49]
    with pytest.raises(ValueError, match=r"instrument 0: prices or quantities leave"):
        ladder.rescale(books, 0, 2**49, 1)
    with pytest.raises(ValueError, match="whole factors"):
        ladder.rescale(books, 0, 0, 1)
    assert levels_of(books)[0] == [(101, 1), (100, 300)]


def test_only_the_newest_two_thousand_held_diffs_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held.MOST_MESSAGES == 2_000 and held.MOST_LEVELS == 200_000
    diffs = [Message((n, n, n - 1), [(n, 1)], instrument=n % 2) for n in range(1, 6_001)]
    diffs = [m for m in diffs if m.instrument == 0 or m.ids[0] < 100]
    for cut in (1, 700, 5_000):
        books = ladder.init(SPOT)
        for start in range(0, len(diffs), cut if cut > 1 else 3_000):
            feed(books, diffs[start : start + (cut if cut > 1 else 3_000)])
        chunk = held.newest(Depth.joined(books.waiting))
        kept = chunk.last_id[chunk.instrument == 0]
        assert (len(kept), kept[0], kept[-1]) == (2_000, 2_002, 6_000)
        assert (chunk.instrument == 1).sum() == 50
    monkeypatch.setattr(held, "MOST_LEVELS", 7)
    wide = [Message((n, n, n - 1), [(1, 1), (2, 2)]) for n in range(5)]
    assert held.newest(batch(wide)[0]).last_id.tolist() == [2, 3, 4]


def test_what_is_out_of_range_or_order_is_refused_in_one_line() -> None:
    books = ladder.init(SPOT)
    for levels in ([(2**50, 1)], [(-1, 1)], [(1, 2**50)], [(1, -1)]):
        with pytest.raises(ValueError, match="lies outside"):
            feed(books, [Message((-1, 1, -1), levels, [], True)])
    feed(books, [Message((-1, 1, -1), [(1, 1)], [], True, pane=4)], 4)
    for pane in (3, 4):
        with pytest.raises(ValueError, match=f"instrument 0: pane {pane} comes after pane 4"):
            feed(books, [Message((2, 2, -1), pane=pane)])


def test_closings_come_in_parts_of_what_fits_and_one_that_does_not_fit_gets_room() -> None:
    books = ladder.init(SPOT)
    books.ladder = np.empty((2, 2, 5), np.int64)
    short, long = [(9, 1), (8, 1)], [(9 - n, 1) for n in range(9)]
    first = [Message((-1, 1, -1), side, [(10, 1)], True, instrument=i) for i, side in enumerate([short, long, short])]
    later = [Message((p + 1, p + 1, -1), instrument=i, pane=p) for p in (1, 2) for i in (0, 1, 2)]
    depth, pane = batch(first + later)
    parts = [
        (part.first, len(part.live), part.close_instrument.tolist(), np.diff(part.close_bid_starts).tolist())
        for part in ladder.apply(books, depth, pane, 2)
    ]
    assert parts[0][:2] == (0, 4)
    assert sum(count for _, count, *_ in parts) == 9
    assert [instrument for *_, closed, _ in parts for instrument in closed] == [0, 1, 2] * 3
    assert [levels for *_, counts in parts for levels in counts] == [2, 9, 2] * 3
    assert books.ladder.shape[2] == 18


def test_many_closings_of_long_ladders_in_one_batch_are_all_there() -> None:
    side = [(10**6 - n, 1) for n in range(1, 3_000)], [(10**6 + n, 1) for n in range(1, 3_000)]
    books = ladder.init(SPOT)
    first = [Message((-1, 1, -1), *side, True, instrument=i) for i in range(3)]
    later = [Message((p + 1, p + 1, -1), instrument=i, pane=p) for p in range(1, 40) for i in (2, 1, 0)]
    applied = feed(books, first + later, 39)
    closed = zip(applied.close_pane.tolist(), applied.close_instrument.tolist(), strict=True)
    assert sorted(closed) == [(p, i) for p in range(40) for i in range(3)]
    assert (np.diff(applied.close_bid_starts) == 2_999).all()
    assert (applied.close_ask_ticks.reshape(120, 2_999) == np.arange(10**6 + 1, 10**6 + 3_000)).all()


def test_a_held_diff_beyond_the_bounds_is_given_up_and_the_snapshot_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held, "MOST_LEVELS", 1)
    books = ladder.init(SPOT)
    feed(books, [Message((2, 2, -1), [(1, 1), (2, 2)])])
    books = packing.thaw(packing.freeze(books))
    applied = feed(books, [Message((-1, 1, -1), [(5, 1)], [(9, 1)], True), Message((3, 3, -1), [(6, 1)])])
    assert applied.live.tolist() == [True, False] and applied.gap.tolist() == [False, True]
    assert row(applied, 0)[-2:] == ([(5, 1)], [(9, 1)])


def test_books_whose_bytes_were_altered_are_refused_in_one_line_or_read_as_others_never_beyond_their_tables():
    random = np.random.default_rng(11)
    ticks = [int(t) for t in np.sort(random.choice(10_000, 300, replace=False))]
    levels = [(t, int(n)) for t, n in zip(ticks, random.integers(1, 10**6, 300), strict=True)]
    books = ladder.init(Sequencing.BYBIT)
    feed(books, [Message((-1, 1, -1), levels[149::-1], levels[150:], True)])
    state = unpack(packing.freeze(books))
    whole, refused = np.asarray(state["sides"], np.uint8), 0
    for _ in range(200):
        altered = whole[: random.integers(len(whole) // 2, len(whole) + 1)].copy()
        altered[random.integers(len(altered))] ^= np.uint8(1 << int(random.integers(8)))
        try:
            packing.thaw(pack({**state, "sides": altered}))
        except Changed as error:
            refused += str(error).startswith("the books of the recovered state cannot be read")
    assert refused > 100
