"""Deribit: JSON numbers, levels as [action, price, amount]; amounts are USD (inverse futures) or coins (all others).

Options are quoted in their coin. A trade with `liquidation` is a liquidation too: T, its taker was liquidated, and
the forced order has the trade's direction; M or MT, its maker was, and the order stood on the other side. Block trades
are left out of the tape: they do not meet the order book.
"""

from collections.abc import Sequence

import msgspec

from schemas.batches import PriceKind, Sequencing
from schemas.instrument import Instrument, Kind
from schemas.venues.assembly import Readers, venue
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

NAME = "deribit"
KINDS = {"book": "depth", "trades": "trades", "ticker": "derivatives", "incremental_ticker": "derivatives"}
_IGNORED_WORDS = (
    "quote perpetual markprice estimated_expiration_price chart instrument platform_state deribit_price_index "
    "deribit_price_ranking deribit_price_statistics deribit_volatility_index rfq block_rfq block_trade_confirmations "
    "user announcements"
)
IGNORED = frozenset(_IGNORED_WORDS.split())
_SIDES = {"buy": 1, "sell": -1}
_FORCED = {"T": 1, "M": -1, "MT": -1}


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
    type: str = "snapshot"
    previous_id: Id | None = msgspec.field(name="prev_change_id", default=None)


class _Trade(msgspec.Struct, kw_only=True):
    symbol: Name = msgspec.field(name="instrument_name")
    traded_ms: Id = msgspec.field(name="timestamp")
    price: msgspec.Raw
    amount: msgspec.Raw
    direction: str
    liquidation: str | None = None
    block: str | None = msgspec.field(name="block_trade_id", default=None)


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
_ticker = msgspec.json.Decoder(_Ticker).decode
_named = msgspec.json.Decoder(_Named | list[_Named]).decode


def _of_kind(body: _Top, kind: str) -> bytes | None:
    """The data of a notification of the kind; None for what is known and of another kind."""
    if bytes(body.error):
        raise Unusable("venue_error")
    if body.method is None and bytes(body.result) and bytes(body.reply_id):
        return None
    method = present(body.method, "method")
    if method == "heartbeat":
        return None
    if method != "subscription":
        raise Unusable("unknown_event")
    params = present(body.params, "params")
    channel = present(params.channel, "channel").partition(".")[0]
    if channel not in KINDS and channel not in IGNORED:
        raise Unusable("unknown_event")
    return raw(params.data, "data") if KINDS.get(channel) == kind else None


def _read_depth(data: bytes, named: str | None) -> Sequence[Book]:
    inner = _of_kind(_top(data), "depth")
    if inner is None:
        return ()
    book = _book(inner)
    if book.type not in ("snapshot", "change"):
        raise Unusable("unknown_event type")
    previous = -1 if book.previous_id is None else book.previous_id
    at, snapshot = nanoseconds(book.engine_ms, "timestamp"), book.type == "snapshot"
    return (Book(book.symbol, at, snapshot, book.id, book.id, previous, bytes(book.bids), bytes(book.asks)),)


def _read_trades(data: bytes, named: str | None) -> Sequence[Print]:
    inner = _of_kind(_top(data), "trades")
    found = []
    for t in [] if inner is None else _trades(inner):
        at, sign = nanoseconds(t.traded_ms, "timestamp"), one_of(_SIDES, t.direction, "direction")
        order = sign * one_of(_FORCED, t.liquidation, "liquidation") if t.liquidation else 0
        if not t.block:
            found.append(Print(t.symbol, at, sign, bytes(t.price), bytes(t.amount), order, PriceKind.TRADE))
    return found


def _read_liquidations(data: bytes, named: str | None) -> Sequence[Print]:
    return [trade for trade in _read_trades(data, named) if trade.order_side]


def _read_derivatives(data: bytes, named: str | None) -> Sequence[Quote]:
    inner = _of_kind(_top(data), "derivatives")
    if inner is None:
        return ()
    ticker = _ticker(inner)
    return (
        Quote(
            ticker.symbol,
            nanoseconds(ticker.sent_ms, "timestamp"),
            price(ticker.mark, "mark_price"),
            price(ticker.index, "index_price"),
            number(ticker.rate, "current_funding"),
            0,
            amount(ticker.open_interest, "open_interest"),
        ),
    )


def _kind(data: bytes) -> str | None:
    params = _top(data).params
    return KINDS.get((params.channel or "").partition(".")[0]) if params else None


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


def base(symbol: str) -> str:
    """The base asset.

    >>> base("BTC-PERPETUAL"), base("SOL_USDC-PERPETUAL"), base("ETH-30JUL21-2800-C")
    ('BTC', 'SOL', 'ETH')
    """
    return symbol.partition("-")[0].partition("_")[0]


def infer(symbol: str) -> Instrument:
    """An instrument from its symbol: futures without a named quote are inverse and count USD."""
    pair, _, rest = symbol.partition("-")
    coin, _, quote = pair.partition("_")
    option = rest.endswith(("-C", "-P"))
    kind: Kind = "linear" if quote or option else "inverse"
    if quote and not rest:
        kind = "spot"
    return Instrument(NAME, symbol, coin, quote or (coin if option else "USD"), kind, "1", "1", 1.0, inferred=True)


class _Row(msgspec.Struct):
    symbol: str = msgspec.field(name="instrument_name")
    tick: float = msgspec.field(name="tick_size")
    least: float = msgspec.field(name="min_trade_amount")
    contract: float = msgspec.field(name="contract_size")


class _Instruments(msgspec.Struct):
    result: list[_Row]


_instruments = msgspec.json.Decoder(_Instruments).decode


def instruments(data: bytes) -> list[Instrument]:
    """The instruments of a get_instruments answer; amounts step by the smaller of contract and least trade."""
    return [
        msgspec.structs.replace(
            infer(row.symbol), tick=repr(row.tick), lot=repr(min(row.least, row.contract)), inferred=False
        )
        for row in _instruments(data).result
    ]


VENUE = venue(
    NAME,
    Sequencing.DERIBIT,
    Readers(_read_depth, _read_trades, _read_liquidations, _read_derivatives, infer, actions=True),
    instruments=instruments,
    base=base,
    kind_of=kind_of,
    symbol_of=symbol_of,
    kinds=("depth", "trades", "derivatives"),
)
