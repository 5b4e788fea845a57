"""Batch: scanned frames and those that the general path decides, as one batch in log order.

Only a frame left to the general path changes the table. A new symbol concerns frames that were left as well; a finer
step concerns scanned rows behind it, which are multiplied. So the outcome is that of the general path alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.batches import Depth, Liquidations, Trades
from schemas.frames import Frames, Reject
from schemas.instrument import InstrumentTable
from schemas.levels import LIMIT
from schemas.venues import message_rows
from schemas.venues.assembly import ParseDepth, ParseTrades, Readers, settled, with_refused
from schemas.venues.binance_scan import scan_depth, scan_trades
from schemas.venues.message_rows import Parsed, no_liquidations
from schemas.venues.reading import Refused

I8 = NDArray[np.int64]
I4 = NDArray[np.int32]
_FIRST_CHUNK = 16
_SHORTEST_LEVEL = len('["1","1"],')


class _Part(NamedTuple):
    """Rows of some frames, headers as one matrix, and their levels; a trade is a row with one level."""

    frame: I4
    instrument: I4
    headers: I8
    starts: I8
    ticks: I8
    lots: I8


Scan = Callable[[Frames, InstrumentTable, I4], tuple[_Part, I4]]
General = Callable[[list[int]], tuple[_Part, Parsed]]


def _table(table: InstrumentTable) -> tuple[NDArray[np.uint8], I8, I4, I8]:
    """Names, where each begins, room for an index of them (four times their number, a power of two), and scales."""
    scales = np.stack((table.tick_mantissa, table.tick_decimals, table.lot_mantissa, table.lot_decimals))
    slots = np.zeros(1 << max(4, (4 * len(table.name_starts) - 1).bit_length()), np.int32)
    return table.names, table.name_starts, slots, scales


def _refine(part: _Part, refined: message_rows.Refined, reasons: dict[int, str]) -> _Part:
    """The part in the finer steps of later refinements; a frame whose numbers become too large is rejected."""
    of_level = np.repeat(np.arange(len(part.frame)), np.diff(part.starts))
    for i, instrument, tick_factor, lot_factor in refined:
        concerned = ((part.frame > i) & (part.instrument == instrument))[of_level]
        most = (LIMIT - 1) // np.array([tick_factor, lot_factor])
        large = concerned & ((part.ticks > most[0]) | (part.lots > most[1]))
        reasons.update(dict.fromkeys(part.frame[of_level[large]].tolist(), "out_of_range"))
        concerned &= ~large
        part.ticks[concerned] *= tick_factor
        part.lots[concerned] *= lot_factor
    return part


def _merged(parts: list[_Part], reasons: dict[int, str]) -> _Part:
    """The rows of all parts in log order, without those of rejected frames."""
    parts = [part for part in parts if len(part.frame)] or parts[:1]
    frame = np.concatenate([p.frame for p in parts])
    dropped = np.isin(frame, list(reasons)) if reasons else np.zeros(len(frame), np.bool_)
    if len(parts) == 1 and not dropped.any():
        return parts[0]
    counts = np.concatenate([np.diff(p.starts) for p in parts])
    firsts = np.concatenate(([0], np.cumsum(counts)))
    joined = _Part(
        frame,
        np.concatenate([p.instrument for p in parts]),
        np.concatenate([p.headers for p in parts], axis=1),
        firsts,
        np.concatenate([p.ticks for p in parts]),
        np.concatenate([p.lots for p in parts]),
    )
    if not dropped.any() and (frame[1:] > frame[:-1]).all():
        return joined
    order = np.argsort(frame, kind="stable")
    order = order[~dropped[order]]
    starts = np.concatenate(([0], np.cumsum(counts[order])))
    levels = np.arange(starts[-1]) + np.repeat(firsts[order] - starts[:-1], counts[order])
    return _Part(
        frame[order],
        joined.instrument[order],
        joined.headers[:, order],
        starts,
        joined.ticks[levels],
        joined.lots[levels],
    )


def _parse(frames: Frames, table: InstrumentTable, scan: Scan, general: General) -> tuple[_Part, Parsed]:
    """Scan; give what is left to the general path; scan the rest again whenever that changed the table."""
    parts: list[_Part] = []
    refused = Refused()
    refined: message_rows.Refined = []
    pending = np.arange(len(frames), dtype=np.int32)
    chunk = _FIRST_CHUNK
    fresh = bool(table.rows)
    while len(pending):
        if fresh:
            part, pending = scan(frames, table, pending)
            parts.append(part)
            if not len(pending):
                break
        before = list(table.rows)
        found, parsed = general(pending[:chunk].tolist())
        parts = [_refine(part, parsed.refined, refused.frames) for part in parts] if parsed.refined else parts
        parts.append(found)
        refused.frames.update(parsed.refused.frames)
        refused.elements.extend(parsed.refused.elements)
        refined += parsed.refined
        pending = pending[chunk:]
        fresh = table.rows != before
        chunk *= 2
    if not parts:
        parts.append(general([])[0])
    return _merged(parts, refused.frames), Parsed(refused, refined)


def _scan_depth(frames: Frames, table: InstrumentTable, which: I4, *, futures: int) -> tuple[_Part, I4]:
    n = len(which)
    size = frames.starts[which + 1] - frames.starts[which]
    room = int(size.sum()) // _SHORTEST_LEVEL + 1
    frame, instrument, bids, left = (np.empty(n, np.int32) for _ in range(4))
    headers, starts = np.zeros((6, n), np.int64), np.zeros(n + 1, np.int64)
    ticks, lots = np.empty(room, np.int64), np.empty(room, np.int64)
    data = np.frombuffer(frames.data, np.uint8)
    names, name_starts, slots, scales = _table(table)
    used, over = scan_depth(
        data,
        frames.starts,
        which,
        futures,
        names,
        name_starts,
        slots,
        scales,
        frame,
        instrument,
        headers,
        starts,
        bids,
        ticks,
        lots,
        left,
    )
    headers[5] = bids
    k = int(starts[used])
    part = _Part(frame[:used], instrument[:used], headers[:, :used], starts[: used + 1], ticks[:k], lots[:k])
    return part, left[:over]


def _scan_trades(frames: Frames, table: InstrumentTable, which: I4, *, futures: int) -> tuple[_Part, I4]:
    n = len(which)
    frame, instrument, left = (np.empty(n, np.int32) for _ in range(3))
    columns, sign, feeds = np.empty((6, n), np.int64), np.empty(n, np.int8), np.empty(n, np.int8)
    data = np.frombuffer(frames.data, np.uint8)
    names, name_starts, slots, scales = _table(table)
    used, over = scan_trades(
        data,
        frames.starts,
        which,
        futures,
        names,
        name_starts,
        slots,
        scales,
        frame,
        instrument,
        columns,
        sign,
        feeds,
        left,
    )
    headers = np.empty((6, used), np.int64)
    headers[0], headers[1], headers[2], headers[3:] = columns[0, :used], sign[:used], feeds[:used], columns[3:, :used]
    part = _Part(frame[:used], instrument[:used], headers, np.arange(used + 1), columns[1, :used], columns[2, :used])
    return part, left[:over]


def scanned_depth(readers: Readers, *, futures: int) -> ParseDepth:
    """The parser of depth frames: scanned where they are usual."""

    def scan(frames: Frames, table: InstrumentTable, which: I4) -> tuple[_Part, I4]:
        return _scan_depth(frames, table, which, futures=futures)

    def depth(frames: Frames, table: InstrumentTable) -> tuple[Depth, list[Reject]]:
        known = len(table.rows)

        def general(which: list[int]) -> tuple[_Part, Parsed]:
            d, parsed = message_rows.depth(frames, which, table, readers.depth, readers.infer)
            headers = np.empty((6, len(d)), np.int64)
            for k, column in enumerate((d.event_ns, d.first_id, d.last_id, d.previous_id, d.snapshot, d.bids)):
                headers[k] = column
            return _Part(d.frame, d.instrument, headers, d.starts, d.ticks, d.lots), parsed

        part, parsed = _parse(frames, table, scan, general)
        event_ns, first_id, last_id, previous_id, snapshot, bids = (np.ascontiguousarray(c) for c in part.headers)
        found = Depth(
            part.frame,
            part.instrument,
            event_ns,
            snapshot.astype(np.bool_),
            first_id,
            last_id,
            previous_id,
            part.starts,
            bids.astype(np.int32),
            part.ticks,
            part.lots,
        )
        found = with_refused(frames, table, known, found, parsed, readers.chain)
        return found, settled(frames, table, found.frame, parsed)

    return depth


def scanned_trades(readers: Readers, *, futures: int) -> ParseTrades:
    """The parser of trade frames: scanned where they are usual. Binance tells liquidations elsewhere."""

    def scan(frames: Frames, table: InstrumentTable, which: I4) -> tuple[_Part, I4]:
        return _scan_trades(frames, table, which, futures=futures)

    def trades(frames: Frames, table: InstrumentTable) -> tuple[Trades, Liquidations, list[Reject]]:
        def general(which: list[int]) -> tuple[_Part, Parsed]:
            t, _, parsed = message_rows.trades(frames, which, table, readers.trades, readers.infer)
            sign, feed = t.sign.astype(np.int64), t.feed.astype(np.int64)
            headers = np.stack((t.event_ns, sign, feed, t.id, t.first_id, t.last_id))
            return _Part(t.frame, t.instrument, headers, np.arange(len(t) + 1), t.ticks, t.lots), parsed

        part, parsed = _parse(frames, table, scan, general)
        event_ns, sign, feed, own, first_id, last_id = part.headers
        signs, feeds = sign.astype(np.int8), feed.astype(np.int8)
        found = Trades(
            part.frame, part.instrument, event_ns, part.ticks, part.lots, signs, feeds, own, first_id, last_id
        )
        return found, no_liquidations(), settled(frames, table, found.frame, parsed)

    return trades
