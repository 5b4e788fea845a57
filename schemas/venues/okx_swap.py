"""OKX v5: quantities in contracts, whose size only the venue's instrument list tells; `side` is the order's side.

Full books only: `books5`, `bbo-tbt` and `books-rpi` show a part and are left out; of the others, each with ids of its
own, the deepest is kept. `trades` (fills of one order merged) and `trades-all` tell the same trades, which
`operators/tape/feeds` counts once. An index ticker belongs to the swap of its pair. A REST book names no instrument.
Channels of other names are of no use here and left out. Tardis records liquidations asked by REST as `liquidations`,
whose `arg` names the instrument. A funding rate had no time of its own until November 2023: it counts where its log is.
"""

from collections.abc import Sequence

import msgspec

from schemas.batches import ASKED, PriceKind, PrintFeed, Sequencing
from schemas.instrument import Instrument, Kind
from schemas.venues.assembly import Readers, venue
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
    integer,
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

NAME = "okx-swap"
_ASKED = "liquidations"
KINDS = {
    "books": "depth",
    "books-l2-tbt": "depth",
    "books50-l2-tbt": "depth",
    "trades": "trades",
    "trades-all": "trades",
    "liquidation-orders": "liquidations",
    _ASKED: "liquidations",
    "mark-price": "derivatives",
    "index-tickers": "derivatives",
    "funding-rate": "derivatives",
    "open-interest": "derivatives",
}
_EVENTS_WORDS = "subscribe unsubscribe login notice channel-conn-count"
_EVENTS = frozenset(_EVENTS_WORDS.split())
_FEEDS = {"trades": PrintFeed.AGGREGATE, "trades-all": PrintFeed.SINGLE}
_LEVELS = {"books": 400, "books-l2-tbt": 400, "books50-l2-tbt": 50}
_SIDES = {"buy": 1, "sell": -1}


class _Arg(msgspec.Struct, kw_only=True):
    channel: str | None = None
    symbol: Name | None = msgspec.field(name="instId", default=None)


class _Top(msgspec.Struct, kw_only=True):
    arg: _Arg | None = None
    event: str | None = None
    action: str | None = None
    code: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class _Book(msgspec.Struct, kw_only=True):
    asks: msgspec.Raw
    bids: msgspec.Raw
    engine_ms: str | None = msgspec.field(name="ts", default=None)
    id: Id = msgspec.field(name="seqId", default=-1)
    previous_id: Id = msgspec.field(name="prevSeqId", default=-1)


class _Trade(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="instId")
    price: msgspec.Raw = msgspec.field(name="px")
    size: msgspec.Raw = msgspec.field(name="sz")
    side: str
    traded_ms: str = msgspec.field(name="ts")
    id: msgspec.Raw = msgspec.field(name="tradeId", default=msgspec.Raw())
    count: msgspec.Raw = msgspec.Raw()


class _Detail(msgspec.Struct, kw_only=True):
    price: msgspec.Raw = msgspec.field(name="bkPx", default=msgspec.Raw())
    size: msgspec.Raw = msgspec.field(name="sz")
    side: str
    traded_ms: str = msgspec.field(name="ts")


class _Liquidation(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="instId")
    details: msgspec.Raw


class _Quote(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="instId")
    sent_ms: str | None = msgspec.field(name="ts", default=None)
    mark: str | None = msgspec.field(name="markPx", default=None)
    index: str | None = msgspec.field(name="idxPx", default=None)
    rate: str | None = msgspec.field(name="fundingRate", default=None)
    funding_ms: str | None = msgspec.field(name="fundingTime", default=None)
    contracts: str | None = msgspec.field(name="oi", default=None)


class _Named(msgspec.Struct, kw_only=True):
    symbol: str | None = msgspec.field(name="instId", default=None)


_top = msgspec.json.Decoder(_Top).decode
_books = msgspec.json.Decoder(list[_Book]).decode
_trades = msgspec.json.Decoder(list[_Trade]).decode
_liquidations = msgspec.json.Decoder(list[_Liquidation]).decode
_quotes = msgspec.json.Decoder(list[_Quote]).decode
_one_trade = msgspec.json.Decoder(_Trade).decode
_one_liquidation = msgspec.json.Decoder(_Liquidation).decode
_details = msgspec.json.Decoder(list[_Detail]).decode
_detail = msgspec.json.Decoder(_Detail).decode
_one_quote = msgspec.json.Decoder(_Quote).decode
_named = msgspec.json.Decoder(list[_Named]).decode


