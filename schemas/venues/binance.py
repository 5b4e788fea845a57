"""Binance: wire payloads of USD-M, COIN-M and spot, and what they mean.

The tape counts what Binance's own volume counts, executions of the order book: `X` of INSURANCE_FUND (which takes a
position over), ADL and NA is left out (prices off the tick), as Binance leaves it out of `aggTrade`; what met an order
of retail price improvement (RPI) counts, as it does there; another word than these and MARKET is refused, for nobody
knows what it counts. `trade` and `aggTrade` tell the same fills, which
`operators/tape/feeds` counts once. Partial books (`@depth5`, `@rpiDepth`) share
the event name of the full ones and are left out by their stream's name; a bare one of the futures has all fields of a
diff, ids of its own chain included, and cannot be told from one (bare ones of spot are whole books, to their depth).

The all-market streams of both futures hosts carry the contracts of both (`st` 1: USD-M, 2: COIN-M); those of the other
venue are left out. Event times may be microseconds (`timeUnit`). A REST snapshot comes as it is, or as Tardis wraps it
(`<symbol>@depthSnapshot`).
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from schemas.batches import PriceKind, PrintFeed
from schemas.instrument import Instrument
from schemas.levels import LIMIT
from schemas.venues import binance_payloads as payloads
from schemas.venues.assembly import Readers
from schemas.venues.depth_message import Book
from schemas.venues.forced_orders import Fill, Orders, new_part
from schemas.venues.message_rows import NAN, Print, Quote
from schemas.venues.reading import (
    Unusable,
    amount,
    attempt,
    elements,
    integer,
    nanoseconds,
    number,
    one_of,
    present,
    price,
    raw,
    stated,
)
from schemas.venues.splitting import splitter

KINDS = {
    "depthUpdate": "depth",
    "trade": "trades",
    "aggTrade": "trades",
    "forceOrder": "liquidations",
    "markPriceUpdate": "derivatives",
}
_IGNORED_WORDS = (
    "bookTicker kline continuous_kline indexPrice_kline markPrice_kline 24hrTicker 24hrMiniTicker 1hTicker 4hTicker "
    "1dTicker avgPrice indexPriceUpdate contractInfo assetIndexUpdate compositeIndex serverShutdown EquityUpdate "
    "ForexUpdate CommodityUpdate referencePrice blockTrade ORDER_TRADE_UPDATE ACCOUNT_UPDATE ACCOUNT_CONFIG_UPDATE "
    "MARGIN_CALL TRADE_LITE STRATEGY_UPDATE GRID_UPDATE ALGO_UPDATE CONDITIONAL_ORDER_TRIGGER_REJECT "
    "ORDER_AMENDMENT listenKeyExpired executionReport outboundAccountPosition balanceUpdate listStatus "
    "externalLockUpdate eventStreamTerminated userLiabilityChange marginLevelStatusChange liabilityUpdate "
    "openOrderLoss riskLevelChange"
)
IGNORED = frozenset(_IGNORED_WORDS.split())
_FEEDS = {"trade": PrintFeed.SINGLE, "aggTrade": PrintFeed.AGGREGATE}
_OURS = frozenset(("depth", "trade", "aggTrade", "forceOrder", "markPrice"))
_SNAPSHOT = "depthSnapshot"
_OFF_BOOK = frozenset(("INSURANCE_FUND", "ADL", "NA"))
"""What `X` says of prints that are no executions of the order book."""
_UNFILLED = frozenset(("NEW", "REJECTED"))
_ENDED = frozenset(("FILLED", "EXPIRED", "EXPIRED_IN_MATCH", "CANCELED"))
COIN_M = re.compile(r".+USD_(PERP|\d{6})")
_SIDES = {"BUY": 1, "SELL": -1}
B = TypeVar("B")


def _ours(stream: str | None) -> bool:
    """Whether a stream's name is of a kind that is used, or there is none to tell."""
    return stream is None or not _OURS.isdisjoint(stream.removeprefix("!").split("@")[:2])


def _bodies(data: bytes, read: Callable[[bytes], B | list[B]]) -> Sequence[B | msgspec.Raw]:
    """The payloads of a frame; some streams send a list of them, wrapped or not. Unread where one cannot be read."""
    try:
        top = read(data)
    except msgspec.ValidationError:
        inner = data.lstrip() if data.lstrip()[:1] == b"[" else bytes(payloads.wrapped(data).data)
        if inner[:1] != b"[":
            raise
        return payloads.raws(inner)
    if isinstance(top, list):
        return top
    inside = getattr(top, "data", None)
    if isinstance(inside, list):
        return inside
    return [top if inside is None else inside]


def _passed_over(body: payloads.Header, stream: str | None, kind: str) -> tuple[()]:
    """Nothing, for what is known and of another kind; anything else is unusable."""
    if bytes(body.error):
        raise Unusable("venue_error")
    if not _ours(stream):
        return ()
    if body.event is None:
        answer = body.last_update_id is not None or body.open_interest is not None
        book_ticker = isinstance(body, payloads.Whatever) and bytes(body.bid_size) and bytes(body.ask_size)
        told = bytes(body.result)
        if answer or book_ticker or (told and bytes(body.reply_id) and b'"lastUpdateId"' not in told):
            return ()
        raise Unusable("missing_field e")
    if body.event in IGNORED or KINDS.get(body.event, kind) != kind:
        return ()
    raise Unusable("unknown_event")


