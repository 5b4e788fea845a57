"""Asset books: the books of all venues of an asset side by side at the ends of panes, for the stage `asset`.

Each depth log keeps its own clock. What a book says at the end of a pane (its last message of the pane, in the order of
its log) waits until the logs of all venues have passed that pane; then the panes come in order of time, those of one
time by asset and quote, and their books by venue and symbol. What a book said last stays in force until it says more.

Held are the panes that one venue has closed and another has not, one row a book and pane, and one row a book of what is
in force. Nothing is held, and nothing taken, where no operator stands at the stage. Which rows come out is decided by
the depth logs alone: of trades and marks only when.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from operators import catalog, quality
from operators.contract import I8, Array, Columns, EventTable, Operator
from operators.delta import Deltas
from operators.evolving import matched
from operators.lanes import depth
from operators.lanes.lane import Lane
from operators.operator_states import Running, frozen, part, take_up
from operators.panes import Panes, keys
from operators.published_rows import Published, listed
from operators.stages import BOOK
from operators.watermark import NEVER, within
from schemas.instrument import Instrument
from schemas.venue import Venue

_PANE_BITS = 42
_NO_BOOK = -1
_WHO = (f"{BOOK}venue", f"{BOOK}symbol")


class Market(Protocol):
    """What is asked of the market of a venue, after each time that it has published what has closed."""

    venue: Venue
    lanes: dict[str, Lane]
    released: int
    closed_books: Panes | None
    """The panes of books that were closed then, by the venue's numbers."""
    guessed: list[tuple[int, int]]
    """Panes (after, up to) of the depth log that a guess closed, of those not published before."""

    def instruments(self) -> list[Instrument]:
        """The venue's instruments by number."""
        ...


class Book(NamedTuple):
    """A book of one venue, and the number of its asset and quote."""

    venue: str
    symbol: str
    asset: int


class _Frozen(msgspec.Struct):
    fingerprints: dict[str, str]
    assets: list[tuple[str, str]]
    books: list[Book]
    inferred: list[int]
    held: bytes
    deltas: dict[str, bytes]
    operators: bytes
    guessed: list[tuple[int, int]]
    released: int


class _Laid(NamedTuple):
    """The books as arrays: of each its asset, its names, whether its steps were inferred; then the assets."""

    asset: I8
    names: tuple[Array, Array]
    inferred: Array
    beside: I8
    """A row an asset: its books by venue and symbol, -1 where there is none."""
    rank: I8
    """The place of each asset by name and quote."""