def _of_kind(body: _Top, kind: str) -> _Arg | None:
    """The channel and instrument of a frame of the kind; None for what is known and of another kind."""
    if body.event is not None:
        if body.event in _EVENTS:
            return None
        raise Unusable("venue_error" if body.event == "error" else "unknown_event")
    arg = present(body.arg, "arg")
    channel = present(arg.channel, "channel")
    return arg if KINDS.get(channel) == kind else None


def _ns(text: str | None, name: str) -> int:
    return nanoseconds(milliseconds(text, name), name)


def _read_depth(data: bytes, named: str | None) -> Sequence[Book]:
    if data == b"pong":
        return ()
    body = _top(data)
    rest = body.arg is None and body.event is None and body.code == "0" and b'"asks"' in bytes(body.data)
    arg = _Arg(symbol=named) if rest else _of_kind(body, "depth")
    if arg is None:
        return ()
    if not rest and body.action not in ("snapshot", "update"):
        raise Unusable("unknown_event action" if body.action else "missing_field action")
    if arg.symbol is None:
        raise Unusable("symbol_missing" if rest else "missing_field instId")
    snapshot = rest or body.action == "snapshot"
    view = ("", 0) if rest else (arg.channel or "", _LEVELS[arg.channel or ""])
    found = []
    for b in _books(raw(body.data, "data")):
        before = ASKED if rest else b.previous_id
        at, bids, asks = _ns(b.engine_ms, "ts"), bytes(b.bids), bytes(b.asks)
        found.append(Book(arg.symbol, at, snapshot, b.id, b.id, before, bids, asks, *view))
    return found


def _chain(data: bytes) -> tuple[str | None, str]:
    arg = _top(data).arg
    channel = arg.channel if arg else None
    return (arg.symbol, channel) if arg and channel and KINDS.get(channel) == "depth" else (None, "")


def _read_trades(data: bytes, named: str | None) -> Sequence[Print | Unusable]:
    if data == b"pong":
        return ()
    body = _top(data)
    arg = _of_kind(body, "trades")
    if arg is None:
        return ()
    feed = _FEEDS[arg.channel or ""]

    def trade(t: _Trade, element: int) -> tuple[Print, ...]:
        at, sign = _ns(t.traded_ms, "ts"), one_of(_SIDES, t.side, "side")
        last, count = integer(t.id), max(1, integer(t.count))
        first = last - count + 1 if last >= count else -1
        price, size, own = bytes(t.price), bytes(t.size), identity(t.id)
        told = Print(t.symbol, at, sign, price, size, feed=feed, id=own, first_id=first, last_id=last, element=element)
        return (told,)

    return elements(listed(raw(body.data, "data"), _trades), _one_trade, trade)


def _read_liquidations(data: bytes, named: str | None, orders: Orders) -> Sequence[Print | Unusable]:
    if data == b"pong":
        return ()
    body = _top(data)
    arg = _of_kind(body, "liquidations")
    if arg is None:
        return ()
    inner = raw(body.data, "data")
    if arg.channel == _ASKED:
        inner = msgspec.json.encode([{"instId": present(arg.symbol, "instId"), "details": msgspec.Raw(inner)}])

    def detailed(o: _Liquidation, _: int) -> list[tuple[str, _Detail | msgspec.Raw]]:
        return [(o.symbol, d) for d in listed(bytes(o.details), _details)]

    told = elements(listed(inner, _liquidations), _one_liquidation, detailed)
    details = [t for t in told if not isinstance(t, Unusable)]

    def detail(d: _Detail, element: int) -> tuple[Print, ...]:
        at, side, paid = _ns(d.traded_ms, "ts"), one_of(_SIDES, d.side, "side"), stated(d.price, "bkPx")
        symbol, kind = details[max(element, 1) - 1][0], PriceKind.BANKRUPTCY
        return (Print(symbol, at, 0, b"", bytes(d.size), side, kind, True, paid, element=element),)

    found = elements([d for _, d in details], _detail, detail)
    return [*found, *(t for t in told if isinstance(t, Unusable))]


