"""Rows: the messages of a venue as column batches; the part of parsing that all venues share."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.batches import BESIDE, WHOLE, Depth, Derivatives, Liquidations, Trades
from schemas.frames import Frames
from schemas.instrument import InstrumentTable, View
from schemas.levels import LIMIT, OK, OUT_OF_RANGE, Levels
from schemas.venues.depth_message import Book
from schemas.venues.reading import Refused, Unusable, gather
from schemas.venues.scaling import Infer, Quantities, Scaled, scaled
from schemas.venues.views import chosen

Refined = list[tuple[int, int, int, int]]
NAN = float("nan")


class Print(NamedTuple):
    """A trade where `sign` is not 0, a liquidation where `order_side` is not; price and size are JSON.

    `stated` is the price of a liquidation as a number, NaN where there is none; `element` which of several it is of its
    frame, from 1. The rest is as in `Trades`.
    """

    symbol: str
    event_ns: int
    sign: int
    price: bytes
    size: bytes
    order_side: int = 0
    price_kind: int = 0
    throttled: bool = False
    stated: float = NAN
    feed: int = 0
    id: int = -1
    first_id: int = -1
    last_id: int = -1
    element: int = 0


class Quote(NamedTuple):
    """Mark, index, funding and open interest, as far as a message has them."""

    symbol: str
    event_ns: int
    mark: float = NAN
    index_price: float = NAN
    funding_rate: float = NAN
    next_funding_ns: int = 0
    open_interest: float = NAN


ReadBooks = Callable[[bytes, str | None], Sequence[Book]]
ReadPrints = Callable[[bytes, str | None], Sequence[Print | Unusable]]
ReadQuotes = Callable[[bytes, str | None], Sequence[Quote | Unusable]]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was found on the way: what was refused, and refinements as (frame, instrument, tick and lot factor).

    `views` tells by symbol which view of its book was kept from which frame on, -1 for what was kept before.
    """

    refused: Refused
    refined: Refined
    views: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


def depth(
    frames: Frames,
    which: Iterable[int],
    table: InstrumentTable,
    read: ReadBooks,
    infer: Infer,
    *,
    actions: bool = False,
) -> tuple[Depth, Parsed]:
    """Depth messages of some frames of a batch.

    A snapshot begins its view only if its numbers can be used, so such a frame is scaled before the next one is read:
    one that is refused leaves the view that was kept, which may be replaced then as one that has no book.
    """
    at, books, refused = gather(frames, which, read)
    views = {name: [(-1, kept.name)] for name, kept in table.views.items()}
    found: list[Depth] = []
    refined: Refined = []

    def scale(lo: int, hi: int) -> None:
        if lo < hi or not found:
            part, finer = _in_steps(at[lo:hi], books[lo:hi], table, infer, refused, actions)
            found.append(part)
            refined.extend(finer)

    done = k = 0
    while k < len(at):
        end = next((n for n in range(k + 1, len(at)) if at[n] != at[k]), len(at))
        first = books[k]
        before, told = table.views.get(first.symbol), len(views.get(first.symbol, ()))
        books[k:end] = [_of_view(table, at[k], book, views) for book in books[k:end]]
        if first.view and first.snapshot and _begins(before, books[k], table.views[first.symbol]):
            scale(done, k)
            scale(k, end)
            done = end
            if at[k] in refused.frames:
                del views[first.symbol][told:]
                table.views.pop(first.symbol)
                if before is not None:
                    begun = before.begun and before.name != first.view
                    table.views[first.symbol] = msgspec.structs.replace(before, begun=begun)
        k = end
    scale(done, len(at))
    return Depth.joined(found), Parsed(refused, refined, views)


def _begins(before: View | None, told: Book, kept: View) -> bool:
    """Whether a snapshot begins its view, or begins it anew; not one of those that always come whole."""
    if before is not None and before.begun and before.name == kept.name:
        return told.last_id != BESIDE and told.previous_id != WHOLE
    return told.last_id != BESIDE


