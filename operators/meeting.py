"""The meeting: where what one log said is looked up at the times of another, by instrument and event time.

Trades and liquidations each wait in one of their own, over the same mids.

Each log keeps its own clock; the meeting is asked only for what all of them have passed. The mid of a book is in force
from the event time of its message until the next. Ties: a trade meets the mid in force *just before* it, so a message
of the same nanosecond does not count; at a pane's edge and a horizon after a trade, a message of that very nanosecond
does. Of messages of one nanosecond the last in log order says. A book's times never go back: what comes late counts
from the latest time seen. A message that shows a gap takes back what was in force since the message before: of trades
whose longest horizon is not over by then, so that this does not hang on when they were given.

It holds the changes of mid and the events of one horizon of event time behind the newest closed pane, and no more.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.contract import I8, Array, Columns
from operators.pack import pack, unpack
from schemas.kernels import kernel

F8 = NDArray[np.float64]
NEVER_NS, ENDED_NS = -(2**62), 2**62
TRADE = {
    "instrument": np.int64,
    "pane": np.int64,
    "event_ns": np.int64,
    "price": np.float64,
    "qty_base": np.float64,
    "sign": np.int64,
}
LIQUIDATION = {
    "instrument": np.int64,
    "pane": np.int64,
    "event_ns": np.int64,
    "order_side": np.int64,
    "price": np.float64,
    "price_kind": np.int64,
    "throttled": np.bool_,
    "qty_base": np.float64,
    "notional_usd": np.float64,
}


@kernel
def _changes(last_ns: I8, last: F8, instrument: I8, event_ns: I8, values: F8, at: I8, changed: I8) -> int:
    """The time of each message, never back, and the rows at which the value changed; how many these are."""
    n = 0
    for i in range(len(instrument)):
        k = instrument[i]
        last_ns[k] = at[i] = max(last_ns[k], event_ns[i])
        if values[i] != last[k] and not (np.isnan(values[i]) and np.isnan(last[k])):
            last[k] = values[i]
            changed[n] = i
            n += 1
    return n


@kernel
def _in_force(held_of: I8, held_ns: I8, held: F8, instrument: I8, at_ns: I8, inclusive: bool, out: F8) -> None:
    """The value of the last row of each instrument before (or at) a time; rows by instrument and then time."""
    for i in range(len(instrument)):
        k, at = instrument[i], at_ns[i]
        low, high = 0, len(held)
        while low < high:
            middle = (low + high) // 2
            of, ns = held_of[middle], held_ns[middle]
            if of < k or (of == k and (ns < at or (inclusive and ns == at))):
                low = middle + 1
            else:
                high = middle
        out[i] = held[low - 1] if low > 0 and held_of[low - 1] == k else np.nan


class Mids:
    """The mid in force of each instrument at every moment of some stretch of time; null: no trusted two-sided book."""

    def __init__(self) -> None:
        """Nothing known."""
        self.instrument, self.at_ns = np.empty(0, np.int64), np.empty(0, np.int64)
        self.mid = np.empty(0, np.float64)
        self.last_ns, self.last = np.empty(0, np.int64), np.empty(0, np.float64)
        self.holes = np.empty((0, 3), np.int64)
        """Instrument, and after and until when what was in force is not known, for a message was missing."""

    def add(self, instrument: I8, event_ns: I8, mid: Array, missing_ns: I8 | None = None) -> None:
        """Take in messages, in log order; `missing_ns`: for how long the book was not known before each.

        >>> mids = Mids()
        >>> mids.add(np.zeros(3, np.int64), np.array([10, 20, 20]), np.array([1.0, 2.0, 3.0]))
        >>> at = np.array([9, 10, 11, 20, 21])
        >>> mids.before(np.zeros(5, np.int64), at).tolist(), mids.at(np.zeros(5, np.int64), at).tolist()
        ([nan, nan, 1.0, 1.0, 3.0], [nan, 1.0, 1.0, 3.0, 3.0])
        """
        more = int(instrument.max(initial=-1)) + 1 - len(self.last)
        if more > 0:
            self.last_ns = np.append(self.last_ns, np.full(more, NEVER_NS))
            self.last = np.append(self.last, np.full(more, np.nan))
        at, changed = np.empty(len(mid), np.int64), np.empty(len(mid), np.int64)
        n = _changes(self.last_ns, self.last, instrument, event_ns, mid, at, changed)
        if missing_ns is not None and len(rows := np.flatnonzero(missing_ns)):
            found = np.column_stack([instrument[rows], at[rows] - missing_ns[rows], at[rows]])
            self.holes = np.concatenate([self.holes, found])
        if n:
            rows = changed[:n]
            instrument = np.concatenate([self.instrument, instrument[rows]])
            at = np.concatenate([self.at_ns, at[rows]])
            order = np.lexsort((at, instrument))  # stable: what came later in the log stands later
            self.instrument, self.at_ns = instrument[order], at[order]
            self.mid = np.concatenate([self.mid, mid[rows]])[order]

    def before(self, instrument: I8, at_ns: I8) -> Array:
        """In force just before a time."""
        return self._find(instrument, at_ns, inclusive=False)

    def at(self, instrument: I8, at_ns: I8) -> Array:
        """In force at a time."""
        return self._find(instrument, at_ns, inclusive=True)

    def missing(self, instrument: I8, at_ns: I8, seen_ns: I8) -> Array:
        """Whether a message up to `seen_ns` has shown that what was in force at a time is not known."""
        out = np.zeros(len(instrument), np.bool_)
        for who, since_ns, until_ns in self.holes.tolist():
            out |= (instrument == who) & (since_ns < at_ns) & (at_ns < until_ns) & (until_ns <= seen_ns)
        return out

    def _find(self, instrument: I8, at_ns: I8, *, inclusive: bool) -> Array:
        out = np.empty(len(instrument))
        _in_force(self.instrument, self.at_ns, self.mid, instrument, at_ns, inclusive, out)
        return out

    def forget(self, before_ns: int) -> None:
        """Keep of each instrument what is in force at that time, and later."""
        if len(self.mid):
            last = np.append(self.instrument[1:] != self.instrument[:-1], True)
            ended = np.append(self.at_ns[1:], 0) <= before_ns
            kept = last | ~ended
            if not kept.all():
                self.instrument, self.at_ns, self.mid = self.instrument[kept], self.at_ns[kept], self.mid[kept]
        if len(self.holes):
            self.holes = self.holes[self.holes[:, 2] > before_ns]


class Meeting:
    """The mids of a venue's books, and the trades, or other events, whose horizons are not over."""

    def __init__(
        self, horizons_ns: Sequence[int], of: Mapping[str, type] = TRADE, beside: "Meeting | None" = None
    ) -> None:
        """`horizons_ns`: how long after an event the mid is asked for again, ascending.

        `of`: the columns of the events. `beside`: whose mids they meet, and who keeps them.
        """
        self.horizons_ns = tuple(horizons_ns)
        self.of = dict(of)
        self.mids: Mids = Mids() if beside is None else beside.mids
        self.waiting: dict[str, Array] = {n: np.empty(0, t) for n, t in self.of.items()}

    @property
    def longest_ns(self) -> int:
        """The longest horizon."""
        return max(self.horizons_ns, default=0)

    def add(self, events: Columns) -> None:
        """Take in events, in log order."""
        if len(events["pane"]):
            self.waiting = {n: np.concatenate([c, events[n].astype(self.of[n])]) for n, c in self.waiting.items()}

    def release(self, through_ns: int, known_ns: int) -> dict[str, Array]:
        """The events whose longest horizon ends by `through_ns`, up to which all logs are closed, by time, then log.

        With `mid_before`, and `mid_after`, a column a horizon: null beyond `known_ns`, where the books' log ended, and
        where a gap has shown meanwhile that it was not known.
        """
        done = self.waiting["event_ns"] + self.longest_ns <= through_ns
        out = {n: c[done] for n, c in self.waiting.items()}
        if done.any():
            self.waiting = {n: c[~done] for n, c in self.waiting.items()}
        order = np.argsort(out["event_ns"], kind="stable")
        out = {n: c[order] for n, c in out.items()}
        instrument, at = out["instrument"], out["event_ns"]
        seen_ns = at + self.longest_ns
        after = np.empty((len(at), len(self.horizons_ns)))
        for h, horizon in enumerate(self.horizons_ns):
            known = (at + horizon <= known_ns) & ~self.mids.missing(instrument, at + horizon, seen_ns)
            after[:, h] = np.where(known, self.mids.at(instrument, at + horizon), np.nan)
        before = self.mids.before(instrument, at)
        for who, since_ns, until_ns in self.mids.holes.tolist():
            before[(instrument == who) & (since_ns < at) & (at <= until_ns) & (until_ns <= seen_ns)] = np.nan
        return out | {"mid_before": before, "mid_after": after}

    def last(self) -> int:
        """The last pane with an event that waits; -2**62 when there is none."""
        return int(self.waiting["pane"].max(initial=NEVER_NS))

    @property
    def oldest_ns(self) -> int:
        """When the first event was that waits; far ahead when there is none."""
        return int(self.waiting["event_ns"].min(initial=ENDED_NS))

    def forget(self, before_ns: int, *beside: "Meeting") -> None:
        """Nothing before that time will be asked for any more, but by the events that wait here and `beside`."""
        self.mids.forget(min(before_ns, self.oldest_ns, *(other.oldest_ns for other in beside)) - 1)

    def freeze(self, *, mids: bool = True) -> bytes:
        """The events that wait, and the mids."""
        held = {n: getattr(self.mids, n) for n in _MIDS} if mids else {}
        return pack({**held, **{f"trade_{n}": c for n, c in self.waiting.items()}})

    def thaw(self, data: bytes) -> None:
        """Take up what was frozen."""
        was = unpack(data)
        for name in _MIDS:
            if name in was:  # a release before kept no holes
                setattr(self.mids, name, was[name])
        null = np.full(len(was["trade_pane"]), np.nan)  # what an operator asks for that came since
        self.waiting = {n: was.get(f"trade_{n}", null).astype(t) for n, t in self.of.items()}


_MIDS = ("instrument", "at_ns", "mid", "last_ns", "last", "holes")
