"""Applied: what a batch of messages did to the books, as columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.book import advance, closings

I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Applied:
    """What n messages of a batch did, from number `first` on; rows of `close_*` are the panes that ended, as they did.

    Levels stand best first; a missing one has 0 ticks and 0 lots, and all are 0 where the book is not `live`.
    `fresh`: the book begins with this message, whose touch must not be differenced against the one before; a snapshot
    by REST that replaces a trusted book is none. `gap`: this message opened a gap.
    `dropped`: a stale or repeated message, or one of another view of the book, rightly ignored. `untrusted_ns`: event
    time since the instrument's message before, where the book was not trusted since then, or where this message shows
    that updates before it were missed (then `gap`); else 0. `missed`: updates that are missing in the stream before it,
    as far as ids count them; `untold` where one may be missing and they do not.

    Ladder of closing j: `close_bid_ticks[close_bid_starts[j]:close_bid_starts[j + 1]]`, all levels within `REACH_BPS`
    of mid and at least the best 20; none where the book was not live. `close_bid_levels` counts all that were held.
    Between `close_reach_low_ticks` and `close_reach_high_ticks` the book is known exactly: the ends of the last
    snapshot on Binance, of what is held elsewhere; the end of the scale for an empty side; 0 and 0 when not live.
    `close_last_id` is -1 when not live, or where the venue sends none. `close_event_ns`: the latest event time by then.
    The ladders are overwritten by those of the next part.
    `close_sequenced` is False where messages without ids were applied unverified; `close_crossed`: bid >= ask.
    """

    first: int
    live: Flags
    fresh: Flags
    gap: Flags
    dropped: Flags
    untrusted_ns: I8
    missed: I8
    untold: Flags
    bid_ticks: I8
    bid_lots: I8
    ask_ticks: I8
    ask_lots: I8
    close_instrument: I8
    close_pane: I8
    close_live: Flags
    close_sequenced: Flags
    close_crossed: Flags
    close_last_id: I8
    close_event_ns: I8
    close_reach_low_ticks: I8
    close_reach_high_ticks: I8
    close_bid_levels: I8
    close_ask_levels: I8
    close_bid_starts: I8
    close_bid_ticks: I8
    close_bid_lots: I8
    close_ask_starts: I8
    close_ask_ticks: I8
    close_ask_lots: I8


def assemble(done: advance.Done, start: int, stop: int, rows: I8, ladder: I8) -> Applied:
    """The loop's marks and touches of messages `start..stop`, and closings, as columns in the order they came in."""
    marks, untrusted_ns, missed = done.marks[start:stop], done.untrusted_ns[start:stop], done.missed[start:stop]
    touch = done.touch[:, start:stop]
    column = np.ascontiguousarray(rows.T)
    bid_starts, bid_ticks, bid_lots = _ragged(ladder[0], column[closings.ROW_BIDS])
    ask_starts, ask_ticks, ask_lots = _ragged(ladder[1], column[closings.ROW_ASKS])
    return Applied(
        first=start,
        live=marks & advance.MARK_LIVE != 0,
        fresh=marks & advance.MARK_FRESH != 0,
        gap=marks & advance.MARK_GAP != 0,
        dropped=marks & advance.MARK_DROPPED != 0,
        untrusted_ns=untrusted_ns,
        missed=missed,
        untold=marks & advance.MARK_UNTOLD != 0,
        bid_ticks=touch[0],
        bid_lots=touch[1],
        ask_ticks=touch[2],
        ask_lots=touch[3],
        close_instrument=column[closings.ROW_INSTRUMENT],
        close_pane=column[closings.ROW_PANE],
        close_live=column[closings.ROW_LIVE] != 0,
        close_sequenced=column[closings.ROW_SEQUENCED] != 0,
        close_crossed=column[closings.ROW_CROSSED] != 0,
        close_last_id=column[closings.ROW_LAST_ID],
        close_event_ns=column[closings.ROW_EVENT_NS],
        close_reach_low_ticks=column[closings.ROW_LOW],
        close_reach_high_ticks=column[closings.ROW_HIGH],
        close_bid_levels=column[closings.ROW_BID_LEVELS],
        close_ask_levels=column[closings.ROW_ASK_LEVELS],
        close_bid_starts=bid_starts,
        close_bid_ticks=bid_ticks,
        close_bid_lots=bid_lots,
        close_ask_starts=ask_starts,
        close_ask_ticks=ask_ticks,
        close_ask_lots=ask_lots,
    )


def _ragged(ladder: I8, counts: I8) -> tuple[I8, I8, I8]:
    """A side of the ladder buffer, in which closings stand one after the other: starts, ticks, lots."""
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts, ladder[0, : starts[-1]], ladder[1, : starts[-1]]
