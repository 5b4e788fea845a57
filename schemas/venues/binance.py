"""Binance: wire payloads of USD-M, COIN-M and spot, and what they mean.

The tape counts what Binance's own volume counts, executions of the order book: `X` other than MARKET (insurance fund
takes a position over, ADL; prices off the tick) is left out, as Binance leaves it out of `aggTrade`. `trade` and
`aggTrade` tell the same fills: the feed that a log shows first of a symbol is counted, the other is left out.
Partial books (`@depth5`, `@rpiDepth`) share the event name of the full ones and are left out by their stream's name.
"""

from collections.abc import Callable, Sequence

import msgspec

from schemas.batches import PriceKind
from schemas.instrument import Instrument
from schemas.venues.assembly import Readers
from schemas.venues.reading import (
    Id,
    Name,
    Unusable,
    amount,
    attempt,
    nanoseconds,
    number,
    one_of,
    present,
    price,
    raw,
)
from schemas.venues.rows import Book, Print, Quote

KINDS = {
    "depthUpdate": "depth",
    "trade": "trades",
    "aggTrade": "trades",
    "forceOrder": "liquidations",
    "markPriceUpdate": "derivatives",
}
_IGNORED_WORDS = (
    "bookTicker kline continuous_kline indexPrice_kline markPrice_kline 24hrTicker 24hrMiniTicker 1hTicker 4hTicker "
    "1dTicker avgPrice indexPriceUpdate contractInfo assetIndexUpdate compositeIndex serverShutdown"
)
IGNORED = frozenset(_IGNORED_WORDS.split())
_FEEDS = {"trade": "single", "aggTrade": "aggregate"}
_SIDES = {"BUY": 1, "SELL": -1}


class _Header(msgspec.Struct, kw_only=True):
    """What all payloads share; a combined stream wraps them in `stream` and `data`."""

    event: str | None = msgspec.field(name="e", default=None)
    stream: str | None = None
    last_update_id: Id | None = msgspec.field(name="lastUpdateId", default=None)
    open_interest: str | None = msgspec.field(name="openInterest", default=None)
    reply_id: msgspec.Raw = msgspec.field(name="id", default=msgspec.Raw())
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Depth(_Header, kw_only=True):
    data: "_Depth | None" = None
    symbol: Name | None = msgspec.field(name="s", default=None)
    sent_ms: Id | None = msgspec.field(name="E", default=None)
    engine_ms: Id | None = msgspec.field(name="T", default=None)
    first_id: Id | None = msgspec.field(name="U", default=None)
    last_id: Id | None = msgspec.field(name="u", default=None)
    previous_id: Id | None = msgspec.field(name="pu", default=None)
    bids: msgspec.Raw = msgspec.field(name="b", default=msgspec.Raw())
    asks: msgspec.Raw = msgspec.field(name="a", default=msgspec.Raw())
    snapshot_symbol: Name | None = msgspec.field(name="symbol", default=None)
    snapshot_bids: msgspec.Raw = msgspec.field(name="bids", default=msgspec.Raw())
    snapshot_asks: msgspec.Raw = msgspec.field(name="asks", default=msgspec.Raw())


class _Trade(_Header, kw_only=True):
    data: "_Trade | None" = None
    symbol: Name | None = msgspec.field(name="s", default=None)
    traded_ms: Id | None = msgspec.field(name="T", default=None)
    price: msgspec.Raw = msgspec.field(name="p", default=msgspec.Raw())
    size: msgspec.Raw = msgspec.field(name="q", default=msgspec.Raw())
    origin: str | None = msgspec.field(name="X", default=None)
    buyer_is_maker: msgspec.Raw = msgspec.field(name="m", default=msgspec.Raw())


class _Order(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="s")
    side: str = msgspec.field(name="S")
    limit: msgspec.Raw = msgspec.field(name="p")
    average: msgspec.Raw = msgspec.field(name="ap", default=msgspec.Raw())
    status: str | None = msgspec.field(name="X", default=None)
    last_filled: msgspec.Raw = msgspec.field(name="l", default=msgspec.Raw())
    filled: msgspec.Raw = msgspec.field(name="z", default=msgspec.Raw())
    traded_ms: Id | None = msgspec.field(name="T", default=None)


class _Liquidation(_Header, kw_only=True):
    data: "_Liquidation | None" = None
    order: _Order | None = msgspec.field(name="o", default=None)