class AssetBooks:
    """The books of all venues of one shard, by asset and quote, and the operators that are given them."""

    def __init__(self, base_ns: int, keyframe_ns: int, without: frozenset[str] = catalog.ALL) -> None:
        """No book yet."""
        self.base_ns, self.keyframe = base_ns, keyframe_ns // base_ns
        self.running = Running(catalog.at("asset", without))
        self.horizons_ns = sorted({h for o in self.running.operators for h in o.horizons_ns})
        asked = {name.removeprefix(BOOK) for name in self.running.reads if name.startswith(BOOK)} | {"last_event_ns"}
        asked |= {"gaps", "untrusted_ns"} if "gap_ns" in asked else set()
        self.statistics = tuple(s for s in depth.statistics() if s.name in asked and self.running.operators)
        self.deltas = {o.name: Deltas(_compared(o)) for o in self.running.operators}
        self.held = Panes.of(self.statistics)
        self.assets: dict[tuple[str, str], int] = {}
        self.books: list[Book] = []
        self.guessed: list[tuple[int, int]] = []
        self.released = NEVER
        self._inferred: set[int] = set()
        self._place: dict[tuple[str, str], int] = {}
        self._numbers: dict[str, tuple[list[Instrument], I8]] = {}
        self._laid: _Laid | None = None

    @property
    def waiting(self) -> int:
        """How many rows are held: panes that not all venues have closed, and what is in force."""
        return len(self.held)

    def meet(self, markets: Iterable[Market]) -> list[Published]:
        """Take what the markets have closed, and publish what all of them have passed."""
        markets = [m for m in markets if "depth" in m.lanes]
        if not self.running.operators or not markets:
            return []
        for market in markets:
            self._take(market)
        until = min(market.released for market in markets)
        if until <= self.released:
            return []
        lanes = [market.lanes["depth"] for market in markets]
        passed = max(lane.clock.closed for lane in lanes)
        instrument, pane = self._due(until, max(passed, self.held.last, *(lane.last() for lane in lanes)))
        out = self._publish(instrument, pane, passed) if len(pane) else []
        self._forget(until)
        return out

    def _take(self, market: Market) -> None:
        """Hold what a market has closed, book by book."""
        self.guessed += [g for g in market.guessed if g not in self.guessed]
        panes = market.closed_books
        if panes is None or not len(panes):
            return
        known = self._numbered(market.venue.name, market.instruments())
        book = known[panes.instrument]
        wanted = np.flatnonzero(book != _NO_BOOK)
        slot = self.held.slots(keys(book[wanted], panes.pane[wanted]))
        for s in self.statistics:
            self.held.columns[s.name][slot] = panes.columns[s.name][wanted]

    def _numbered(self, venue: str, rows: list[Instrument]) -> I8:
        """The number of each book of a venue; -1 where it is not comparable with any other's."""
        held = self._numbers.get(venue)
        if held is None or held[0] is not rows:
            held = self._numbers[venue] = rows, np.array([self._number(row) for row in rows], np.int64)
            self._laid = None
        return held[1]

    def _number(self, row: Instrument) -> int:
        if row.expires:
            return _NO_BOOK
        at = self._place.get((row.venue, row.symbol))
        if at is None:
            asset = self.assets.setdefault((row.base, row.quote), len(self.assets))
            at = self._place[row.venue, row.symbol] = len(self.books)
            self.books.append(Book(row.venue, row.symbol, asset))
        (self._inferred.add if row.inferred else self._inferred.discard)(at)
        return at

    def _lay(self) -> _Laid:
        """The books as arrays, made anew when some market knows more of them."""
        if self._laid is None:
            books, names = self.books, list(self.assets)
            of: list[list[int]] = [[] for _ in names]
            for i in sorted(range(len(books)), key=books.__getitem__):
                of[books[i].asset].append(i)
            beside = np.full((len(of), max(map(len, of), default=0)), _NO_BOOK)
            for asset, mine in enumerate(of):
                beside[asset, : len(mine)] = mine
            rank = np.empty(len(names), np.int64)
            rank[np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)] = np.arange(len(names))
            told = np.array([b.venue for b in books] + [""]), np.array([b.symbol for b in books] + [""])
            inferred = np.array([i in self._inferred for i in range(len(books))] + [False])
            self._laid = _Laid(np.array([b.asset for b in books], np.int64), told, inferred, beside, rank)
        return self._laid

    def _due(self, until: int, final: int) -> tuple[I8, I8]:
        """Assets and panes in which something may have moved, in order; none after `final`, where the logs ended."""
        rows = np.flatnonzero(self.held.pane <= until)
        order = rows[np.lexsort((self.held.pane[rows], self.held.instrument[rows]))]
        book, pane = self.held.instrument[order], self.held.pane[order]
        followed = np.append(book[1:] == book[:-1], False) if len(book) else np.zeros(0, np.bool_)
        until_next = np.where(followed, np.append(pane[1:], 0), np.iinfo(np.int64).max)
        laid = self._lay()
        asset = laid.asset[book]
        keyframe = -(-(pane + 1) // self.keyframe) * self.keyframe - 1
        found = [(asset, pane), (asset, keyframe)]
        event_ns = self.held.columns["last_event_ns"][order]
        for horizon in self.horizons_ns:
            at = (event_ns + horizon - 1) // self.base_ns
            passes = (event_ns > 0) & (at > pane) & (at < until_next)
            found.append((asset[passes], at[passes]))
        key = np.unique(keys(np.concatenate([a for a, _ in found]), np.concatenate([p for _, p in found])))
        due = Panes(self.held.layout, key, *self.held.layout.empty(len(key)))
        kept = (due.pane > self.released) & (due.pane <= min(until, final))
        instrument, pane = due.instrument[kept], due.pane[kept]
        order = np.lexsort((laid.rank[instrument], pane))
        return instrument[order], pane[order]

    def _side_by_side(self, instrument: I8, pane: I8) -> dict[str, Array]:
        """What each book of an asset says at the end of a pane: a row a pane, a column a book."""
        order = np.lexsort((self.held.pane, self.held.instrument))
        key = (self.held.instrument[order] << _PANE_BITS) | self.held.pane[order]
        laid = self._lay()
        book = laid.beside[instrument]
        at = np.searchsorted(key, (book << _PANE_BITS) | pane[:, None], side="right") - 1
        row = order[np.maximum(at, 0)] if len(order) else at
        there = (book != _NO_BOOK) & (at >= 0) & (self.held.instrument[row] == book)
        out: dict[str, Array] = {"instrument": instrument, "pane": pane}
        out["inferred"] = (laid.inferred[book] & there).any(axis=1)
        out |= {"pane_start_ns": pane * self.base_ns, "pane_end_ns": (pane + 1) * self.base_ns}
        out |= {name: told[book] for name, told in zip(_WHO, laid.names, strict=True)}
        # One that has said nothing by then is not there yet, whether its venue was already read further or not.
        out[f"{BOOK}number"] = np.where(there, book, _NO_BOOK)
        for s in self.statistics:
            out[BOOK + s.name] = np.where(there, self.held.columns[s.name][row], s.empty)
        if f"{BOOK}gap_ns" in self.running.reads:
            gaps, untrusted_ns = (out.pop(f"{BOOK}{n}") for n in ("gaps", "untrusted_ns"))
            shown = np.maximum(untrusted_ns, gaps > 0)
            out[f"{BOOK}gap_ns"] = np.where(there & (self.held.pane[row] == pane[:, None]), shown, 0)
        return out

    def _publish(self, instrument: I8, pane: I8, passed: int) -> list[Published]:
        given = self._side_by_side(instrument, pane)
        self.running.grow(len(self.assets))
        made = self.running.rows(given)
        return [self._rows(o, made[o.name], given, passed) for o in self.running.operators]

    def _rows(self, operator: Operator, made: Columns, given: Columns, passed: int) -> Published:
        """The rows of an operator's table in which something moved, and at keyframes; all of one with a key."""
        assert isinstance(operator.table, EventTable)
        row = made["row"]
        who, at = given["instrument"][row], given["pane"][row]
        chosen = np.arange(len(row))
        if not operator.table.key:
            deltas = self.deltas[operator.name]
            values = np.column_stack([_number(made[n]) for n in deltas.names])
            chosen = np.flatnonzero(deltas.news(who, (at + 1) % self.keyframe == 0, values))
        names = list(self.assets)
        told = [names[i] for i in who[chosen].tolist()]
        code = np.where(at <= passed, quality.EVENT, quality.END)
        code = np.where(within(self.guessed, at), quality.IDLE, code)[chosen]
        beside: dict[str, Array | list[str]] = {
            "asset": [asset for asset, _ in told],
            "quote": [quote for _, quote in told],
            "closed_by": [quality.CLOSED_BY[c] for c in code.tolist()],
            "inferred": given["inferred"][row][chosen],
        }
        out = {n: beside[n] if n in beside else listed(made[n][chosen]) for n in _columns(operator)}
        natural = [f"{asset}|{quote}" for asset, quote in told]
        if operator.table.key:
            parts = zip(natural, *(out[n] for n in operator.table.key), strict=True)
            natural = ["|".join(part) for part in parts]
        order_ms = (made["event_time"][chosen] // 1_000_000).tolist()
        return Published(operator.table.name, [asset for asset, _ in told], natural, order_ms, order_ms, out)

    def _forget(self, until: int) -> None:
        """Keep what waits and, of each book, what is in force."""
        self.released = until
        self.guessed = [(after, to) for after, to in self.guessed if to > until]
        book, pane = self.held.instrument, self.held.pane
        closed = np.flatnonzero(pane <= until)
        kept = pane > until
        last = np.full(len(self.books), -1)
        last[book[closed]] = closed  # rows stand in order of panes, so the last one stays
        kept[last[last >= 0]] = True
        if not kept.all():
            self.held = Panes(self.held.layout, self.held.key[kept], self.held.ints[:, kept], self.held.floats[:, kept])

    def freeze(self) -> bytes:
        """Everything that is not a setting."""
        return msgspec.msgpack.encode(
            _Frozen(
                {o.name: o.fingerprint for o in self.running.operators},
                list(self.assets),
                self.books,
                sorted(self._inferred),
                self.held.freeze(),
                {name: deltas.freeze() for name, deltas in self.deltas.items()},
                frozen((self.running,)),
                self.guessed,
                self.released,
            )
        )

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen."""
        was = msgspec.msgpack.decode(data, type=_Frozen)
        still = matched(was.fingerprints, (part(o) for o in self.running.operators))
        self.assets = {name: i for i, name in enumerate(was.assets)}
        self.books, self._inferred = was.books, set(was.inferred)
        self._place = {(b.venue, b.symbol): i for i, b in enumerate(self.books)}
        self.held = Panes.thaw(self.statistics, was.held)
        for name, deltas in self.deltas.items():
            if name in still:
                deltas.thaw(was.deltas[name])
        take_up((self.running,), was.operators)
        self.guessed, self.released = was.guessed, was.released


def _columns(operator: Operator) -> tuple[str, ...]:
    return ("asset", "quote", *(c.name for c in operator.columns))


def _compared(operator: Operator) -> dict[str, float]:
    """The columns that make a row news, and by how much: all that the operator itself gives but the row's time."""
    return {c.name: c.tolerance for c in operator.columns if c.name not in ("event_time", "closed_by", "inferred")}


def _number(values: Array) -> Array:
    """Values to compare; of a name a number that is another for each and the same in every process."""
    if values.dtype.kind != "U":
        return np.asarray(values, np.float64)
    names, of = np.unique(values, return_inverse=True)
    return np.array([_digest(name) for name in names.tolist()], np.float64)[of]


@lru_cache
def _digest(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=6).digest(), "big")
