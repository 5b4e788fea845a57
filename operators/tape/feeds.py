"""Feeds: of a venue's two feeds that tell the same fills, one by one or merged, each fill is counted once.

The feed that a log shows first of an instrument counts. What the other says waits until its pane closes. Told by then
by the counted feed too (its fills are no later on the count of fills that the feeds share, or, where that is not sent,
in time), it is left out. If not, the counted feed has gone silent while the other carries on: then that one counts
from there on, but never a fill that was counted before.

So nothing is lost and nothing counts twice, whichever feed is ahead; which trades wait depends on the log alone.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.pack import pack, unpack
from operators.watermark import NEVER
from schemas.batches import Trades
from schemas.kernels import inner, kernel

I8 = NDArray[np.int64]
I1 = NDArray[np.int8]
COUNTED, TOP, TOP_NS, BORDER, BORDER_NS = range(5)
"""Columns of `heads`, a row an instrument: the feed that counts (0: none yet); the last fill it told, and when; the
last fill that the feed before it told, and when (-1: there was none)."""
_HEAD = (0, -1, NEVER, -1, NEVER)
(ROW, INSTRUMENT, EVENT_NS, TICKS, LOTS, SIGN, FEED, ID, FIRST, LAST, PANE, LATE, SWITCHED) = range(13)
"""Columns of a trade that waits or that is given out; `ROW` is where it stands in the batch, -1 if it waited."""
_COLUMNS = 13


@dataclass(frozen=True, slots=True)
class Counted:
    """Trades that count, with their panes; `row` is -1 for those that had waited. `switched` begins another feed."""

    trades: Trades
    row: I8
    pane: I8
    late: NDArray[np.bool_]
    switched: NDArray[np.bool_]


@dataclass(slots=True)
class Feeds:
    """The feeds of one log: what is known of each instrument, and the trades that wait, in log order."""

    heads: I8 = field(default_factory=lambda: np.empty((0, len(_HEAD)), np.int64))
    waiting: I8 = field(default_factory=lambda: np.empty((0, _COLUMNS), np.int64))


@inner
def _told(top: int, top_ns: int, fill: int, event_ns: int) -> bool:
    """Whether a fill is not behind the last one that was told, by the count of fills where both are known."""
    return bool(fill <= top) if fill >= 0 and top >= 0 else bool(event_ns <= top_ns)


@kernel
def _plain(
    instrument: NDArray[np.int32], feed: I1, first: I8, last: I8, event_ns: I8, late: NDArray[np.bool_], heads: I8
) -> bool:
    """Whether all trades are of the one feed that counts, as is usual; what they told by then is noted."""
    for i in range(len(instrument)):
        head = heads[instrument[i]]
        if feed[i] == 0:
            continue
        if head[COUNTED] == 0:
            head[COUNTED] = feed[i]
        if head[COUNTED] != feed[i]:
            return False
        if head[BORDER_NS] != NEVER and _told(head[BORDER], head[BORDER_NS], first[i], event_ns[i]):
            return False
        if not late[i]:
            head[TOP] = max(head[TOP], last[i])
            head[TOP_NS] = max(head[TOP_NS], event_ns[i])
    return True


@kernel
def _settle(upto: int, heads: I8, waiting: I8, count: int, out: I8, given: int) -> tuple[int, int]:
    """Give out, and switch to, what waited in panes up to `upto`: how many wait then, how many were given out."""
    for w in range(count):
        head = heads[waiting[w, INSTRUMENT]]
        if waiting[w, PANE] <= upto and waiting[w, FEED] != head[COUNTED]:
            head[COUNTED] = waiting[w, FEED]
            head[BORDER], head[BORDER_NS] = head[TOP], head[TOP_NS]
            waiting[w, SWITCHED] = 1
    kept = 0
    for w in range(count):
        head = heads[waiting[w, INSTRUMENT]]
        if waiting[w, FEED] != head[COUNTED]:
            for c in range(waiting.shape[1]):
                waiting[kept, c] = waiting[w, c]
            kept += 1
        elif not _told(head[BORDER], head[BORDER_NS], waiting[w, FIRST], waiting[w, EVENT_NS]):
            for c in range(waiting.shape[1]):
                out[given, c] = waiting[w, c]
            out[given, ROW] = -1
            given += 1
            head[TOP] = max(head[TOP], waiting[w, LAST])
            head[TOP_NS] = max(head[TOP_NS], waiting[w, EVENT_NS])
    return kept, given


@kernel
def _choose(rows: I8, open_from: I8, heads: I8, waiting: I8, count: int, out: I8) -> tuple[int, int]:
    """Take trades in log order: how many wait then, how many were given out."""
    given = 0
    for i in range(len(rows)):
        row = rows[i]
        if count and (i == 0 or open_from[i] > open_from[i - 1]):
            count, given = _settle(open_from[i] - 1, heads, waiting, count, out, given)
        head = heads[row[INSTRUMENT]]
        if row[FEED] != 0 and head[COUNTED] == 0:
            head[COUNTED] = row[FEED]
        if row[FEED] == head[COUNTED] or row[FEED] == 0:
            if (
                row[FEED]
                and head[BORDER_NS] != NEVER
                and _told(head[BORDER], head[BORDER_NS], row[FIRST], row[EVENT_NS])
            ):
                continue
            for c in range(rows.shape[1]):
                out[given, c] = row[c]
            given += 1
            if row[FEED] and not row[LATE]:
                head[TOP] = max(head[TOP], row[LAST])
                head[TOP_NS] = max(head[TOP_NS], row[EVENT_NS])
                kept = 0
                for w in range(count):
                    mine = waiting[w, INSTRUMENT] == row[INSTRUMENT]
                    if not mine or not _told(head[TOP], head[TOP_NS], waiting[w, LAST], waiting[w, EVENT_NS]):
                        for c in range(waiting.shape[1]):
                            waiting[kept, c] = waiting[w, c]
                        kept += 1
                count = kept
        elif not _told(head[TOP], head[TOP_NS], row[LAST], row[EVENT_NS]):
            if row[LATE]:
                for c in range(rows.shape[1]):
                    out[given, c] = row[c]
                given += 1
            else:
                for c in range(rows.shape[1]):
                    waiting[count, c] = row[c]
                count += 1
    return count, given


def _given(out: I8, trades: Trades) -> Counted:
    """The rows given out as trades."""
    row = out[:, ROW]
    frame = np.full(len(out), -1, np.int32)
    frame[row >= 0] = trades.frame[row[row >= 0]]
    event_ns, ticks, lots, own, first, last = (
        np.ascontiguousarray(out[:, c]) for c in (EVENT_NS, TICKS, LOTS, ID, FIRST, LAST)
    )
    sign, feed = out[:, SIGN].astype(np.int8), out[:, FEED].astype(np.int8)
    instrument = out[:, INSTRUMENT].astype(np.int32)
    chosen = Trades(frame, instrument, event_ns, ticks, lots, sign, feed, own, first, last)
    return Counted(chosen, row.copy(), out[:, PANE].copy(), out[:, LATE] != 0, out[:, SWITCHED] != 0)


def choose(state: Feeds, trades: Trades, pane: I8, late: NDArray[np.bool_], open_from: I8) -> Counted:
    """The trades that count, of consecutive ones of the log; `open_from`: the first pane that is open before each."""
    more = int(trades.instrument.max(initial=-1)) + 1 - len(state.heads)
    if more > 0:
        state.heads = np.concatenate([state.heads, np.tile(np.array(_HEAD, np.int64), (more, 1))])
    n, waited = len(trades), len(state.waiting)
    first, last, event_ns = (np.ascontiguousarray(c) for c in (trades.first_id, trades.last_id, trades.event_ns))
    if not waited and _plain(trades.instrument, trades.feed, first, last, event_ns, late, state.heads):
        return Counted(trades, np.arange(n), pane, late, np.zeros(n, np.bool_))
    rows = np.zeros((n, _COLUMNS), np.int64)
    rows[:, ROW] = np.arange(n)
    for c, name in (
        (INSTRUMENT, "instrument"),
        (EVENT_NS, "event_ns"),
        (TICKS, "ticks"),
        (LOTS, "lots"),
        (SIGN, "sign"),
        (FEED, "feed"),
        (ID, "id"),
        (FIRST, "first_id"),
        (LAST, "last_id"),
    ):
        rows[:, c] = getattr(trades, name)
    rows[:, PANE], rows[:, LATE] = pane, late
    waiting = np.concatenate([state.waiting, np.empty((n, _COLUMNS), np.int64)])
    out = np.empty((n + waited, _COLUMNS), np.int64)
    count, given = _choose(rows, np.ascontiguousarray(open_from), state.heads, waiting, waited, out)
    state.waiting = waiting[:count].copy()
    return _given(out[:given], trades)


def settle(state: Feeds, closed: int) -> Counted:
    """What waited in panes up to `closed`, which are about to close: it counts."""
    out = np.empty((len(state.waiting), _COLUMNS), np.int64)
    count, given = _settle(closed, state.heads, state.waiting, len(state.waiting), out, 0)
    state.waiting = state.waiting[:count].copy()
    return _given(out[:given], Trades.none())


def last(state: Feeds) -> int:
    """The last pane in which a trade waits; `NEVER` when none does."""
    return int(state.waiting[:, PANE].max(initial=NEVER))


def rescale(state: Feeds, instrument: int, tick_factor: int, lot_factor: int) -> None:
    """A tick or lot was refined: the trades that wait in the finer unit."""
    mine = state.waiting[:, INSTRUMENT] == instrument
    state.waiting[mine, TICKS] *= tick_factor
    state.waiting[mine, LOTS] *= lot_factor


def freeze(state: Feeds) -> bytes:
    """The feeds as bytes."""
    return pack({"heads": state.heads, "waiting": state.waiting})


def thaw(data: bytes) -> Feeds:
    """The feeds as they were frozen; none from nothing."""
    if not data:
        return Feeds()
    arrays = unpack(data)
    return Feeds(
        arrays["heads"].astype(np.int64).reshape(-1, len(_HEAD)),
        arrays["waiting"].astype(np.int64).reshape(-1, _COLUMNS),
    )