def _in_steps(
    at: list[int], books: list[Book], table: InstrumentTable, infer: Infer, refused: Refused, actions: bool
) -> tuple[Depth, Refined]:
    """Messages with the frame of each, in steps of their instruments; those that cannot be used join `refused`."""
    levels = Levels([side for b in books for side in (b.bids, b.asks)], actions=actions)
    starts = levels.starts[::2]
    worst = np.where(levels.status[::2] != OK, levels.status[::2], levels.status[1::2])
    numbers = Quantities(
        levels.prices,
        levels.price_decimals,
        levels.sizes,
        levels.size_decimals,
        starts,
        np.maximum(levels.finest_price[::2], levels.finest_price[1::2]),
        np.maximum(levels.finest_size[::2], levels.finest_size[1::2]),
        worst,
    )
    found = scaled(at, [b.symbol for b in books], numbers, table, infer, refused)
    keep, counts = found.keep, np.diff(starts)
    if not keep.all():
        of_level = np.repeat(keep, counts)
        found.ticks, found.lots = found.ticks[of_level], found.lots[of_level]
    headers = np.array([b[1:6] for b in books], np.int64).reshape(-1, 5)[keep]
    bounds = np.zeros(int(keep.sum()) + 1, np.int64)
    np.cumsum(counts[keep], out=bounds[1:])
    rows = Depth(
        frame=np.array(at, np.int32)[keep],
        instrument=found.instruments[keep].astype(np.int32),
        event_ns=headers[:, 0].copy(),
        snapshot=headers[:, 1].astype(np.bool_),
        first_id=headers[:, 2].copy(),
        last_id=headers[:, 3].copy(),
        previous_id=headers[:, 4].copy(),
        starts=bounds,
        bids=np.diff(levels.starts)[::2][keep].astype(np.int32),
        ticks=found.ticks,
        lots=found.lots,
    )
    return rows, found.refined


def _of_view(table: InstrumentTable, i: int, book: Book, views: dict[str, list[tuple[int, str]]]) -> Book:
    """The message of frame i if it is of the view that is kept, else one that says that it is not."""
    found = chosen(table.views, book)
    if not book.view:
        return found
    kept = table.views[book.symbol].name
    history = views.setdefault(book.symbol, [])
    if not history or history[-1][1] != kept:
        history.append((i, kept))
    return found


class _Scaled(NamedTuple):
    at: NDArray[np.int32]
    prints: list[Print]
    found: Scaled
    prices: NDArray[np.float64]
    parsed: Parsed


def _prints(
    frames: Frames,
    which: Iterable[int],
    table: InstrumentTable,
    read: ReadPrints,
    infer: Infer,
    *,
    on_tick: bool,
) -> _Scaled:
    at, prints, refused = gather(frames, which, read)
    levels = Levels([b"[[%b,%b]]" % (p.price if on_tick else b"1", p.size) for p in prints])
    status = levels.status
    one = np.diff(levels.starts) == 1
    columns = [np.zeros(len(prints), np.int64) for _ in range(4)]
    for column, values in zip(
        columns, (levels.prices, levels.price_decimals, levels.sizes, levels.size_decimals), strict=True
    ):
        column[one] = values
    status[(status == OK) & (columns[2] == 0)] = OUT_OF_RANGE
    price, decimals, size, size_decimals = columns
    stated = np.array([p.stated for p in prints], np.float64)
    status[(status == OK) & (stated >= LIMIT)] = OUT_OF_RANGE
    if not on_tick:
        price, decimals = np.zeros_like(price), np.zeros_like(decimals)
    starts = np.arange(len(prints) + 1)
    numbers = Quantities(price, decimals, size, size_decimals, starts, levels.finest_price, levels.finest_size, status)
    found = scaled(at, [p.symbol for p in prints], numbers, table, infer, refused, [p.element for p in prints])
    return _Scaled(np.array(at, np.int32), prints, found, stated, Parsed(refused, found.refined))


def _ids(at: Iterable[int], prints: Iterable[Print]) -> list[int]:
    """What tells liquidations apart: their ids, and -1, -2, ... of those without one that one frame lists alike."""
    alike: Counter[tuple[int | str | bytes, ...]] = Counter()
    ids = []
    for i, p in zip(at, prints, strict=True):
        of = i, p.symbol, p.event_ns, p.order_side, p.size, str(p.stated)
        ids.append(p.id if p.id >= 0 else -1 - alike[of])
        alike[of] += p.id < 0
    return ids


