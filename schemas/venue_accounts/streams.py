"""Streams: accounts kept up to date from the frames of their venues, so that nobody writes a stateful adapter.

A record of the `accounts` topic may hold a venue's own frame: `{"account": "a", "venue": "okx-swap", "frame": {...}}`.
The account then is what all its frames say, over all its venues. An answer of a REST interface is all there is of its
kind, unless the record says `"all": false` (a page, or one symbol's); a frame of a stream is what changed. An account
that is no more is forgotten, and begins anew if it comes again.
"""

from collections.abc import Callable, Mapping

import msgspec

from schemas.accounts import Account, Balance, Position, checked, decode, one_line, removed
from schemas.instrument import Instrument
from schemas.settlement import contract as contract_of
from schemas.venue_accounts import binance_accounts, bybit_accounts, okx_accounts
from schemas.venue_accounts.change import Change, Leg, Mode, none

MARGIN_APART = frozenset({"okx-swap"})
"""Venues whose balance is without the margin put aside for isolated positions (OKX: `posBal` is beside `bal`)."""
BACKING_WHEN_MULTI = frozenset({"okx-swap"})
"""Venues that call all assets no collateral in modes in which each backs the positions that settle in it."""
PIECES_MS = 1_000
"""A snapshot that may come in pieces goes on with one that was sent within so long of the one before, unless it names
what its first piece named: then it is another snapshot, and all there is."""

READERS: dict[str, Callable[[bytes], Change | None]] = {
    "binance-usdm": binance_accounts.read,
    "bybit-linear": bybit_accounts.read,
    "okx-swap": okx_accounts.read,
}


class _Enveloped(msgspec.Struct):
    account: str
    venue: str
    frame: msgspec.Raw
    all: bool = True


class _AtVenue(msgspec.Struct):
    """What an account holds at one venue; without a frame that says all of it, its equity is not known."""

    wallets: dict[str, float] = {}
    legs: dict[str, Leg] = {}
    leverages: dict[str, float] = {}
    """Of a symbol, or of a symbol and side; also of what is flat, since a frame that opens it may not say it again."""
    rates: dict[str, tuple[float | None, float | None]] = {}
    backs: dict[str, bool] = {}
    multi_assets: bool | None = None
    mode: Mode | None = None
    known_wallets: bool = False
    unruled: str = ""
    told_ms: dict[str, int] = {}
    """When what a stream tells was told last, since the last answer."""
    piece_ms: int = 0
    """When the last snapshot was sent that may come in pieces."""
    piece_names: list[str] = []
    """The assets and positions that the first piece of that snapshot named."""


class _Held(msgspec.Struct):
    as_of: int = 0
    venues: dict[str, _AtVenue] = {}


_enveloped = msgspec.json.Decoder(_Enveloped).decode
_frozen = msgspec.msgpack.Decoder(dict[str, _Held]).decode


