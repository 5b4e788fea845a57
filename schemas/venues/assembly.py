"""Assembly: a venue from the readers of its frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.batches import I4, Depth, Derivatives, Liquidations, Sequencing, Trades
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument, InstrumentTable
from schemas.venue import Venue
from schemas.venues import rows
from schemas.venues.reading import rejects
from schemas.venues.rows import Book, Parsed, Print, Quote
from schemas.venues.scaling import Infer

ReadBooks = Callable[[bytes, str | None], Sequence[Book]]
ReadPrints = Callable[[bytes, str | None], Sequence[Print]]
ReadQuotes = Callable[[bytes, str | None], Sequence[Quote]]
ParseDepth = Callable[[Frames, InstrumentTable], tuple[Depth, list[Reject]]]
ParseTrades = Callable[[Frames, InstrumentTable], tuple[Trades, Liquidations, list[Reject]]]


@dataclass(frozen=True, slots=True)
class Readers:
    """How the frames of each kind are read, and what is known of an instrument from its symbol alone."""

    depth: ReadBooks
    trades: ReadPrints
    liquidations: ReadPrints
    derivatives: ReadQuotes
    infer: Infer
    actions: bool = False


def settled(frames: Frames, table: InstrumentTable, of_row: I4, parsed: Parsed) -> list[Reject]:
    """Tell the table of refinements, by row of the batch, and return the rejected frames."""
    for i, instrument, tick_factor, lot_factor in parsed.refined:
        table.refined.append((int(np.searchsorted(of_row, i)), instrument, tick_factor, lot_factor))
    return rejects(frames, parsed.reasons)


def general_depth(readers: Readers) -> ParseDepth:
    """The parser of depth frames, frame by frame."""

    def depth(frames: Frames, table: InstrumentTable) -> tuple[Depth, list[Reject]]:
        every = range(len(frames))
        found, parsed = rows.depth(frames, every, table, readers.depth, readers.infer, actions=readers.actions)
        return found, settled(frames, table, found.frame, parsed)

    return depth


def general_trades(readers: Readers) -> ParseTrades:
    """The parser of trade frames, frame by frame."""

    def trades(frames: Frames, table: InstrumentTable) -> tuple[Trades, Liquidations, list[Reject]]:
        found, forced, parsed = rows.trades(frames, range(len(frames)), table, readers.trades, readers.infer)
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
    depth: ParseDepth | None = None,
    trades: ParseTrades | None = None,
) -> Venue:
    """A venue; `depth` and `trades` are given where there is a faster way that agrees with the general one."""

    def liquidations(frames: Frames, table: InstrumentTable) -> tuple[Liquidations, list[Reject]]:
        found, parsed = rows.liquidations(frames, range(len(frames)), table, readers.liquidations, readers.infer)
        return found, settled(frames, table, found.frame, parsed)

    def derivatives(frames: Frames, table: InstrumentTable) -> tuple[Derivatives, list[Reject]]:
        found, parsed = rows.derivatives(frames, range(len(frames)), table, readers.derivatives, readers.infer)
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
        symbol_of=symbol_of,
        kinds=kinds,
        nameless=nameless,
    )
