"""Books against what a venue knows: `python -m tests.venues.fuzz_books --seed 1 --logs 50`.

A venue is played whose book is known at every update id. Its messages are lost, repeated, held back, damaged, cut short
by reconnections, with whole books in between, older ones too, other views, finer steps and symbols that are listed anew
at other prices and ids. Whatever came: a book that is trusted is, level by level, what the venue had at the id that it
stands at; and after a whole book and an unbroken chain it is trusted, at the last id.
"""

import argparse
import random
from decimal import Decimal
from pathlib import Path

import numpy as np

from operators.book import ladder
from operators.book.closings import CROSSED_NS, DOUBTED, LAST, STATE
from operators.book.continuity import EMPTY
from schemas.instrument import InstrumentTable
from schemas.venues.registry import VENUES
from tests.venues.cases import parsed, replayed, written
from tests.venues.test_kinds import BYBIT, COINM, DERIBIT, OKX, SPOT, SYMBOLS, USDM, T, depth

Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]
BINANCE = (USDM, COINM, SPOT)


def plain(value):
    """A decimal as venues print it."""
    return f"{value:f}"


class Played:
    """A venue's book of one symbol: each change has an id, and what the book was at every id is known."""

    def __init__(self, venue, chance, known):
        """Begin a listing; `known` is shared with the listings before."""
        self.venue, self.chance, self.known = venue, chance, known
        self.listed(0, 1_000_000)

    def listed(self, ms, last):
        """A new listing: other prices, ids that begin at `last`."""
        chance = self.chance
        self.tick = Decimal(1).scaleb(-chance.choice((0, 1, 2)))
        self.lot = Decimal(1).scaleb(-chance.choice((0, 1, 3)))
        self.middle = chance.choice((50, 400, 5000))
        self.last, self.told, self.ms = last, last, ms
        self.sides: Sides = ({}, {})
        for k in range(1, 13):
            for side, sign in enumerate((-1, 1)):
                self.sides[side][(self.middle + sign * k) * self.tick] = self._size()
        self._remember()

    def _size(self):
        return self.chance.randint(1, 999) * self.lot

    def _remember(self):
        self.known[self.last] = tuple({p: q for p, q in side.items() if q} for side in self.sides)

    def finer(self):
        """The venue refines its steps."""
        if self.tick > Decimal("0.0001"):
            self.tick, self.middle = self.tick / 10, self.middle * 10
        self.lot = max(self.lot / 10, Decimal("0.00001"))

    def change(self):
        """One change of the book, which takes an id; what it sets."""
        self.last += 1 if self.venue in (SPOT, BYBIT) else self.chance.randint(1, 3)
        chance, told = self.chance, ({}, {})
        if chance.random() < 0.2:
            self.middle += chance.choice((-2, -1, 1, 2))
        for side, sign in enumerate((-1, 1)):
            held = self.sides[side]
            for price in [p for p in held if sign * (p - self.middle * self.tick) <= 0]:
                held[price] = told[side][price] = Decimal(0)
            for _ in range(chance.randint(0, 2)):
                price = (self.middle + sign * chance.randint(1, 12)) * self.tick
                held[price] = told[side][price] = Decimal(0) if chance.random() < 0.3 else self._size()
            if not any(held.values()):
                price = (self.middle + sign) * self.tick
                held[price] = told[side][price] = self._size()
            self.sides[side].update({p: Decimal(0) for p, q in held.items() if not q})
        self._remember()
        return told

    def diff(self, ms):
        """A message of all changes since the one before."""
        self.ms = ms
        before, told = self.told, ({}, {})
        first = self.last + 1
        for _ in range(1 if self.venue == BYBIT else self.chance.randint(1, 3)):
            for side, changes in enumerate(self.change()):
                told[side].update(changes)
        self.told = self.last
        return self._message(first, self.last, before, ms, told, False)

    def whole(self, last, ms):
        """The whole book as it was at an id."""
        return self._message(last, last, -1, ms, self.known[last], True)

    def _message(self, first, last, before, ms, sides, snapshot):
        bids, asks = ([(plain(p), plain(q)) for p, q in side.items()] for side in sides)
        told = depth(self.venue, first, last, before, ms, bids, asks, snapshot=snapshot)
        if self.venue == SPOT and snapshot:
            del told["E"], told["T"]
        return told


def spoilt(frame):
    """The frame with a price that is none; as it is where it has no levels."""
    if "params" in frame:
        return {**frame, "params": spoilt(frame["params"])}
    if "data" in frame:
        inner = frame["data"]
        return {**frame, "data": [spoilt(inner[0])] if isinstance(inner, list) else spoilt(inner)}
    name = next((n for n in ("bids", "b", "asks", "a") if frame.get(n)), None)
    return {**frame, name: [["new", "x", 1.0] if "change_id" in frame else ["x", "1"]]} if name else frame