def _read_derivatives(data: bytes, named: str | None) -> Sequence[Quote | Unusable]:
    if data == b"pong":
        return ()
    body = _top(data)
    arg = _of_kind(body, "derivatives")
    if arg is None:
        return ()
    swap = "-SWAP" if arg.channel == "index-tickers" else ""

    def quote(q: _Quote, element: int) -> tuple[Quote, ...]:
        untimed = arg.channel == "funding-rate" and q.sent_ms is None
        return (
            Quote(
                q.symbol + swap,
                0 if untimed else _ns(q.sent_ms, "ts"),
                price(q.mark, "markPx"),
                price(q.index, "idxPx"),
                number(q.rate, "fundingRate"),
                _ns(q.funding_ms, "fundingTime") if q.funding_ms and q.funding_ms != "0" else 0,
                amount(q.contracts, "oi"),
            ),
        )

    return elements(listed(raw(body.data, "data"), _quotes), _one_quote, quote)


def _kind(data: bytes) -> str | None:
    body = _top(data)
    if body.event is not None:
        return None
    if body.arg is None:
        return "depth" if body.code == "0" and b'"asks"' in bytes(body.data) else None
    return KINDS.get(body.arg.channel or "")


def _symbol(data: bytes) -> str | None:
    body = _top(data)
    symbol = body.arg.symbol if body.arg else None
    if symbol is None and bytes(body.data):
        rows = _named(body.data)
        symbol = rows[0].symbol if rows else None
    return symbol and symbol + ("-SWAP" if body.arg and body.arg.channel == "index-tickers" else "")


def kind_of(data: bytes) -> str | None:
    """Which raw topic a frame belongs to.

    >>> kind_of(b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"data":[]}'), kind_of(b"pong")
    ('depth', None)
    """
    return attempt(_kind, data)


def symbol_of(data: bytes) -> str | None:
    """The symbol that a frame names; the first, where a message of liquidations holds several."""
    return attempt(_symbol, data)


split = splitter(symbol_of, "data")


def base(symbol: str) -> str:
    """The base asset.

    >>> base("BTC-USDT-SWAP"), base("XRP-USD-230929")
    ('BTC', 'XRP')
    """
    return symbol.partition("-")[0]


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol. The contract's size is unknown, except where quantities are coins (spot).

    >>> [(i.quote, i.kind) for i in map(infer, ("BTC-USD-SWAP", "BTC-USD_UM-SWAP", "BTC-USD_UM_XPERP-310404"))]
    [('USD', 'inverse'), ('USD', 'linear'), ('USD', 'linear')]
    """
    coin, _, rest = symbol.partition("-")
    quote, _, dated = rest.partition("-")
    if not dated:
        return Instrument(NAME, symbol, coin, quote, "spot", "1", "1", 1.0, inferred=True)
    option = dated.count("-") == 2
    kind: Kind = "inverse" if quote == "USD" and not option else "linear"
    quoted = coin if option else quote.removesuffix("_XPERP").removesuffix("_UM")
    return Instrument(NAME, symbol, coin, quoted, kind, "1", "1", None, inferred=True)


class _Row(msgspec.Struct):
    symbol: str = msgspec.field(name="instId")
    type: str = msgspec.field(name="instType")
    tick: str = msgspec.field(name="tickSz")
    lot: str = msgspec.field(name="lotSz")
    value: str = msgspec.field(name="ctVal", default="")
    multiplier: str = msgspec.field(name="ctMult", default="")
    settle: str = msgspec.field(name="settleCcy", default="")
    counted: str = msgspec.field(name="ctType", default="")


class _Instruments(msgspec.Struct):
    data: list[_Row]


_instruments = msgspec.json.Decoder(_Instruments).decode


def instruments(data: bytes) -> list[Instrument]:
    """The instruments of a public/instruments answer; those without a tick yet (not listed) are left out."""
    found = []
    for row in _instruments(data).data:
        if not (row.tick and row.lot):
            continue
        guess = infer(row.symbol)
        contract = 1.0
        if row.type not in ("SPOT", "MARGIN"):
            if not row.value:
                raise ValueError(f"{row.symbol}: ctVal is missing")
            contract = number(row.value, "ctVal") * number(row.multiplier or "1", "ctMult")
        kind = row.counted if row.counted in ("linear", "inverse") else guess.kind
        told = {"tick": row.tick, "lot": row.lot, "contract": contract, "kind": kind, "settle": row.settle}
        found.append(msgspec.structs.replace(guess, **told, inferred=False))
    return found


VENUE = venue(
    NAME,
    Sequencing.OKX,
    Readers(_read_depth, _chain, _read_trades, _read_liquidations, _read_derivatives, infer),
    instruments=instruments,
    base=base,
    kind_of=kind_of,
    symbol_of=symbol_of,
    split=split,
    nameless=(b'{"code"',),
)