def _here(merged: msgspec.Raw, symbol: str | None, futures: int) -> bool:
    """Whether a contract is of the venue, by `st`, or where that is not said by its name; `futures` 0 is spot."""
    said = bytes(merged)
    if not futures or not symbol:
        return True
    if said in (b"1", b"2"):
        return said == b"%d" % futures
    return (futures == 2) == bool(COIN_M.fullmatch(symbol))


def full_book(stream: str | None) -> bool:
    """Whether a stream's name is that of the full depth; a bare payload has none.

    >>> full_book("btcusdt@depth@0ms"), full_book("btcusdt@depth20@100ms"), full_book("btcusdt@rpiDepth@500ms")
    (True, False, False)
    """
    return stream is None or stream.partition("@")[2].partition("@")[0] == "depth"


def _snapshot_of(stream: str | None) -> str | None:
    """The symbol of a REST snapshot in Tardis' wrapping.

    >>> _snapshot_of("btcusdt@depthSnapshot"), _snapshot_of("btcusdt@depth")
    ('BTCUSDT', None)
    """
    symbol, _, name = (stream or "").partition("@")
    return symbol.upper() if symbol and name == _SNAPSHOT else None


def _read_depth(data: bytes, named: str | None, *, futures: int) -> Sequence[Book]:
    head, stream = _first(data)
    generated = _snapshot_of(stream)
    diff = head.event == "depthUpdate"
    snapshot = head.event is None and head.last_update_id is not None
    if not (diff or snapshot):
        return _passed_over(head, stream, "depth")
    if not (full_book(stream) or (snapshot and generated)):
        return ()
    body = payloads.depth(data)
    body = body.data or body
    if diff:
        if not _here(body.merged, body.symbol, futures):
            return ()
        return (
            Book(
                present(body.symbol, "s"),
                nanoseconds(body.engine_ms if futures else body.sent_ms, "T" if futures else "E"),
                False,
                present(body.first_id, "U"),
                present(body.last_id, "u"),
                present(body.previous_id, "pu") if futures else -1,
                raw(body.bids, "b"),
                raw(body.asks, "a"),
            ),
        )
    symbol = body.snapshot_symbol or generated or named
    if not symbol:
        raise Unusable("symbol_missing")
    ms = body.engine_ms or body.sent_ms
    at, last = nanoseconds(ms, "T") if ms else 0, present(body.last_update_id, "lastUpdateId")
    bids, asks = raw(body.snapshot_bids, "bids"), raw(body.snapshot_asks, "asks")
    return (Book(symbol, at, True, last, last, -1, bids, asks),)


def _chain(data: bytes) -> tuple[str | None, str]:
    body, stream = _first(data)
    return (body.symbol if body.event == "depthUpdate" and full_book(stream) else None), ""


def _read_trades(data: bytes, named: str | None, *, futures: int) -> Sequence[Print]:
    head, stream = _first(data)
    feed = _FEEDS.get(head.event or "")
    if feed is None:
        return _passed_over(head, stream, "trades")
    body = payloads.trade(data)
    body = body.data or body
    symbol, at = present(body.symbol, "s"), nanoseconds(body.traded_ms, "T")
    paid, size = raw(body.price, "p"), raw(body.size, "q")
    sign = -1 if payloads.flag(raw(body.buyer_is_maker, "m")) else 1
    if body.origin in _OFF_BOOK or not _here(body.merged, symbol, futures):
        return ()
    if body.origin not in (None, "MARKET", "RPI"):
        raise Unusable("wrong_type X")
    single = feed == PrintFeed.SINGLE
    own = integer(body.trade_id if single else body.aggregate_id)
    first, last = (own, own) if single else (integer(body.first_id), integer(body.last_id))
    return (Print(symbol, at, sign, paid, size, feed=feed, id=own, first_id=first, last_id=last),)


def _size(value: msgspec.Raw, name: str) -> Decimal:
    """A quantity, exactly; 0 where there is none."""
    text = bytes(value).strip(b'"').decode()
    if not text or text == "null":
        return Decimal(0)
    if amount(text, name) >= LIMIT:
        raise Unusable(f"out_of_range {name}")
    return Decimal(text)