def _liquidations(of: _Scaled, chosen: NDArray[np.bool_]) -> Liquidations:
    prints = [p for p, use in zip(of.prints, chosen.tolist(), strict=True) if use]
    return Liquidations(
        frame=of.at[chosen],
        instrument=of.found.instruments[chosen].astype(np.int32),
        event_ns=np.array([p.event_ns for p in prints], np.int64),
        order_side=np.array([p.order_side for p in prints], np.int8),
        price=of.prices[chosen].astype(np.float64),
        price_kind=np.array([p.price_kind for p in prints], np.int8),
        lots=of.found.lots[chosen],
        throttled=np.array([p.throttled for p in prints], np.bool_),
        id=np.array(_ids(of.at[chosen].tolist(), prints), np.int64),
    )


def no_liquidations() -> Liquidations:
    """What a venue's trades tell of liquidations when they never do."""
    i8, i4, i1 = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int8)
    return Liquidations(i4, i4, i8, i1, np.empty(0, np.float64), i1, i8, np.empty(0, np.bool_), i8)


def trades(
    frames: Frames,
    which: Iterable[int],
    table: InstrumentTable,
    read: ReadPrints,
    infer: Infer,
) -> tuple[Trades, Liquidations, Parsed]:
    """Trades of some frames of a batch, and those of them that were liquidations once more as such."""
    of = _prints(frames, which, table, read, infer, on_tick=True)
    traded = of.found.keep & np.array([p.sign != 0 for p in of.prints], np.bool_)
    used = [p for p, use in zip(of.prints, traded.tolist(), strict=True) if use]
    rows = Trades(
        frame=of.at[traded],
        instrument=of.found.instruments[traded].astype(np.int32),
        event_ns=np.array([p.event_ns for p in used], np.int64),
        ticks=of.found.ticks[traded],
        lots=of.found.lots[traded],
        sign=np.array([p.sign for p in used], np.int8),
        feed=np.array([p.feed for p in used], np.int8),
        id=np.array([p.id for p in used], np.int64),
        first_id=np.array([p.first_id for p in used], np.int64),
        last_id=np.array([p.last_id for p in used], np.int64),
    )
    forced = np.array([p.order_side != 0 for p in of.prints], np.bool_)
    return rows, _liquidations(of, of.found.keep & forced), of.parsed


def liquidations(
    frames: Frames,
    which: Iterable[int],
    table: InstrumentTable,
    read: ReadPrints,
    infer: Infer,
) -> tuple[Liquidations, Parsed]:
    """Liquidations of some frames of a batch; their prices need not lie on a tick."""
    of = _prints(frames, which, table, read, infer, on_tick=False)
    return _liquidations(of, of.found.keep), of.parsed


def derivatives(
    frames: Frames,
    which: Iterable[int],
    table: InstrumentTable,
    read: ReadQuotes,
    infer: Infer,
) -> tuple[Derivatives, Parsed]:
    """Marks, funding and open interest of some frames of a batch. They do not tell an unknown instrument's steps.

    What expires is not funded, whatever a venue sends in that place.
    """
    at, quotes, refused = gather(frames, which, read)
    own: list[int] = []
    foreign: dict[int, str] = {}
    for k, (i, quote) in enumerate(zip(at, quotes, strict=True)):
        if quote.symbol not in table.index:
            row = table.known.get(quote.symbol) or infer(quote.symbol)
            if not table.here(row.base):
                foreign.setdefault(i, f"misplaced {row.base}")
                continue
            table.add(row)
        own.append(k)
    at, quotes = [at[k] for k in own], [quotes[k] for k in own]
    refused.frames.update({i: reason for i, reason in foreign.items() if i not in set(at)})
    numbers = np.array([q[2:5] for q in quotes], np.float64).reshape(-1, 3)
    instrument = np.array([table.index[q.symbol] for q in quotes], np.int32)
    expires = {i: table.rows[i].expires for i in set(instrument.tolist())}
    funded = ~np.array([expires[i] for i in instrument.tolist()], np.bool_)
    rows = Derivatives(
        frame=np.array(at, np.int32),
        instrument=instrument,
        event_ns=np.array([q.event_ns for q in quotes], np.int64),
        mark=numbers[:, 0].copy(),
        index=numbers[:, 1].copy(),
        funding_rate=np.where(funded, numbers[:, 2], NAN),
        next_funding_ns=np.where(funded, np.array([q.next_funding_ns for q in quotes], np.int64), 0),
        open_interest=np.array([q.open_interest for q in quotes], np.float64),
    )
    return rows, Parsed(refused, [])
