"""Bybit v5: wire payloads of linear and inverse contracts, and what they mean.

A liquidation's `S` is the side of the position: Buy means that a long was liquidated, so the forced order sells. Block
trades (`BT`) are left out of the tape: they do not meet the order book. `orderbook.rpi` is not the full book; of the
others (`orderbook.1` to `.1000`, `.full`), each a view with ids of its own, the deepest is kept. Topics of other names
are of no use here and left out, but for books of the interface before v5 (`orderBookL2_25`), which are refused.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from schemas.batches import ASKED, WHOLE, PriceKind
from schemas.instrument import Instrument, Kind
from schemas.venues.assembly import Readers
from schemas.venues.depth_message import Book
from schemas.venues.forced_orders import Orders
from schemas.venues.message_rows import Print, Quote
from schemas.venues.reading import (
    Id,
    Name,
    Unusable,
    amount,
    attempt,
    elements,
    identity,
    listed,
    milliseconds,
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
    "orderbook": "depth",
    "publicTrade": "trades",
    "trade": "trades",
    "allLiquidation": "liquidations",
    "liquidation": "liquidations",
    "tickers": "derivatives",
}
_FULL = 1_000_000
_INVERSE = re.compile(r"(.+?)USD(?:[FGHJKMNQUVXZ]\d\d)?")
_SIDES = {"Buy": 1, "Sell": -1}
_FORCED = {"Buy": -1, "Sell": 1}


def inverse(symbol: str) -> str:
    """The coin of an inverse contract by its name; "" of any other.

    >>> inverse("BTCUSD"), inverse("ETHUSDZ24"), inverse("BTCUSDT")
    ('BTC', 'ETH', '')
    """
    found = _INVERSE.fullmatch(symbol)
    return found[1] if found else ""


class _Top(msgspec.Struct, kw_only=True):
    topic: str | None = None
    type: str | None = None
    sent_ms: Id | None = msgspec.field(name="ts", default=None)
    engine_ms: Id | None = msgspec.field(name="cts", default=None)
    data: msgspec.Raw = msgspec.Raw()
    op: str | None = None
    success: bool | None = None
    return_code: int | None = msgspec.field(name="retCode", default=None)
    result: msgspec.Raw = msgspec.Raw()


class _Book(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="s")
    bids: msgspec.Raw = msgspec.field(name="b")
    asks: msgspec.Raw = msgspec.field(name="a")
    last_id: Id = msgspec.field(name="u")
    sent_ms: Id | None = msgspec.field(name="ts", default=None)
    engine_ms: Id | None = msgspec.field(name="cts", default=None)


class _Trade(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="s")
    traded_ms: Id = msgspec.field(name="T")
    side: str = msgspec.field(name="S")
    size: msgspec.Raw = msgspec.field(name="v")
    price: msgspec.Raw = msgspec.field(name="p", default=msgspec.Raw())
    block: bool | None = msgspec.field(name="BT", default=None)
    id: msgspec.Raw = msgspec.field(name="i", default=msgspec.Raw())


class _OldLiquidation(msgspec.Struct, kw_only=True):
    symbol: Name
    side: str
    size: msgspec.Raw
    price: msgspec.Raw = msgspec.Raw()
    traded_ms: Id = msgspec.field(name="updatedTime")


class _Ticker(msgspec.Struct, kw_only=True):
    symbol: Name
    mark: str | None = msgspec.field(name="markPrice", default=None)
    index: str | None = msgspec.field(name="indexPrice", default=None)
    rate: str | None = msgspec.field(name="fundingRate", default=None)
    next_funding_ms: str | None = msgspec.field(name="nextFundingTime", default=None)
    open_interest: str | None = msgspec.field(name="openInterest", default=None)


class _Named(msgspec.Struct, kw_only=True):
    short: str | None = msgspec.field(name="s", default=None)
    symbol: str | None = None


_top = msgspec.json.Decoder(_Top).decode
_book = msgspec.json.Decoder(_Book).decode
_trades = msgspec.json.Decoder(list[_Trade]).decode
_one_trade = msgspec.json.Decoder(_Trade).decode
_old_liquidation = msgspec.json.Decoder(_OldLiquidation).decode
_ticker = msgspec.json.Decoder(_Ticker).decode
_named = msgspec.json.Decoder(_Named | list[_Named]).decode


def _topic_kind(topic: str) -> str | None:
    channel, _, rest = topic.partition(".")
    kind = KINDS.get(channel)
    if kind == "depth" and rest.partition(".")[0] == "rpi":
        return None
    return kind


def _of_kind(body: _Top, kind: str) -> str | None:
    """The channel of a frame of the kind; None for what is known and of another kind."""
    if body.topic is None:
        if body.success is False or body.return_code not in (None, 0):
            raise Unusable("venue_error")
        if body.op is not None:
            return None
        raise Unusable("missing_field topic")
    channel = body.topic.partition(".")[0]
    if channel.startswith("orderBook"):
        raise Unusable("unknown_event topic")
    return channel if _topic_kind(body.topic) == kind else None


def _view(topic: str) -> tuple[str, int]:
    """Name and depth of the view of a topic.

    >>> _view("orderbook.50.BTCUSDT"), _view("orderbook.full.BTCUSDT")
    (('50', 50), ('full', 1000000))
    """
    parts = topic.split(".", 2)
    if len(parts) < 3:
        raise Unusable("wrong_type topic")
    name = parts[1]
    return name, int(name) if re.fullmatch("[0-9]{1,6}", name) else _FULL


def _chain(data: bytes) -> tuple[str | None, str]:
    topic = _top(data).topic or ""
    if _topic_kind(topic) != "depth":
        return None, ""
    return topic.partition(".")[2].partition(".")[2], _view(topic)[0]


def _read_depth(data: bytes, named: str | None) -> Sequence[Book]:
    body = _top(data)
    rest = body.topic is None and body.return_code == 0 and bool(bytes(body.result))
    if not rest and _of_kind(body, "depth") is None:
        return ()
    if not rest and body.type not in ("snapshot", "delta"):
        raise Unusable("unknown_event type" if body.type else "missing_field type")
    book = _book(raw(body.result, "result") if rest else raw(body.data, "data"))
    ms = body.engine_ms or book.engine_ms or body.sent_ms or book.sent_ms
    snapshot = rest or body.type == "snapshot"
    at = nanoseconds(ms, "cts")
    view, levels = ("", 0) if rest else _view(present(body.topic, "topic"))
    previous = ASKED if rest else WHOLE if levels == 1 and snapshot else -1
    bids, asks = raw(book.bids, "b"), raw(book.asks, "a")
    return (Book(book.symbol, at, snapshot, book.last_id, book.last_id, previous, bids, asks, view, levels),)


def _trade(t: _Trade, element: int) -> tuple[Print, ...]:
    at, sign = nanoseconds(t.traded_ms, "T"), one_of(_SIDES, t.side, "S")
    printed = Print(t.symbol, at, sign, bytes(t.price), bytes(t.size), id=identity(t.id), element=element)
    return () if t.block else (printed,)


def _read_trades(data: bytes, named: str | None) -> Sequence[Print | Unusable]:
    body = _top(data)
    if _of_kind(body, "trades") is None:
        return ()
    return elements(listed(raw(body.data, "data"), _trades), _one_trade, _trade)


def _liquidation(o: _Trade, element: int) -> tuple[Print, ...]:
    at, side, paid = nanoseconds(o.traded_ms, "T"), one_of(_FORCED, o.side, "S"), stated(o.price, "p")
    kind = PriceKind.BANKRUPTCY
    return (Print(o.symbol, at, 0, b"", bytes(o.size), side, kind, stated=paid, element=element),)


def _read_liquidations(data: bytes, named: str | None, orders: Orders) -> Sequence[Print | Unusable]:
    body = _top(data)
    channel = _of_kind(body, "liquidations")
    if channel is None:
        return ()
    inner = raw(body.data, "data")
    if channel == "allLiquidation":
        return elements(listed(inner, _trades), _one_trade, _liquidation)
    old = _old_liquidation(inner)
    at, side = nanoseconds(old.traded_ms, "updatedTime"), one_of(_FORCED, old.side, "side")
    paid = stated(old.price, "price")
    return (Print(old.symbol, at, 0, b"", bytes(old.size), side, PriceKind.BANKRUPTCY, True, paid),)


def _read_derivatives(data: bytes, named: str | None) -> Sequence[Quote]:
    body = _top(data)
    if _of_kind(body, "derivatives") is None:
        return ()
    ticker = _ticker(raw(body.data, "data"))
    ahead = milliseconds(ticker.next_funding_ms, "nextFundingTime")
    return (
        Quote(
            ticker.symbol,
            nanoseconds(body.sent_ms, "ts"),
            price(ticker.mark, "markPrice"),
            price(ticker.index, "indexPrice"),
            number(ticker.rate, "fundingRate"),
            nanoseconds(ahead, "nextFundingTime") if ahead else 0,
            amount(ticker.open_interest, "openInterest"),
        ),
    )


def readers(infer: Callable[[str], Instrument]) -> Readers:
    """The readers of one of the two venues."""
    return Readers(_read_depth, _chain, _read_trades, _read_liquidations, _read_derivatives, infer)


def _kind(data: bytes) -> str | None:
    body = _top(data)
    if body.topic is not None:
        return _topic_kind(body.topic)
    return "depth" if body.return_code == 0 and b'"u":' in bytes(body.result)[-200:] else None


def _symbol(data: bytes) -> str | None:
    body = _top(data)
    inner = bytes(body.data) or bytes(body.result)
    found = _named(inner) if inner else None
    if isinstance(found, list):
        found = found[0] if found else None
    return found and (found.short or found.symbol)


def kind_of(data: bytes) -> str | None:
    """Which raw topic a frame belongs to.

    >>> kind_of(b'{"topic":"orderbook.50.BTCUSDT"}'), kind_of(b'{"success":true,"op":"subscribe"}')
    ('depth', None)
    """
    return attempt(_kind, data)


def symbol_of(data: bytes) -> str | None:
    """The symbol that a frame names."""
    return attempt(_symbol, data)


split = splitter(symbol_of, "data")


class _Price(msgspec.Struct):
    tick: str = msgspec.field(name="tickSize")


class _Lot(msgspec.Struct):
    step: str = msgspec.field(name="qtyStep")


class _Row(msgspec.Struct):
    symbol: str
    base: str = msgspec.field(name="baseCoin")
    quote: str = msgspec.field(name="quoteCoin")
    price: _Price = msgspec.field(name="priceFilter")
    lot: _Lot = msgspec.field(name="lotSizeFilter")
    settle: str = msgspec.field(name="settleCoin", default="")


class _List(msgspec.Struct):
    list: list[_Row]
    category: str = ""


class _Instruments(msgspec.Struct):
    result: _List


_instruments = msgspec.json.Decoder(_Instruments).decode


def instruments(venue: str) -> Callable[[bytes], list[Instrument]]:
    """The reader of a venue's instruments-info."""

    def read(data: bytes) -> list[Instrument]:
        kind: Kind = "inverse" if venue == "bybit-inverse" else "linear"
        result = _instruments(data).result
        if result.category not in ("", kind):
            raise ValueError(f"a list of the category {result.category}, not {kind}")
        return [
            Instrument(venue, r.symbol, r.base, r.quote, kind, r.price.tick, r.lot.step, 1.0, settle=r.settle)
            for r in result.list
        ]

    return read
