"""Assembly: a venue from the readers of its frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.batches import I4, MESSAGE, REFUSED, Depth, Derivatives, Liquidations, Sequencing, Trades
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue
from schemas.venues import message_rows
from schemas.venues.forced_orders import Orders
from schemas.venues.message_rows import Parsed, Print, ReadBooks, ReadPrints, ReadQuotes
from schemas.venues.reading import Unusable, attempt, objection, rejects
from schemas.venues.scaling import Infer

ReadOrders = Callable[[bytes, str | None, Orders], Sequence[Print | Unusable]]
ReadChain = Callable[[bytes], tuple[str | None, str]]
Split = Callable[[bytes], list[tuple[str | None, bytes]]]
ParseDepth = Callable[[Frames, InstrumentTable], tuple[Depth, list[Reject]]]
ParseTrades = Callable[[Frames, InstrumentTable], tuple[Trades, Liquidations, list[Reject]]]


@dataclass(frozen=True, slots=True)
class Readers:
    """How the frames of each kind are read, and what is known of an instrument from its symbol alone.

    `chain` says, also of a frame whose content cannot be used, of which symbol's chain of depth messages, and which
    view of it, it is a link; no symbol for frames that belong to none. `liquidations` remembers orders in parts.
    """

    depth: ReadBooks
    chain: ReadChain
    trades: ReadPrints
    liquidations: ReadOrders
    derivatives: ReadQuotes
    infer: Infer
    actions: bool = False


def settled(frames: Frames, table: InstrumentTable, of_row: I4, parsed: Parsed) -> list[Reject]:
    """Tell the table of refinements, by row of the batch, and return the rejected frames."""
    for i, instrument, tick_factor, lot_factor in parsed.refined:
        table.refined.append((int(np.searchsorted(of_row, i)), instrument, tick_factor, lot_factor))
    return rejects(frames, parsed.refused)


def with_refused(
    frames: Frames, table: InstrumentTable, known: int, found: Depth, parsed: Parsed, chain: ReadChain
) -> Depth:
    """The messages, and for each rejected link of the chain of an instrument one that says so: its book has a hole.

    Of instruments that the log had shown by then: the first `known` of the table before the batch, others in a row.
    """
    broken: list[tuple[int, int]] = []
    for i in sorted(parsed.refused.frames):
        symbol, view = attempt(chain, frames.frame(i)) or (None, "")
        at = table.index.get(symbol or "")
        kept = [name for since, name in parsed.views.get(symbol or "", ()) if since <= i]
        if at is None or (kept and kept[-1] != view):
            continue
        if at < known or (found.instrument[: np.searchsorted(found.frame, i)] == at).any():
            broken.append((i, at))
    if not broken:
        return found
    frame, instrument = (np.array(column, np.int32) for column in zip(*broken, strict=True))
    where = np.searchsorted(found.frame, frame)
    refused = np.full(len(broken), REFUSED, np.int64)
    none = np.zeros(len(broken), np.int64)
    added: tuple[NDArray[Any], ...] = (frame, instrument, none, none > 0, refused, refused, refused, none)
    columns = {
        name: np.insert(getattr(found, name), where, values) for name, values in zip(MESSAGE, added, strict=True)
    }
    starts = np.insert(found.starts[:-1], where, found.starts[where])
    return Depth(**columns, starts=np.append(starts, found.starts[-1]), ticks=found.ticks, lots=found.lots)


def general_depth(readers: Readers) -> ParseDepth:
    """The parser of depth frames, frame by frame."""

    def depth(frames: Frames, table: InstrumentTable) -> tuple[Depth, list[Reject]]:
        every, known = range(len(frames)), len(table.rows)
        found, parsed = message_rows.depth(frames, every, table, readers.depth, readers.infer, actions=readers.actions)
        found = with_refused(frames, table, known, found, parsed, readers.chain)
        return found, settled(frames, table, found.frame, parsed)

    return depth


def general_trades(readers: Readers) -> ParseTrades:
    """The parser of trade frames, frame by frame."""

    def trades(frames: Frames, table: InstrumentTable) -> tuple[Trades, Liquidations, list[Reject]]:
        found, forced, parsed = message_rows.trades(frames, range(len(frames)), table, readers.trades, readers.infer)
        return found, forced, settled(frames, table, found.frame, parsed)

    return trades


def venue(
    name: str,
    sequencing: Sequencing,
    readers: Readers,
    *,
    instruments: Callable[[bytes], list[Instrument]],
    base: Callable[[str], str],
    kind_of: Callable[[bytes], str | None],
    symbol_of: Callable[[bytes], str | None],
    kinds: tuple[str, ...] = ("depth", "trades", "liquidations", "derivatives"),
    nameless: tuple[bytes, ...] = (),
    split: Split,
    depth: ParseDepth | None = None,
    trades: ParseTrades | None = None,
) -> Venue:
    """A venue; `depth` and `trades` are given where there is a faster way that agrees with the general one."""

    def liquidations(frames: Frames, table: InstrumentTable) -> tuple[Liquidations, list[Reject]]:
        def read(data: bytes, named: str | None) -> Sequence[Print | Unusable]:
            return readers.liquidations(data, named, table.orders)

        found, parsed = message_rows.liquidations(frames, range(len(frames)), table, read, readers.infer)
        return found, settled(frames, table, found.frame, parsed)

    def derivatives(frames: Frames, table: InstrumentTable) -> tuple[Derivatives, list[Reject]]:
        found, parsed = message_rows.derivatives(frames, range(len(frames)), table, readers.derivatives, readers.infer)
        return found, settled(frames, table, found.frame, parsed)

    return Venue(
        name=name,
        sequencing=sequencing,
        depth=depth or general_depth(readers),
        trades=trades or general_trades(readers),
        liquidations=liquidations,
        derivatives=derivatives,
        instruments=instruments,
        base=base,
        kind_of=kind_of,
        infer=readers.infer,
        symbol_of=symbol_of,
        kinds=kinds,
        nameless=nameless,
        split=split,
        strange=lambda data: objection(lambda frame: readers.depth(frame, None), data),
    )