class _Mark(_Header, kw_only=True):
    data: "_Mark | list[_Mark] | None" = None
    symbol: Name | None = msgspec.field(name="s", default=None)
    sent_ms: Id | None = msgspec.field(name="E", default=None)
    mark: msgspec.Raw = msgspec.field(name="p", default=msgspec.Raw())
    index: msgspec.Raw = msgspec.field(name="i", default=msgspec.Raw())
    rate: msgspec.Raw = msgspec.field(name="r", default=msgspec.Raw())
    next_funding_ms: Id | None = msgspec.field(name="T", default=None)
    asked_symbol: Name | None = msgspec.field(name="symbol", default=None)
    asked_ms: Id | None = msgspec.field(name="time", default=None)


class _Any(_Header, kw_only=True):
    data: "_Any | list[_Any] | None" = None
    symbol: str | None = msgspec.field(name="s", default=None)
    asked_symbol: str | None = msgspec.field(name="symbol", default=None)
    order: "_Any | msgspec.UnsetType | str" = msgspec.field(name="o", default=msgspec.UNSET)


_depth = msgspec.json.Decoder(_Depth).decode
_trade = msgspec.json.Decoder(_Trade).decode
_liquidation = msgspec.json.Decoder(_Liquidation).decode
_mark = msgspec.json.Decoder(_Mark | list[_Mark]).decode
_any = msgspec.json.Decoder(_Any | list[_Any]).decode
_text = msgspec.json.Decoder(str | None).decode
_flag = msgspec.json.Decoder(bool).decode


def _passed_over(body: _Header, kind: str) -> tuple[()]:
    """Nothing, for what is known and of another kind; anything else is unusable."""
    if bytes(body.error):
        raise Unusable("venue_error")
    if body.event is None:
        answer = body.last_update_id is not None or body.open_interest is not None
        if answer or (bytes(body.result) and bytes(body.reply_id)):
            return ()
        raise Unusable("missing_field e")
    if body.event in IGNORED or KINDS.get(body.event, kind) != kind:
        return ()
    raise Unusable("unknown_event")


def full_book(stream: str | None) -> bool:
    """Whether a stream's name is that of the full depth; a bare payload has none.

    >>> full_book("btcusdt@depth@0ms"), full_book("btcusdt@depth20@100ms"), full_book("btcusdt@rpiDepth@500ms")
    (True, False, False)
    """
    return stream is None or stream.partition("@")[2].partition("@")[0] == "depth"


def _read_depth(data: bytes, named: str | None, *, futures: bool) -> Sequence[Book]:
    body = _depth(data)
    stream = body.stream
    body = body.data or body
    if body.event == "depthUpdate":
        if not full_book(stream):
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
    if body.event is None and body.last_update_id is not None:
        if not full_book(stream):
            return ()
        symbol = body.snapshot_symbol or named
        if not symbol:
            raise Unusable("symbol_missing")
        ms = body.engine_ms or body.sent_ms
        at, last = nanoseconds(ms, "T") if ms else 0, body.last_update_id
        bids, asks = raw(body.snapshot_bids, "bids"), raw(body.snapshot_asks, "asks")
        return (Book(symbol, at, True, last, last, -1, bids, asks),)
    return _passed_over(body, "depth")


def _read_trades(data: bytes, named: str | None) -> Sequence[Print]:
    body = _trade(data)
    body = body.data or body
    feed = _FEEDS.get(body.event or "")
    if feed is None:
        return _passed_over(body, "trades")
    symbol, at = present(body.symbol, "s"), nanoseconds(body.traded_ms, "T")
    paid, size = raw(body.price, "p"), raw(body.size, "q")
    sign = -1 if _flag(raw(body.buyer_is_maker, "m")) else 1
    if body.origin not in (None, "MARKET"):
        return ()
    return (Print(symbol, at, sign, paid, size, feed=feed),)


def _read_liquidations(data: bytes, named: str | None) -> Sequence[Print]:
    body = _liquidation(data)
    body = body.data or body
    if body.event != "forceOrder":
        return _passed_over(body, "liquidations")
    order = present(body.order, "o")
    at = nanoseconds(order.traded_ms, "T")
    average = bytes(order.average)
    filled = average and price(_text(average), "ap") > 0
    size = raw(order.filled, "z") if order.status == "FILLED" else raw(order.last_filled, "l")
    kind = PriceKind.FILL_AVERAGE if filled else PriceKind.LIMIT
    side = one_of(_SIDES, order.side, "S")
    return (Print(order.symbol, at, 0, average if filled else bytes(order.limit), size, side, kind, True),)


