"""Deribit: JSON numbers, levels as [action, price, amount]; amounts are USD (inverse futures) or coins (all others).

Options are quoted in their coin. A trade with `liquidation` is a liquidation too: T, its taker was liquidated, and
the forced order has the trade's direction; M, its maker was, and the order stood on the other side; MT, both were.
Block trades, also those of a request for quotes (`block_rfq_id`), are left out of the tape: they do not meet the
order book. Nor do legs of combinations (`combo_id`): a combination has an order book of its own, where its trade
counts, and what its legs cost is worked out from their marks. A liquidation among either is one. Combinations
(`BTC-FS-...`, `BTC-CS-...`) are priced by the difference of their legs, so what a USD amount of them is in coins
cannot be told, and they have no mark and no index here; where that is 0 or less, which a book cannot count, a message
is a reject that says so; options have no index: it is of another unit than their premium. Of a book's views (`raw`,
`100ms`, `agg2`) one is kept; grouped ones (`book.<name>.<group>.<depth>.<interval>`) hold rounded prices and are left
out. A book message that nothing comes before (`prev_change_id` missing or 0) begins the book, whatever its type.
Channels of other names are of no use here and left out.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from schemas.batches import PriceKind, Sequencing
from schemas.instrument import Instrument, Kind
from schemas.venues.assembly import Readers, venue
from schemas.venues.depth_message import Book
from schemas.venues.forced_orders import Orders
from schemas.venues.message_rows import NAN, Print, Quote
from schemas.venues.reading import (
    Id,
    Name,
    Unusable,
    amount,
    attempt,
    elements,
    identity,
    listed,
    nanoseconds,
    number,
    one_of,
    present,
    price,
    raw,
    stated,
)
from schemas.venues.splitting import splitter

NAME = "deribit"
KINDS = {"book": "depth", "trades": "trades", "ticker": "derivatives", "incremental_ticker": "derivatives"}
_SIDES = {"buy": 1, "sell": -1}
_FORCED = {"none": (0,), "T": (1,), "M": (-1,), "MT": (1, -1)}
_LEVELS = 10_000
_COMBINATION = re.compile(r"(?!PERPETUAL)[A-Z]+-")
_NOT_POSITIVE = re.compile(rb"-|0+(\.0*)?([eE][+-]?[0-9]+)?$")
_LEVEL_PRICE = re.compile(rb'\[\s*"\w+"\s*,\s*([^,\s]+)')


class _Params(msgspec.Struct, kw_only=True):
    channel: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class _Top(msgspec.Struct, kw_only=True):
    method: str | None = None
    params: _Params | None = None
    reply_id: msgspec.Raw = msgspec.field(name="id", default=msgspec.Raw())
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Book(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="instrument_name")
    engine_ms: Id = msgspec.field(name="timestamp")
    id: Id = msgspec.field(name="change_id")
    bids: msgspec.Raw
    asks: msgspec.Raw
    type: str | None = None
    previous_id: Id | None = msgspec.field(name="prev_change_id", default=None)


class _Trade(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="instrument_name")
    traded_ms: Id = msgspec.field(name="timestamp")
    price: msgspec.Raw
    amount: msgspec.Raw
    direction: str
    liquidation: str | None = None
    block: str | None = msgspec.field(name="block_trade_id", default=None)
    combo: str | None = msgspec.field(name="combo_id", default=None)
    asked: msgspec.Raw = msgspec.field(name="block_rfq_id", default=msgspec.Raw())
    id: msgspec.Raw = msgspec.field(name="trade_id", default=msgspec.Raw())


class _Ticker(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="instrument_name")
    sent_ms: Id = msgspec.field(name="timestamp")
    mark: float | None = msgspec.field(name="mark_price", default=None)
    index: float | None = msgspec.field(name="index_price", default=None)
    rate: float | None = msgspec.field(name="current_funding", default=None)
    open_interest: float | None = None


class _Named(msgspec.Struct, kw_only=True):
    symbol: str | None = msgspec.field(name="instrument_name", default=None)


_top = msgspec.json.Decoder(_Top).decode
_book = msgspec.json.Decoder(_Book).decode
_trades = msgspec.json.Decoder(list[_Trade]).decode
_one_trade = msgspec.json.Decoder(_Trade).decode
_ticker = msgspec.json.Decoder(_Ticker).decode
_named = msgspec.json.Decoder(_Named | list[_Named]).decode


def _of_kind(body: _Top, kind: str) -> bytes | None:
    """The data of a notification of the kind; None for what is known and of another kind."""
    if bytes(body.error):
        raise Unusable("venue_error")
    told = bytes(body.result)
    if body.method is None and told and bytes(body.reply_id) and b'"change_id"' not in told:
        return None
    method = present(body.method, "method")
    if method == "heartbeat":
        return None
    if method != "subscription":
        raise Unusable("unknown_event")
    params = present(body.params, "params")
    return raw(params.data, "data") if _channel_kind(present(params.channel, "channel")) == kind else None


def _shape(symbol: str) -> tuple[bool, bool]:
    """Whether a contract is a combination, and whether an option: neither is priced as its index is.

    >>> [_shape(s) for s in ("BTC-PERPETUAL", "BTC-27NOV26-90000-C", "BTC-FS-27NOV26_PERP")]
    [(False, False), (False, True), (True, False)]
    """
    rest = symbol.partition("-")[2]
    return bool(_COMBINATION.match(rest)), rest.endswith(("-C", "-P"))


def _countable(prices: Iterable[bytes]) -> None:
    """Refuse prices of a combination that are 0 or less: they are no mistake, but nothing here can count them."""
    if any(_NOT_POSITIVE.match(p) for p in prices):
        raise Unusable("price_not_positive of a combination")


def _channel_kind(channel: str) -> str | None:
    """The kind of a channel's messages; None for those that are left out.

    >>> _channel_kind("book.BTC-PERPETUAL.100ms"), _channel_kind("book.BTC-PERPETUAL.10.10.100ms")
    ('depth', None)
    """
    parts = channel.split(".")
    kind = KINDS.get(parts[0])
    return None if kind == "depth" and len(parts) != 3 else kind


def _chain(data: bytes) -> tuple[str | None, str]:
    params = _top(data).params
    channel = (params.channel or "") if params else ""
    if _channel_kind(channel) != "depth":
        return None, ""
    _, symbol, view = channel.split(".")
    return symbol, view


def _read_depth(data: bytes, named: str | None) -> Sequence[Book]:
    body = _top(data)
    inner = _of_kind(body, "depth")
    if inner is None or body.params is None:
        return ()
    book = _book(inner)
    if book.type not in ("snapshot", "change", None):
        raise Unusable("unknown_event type")
    at, previous = nanoseconds(book.engine_ms, "timestamp"), book.previous_id
    snapshot = book.type == "snapshot" or not previous
    view = (body.params.channel or "").rpartition(".")[2]
    before = -1 if previous is None else previous
    bids, asks = bytes(book.bids), bytes(book.asks)
    if _shape(book.symbol)[0]:
        _countable(_LEVEL_PRICE.findall(bids + asks))
    return (Book(book.symbol, at, snapshot, book.id, book.id, before, bids, asks, view, _LEVELS),)


def _trade(t: _Trade, element: int) -> list[Print]:
    at, sign = nanoseconds(t.traded_ms, "timestamp"), one_of(_SIDES, t.direction, "direction")
    sides = _FORCED.get(t.liquidation) if t.liquidation else (0,)
    if sides is None:
        raise Unusable("wrong_type liquidation")
    paid = stated(t.price, "price") if t.liquidation else NAN
    price, size, own = bytes(t.price), bytes(t.amount), identity(t.id)
    if _shape(t.symbol)[0]:
        _countable([price])
    off_book = t.block or t.combo or bytes(t.asked) not in (b"", b"null")
    found = []
    for k, side in enumerate(sides):  # the trade itself counts once
        if off_book and not side:
            continue
        traded, order, kind = sign if k == 0 and not off_book else 0, sign * side, PriceKind.TRADE
        found.append(Print(t.symbol, at, traded, price, size, order, kind, False, paid, id=own, element=element))
    return found


def _read_trades(data: bytes, named: str | None) -> Sequence[Print | Unusable]:
    inner = _of_kind(_top(data), "trades")
    return () if inner is None else elements(listed(inner, _trades), _one_trade, _trade)


def _read_liquidations(data: bytes, named: str | None, orders: Orders) -> Sequence[Print | Unusable]:
    return [t for t in _read_trades(data, named) if isinstance(t, Unusable) or t.order_side]


def _read_derivatives(data: bytes, named: str | None) -> Sequence[Quote]:
    inner = _of_kind(_top(data), "derivatives")
    if inner is None:
        return ()
    ticker = _ticker(inner)
    combination, option = _shape(ticker.symbol)
    return (
        Quote(
            ticker.symbol,
            nanoseconds(ticker.sent_ms, "timestamp"),
            NAN if combination else price(ticker.mark, "mark_price"),
            NAN if combination or option else price(ticker.index, "index_price"),
            number(ticker.rate, "current_funding"),
            0,
            amount(ticker.open_interest, "open_interest"),
        ),
    )


def _kind(data: bytes) -> str | None:
    params = _top(data).params
    return _channel_kind(params.channel or "") if params else None


def _symbol(data: bytes) -> str | None:
    params = _top(data).params
    inner = bytes(params.data) if params else b""
    found = _named(inner) if inner else None
    if isinstance(found, list):
        found = found[0] if found else None
    return found and found.symbol


def kind_of(data: bytes) -> str | None:
    """Which raw topic a frame belongs to.

    >>> kind_of(b'{"method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.100ms","data":[]}}')
    'trades'
    """
    return attempt(_kind, data)


def symbol_of(data: bytes) -> str | None:
    """The symbol that a frame names."""
    return attempt(_symbol, data)


split = splitter(symbol_of, "params", "data")


def base(symbol: str) -> str:
    """The base asset.

    >>> base("BTC-PERPETUAL"), base("SOL_USDC-PERPETUAL"), base("ETH-30JUL21-2800-C")
    ('BTC', 'SOL', 'ETH')
    """
    return symbol.partition("-")[0].partition("_")[0]


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol: futures without a named quote are inverse and count USD.

    >>> [(i.quote, i.kind, i.contract) for i in map(infer, ("BTC-27NOV26-90000-C", "BTC-FS-27NOV26_PERP"))]
    [('BTC', 'linear', 1.0), ('USD', 'inverse', None)]

    Of a spread of linear futures the size is known, and that its price counts dollars is not said: it is a difference.

    >>> infer("BTC_USDC-FS-27NOV26_PERP").quote, infer("BTC_USDC-27NOV26").quote
    ('', 'USDC')
    """
    pair, _, rest = symbol.partition("-")
    coin, _, quote = pair.partition("_")
    combination, option = _shape(symbol)
    futures = rest.startswith("FS-")
    option = option or (combination and not futures)
    kind: Kind = "linear" if quote or option else "inverse"
    if quote and not rest:
        kind = "spot"
    contract = None if futures and not quote else 1.0
    quoted = ("" if futures else quote) or (coin if option else "USD" if not quote else "")
    return Instrument(NAME, symbol, coin, quoted, kind, "1", "1", contract, inferred=True)


class _Row(msgspec.Struct):
    symbol: str = msgspec.field(name="instrument_name")
    tick: float = msgspec.field(name="tick_size")
    least: float = msgspec.field(name="min_trade_amount")
    contract: float = msgspec.field(name="contract_size")
    settle: str | None = msgspec.field(name="settlement_currency", default=None)


class _Instruments(msgspec.Struct):
    result: list[_Row]


_instruments = msgspec.json.Decoder(_Instruments).decode


def instruments(data: bytes) -> list[Instrument]:
    """The instruments of a get_instruments answer; amounts step by the smaller of contract and least trade."""
    return [
        msgspec.structs.replace(
            infer(row.symbol),
            tick=repr(row.tick),
            lot=repr(min(row.least, row.contract)),
            inferred=False,
            settle=row.settle or "",
        )
        for row in _instruments(data).result
    ]


VENUE = venue(
    NAME,
    Sequencing.DERIBIT,
    Readers(_read_depth, _chain, _read_trades, _read_liquidations, _read_derivatives, infer, actions=True),
    instruments=instruments,
    base=base,
    kind_of=kind_of,
    symbol_of=symbol_of,
    split=split,
    kinds=("depth", "trades", "derivatives"),
)
