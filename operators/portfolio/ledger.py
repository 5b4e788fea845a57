"""Ledger: all that a process's share of accounts knows, revalued second by second; the pure part of the risk flow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from operators.book.bands import BANDS_BPS
from operators.contract import Array
from operators.delta import Deltas
from operators.pack import pack, unpack
from operators.portfolio import distance, leverage, positions, returns, rows, tail
from operators.portfolio.margin import BYBIT_LINEAR_V2026
from operators.portfolio.revaluation import Revalued, revalue
from operators.portfolio.timeline import BookRow, Second, TapeRow, Timeline, clock
from operators.progress import Progress
from operators.published import Published
from schemas.brackets import Tiers
from schemas.column import Column
from schemas.frames import Frames, Reject

F8 = NDArray[np.float64]
MS = 1_000_000
BANDS = np.array(BANDS_BPS, np.float64)
ESCAPES = str.maketrans({c: f"%{ord(c):02X}" for c in '%|"\\'})
"""An account may be called anything printable; the parts of a record's id may not hold what delimits them."""
KEYS = ("account", "venue", "symbol", "as_of")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say: maintenance tiers by market, Bybit's rule, and how time is cut."""

    tiers_of: Mapping[tuple[str, str], Tiers] = field(default_factory=dict)
    bybit_rule: int = BYBIT_LINEAR_V2026
    base_ms: int = 1_000
    lateness_ms: int = 500
    ahead_ms: int = 5_000
    keyframe_ms: int = 60_000
    idle_ms: int = 2_000


@dataclass(slots=True)
class Books:
    """The last published book of each market: middle, trust, and cumulative depth by band on both sides, USD."""

    mid: F8 = field(default_factory=lambda: np.empty(0))
    ok: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    bid: F8 = field(default_factory=lambda: np.empty((0, len(BANDS))))
    ask: F8 = field(default_factory=lambda: np.empty((0, len(BANDS))))

    def widen(self, markets: int) -> None:
        """Room for markets seen for the first time."""
        more = markets - len(self.mid)
        if more > 0:
            self.mid = np.append(self.mid, np.full(more, np.nan))
            self.ok = np.append(self.ok, np.zeros(more, np.bool_))
            self.bid = np.vstack([self.bid, np.full((more, len(BANDS)), np.nan)])
            self.ask = np.vstack([self.ask, np.full((more, len(BANDS)), np.nan)])

    def put(self, at: int, row: BookRow) -> None:
        """A newer row of a market."""
        self.mid[at], self.ok[at] = _number(row.mid), row.book_ok
        self.bid[at] = [_number(getattr(row, f"bid_depth_{x}bps_usd")) for x in BANDS_BPS]
        self.ask[at] = [_number(getattr(row, f"ask_depth_{x}bps_usd")) for x in BANDS_BPS]


class _Frozen(msgspec.Struct):
    timeline: bytes
    positions: bytes
    returns: bytes
    books: bytes
    home: list[int]
    late: list[int]
    places: list[tuple[int, int]]
    deltas: dict[str, bytes]