def log(venue, seed, length=120):
    """Frames as they arrive, each with the time of its arrival in ms, what was known, and the last id of all."""
    chance = random.Random(f"{venue} {seed}")
    known: dict[int, Sides] = {}
    played = Played(venue, chance, known)
    ms, out = 0, [(0, played.whole(played.last, 0))]
    late: list[tuple[int, dict]] = []
    heard = [played.last]
    faulty = chance.random() < 0.9
    while len(out) < length:
        ms += chance.choice((10, 100, 100, 400, 900) if chance.random() < 0.98 else (12_000, 95_000))
        frame = played.diff(ms)
        heard.append(played.last)
        draw = chance.random() if faulty else 1
        if draw < 0.04:
            continue
        if draw < 0.08:
            late.append((len(out) + chance.randint(1, 4), frame))
            continue
        if draw < 0.10:
            frame = spoilt(frame)
        out.append((ms, frame))
        if 0.10 < draw < 0.15:
            late.append((len(out) + chance.randint(0, 5), frame))
        if 0.15 < draw < 0.22:
            some = sorted(k for k in known if heard[max(0, len(heard) - 6)] <= k <= played.last)
            last = chance.choice(some) if venue in BINANCE else played.told
            out.append((ms, played.whole(last, ms)))
        if 0.22 < draw < 0.235:
            for _ in range(chance.randint(1, 9)):
                ms += 100
                played.diff(ms)
            out.append((ms, played.whole(played.last, ms)))
        if 0.235 < draw < 0.25:
            played.finer()
        if 0.25 < draw < 0.262:
            ms += chance.choice((70_000, 3_600_000))
            base = chance.choice((1, 10**7)) * (1000 + 10_000 * len(known))
            played.listed(ms, base)
            heard[:] = [base]
            if chance.random() < 0.7 or venue not in BINANCE:
                out.append((ms, played.whole(played.last, ms)))
        out += [(ms, frame) for at, frame in late if at <= len(out)]
        late = [(at, frame) for at, frame in late if at > len(out)]
    ms += 100_000
    out += [(ms, played.diff(ms)), (ms + 10, played.whole(played.last, ms + 10))]
    out += [(ms + 100 * k, played.diff(ms + 100 * k)) for k in range(1, 5)]
    return out, known, played.last


def held(books, table, symbol):
    """The levels of a symbol's book, exactly."""
    row = table.rows[table.index[symbol]]
    tick, lot = Decimal(row.tick), Decimal(row.lot)
    return tuple(
        {int(t) * tick: int(q) * lot for t, q in zip(*ladder.levels(books, 2 * table.index[symbol] + s), strict=True)}
        for s in (0, 1)
    )


def faults_of(venue, seed, batch=1):
    """What is wrong with the books that a log makes, frame by frame or a few at a time."""
    frames, known, end = log(venue, seed)
    table, books, symbol = InstrumentTable(), ladder.init(VENUES[venue].sequencing), SYMBOLS[venue]
    found, trusted, last = [], False, -1
    values = [f for _, f in frames]
    for at in range(0, len(values), batch):
        names = dict.fromkeys(range(batch), symbol)
        told, _, _ = parsed(venue, "depth", values[at : at + batch], table, names)
        starts = sorted({0, len(told), *(row for row, *_ in table.refined)})
        for lo, hi in zip(starts, starts[1:], strict=False):
            for row, *refined in table.refined:
                if row == lo:
                    ladder.rescale(books, *refined)
            part = told.part(lo, hi)
            list(ladder.apply(books, part, np.zeros(len(part), np.int64), -1))
        table.refined = []
        if symbol not in table.index:
            continue
        head = books.heads[table.index[symbol]]
        trusted, last = bool(head[STATE] != EMPTY and head[CROSSED_NS] != DOUBTED), int(head[LAST])
        if trusted and held(books, table, symbol) != known.get(last):
            found.append(f"frame {at}: the book at {last} is not the venue's: {values[at]}")
    if not trusted or last != end:
        found.append(f"at the end: trusted {trusted}, at {last} of {end}")
    return found


def rows_of(venue, seed, path):
    """What is wrong with the rows that the market publishes of a log, in batches, frozen and thawed in between."""
    frames, known, _ = log(venue, seed)
    capture = written(Path(path), [((T + ms + 5) * 10**6, f) for ms, f in frames])
    found, seen = [], 0
    for row in replayed([(venue, capture)], batch=random.Random(seed).choice((1, 7, 50))).rows("features_book"):
        if row["best_bid"] is None or np.isnan(row["best_bid"]):
            continue
        seen += 1
        bids, asks = known.get(row["last_update_id"], ({}, {}))
        best = (float(max(bids, default=0)), float(min(asks, default=0)))
        if not np.allclose((row["best_bid"], row["best_ask"]), best, rtol=1e-12):
            found.append(f"{row['window_ms']} {row['window_start']}: {row['best_bid'], row['best_ask']} is not {best}")
    return found if seen else [*found, "no rows"]


def main():
    """Many logs of all venues, or of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=int, default=50)
    parser.add_argument("--venue", choices=sorted(SYMBOLS), nargs="*")
    parser.add_argument("--rows", type=Path, help="a scratch file: of every log the published rows too")
    given = parser.parse_args()
    bad = 0
    for venue in given.venue or (USDM, COINM, SPOT, BYBIT, OKX, DERIBIT):
        for seed in range(given.seed, given.seed + given.logs):
            told = faults_of(venue, seed, random.Random(seed).choice((1, 1, 2, 9)))
            told += rows_of(venue, seed, given.rows) if given.rows else []
            bad += bool(told)
            if told:
                print(venue, seed, len(told), told[0][:400], flush=True)
        print(venue, "done", flush=True)
    raise SystemExit(bad > 0)


if __name__ == "__main__":
    main()