def _quote(body: _Mark) -> tuple[Quote, ...]:
    if body.event is None and body.open_interest is not None:
        at = nanoseconds(body.asked_ms, "time")
        return (
            Quote(present(body.asked_symbol, "symbol"), at, open_interest=amount(body.open_interest, "openInterest")),
        )
    if body.event != "markPriceUpdate":
        return _passed_over(body, "derivatives")
    mark, index, rate = (_text(bytes(value) or b"null") for value in (body.mark, body.index, body.rate))
    ahead = nanoseconds(body.next_funding_ms, "T") if body.next_funding_ms else 0
    return (
        Quote(
            present(body.symbol, "s"),
            nanoseconds(body.sent_ms, "E"),
            price(present(mark, "p"), "p"),
            price(index, "i"),
            number(rate, "r"),
            ahead,
        ),
    )


def _read_derivatives(data: bytes, named: str | None) -> Sequence[Quote]:
    top = _mark(data)
    bodies = top if isinstance(top, list) else top.data if top.data is not None else top
    return [quote for body in (bodies if isinstance(bodies, list) else [bodies]) for quote in _quote(body)]


def readers(infer: Callable[[str], Instrument], *, futures: bool) -> Readers:
    """The readers of one of the three venues."""

    def depth(data: bytes, named: str | None) -> Sequence[Book]:
        return _read_depth(data, named, futures=futures)

    return Readers(depth, _read_trades, _read_liquidations, _read_derivatives, infer)


def _first(data: bytes) -> tuple[_Any, str | None]:
    top = _any(data)
    body = top if isinstance(top, list) else top.data if top.data is not None else top
    if isinstance(body, list):
        if not body:
            raise Unusable("missing_field e")
        body = body[0]
    return body, None if isinstance(top, list) else top.stream


def _kind(data: bytes) -> str | None:
    body, stream = _first(data)
    if body.event is not None:
        kind = KINDS.get(body.event)
        return None if kind == "depth" and not full_book(stream) else kind
    if body.last_update_id is not None:
        return "depth" if full_book(stream) else None
    return "derivatives" if body.open_interest is not None else None


def _symbol(data: bytes) -> str | None:
    body, _ = _first(data)
    order = body.order
    return body.symbol or body.asked_symbol or (order.symbol if isinstance(order, _Any) else None)


def kind_of(data: bytes) -> str | None:
    """Which raw topic a frame belongs to.

    >>> kind_of(b'{"stream":"btcusdt@trade","data":{"e":"trade"}}'), kind_of(b'{"result":null,"id":1}')
    ('trades', None)
    """
    return attempt(_kind, data)


def symbol_of(data: bytes) -> str | None:
    """The symbol that a frame names."""
    return attempt(_symbol, data)


class _Filter(msgspec.Struct):
    type: str = msgspec.field(name="filterType")
    tick: str = msgspec.field(name="tickSize", default="")
    step: str = msgspec.field(name="stepSize", default="")


class _Symbol(msgspec.Struct):
    symbol: str
    base: str = msgspec.field(name="baseAsset")
    quote: str = msgspec.field(name="quoteAsset")
    filters: list[_Filter]
    contract: float = msgspec.field(name="contractSize", default=1.0)


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Symbol]


_exchange_info = msgspec.json.Decoder(_ExchangeInfo).decode


def instruments(venue: str) -> Callable[[bytes], list[Instrument]]:
    """The reader of a venue's exchangeInfo."""
    inverse, spot = venue == "binance-coinm", venue == "binance-spot"

    def read(data: bytes) -> list[Instrument]:
        found = []
        for row in _exchange_info(data).symbols:
            filters = {f.type: f for f in row.filters}
            missing = {"PRICE_FILTER", "LOT_SIZE"} - set(filters)
            if missing:
                raise ValueError(f"{row.symbol}: filter {min(missing)} is missing")
            tick, lot = filters["PRICE_FILTER"].tick, filters["LOT_SIZE"].step
            kind = "inverse" if inverse else "spot" if spot else "linear"
            contract = row.contract if inverse else 1.0
            found.append(Instrument(venue, row.symbol, row.base, row.quote, kind, tick, lot, contract))  # type: ignore[arg-type]
        return found

    return read