class Ledger:
    """Accounts of some partitions of the accounts log, and of all features logs what they need."""

    def __init__(self, terms: Terms, account_logs: Iterable[str], feature_logs: Iterable[str]) -> None:
        """Nothing read yet; the logs are named by whoever reads them."""
        self.terms = terms
        self.timeline = Timeline(
            terms.base_ms,
            {name: Progress() for name in feature_logs},
            {name: clock(terms.lateness_ms, terms.ahead_ms, terms.idle_ms) for name in account_logs},
        )
        self.positions = positions.Positions(terms.tiers_of, terms.bybit_rule)
        self.returns = returns.Returns()
        self.books = Books()
        self.home: list[int] = []
        self.late: list[int] = []
        self.places: dict[tuple[int, int], int] = {}
        self.deltas = {
            "risk_accounts": Deltas(_tolerances(rows.RISK_ACCOUNTS)),
            "risk_positions": Deltas(_tolerances(rows.RISK_POSITIONS)),
        }

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
        gone = self._replace(second)
        self._move(second.marks)
        for row in second.books:
            at = positions.market(state, row.venue, row.symbol)
            self.books.widen(len(state.mark))
            self.books.put(at, row)
        self.books.widen(len(state.mark))
        keyframe = second.at_ms % self.terms.keyframe_ms == 0
        if keyframe:
            state.replaced = [True] * len(state.rows)
        due = revalue(state)
        if not len(due.account["account"]):
            return []
        return [*self._positions(second, due, gone, keyframe), *self._accounts(second, due, keyframe)]

    def _replace(self, second: Second) -> list[tuple[int, int]]:
        """Put new records in force. Returns the (account, market) whose position is no more."""
        state = self.positions
        before: dict[int, set[int]] = {}
        for record in second.records:
            name = record.account.account
            held = state.accounts.get(name)
            if held is not None and held not in before:
                before[held] = set(state.rows[held][:, 0].astype(int).tolist())
            positions.replace(state, record.account)
            at = state.accounts[name]
            if at == len(self.home):
                self.home.append(record.partition)
                self.late.append(0)
            self.home[at] = record.partition
            self.late[at] += record.late
        return [
            (at, market)
            for at, markets in before.items()
            for market in sorted(markets - set(state.rows[at][:, 0].astype(int).tolist()))
            if (at, market) in self.places
        ]

    def _move(self, marks: tuple[TapeRow, ...]) -> None:
        known = [row for row in marks if row.mark_price is not None and row.mark_age_ms is not None]
        at = np.array([positions.market(self.positions, r.venue, r.symbol) for r in known], np.int64)
        price = np.array([_number(r.mark_price) for r in known], np.float64)
        end_ns = np.array([r.window_start + r.window_ms for r in known], np.int64) * MS
        age_ms = np.array([_number(r.mark_age_ms) for r in known], np.float64)
        positions.move(self.positions, at, price, end_ns - (age_ms * MS).astype(np.int64))
        fresh = age_ms <= rows.MARK_STALE_MS
        returns.observe(self.returns, at[fresh], price[fresh], end_ns[fresh] - 1)

    def _positions(
        self, second: Second, due: Revalued, gone: list[tuple[int, int]], keyframe: bool
    ) -> list[tuple[int, Published]]:
        state, p = self.positions, due.position
        flat = positions.flatten(state)
        market, account = p["market"], p["account"]
        sign, mark, price = np.sign(p["qty_base"]), p["mark_price"], p["liquidation_price"]
        ok = self.books.ok[market]
        depth = distance.depth_usd(
            sign, mark, price, self.books.mid[market], BANDS, self.books.bid[market], self.books.ask[market]
        )
        record = _records(flat, account, market)
        cross = np.isnan(flat.isolated_margin[record])
        no_mark, no_tiers = np.isnan(mark), np.isnan(p["maintenance_margin_usd"])
        reason = np.select(
            [~np.isnan(price), no_mark, no_tiers, cross & self._incomplete(flat, account)],
            [0, rows.NO_MARK, rows.NO_TIERS, rows.NO_SIBLING],
            rows.NO_PRICE,
        )
        age = _age_ms(second.at_ms, state.mark_ns[market])
        values: dict[str, Array] = {
            **p,
            "open": np.ones(len(market), np.bool_),
            "margin_mode": np.where(cross, "cross", "isolated"),
            "leverage": flat.leverage[record],
            "isolated_margin_usd": flat.isolated_margin[record],
            "distance_to_liquidation_bps": distance.distance_bps(sign, mark, price),
            "depth_to_liquidation_usd": np.where(ok, depth, np.nan),
            "null_reason": rows.REASONS[reason],
            "marks_ok": ~no_mark & (age <= rows.MARK_STALE_MS),
            "mark_age_ms": np.where(no_mark, np.nan, age),
            "book_ok": ok,
        }
        if gone:
            values = _with_closed(values, gone)
            market, account = values["market"], values["account"]
        names = list(state.markets)
        pairs = list(zip(account.tolist(), market.tolist(), strict=True))
        place = np.array([self.places.setdefault(pair, len(self.places)) for pair in pairs], np.int64)
        chosen = self._news("risk_positions", rows.RISK_POSITIONS, place, keyframe, values)
        who = list(state.accounts)
        named = {
            "account": [who[a] for a in account.tolist()],
            "venue": [names[m][0] for m in market.tolist()],
            "symbol": [names[m][1] for m in market.tolist()],
        }
        return self._published(second, "risk_positions", rows.RISK_POSITIONS, account, chosen, named, values)

    def _incomplete(self, flat: positions.Flat, account: Array) -> Array:
        """Whether the account of a position row has a cross position without a mark or without tiers."""
        tiers = np.diff(flat.tiers.starts) > 0
        bad = np.isnan(flat.isolated_margin) & (np.isnan(self.positions.mark[flat.market]) | ~tiers[flat.market])
        owner = np.repeat(np.arange(len(flat.starts) - 1), np.diff(flat.starts))
        return np.asarray(np.bincount(owner, weights=bad, minlength=len(flat.starts) - 1)[account] > 0)

    def _accounts(self, second: Second, due: Revalued, keyframe: bool) -> list[tuple[int, Published]]:
        state, a = self.positions, due.account
        flat = positions.flatten(state)
        account = a["account"]
        tails = tail.portfolio(
            flat, account, a["equity_usd"], state.mark, returns.returns(self.returns), self.returns.horizon
        )
        untrusted = np.bincount(
            np.repeat(np.arange(len(state.rows)), np.diff(flat.starts)),
            weights=~self.books.ok[flat.market],
            minlength=len(state.rows),
        )
        age = _age_ms(second.at_ms, a["oldest_mark_ns"])
        none, lacking = a["oldest_mark_ns"] == 0, a["positions_without_mark"] > 0
        values: dict[str, Array] = {**a, **leverage.compute(a), **tails}
        level = rows.risk_level(
            values["insolvent"], values["maintenance_ratio"], a["nearest_liquidation_bps"], a["positions"]
        )
        values |= {
            "record_as_of": np.array(state.as_of, np.int64)[account] * MS,
            "risk_level": rows.LEVELS[level],
            "late_rows": np.array(self.late, np.int64)[account],
            "marks_ok": ~lacking & (none | (age <= rows.MARK_STALE_MS)),
            "mark_age_ms": np.where(none, np.nan, age),
            "book_ok": untrusted[account] == 0,
        }
        chosen = self._news("risk_accounts", rows.RISK_ACCOUNTS, account, keyframe, values)
        for at in account[chosen].tolist():
            self.late[at] = 0
        who = list(state.accounts)
        named = {"account": [who[at] for at in account.tolist()]}
        return self._published(second, "risk_accounts", rows.RISK_ACCOUNTS, account, chosen, named, values)

    def _news(
        self, table: str, columns: tuple[Column, ...], key: Array, keyframe: bool, values: Mapping[str, Array]
    ) -> Array:
        matrix = np.column_stack([np.asarray(values[name], np.float64) for name in _compared(columns)])
        every = np.full(len(key), keyframe)
        return self.deltas[table].news(np.asarray(key, np.int64), every, matrix)

    def _published(
        self,
        second: Second,
        table: str,
        columns: tuple[Column, ...],
        account: Array,
        chosen: Array,
        named: Mapping[str, list[str]],
        values: Mapping[str, Array],
    ) -> list[tuple[int, Published]]:
        """The chosen rows, one `Published` a partition; the natural key is the named columns."""
        home = np.array(self.home, np.int64)[account]
        out = []
        for partition in np.unique(home[chosen]).tolist():
            at = np.flatnonzero(chosen & (home == partition))
            places = at.tolist()
            told: dict[str, Array | list[str]] = {n: [names[i] for i in places] for n, names in named.items()}
            base = list(told["account"])
            natural = ["|".join(p.translate(ESCAPES) for p in parts) for parts in zip(*told.values(), strict=True)]
            told["as_of"] = np.full(len(at), second.at_ms * MS)
            told["closed_by"] = [second.closed_by] * len(at)
            for c in columns:
                if c.name not in told:
                    picked = values[c.name][at]
                    told[c.name] = picked.tolist() if c.dtype == "str" else picked
            times = [second.at_ms] * len(at)
            out.append((partition, Published(table, base, natural, times, times, told)))
        return out

    def freeze(self) -> bytes:
        """Everything that is not a setting."""
        b = self.books
        return msgspec.msgpack.encode(
            _Frozen(
                self.timeline.freeze(),
                positions.freeze(self.positions),
                returns.freeze(self.returns),
                pack({"mid": b.mid, "ok": b.ok, "bid": b.bid, "ask": b.ask}),
                self.home,
                self.late,
                list(self.places),
                {name: d.freeze() for name, d in self.deltas.items()},
            )
        )

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen, on the settings of today."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        self.timeline.thaw(was.timeline)
        self.positions = positions.thaw(was.positions, self.terms.tiers_of, self.terms.bybit_rule)
        self.returns = returns.thaw(was.returns)
        arrays = unpack(was.books)
        self.books = Books(
            arrays["mid"].astype(np.float64),
            arrays["ok"].astype(np.bool_),
            arrays["bid"].astype(np.float64),
            arrays["ask"].astype(np.float64),
        )
        self.home, self.late = was.home, was.late
        self.places = {pair: i for i, pair in enumerate(was.places)}
        for name, frozen in was.deltas.items():
            self.deltas[name].thaw(frozen)


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _age_ms(at_ms: int, mark_ns: Array) -> Array:
    return np.asarray(at_ms - mark_ns / MS)