class Streams:
    """The accounts of one log or several that come as frames; `known` says what a contract of OKX is."""

    def __init__(self, known: Mapping[tuple[str, str], Instrument] | None = None, ahead_ms: int = 5_000) -> None:
        """Nothing seen yet. A time before 1970 or `ahead_ms` past its receipt is none: it would hold up what comes."""
        self.known, self.ahead_ms = known or {}, ahead_ms
        self.held: dict[str, _Held] = {}

    def read(self, data: bytes, received_ms: int, key: str = "") -> Account | str | None:
        """The account after a record, ours or a venue's frame; None: nothing of it changed; text: why it is refused.

        A record without a value says that the account of its `key` is no more.
        """
        if b'"frame"' in data:
            return self._framed(data, received_ms)
        account = decode(data) if data else removed(key, received_ms)
        if isinstance(account, Account) and account.closed:
            self.held.pop(account.account, None)
        return account

    def _framed(self, data: bytes, received_ms: int) -> Account | str | None:
        try:
            it = _enveloped(data)
            if it.venue not in READERS:
                return f"no account frames of {it.venue!r} can be read, only of {', '.join(READERS)}"
            change = READERS[it.venue](bytes(it.frame))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, KeyError, IndexError) as error:
            return f"not an account frame that is known: {one_line(error)}"
        if change is None:
            return None
        held = self.held.setdefault(it.account, _Held())
        at = held.venues.setdefault(it.venue, _AtVenue())
        if not 0 <= change.at_ms <= received_ms + self.ahead_ms:
            change = msgspec.structs.replace(change, at_ms=0)
        _apply(at, change, whole=it.all)
        held.as_of = max(held.as_of, change.at_ms or received_ms)
        return self._account(it.account, held)

    def _account(self, name: str, held: _Held) -> Account:
        balances, positions, left_out, unread = [], [], list[str](), 0
        multi = {venue: at.multi_assets for venue, at in held.venues.items() if at.multi_assets is not None}
        for venue, at in held.venues.items():
            left_out += [at.unruled] if at.unruled else []
            if not at.known_wallets:
                unread += 1
                left_out.append(f"balances at {venue}: no answer with all of them was seen yet")
            wallets = dict(at.wallets)
            for leg in at.legs.values():
                position = self._position(venue, at, leg)
                if isinstance(position, str):
                    left_out.append(f"position {venue!r} {leg.symbol!r}: {position}")
                    continue
                positions.append(position)
                if venue in MARGIN_APART and position.isolated_margin:
                    asset = contract_of(venue, leg.symbol, leg.settles_in, self.known).settles_in
                    wallets[asset] = wallets.get(asset, 0.0) + position.isolated_margin
            backs = at.backs if at.multi_assets or venue not in BACKING_WHEN_MULTI else {}
            for asset, wallet in wallets.items():
                bid, ask = at.rates.get(asset, (None, None))
                balances.append(Balance(asset, wallet, venue, bid if backs.get(asset, True) else 0.0, ask))
        return checked(Account(name, held.as_of, balances, positions, multi, balances_unread=unread), left_out)

    def _position(self, venue: str, at: _AtVenue, leg: Leg) -> Position | str:
        if leg.unvalued:
            return leg.unvalued
        contract: float | None = 1.0
        if venue == "okx-swap":
            instrument = self.known.get((venue, leg.symbol))
            if instrument is not None and instrument.kind != "linear":
                return f"only linear contracts are valued, this one is {instrument.kind}"
            contract = instrument.contract if instrument is not None and instrument.kind == "linear" else None
        if contract is None:
            return "what a linear contract of it is comes from the instrument, which is not known"
        if leg.entry_price is None:
            return "no frame has said its price of entry"
        mode = leg.mode or at.mode or "cross"
        return Position(
            venue,
            leg.symbol,
            leg.quantity * contract,
            leg.entry_price,
            leg.leverage or at.leverages.get(f"{leg.symbol} {leg.key}") or at.leverages.get(leg.symbol),
            mode,
            leg.margin if mode == "isolated" else None,
            leg.side,
            leg.settles_in,
        )

    def freeze(self) -> bytes:
        """All accounts."""
        return msgspec.msgpack.encode(self.held)

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen."""
        self.held = _frozen(data)


def _latest(at: _AtVenue, change: Change) -> Change:
    """A stream's frame without what a later one of it has told already: two connections keep no order."""
    if not (change.stream and change.at_ms):
        return change

    def later(name: str) -> bool:
        known_ms = at.told_ms.get(f"{change.stream} {name}", 0)
        at.told_ms[f"{change.stream} {name}"] = max(known_ms, change.at_ms)
        return change.at_ms >= known_ms

    return msgspec.structs.replace(
        change,
        wallets={asset: wallet for asset, wallet in change.wallets.items() if later(asset)},
        legs=[leg for leg in change.legs if later(f"{leg.symbol} {leg.key}")],
        leverages={symbol: leverage for symbol, leverage in change.leverages.items() if later(f"{symbol} leverage")},
    )


def _apply(at: _AtVenue, change: Change, *, whole: bool) -> None:
    if change.classic and at.multi_assets:
        return
    change = _latest(at, change)
    if change.piece:
        names = [*change.wallets, *(f"{leg.symbol} {leg.key}" for leg in change.legs)]
        soon = at.piece_ms and 0 <= change.at_ms - at.piece_ms <= PIECES_MS
        if not soon or not set(names).isdisjoint(at.piece_names):
            at.piece_names = names
        else:
            whole = False
        at.piece_ms = change.at_ms
    if (change.all_wallets or change.all_legs is not none) and whole:
        at.told_ms = {}
    if change.all_wallets and whole:
        at.wallets, at.known_wallets = {}, True
    at.wallets = {**at.wallets, **change.wallets}
    sided = {key: x for key, x in at.leverages.items() if key.partition(" ")[0] not in change.leverages}
    at.leverages = {**sided, **change.leverages}
    at.rates = {**at.rates, **change.rates}
    at.backs = {**at.backs, **change.backs}
    at.multi_assets = change.multi_assets if change.multi_assets is not None else at.multi_assets
    at.mode = change.mode or at.mode
    at.unruled = at.unruled if change.unruled is None else change.unruled
    before = at.legs
    at.legs = {key: leg for key, leg in before.items() if not (whole and change.all_legs(leg))}
    for leg in change.legs:
        key = f"{leg.symbol} {leg.key}"
        at.legs.pop(key, None)
        if leg.leverage is not None:
            at.leverages[key] = leg.leverage
        if leg.quantity:
            at.legs[key] = _completed(leg, before.get(key))
    for symbol, leverage in change.leverages.items():
        at.legs = {
            k: msgspec.structs.replace(v, leverage=leverage) if v.symbol == symbol else v for k, v in at.legs.items()
        }


def _completed(leg: Leg, was: Leg | None) -> Leg:
    """The leg with what its frame did not say as it was before."""
    if was is None:
        return leg
    told = {f: getattr(leg, f) for f in ("entry_price", "leverage", "mode", "margin")}
    kept = {f: getattr(was, f) if v is None else v for f, v in told.items()}
    return msgspec.structs.replace(leg, **kept, settles_in=leg.settles_in or was.settles_in)
