"""Payloads of Binance's frames, of REST answers and of streams: the fields that are read, by their names there."""

import msgspec

from schemas.venues.reading import Id, Name


class Header(msgspec.Struct, kw_only=True):
    """What all payloads share; a combined stream wraps them in `stream` and `data`."""

    event: str | None = msgspec.field(name="e", default=None)
    stream: str | None = None
    last_update_id: Id | None = msgspec.field(name="lastUpdateId", default=None)
    open_interest: str | None = msgspec.field(name="openInterest", default=None)
    reply_id: msgspec.Raw = msgspec.field(name="id", default=msgspec.Raw())
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class Depth(Header, kw_only=True):
    """A diff, a partial book or a snapshot."""

    data: "Depth | None" = None
    symbol: Name | None = msgspec.field(name="s", default=None)
    sent_ms: Id | None = msgspec.field(name="E", default=None)
    engine_ms: Id | None = msgspec.field(name="T", default=None)
    first_id: Id | None = msgspec.field(name="U", default=None)
    last_id: Id | None = msgspec.field(name="u", default=None)
    previous_id: Id | None = msgspec.field(name="pu", default=None)
    bids: msgspec.Raw = msgspec.field(name="b", default=msgspec.Raw())
    asks: msgspec.Raw = msgspec.field(name="a", default=msgspec.Raw())
    merged: msgspec.Raw = msgspec.field(name="st", default=msgspec.Raw())
    snapshot_symbol: Name | None = msgspec.field(name="symbol", default=None)
    snapshot_bids: msgspec.Raw = msgspec.field(name="bids", default=msgspec.Raw())
    snapshot_asks: msgspec.Raw = msgspec.field(name="asks", default=msgspec.Raw())


class Trade(Header, kw_only=True):
    """A trade, or an aggregate of trades."""

    data: "Trade | None" = None
    symbol: Name | None = msgspec.field(name="s", default=None)
    traded_ms: Id | None = msgspec.field(name="T", default=None)
    price: msgspec.Raw = msgspec.field(name="p", default=msgspec.Raw())
    size: msgspec.Raw = msgspec.field(name="q", default=msgspec.Raw())
    origin: str | None = msgspec.field(name="X", default=None)
    buyer_is_maker: msgspec.Raw = msgspec.field(name="m", default=msgspec.Raw())
    merged: msgspec.Raw = msgspec.field(name="st", default=msgspec.Raw())
    trade_id: msgspec.Raw = msgspec.field(name="t", default=msgspec.Raw())
    aggregate_id: msgspec.Raw = msgspec.field(name="a", default=msgspec.Raw())
    first_id: msgspec.Raw = msgspec.field(name="f", default=msgspec.Raw())
    last_id: msgspec.Raw = msgspec.field(name="l", default=msgspec.Raw())


class Order(msgspec.Struct, kw_only=True):
    """What a liquidation tells of its order."""

    symbol: Name = msgspec.field(name="s")
    side: str = msgspec.field(name="S")
    total: msgspec.Raw = msgspec.field(name="q", default=msgspec.Raw())
    limit: msgspec.Raw = msgspec.field(name="p", default=msgspec.Raw())
    average: msgspec.Raw = msgspec.field(name="ap", default=msgspec.Raw())
    status: str | None = msgspec.field(name="X", default=None)
    last_filled: msgspec.Raw = msgspec.field(name="l", default=msgspec.Raw())
    filled: msgspec.Raw = msgspec.field(name="z", default=msgspec.Raw())
    traded_ms: Id | None = msgspec.field(name="T", default=None)
    merged: msgspec.Raw = msgspec.field(name="st", default=msgspec.Raw())


class Liquidation(Header, kw_only=True):
    """A forced order, or a list of them."""

    data: "Liquidation | list[Liquidation] | None" = None
    merged: msgspec.Raw = msgspec.field(name="st", default=msgspec.Raw())
    order: Order | None = msgspec.field(name="o", default=None)


class Mark(Header, kw_only=True):
    """Mark, index and funding of an instrument, or a list; or its open interest."""

    data: "Mark | list[Mark] | None" = None
    symbol: Name | None = msgspec.field(name="s", default=None)
    sent_ms: Id | None = msgspec.field(name="E", default=None)
    mark: msgspec.Raw = msgspec.field(name="p", default=msgspec.Raw())
    index: msgspec.Raw = msgspec.field(name="i", default=msgspec.Raw())
    rate: msgspec.Raw = msgspec.field(name="r", default=msgspec.Raw())
    next_funding_ms: Id | None = msgspec.field(name="T", default=None)
    asked_symbol: Name | None = msgspec.field(name="symbol", default=None)
    asked_ms: Id | None = msgspec.field(name="time", default=None)
    merged: msgspec.Raw = msgspec.field(name="st", default=msgspec.Raw())


class Wrapped(msgspec.Struct):
    """A frame of a combined stream, unread."""

    data: msgspec.Raw = msgspec.Raw()


class Whatever(Header, kw_only=True):
    """What tells a payload's kind and symbol, whatever else it has."""

    data: "Whatever | list[Whatever] | None" = None
    bid_size: msgspec.Raw = msgspec.field(name="B", default=msgspec.Raw())
    ask_size: msgspec.Raw = msgspec.field(name="A", default=msgspec.Raw())
    symbol: str | None = msgspec.field(name="s", default=None)
    asked_symbol: str | None = msgspec.field(name="symbol", default=None)
    order: "Whatever | msgspec.UnsetType | str" = msgspec.field(name="o", default=msgspec.UNSET)


depth = msgspec.json.Decoder(Depth).decode
trade = msgspec.json.Decoder(Trade).decode
liquidation = msgspec.json.Decoder(Liquidation | list[Liquidation]).decode
mark = msgspec.json.Decoder(Mark | list[Mark]).decode
whatever = msgspec.json.Decoder(Whatever | list[Whatever]).decode
one_liquidation = msgspec.json.Decoder(Liquidation).decode
one_mark = msgspec.json.Decoder(Mark).decode
wrapped = msgspec.json.Decoder(Wrapped).decode
raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
text = msgspec.json.Decoder(str | None).decode
flag = msgspec.json.Decoder(bool).decode