def _compared(columns: tuple[Column, ...]) -> list[str]:
    """The columns whose movement makes a row news."""
    return [c.name for c in columns if c.dtype != "str" and c.name not in KEYS]


def _tolerances(columns: tuple[Column, ...]) -> dict[str, float]:
    named = {c.name: c.tolerance for c in columns}
    return {name: named[name] for name in _compared(columns)}


def _records(flat: positions.Flat, account: Array, market: Array) -> Array:
    """The row of `flat` of each (account, market)."""
    owner = np.repeat(np.arange(len(flat.starts) - 1), np.diff(flat.starts))
    width = int(flat.market.max(initial=0)) + 1
    held, wanted = owner * width + flat.market, account * width + market
    order = np.argsort(held, kind="stable")
    return np.asarray(order[np.searchsorted(held, wanted, sorter=order)])


def _with_closed(values: Mapping[str, Array], gone: list[tuple[int, int]]) -> dict[str, Array]:
    """A last row for each position that is no more: size 0, everything that rests on it null."""
    fill: dict[str, object] = {"open": False, "qty_base": 0.0, "null_reason": rows.REASONS[rows.CLOSED]}
    fill |= {"margin_mode": "", "marks_ok": True, "book_ok": True, "entry_price": 0.0, "leverage": 0.0}
    fill |= {"account": np.array([a for a, _ in gone]), "market": np.array([m for _, m in gone])}
    return {
        name: np.concatenate([column, np.broadcast_to(np.asarray(fill.get(name, np.nan)), (len(gone),))])
        for name, column in values.items()
    }
