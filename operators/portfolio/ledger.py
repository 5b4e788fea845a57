"""Ledger: all that a process's share of accounts knows, revalued second by second; the pure part of the risk flow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators import evolving
from operators.evolving import Part, fingerprint
from operators.portfolio import account_rows, position_rows, positions, returns, risk_rows, tail_loss
from operators.portfolio.crossing import MARKET, QTY
from operators.portfolio.margin import BYBIT_LINEAR_V2024
from operators.portfolio.news import MS, News
from operators.portfolio.position_rows import Place
from operators.portfolio.resting import Resting, number
from operators.portfolio.revaluation import Revalued, revalue
from operators.portfolio.timeline import Second, TapeRow, Timeline, clock
from operators.progress import Progress
from operators.published_rows import Published
from schemas.accounts import Account, Position, unreadable
from schemas.brackets import Tiers
from schemas.frames import Frames, Reject
from schemas.instrument import Instrument
from schemas.venue_accounts.streams import Streams


@dataclass(frozen=True, slots=True)
class Terms:
    """What of the settings numbers rest on: tiers by market, rules, candles of past hours, and how time is cut.

    `venues`: whose rows are awaited in every features log.
    """

    tiers_of: Mapping[tuple[str, str], Tiers] = field(default_factory=dict)
    bybit_rule: int = BYBIT_LINEAR_V2024
    base_ms: int = 1_000
    lateness_ms: int = 500
    ahead_ms: int = 5_000
    keyframe_ms: int = 60_000
    idle_ms: int = 2_000
    instruments: Mapping[tuple[str, str], Instrument] = field(default_factory=dict)
    haircuts: Mapping[str, float] = field(default_factory=dict)
    taker_fee: Mapping[str, float] = field(default_factory=lambda: positions.TAKER_FEE)

    candles: Mapping[tuple[str, str], tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=dict)
    venues: tuple[str, ...] = ()

    @property
    def rules(self) -> positions.Rules:
        """What positions rest on."""
        return positions.Rules(self.tiers_of, self.bybit_rule, self.instruments, self.haircuts, self.taker_fee)


_PARTS = [
    Part("timeline", "1"),
    Part("positions", fingerprint("records", Account.__struct_fields__, Position.__struct_fields__)),
    Part("returns", fingerprint("hours", returns.HISTORY), "anew"),
    Part("books", "1"),
    Part("order", "2"),
    Part("risk_accounts", "1"),
    Part("risk_positions", "1"),
]
_order = msgspec.msgpack.Decoder(tuple[list[int], list[int], list[Place]]).decode


class Ledger:
    """Accounts of some partitions of the accounts log, and of all features logs what they need."""

    def __init__(self, terms: Terms, account_logs: Iterable[str], feature_logs: Iterable[str]) -> None:
        """Nothing read yet; the logs are named by whoever reads them."""
        self.terms = terms
        self.timeline = Timeline(
            terms.base_ms,
            {name: Progress(awaited=terms.venues) for name in feature_logs},
            {name: clock(terms.lateness_ms, terms.ahead_ms, terms.idle_ms) for name in account_logs},
            streams=Streams(terms.instruments, terms.ahead_ms),
            ahead_ms=terms.ahead_ms,
        )
        self.positions = positions.Positions(terms.rules)
        self.returns = returns.Returns(seeds=self._seeds())
        self.books = Resting()
        self.home: list[int] = []
        self.late: list[int] = []
        self.places: dict[Place, int] = {}
        self.of_account: dict[int, list[Place]] = {}
        self.accounts_news = News("risk_accounts", risk_rows.RISK_ACCOUNTS)
        self.positions_news = News("risk_positions", risk_rows.RISK_POSITIONS)

    def _seeds(self) -> returns.Seeds:
        return {positions.market(self.positions, *market): hours for market, hours in self.terms.candles.items()}

    def read(self, kind: str, log: str, frames: Frames) -> list[Reject]:
        """Take in frames of one log, in its order; `kind` is `accounts`, `tape` or `book`."""
        if kind == "accounts":
            return self.timeline.read_accounts(log, frames)
        return (self.timeline.read_tape if kind == "tape" else self.timeline.read_book)(log, frames)

    def mark(self, ended: Iterable[str]) -> None:
        """Which logs are at their end."""
        self.timeline.mark(ended)

    def advance(self) -> list[tuple[int, Published]]:
        """The rows of the seconds that have become complete, by partition of their accounts."""
        return [out for second in self.timeline.seconds() for out in self._second(second)]

    def _second(self, second: Second) -> list[tuple[int, Published]]:
        state = self.positions
        gone, unread = self._replace(second)
        self._move(second.marks)
        for row in second.books:
            at = positions.market(state, row.venue, row.symbol)
            self.books.widen(len(state.mark))
            self.books.put(at, row)
        self.books.widen(len(state.mark))
        keyframe = second.at_ms % self.terms.keyframe_ms == 0
        if keyframe:
            state.replaced = [was or not over for was, over in zip(state.replaced, state.closed, strict=True)]
        due = revalue(state)
        if not len(due.account["account"]):
            return []
        return [*self._positions(second, due, gone, unread, keyframe), *self._accounts(second, due, keyframe)]

    def _replace(self, second: Second) -> tuple[list[Place], list[Place]]:
        """Put new records in force. Returns the positions that are no more, and those whose entries cannot be read."""
        state = self.positions
        left_out: dict[int, list[str]] = {}
        for record in second.records:
            positions.replace(state, record.account)
            at = state.accounts[record.account.account]
            if at == len(self.home):
                self.home.append(record.partition)
                self.late.append(0)
            self.home[at] = record.partition
            self.late[at] += record.late
            left_out[at] = record.account.left_out
        names = list(state.markets)
        lost = [(place, self._unread(place, left_out[at], names)) for at in left_out for place in self._missing(at)]
        return [place for place, still in lost if not still], [place for place, still in lost if still]

    def _missing(self, account: int) -> list[Place]:
        """The positions of an account that were told as open last and are not in its record any more."""
        known, held = self.of_account.get(account, ()), self._held(account)
        last = self.positions_news.last
        return sorted(p for p in known if p not in held and last(self.places[p], "open") == 1)

    def _number(self, start: int) -> None:
        """Note by account the places from number `start` on."""
        for place in islice(self.places, start, None):
            self.of_account.setdefault(place[0], []).append(place)

    def _unread(self, place: Place, left_out: list[str], names: list[tuple[str, str]]) -> bool:
        """Whether a position that a record does not show may be in it: unreadable, and not there as another leg."""
        at, market, _ = place
        if not unreadable(left_out, *names[market]):
            return False
        held, long = self.positions.held[at], self.positions_news.last(self.places[place], "qty_base") > 0
        same = (held.places[:, MARKET] == market) & ((held.numbers[:, QTY] > 0) == long)
        return not same.any()

    def _held(self, account: int) -> set[Place]:
        held = self.positions.held[account]
        return {(account, m, side) for m, side in zip(held.places[:, 0].tolist(), held.sides.tolist(), strict=True)}

    def _move(self, marks: tuple[TapeRow, ...]) -> None:
        known = [row for row in marks if row.mark_price is not None and row.mark_age_ms is not None]
        at = np.array([positions.market(self.positions, r.venue, r.symbol) for r in known], np.int64)
        price = np.array([number(r.mark_price) for r in known], np.float64)
        end_ns = np.array([r.window_start + r.window_ms for r in known], np.int64) * MS
        age_ms = np.array([number(r.mark_age_ms) for r in known], np.float64)
        positions.move(self.positions, at, price, end_ns - (age_ms * MS).astype(np.int64))
        fresh = age_ms <= risk_rows.MARK_STALE_MS
        returns.observe(self.returns, at[fresh], price[fresh], end_ns[fresh] - 1)

    def _positions(
        self, second: Second, due: Revalued, gone: list[Place], unread: list[Place], keyframe: bool
    ) -> list[tuple[int, Published]]:
        state = self.positions
        told = position_rows.values(state, due, self.books, second.at_ms)
        if gone or unread:
            was = {
                place: {n: self.positions_news.last(self.places[place], n) for n in position_rows.LAST_KNOWN}
                for place in unread
            }
            told = position_rows.with_last(told, gone, was)
        account, market = told["account"], told["market"]
        keys = zip(account.tolist(), market.tolist(), told["side"].tolist(), strict=True)
        numbered = len(self.places)
        place = np.array([self.places.setdefault(key, len(self.places)) for key in keys], np.int64)
        if len(self.places) > numbered:
            self._number(numbered)
        who, names = list(state.accounts), list(state.markets)
        named = {
            "account": [who[a] for a in account.tolist()],
            "venue": [names[m][0] for m in market.tolist()],
            "symbol": [names[m][1] for m in market.tolist()],
            "position_side": told["position_side"].tolist(),
        }
        news = self.positions_news
        home = np.array(self.home, np.int64)[account]
        return news.published(second, home, news.chosen(place, keyframe, told), named, told)

    def _accounts(self, second: Second, due: Revalued, keyframe: bool) -> list[tuple[int, Published]]:
        state, account = self.positions, due.account["account"]
        tails = tail_loss.portfolio(
            account_rows.exposures(state, due), account, due.account["equity_usd"], returns.returns(self.returns)
        )
        told = account_rows.values(state, due, self.books, tails, self.late, second.at_ms)
        news = self.accounts_news
        chosen = news.chosen(account, keyframe, told)
        for at in account[chosen].tolist():
            self.late[at] = 0
        who = list(state.accounts)
        named = {"account": [who[at] for at in account.tolist()]}
        return news.published(second, np.array(self.home, np.int64)[account], chosen, named, told)

    def freeze(self) -> bytes:
        """Everything that is not a setting, by name, so that a new release takes up what it still knows."""
        states = (
            self.timeline.freeze(),
            positions.freeze(self.positions),
            returns.freeze(self.returns),
            self.books.freeze(),
            msgspec.msgpack.encode((self.home, self.late, list(self.places))),
            self.accounts_news.deltas.freeze(),
            self.positions_news.deltas.freeze(),
        )
        return evolving.freeze(zip(_PARTS, states, strict=True))

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen, on the settings of today."""
        was = evolving.thaw(data, _PARTS)
        self.timeline.thaw(was["timeline"])
        self.positions = positions.thaw(was["positions"], self.terms.rules)
        seeds = self._seeds()
        self.returns = returns.thaw(was["returns"], seeds) if "returns" in was else returns.Returns(seeds=seeds)
        self.books = Resting.thaw(was["books"])
        self.home, self.late, places = _order(was["order"])
        self.places, self.of_account = {place: i for i, place in enumerate(places)}, {}
        self._number(0)
        self.accounts_news.deltas.thaw(was["risk_accounts"])
        self.positions_news.deltas.thaw(was["risk_positions"])