def _forced(order: payloads.Order, orders: Orders, futures: int) -> tuple[Print, ...]:
    """What is new of a forced order: what it filled since its last message."""
    at, side = nanoseconds(order.traded_ms, "T"), one_of(_SIDES, order.side, "S")
    average, limit = stated(order.average, "ap"), stated(order.limit, "p")
    last, filled = _size(order.last_filled, "l"), _size(order.filled, "z")
    if order.status in _UNFILLED and not filled:
        return ()
    total = _size(order.total, "q")
    if not bytes(order.filled):
        filled = last or (total if order.status == "FILLED" else Decimal(0))
        if not filled:
            raise Unusable("missing_field z")
    told = str(total.normalize()), str(limit)
    ended = order.status in _ENDED
    fill = Fill(order.symbol, side, *told, at, filled, last, average, ended, futures == 2)
    part = new_part(orders, fill)
    if part is None:
        return ()
    size, paid = part
    known = paid > 0
    kind = PriceKind.FILL_AVERAGE if known or not limit > 0 else PriceKind.LIMIT
    return (Print(order.symbol, at, 0, b"", b"%b" % f"{size:f}".encode(), side, kind, True, paid if known else limit),)


def _read_liquidations(data: bytes, named: str | None, orders: Orders, *, futures: int) -> Sequence[Print | Unusable]:
    head, stream = _first(data)
    if head.event != "forceOrder":
        return _passed_over(head, stream, "liquidations")

    def forced(body: payloads.Liquidation, element: int) -> Sequence[Print]:
        order = present(body.order, "o")
        merged = order.merged if bytes(order.merged) else body.merged
        if not _here(merged, order.symbol, futures):
            return ()
        return [part._replace(element=element) for part in _forced(order, orders, futures)]

    return elements(_bodies(data, payloads.liquidation), payloads.one_liquidation, forced)


def _quote(body: payloads.Mark, futures: int) -> tuple[Quote, ...]:
    if body.event is None and body.open_interest is not None:
        symbol = present(body.asked_symbol, "symbol")
        if not _here(body.merged, symbol, futures):
            return ()
        at = nanoseconds(body.asked_ms, "time")
        return (Quote(symbol, at, open_interest=amount(body.open_interest, "openInterest")),)
    if body.event != "markPriceUpdate":
        return _passed_over(body, None, "derivatives")
    if not _here(body.merged, body.symbol, futures):
        return ()
    mark, index, rate = (payloads.text(bytes(value) or b"null") for value in (body.mark, body.index, body.rate))
    ahead = nanoseconds(body.next_funding_ms, "T") if body.next_funding_ms else 0
    return (
        Quote(
            present(body.symbol, "s"),
            nanoseconds(body.sent_ms, "E"),
            price(present(mark, "p"), "p"),
            price(index, "i"),
            number(rate, "r") if ahead else NAN,
            ahead,
        ),
    )


def _read_derivatives(data: bytes, named: str | None, *, futures: int) -> Sequence[Quote | Unusable]:
    head, stream = _first(data)
    if head.event != "markPriceUpdate" and head.open_interest is None:
        return _passed_over(head, stream, "derivatives")
    return elements(_bodies(data, payloads.mark), payloads.one_mark, lambda body, _: _quote(body, futures))


def readers(infer: Callable[[str], Instrument], *, futures: int) -> Readers:
    """The readers of one of the three venues; `futures` is what `st` says of its contracts, 0 on spot."""

    def depth(data: bytes, named: str | None) -> Sequence[Book]:
        return _read_depth(data, named, futures=futures)

    def trades(data: bytes, named: str | None) -> Sequence[Print]:
        return _read_trades(data, named, futures=futures)

    def liquidations(data: bytes, named: str | None, orders: Orders) -> Sequence[Print | Unusable]:
        return _read_liquidations(data, named, orders, futures=futures)

    def derivatives(data: bytes, named: str | None) -> Sequence[Quote | Unusable]:
        return _read_derivatives(data, named, futures=futures)

    return Readers(depth, _chain, trades, liquidations, derivatives, infer)


def _first(data: bytes) -> tuple[payloads.Whatever, str | None]:
    top = payloads.whatever(data)
    body = top if isinstance(top, list) else top.data if top.data is not None else top
    if isinstance(body, list):
        if not body:
            raise Unusable("missing_field e")
        body = body[0]
    return body, None if isinstance(top, list) else top.stream


def _kind(data: bytes) -> str | None:
    body, stream = _first(data)
    if _snapshot_of(stream) and body.last_update_id is not None:
        return "depth"
    if body.event is not None:
        kind = KINDS.get(body.event)
        return None if kind == "depth" and not full_book(stream) else kind
    if body.last_update_id is not None:
        return "depth" if full_book(stream) else None
    return "derivatives" if body.open_interest is not None else None


def _symbol(data: bytes) -> str | None:
    body, stream = _first(data)
    order = body.order
    named = body.symbol or body.asked_symbol or (order.symbol if isinstance(order, payloads.Whatever) else None)
    return named or _snapshot_of(stream)


def kind_of(data: bytes) -> str | None:
    """Which raw topic a frame belongs to.

    >>> kind_of(b'{"stream":"btcusdt@trade","data":{"e":"trade"}}'), kind_of(b'{"result":null,"id":1}')
    ('trades', None)
    """
    return attempt(_kind, data)


def symbol_of(data: bytes) -> str | None:
    """The symbol that a frame names."""
    return attempt(_symbol, data)


split = splitter(symbol_of, "data")
