"""An hour of a venue that misbehaves, in compressed time: is every drop found, every book right again, no frame lost?

`python -m tests.live.campaign [--venue NAME]... [--hours 1] [--compress 60] [--seed 7]`: each venue is played by a server
that speaks as its documentation says and keeps true books; a receiver listens with its times as much shorter as the hour
is. The product's own parser and books read what is handed on, and wherever such a book is trusted it must be the true one
of the same update id. One trouble follows the other, all kinds in turn, drawn anew; after each the books must be right
again. Prints a line a venue; ends with 1 if anything is missing.
"""

import argparse
import asyncio
import collections
import dataclasses
import logging
import random
import resource
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from flows.live.feeds_by_venue import FEEDS
from flows.live.outlet import Missed, Route, Routed
from flows.live.receiver import Receiver
from flows.settings.tree import Live
from operators.book import ladder
from schemas.frames import frames
from schemas.instrument import InstrumentTable
from schemas.venues.registry import VENUES
from tests.live.dialects import DIALECTS
from tests.live.venue_server import VenueServer
from tests.venues.cases import sides

EVERY_S = 0.02
"""What stands for the 100 ms between two updates."""
RIGHT_S = 15.0
"""How long books may take at most; a snapshot costs less than a second of the venues' budgets, compressed as the hour."""
COMPARE_S = 0.05
BUFFER = 40_000
QUIET_S = 1.0
"""At least so long a stream may say nothing; else as the venue's feed has it, in compressed time."""
PAGE = resource.getpagesize()


def resident_mb() -> float:
    """Memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE / 1e6


class Books:
    """An outlet that keeps the books as a flow would, and holds them against the true ones."""

    def __init__(self, server: VenueServer, venue: str) -> None:
        self._venue, self._true = VENUES[venue], server.books
        self._amount = 10 if venue == "deribit" else 1
        self._table, self._books = InstrumentTable(), ladder.init(self._venue.sequencing)
        self._compared_s: dict[str, float] = {}
        self.open = True
        self.frames_kept = self.frames_missed = self.compared = self.wrong = self.rejects = self.gaps = 0
        self.sum = 0
        """Of what was handed on, byte by byte, in whatever order."""
        self.right_at: dict[str, int] = {}
        """The last update id at which a book was the true one."""

    def frames(self, received_ns: int, routed: Routed) -> None:
        while not self.open:
            time.sleep(0.005)
        self.frames_kept += len(routed.frames)
        self.sum += sum(map(hash, routed.frames))
        depth = [(route, frame) for route, frame in zip(*routed, strict=True) if route.kind == "depth"]
        if depth:
            self._read(received_ns, depth)

    def _read(self, received_ns: int, depth: list[tuple[Route, bytes]]) -> None:
        names = {i: route.symbol for i, (route, _) in enumerate(depth) if not route.named}
        batch = frames("raw.depth", 0, [frame for _, frame in depth], [received_ns] * len(depth), 0, names)
        rows, rejects = self._venue.depth(batch, self._table)
        for _, *refined in self._table.refined:
            ladder.rescale(self._books, *refined)
        self._table.refined = []
        (done,) = ladder.apply(self._books, rows, np.zeros(len(rows), np.int64), -1)
        self.rejects += len(rejects)
        self.gaps += int(done.gap.sum())
        for i, live in dict(zip(rows.instrument.tolist(), done.live.tolist(), strict=True)).items():
            if live:
                self._compare(self._table.rows[i].symbol, int(rows.last_id[rows.instrument == i][-1]))

    def _compare(self, symbol: str, at: int) -> None:
        true, now_s = self._true[symbol].known.get(at), time.monotonic()
        if true is None or now_s - self._compared_s.get(symbol, 0.0) < COMPARE_S:
            return
        self._compared_s[symbol] = now_s
        self.compared += 1
        expected = tuple({p: float(size * self._amount) for p, size in side.items()} for side in true)
        if sides(self._books, self._table, symbol) == expected:
            self.right_at[symbol] = max(at, self.right_at.get(symbol, 0))
        else:
            self.wrong += 1

    def tick(self, received_ns: int) -> None:
        """Nothing."""

    def missed(self, missed: Missed) -> None:
        self.frames_missed += missed.frames

    def close(self) -> None:
        """Nothing."""


class Arrivals:
    """What the library hands over, counted before the product sees it."""

    def __init__(self, venue: str) -> None:
        self._published = VENUES[venue].kind_of
        self.count = self.sum = self.no_room = self.no_room_sum = 0

    def see(self, come: list[bytes]) -> None:
        some = [frame for frame in come if self._published(frame)]
        self.count += len(some)
        self.sum += sum(map(hash, some))

    def refuse(self, frames: list[bytes]) -> None:
        self.no_room += len(frames)
        self.no_room_sum += sum(map(hash, frames))


class Said(logging.Handler):
    """What the receivers reported: breaks in a chain of updates by venue and instrument, silences by venue."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks: collections.Counter[tuple[str, str]] = collections.Counter()
        self.silent: collections.Counter[str] = collections.Counter()

    def emit(self, record: logging.LogRecord) -> None:
        if not isinstance(record.args, tuple):
            return
        if "its book begins anew" in record.msg:
            self.breaks[str(record.args[0]), str(record.args[1])] += 1
        elif "is silent" in record.msg or "while others move" in record.msg:
            self.silent[str(record.args[0])] += 1


@dataclass
class Found:
    """What came of one venue."""

    venue: str
    troubles: collections.Counter[str] = field(default_factory=collections.Counter)
    drops: int = 0
    found: int = 0
    silences: int = 0
    heard_of: int = 0
    not_right: list[str] = field(default_factory=list)
    not_verbatim: int = 0
    slowest_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)
    compared: int = 0
    missing: int = 0
    line: str = ""

    @property
    def good(self) -> bool:
        return (
            self.found == self.drops and self.heard_of == self.silences and not self.not_right and not self.not_verbatim
        )


class Campaign:
    """One venue's hour."""

    def __init__(self, venue: str, compress: float, seed: int, said: Said) -> None:
        self.found = Found(venue)
        self._venue, self._said, self._chance = venue, said, random.Random(seed)
        self._server = VenueServer(DIALECTS[venue], EVERY_S)
        self._outlet = Books(self._server, venue)
        self._arrivals = Arrivals(venue)
        self._compress = compress
        self._symbols = DIALECTS[venue].symbols
        self._slowed = 0

    async def run(self, end_s: float, rounds: int) -> Found:
        """Troubles until the time is over, but so many rounds of all at least."""
        async with self._server:
            receiver = self._receiver()
            task = asyncio.create_task(receiver.run())
            try:
                await self._right("beginning")
                while rounds > 0 or time.monotonic() < end_s:
                    kinds = list(TROUBLES)
                    self._chance.shuffle(kinds)
                    for kind in kinds:
                        await asyncio.sleep(self._chance.uniform(0.1, 0.5))
                        self.found.troubles[kind] += 1
                        await TROUBLES[kind](self)
                        await self._right(kind)
                    rounds -= 1
                    self.found.memory_mb.append(resident_mb())
            finally:
                task.cancel()
                await asyncio.wait({task})
        self._settle()
        self._tell()
        return self.found

    def _receiver(self) -> Receiver:
        feed, server = FEEDS[self._venue], self._server
        channels = tuple(
            c._replace(quiet_s=c.quiet_s and max(QUIET_S, c.quiet_s / self._compress)) for c in feed.channels
        )
        snapshots = feed.snapshots
        if snapshots is not None:
            snapshots = snapshots._replace(per_minute=int(snapshots.per_minute * self._compress))
        feed = dataclasses.replace(feed, channels=channels, snapshots=snapshots)
        ways = {"public": "/public/stream", "market": "/market/stream"}
        sockets = {f"{feed.venue}/{n}" if n else feed.venue: server.http + ways.get(n, "/ws") for n in feed.sockets}
        told = Live(
            sockets=sockets,
            rest={feed.venue: server.http},
            lifetime_s=23 * 3600 / self._compress / 60,
            overlap_s=2.0,
            heartbeat_s=0.5,
            backoff_s=0.05,
            connect_s=2.0,
            buffer_bytes=BUFFER,
            seed=self._chance.randrange(1, 1 << 30),
        )
        receiver = Receiver(feed, VENUES[self._venue], self._symbols, {}, told, self._outlet)
        take, hand, put = receiver._take, receiver._snapshot, receiver.buffer.put

        def see(frames: list[bytes], streams: list[bytes | None]) -> None:
            self._arrivals.see(frames)
            take(frames, streams)

        def see_book(symbol: str, last: int, body: bytes) -> None:
            self._arrivals.see([body])
            hand(symbol, last, body)

        def put_seen(routed: Routed) -> int:
            kept = put(routed)
            self._arrivals.refuse(routed.frames[kept:])
            return kept

        receiver._take, receiver._snapshot = see, see_book  # type: ignore[method-assign]
        receiver.buffer.put = put_seen  # type: ignore[method-assign]
        self._buffer = receiver.buffer
        return receiver

    async def _right(self, after: str) -> None:
        """Every book is the true one, of an update from after the trouble."""
        since = {symbol: book.id for symbol, book in self._server.books.items()}
        began = time.monotonic()
        while any(self._outlet.right_at.get(symbol, 0) <= at for symbol, at in since.items()):
            if time.monotonic() - began > RIGHT_S:
                self.found.not_right.append(after)
                return
            await asyncio.sleep(0.01)
        self.found.slowest_s = max(self.found.slowest_s, time.monotonic() - began)

    def _settle(self) -> None:
        """What arrived was handed on, byte for byte, but for what found no room; and that was told."""
        arrivals, outlet = self._arrivals, self._outlet
        if arrivals.sum != outlet.sum + arrivals.no_room_sum:
            self.found.not_verbatim += 1
        if arrivals.count != outlet.frames_kept + arrivals.no_room or outlet.frames_missed != arrivals.no_room:
            self.found.not_verbatim += 1

    def _tell(self) -> None:
        found, outlet, memory = self.found, self._outlet, self.found.memory_mb
        if outlet.wrong:
            found.not_right.append(f"{outlet.wrong} books that were trusted and not true")
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(found.troubles.items()))
        found.compared, found.missing = outlet.compared, outlet.frames_missed
        found.line = (
            f"{found.venue}: {kinds}; drops found {found.found}/{found.drops}, silences "
            f"{found.heard_of}/{found.silences}; books compared {outlet.compared:,}, wrong "
            f"{outlet.wrong}, right again within {found.slowest_s:.1f} s; not right after: {found.not_right or 'none'}; "
            f"frames sent {self._server.sent:,}, arrived {self._arrivals.count:,}, handed on {outlet.frames_kept:,}, told "
            f"as missing {outlet.frames_missed:,}, lost {self._arrivals.count - outlet.frames_kept - outlet.frames_missed}"
            f"; sockets {self._server.opened}, snapshots {self._server.rest_asked}, gaps {outlet.gaps}, rejects "
            f"{outlet.rejects}; memory {memory[0]:.0f} -> {memory[len(memory) // 2]:.0f} -> {memory[-1]:.0f} MB"
        )

    async def drop(self) -> None:
        """Updates of one instrument that nobody gets."""
        symbol = self._chance.choice(self._symbols)
        before = self._said.breaks[self._venue, symbol]
        self._server.lost[symbol] = self._chance.randrange(1, 6)
        self.found.drops += 1
        end = time.monotonic() + RIGHT_S
        while self._said.breaks[self._venue, symbol] == before and time.monotonic() < end:
            await asyncio.sleep(0.01)
        self.found.found += self._said.breaks[self._venue, symbol] > before

    async def duplicates(self) -> None:
        """Everything twice for a while."""
        self._server.twice = True
        await asyncio.sleep(0.3)
        self._server.twice = False

    async def reset(self) -> None:
        """A connection that breaks off in the middle of a frame."""
        self._server.reset()

    async def end_of_day(self) -> None:
        """The venue ends connections, as after 24 hours."""
        await self._server.end()

    async def half_open(self) -> None:
        """Sockets out of which nothing comes any more."""
        opened = self._server.opened
        self._server.half_open()
        end = time.monotonic() + RIGHT_S
        while self._server.opened == opened and time.monotonic() < end:
            await asyncio.sleep(0.01)

    async def rate_limit(self) -> None:
        """Too many requests: new sockets and snapshots are told to come back."""
        self._server.turned_away, self._server.too_often = 2, 1
        self._server.cut()

    async def maintenance(self) -> None:
        """The venue is away for a while."""
        self._server.in_maintenance = True
        self._server.cut()
        await asyncio.sleep(0.5)
        self._server.in_maintenance = False

    async def slow_consumer(self) -> None:
        """Whoever takes the frames stands still until some found no room."""
        before, end = self._arrivals.no_room, time.monotonic() + RIGHT_S
        self._outlet.open = False
        while self._arrivals.no_room < before + 10 and time.monotonic() < end:
            await asyncio.sleep(0.01)
        self._outlet.open = True

    async def silence(self) -> None:
        """One stream says nothing until it is asked for again."""
        channel = DIALECTS[self._venue].channel
        streams = {s for peer in self._server.peers for s in peer.streams if channel(s)[0] in ("depth", "derivatives")}
        before, asked = self._said.silent[self._venue], self._server.subscriptions
        self._server.muted = {self._chance.choice(sorted(streams))}
        self.found.silences += 1
        end = time.monotonic() + RIGHT_S
        while time.monotonic() < end and not self._asked_again(before, asked):
            await asyncio.sleep(0.01)
        self._server.muted = set()
        self.found.heard_of += self._asked_again(before, asked)

    def _asked_again(self, before: int, asked: int) -> bool:
        return self._said.silent[self._venue] > before and self._server.subscriptions > asked


TROUBLES = {
    "drops": Campaign.drop,
    "duplicates": Campaign.duplicates,
    "resets in mid-frame": Campaign.reset,
    "cuts after 24 h": Campaign.end_of_day,
    "half-open sockets": Campaign.half_open,
    "rate limits": Campaign.rate_limit,
    "maintenances": Campaign.maintenance,
    "slow consumers": Campaign.slow_consumer,
    "silences": Campaign.silence,
}


def warm() -> None:
    """Compile what reads books before the clock runs."""
    server = VenueServer(DIALECTS["bybit-linear"])
    book = server.books["BTCUSDT"]
    frame = server.dialect.whole("orderbook.200.BTCUSDT", "BTCUSDT", book.id, book.sides())
    Books(server, "bybit-linear").frames(time.time_ns(), Routed([Route("depth", "BTCUSDT", b"BTC", True)], [frame]))


async def campaign(venues: list[str], seconds: float, compress: float, seed: int, rounds: int = 1) -> list[Found]:
    """Venues side by side."""
    warm()
    said, log = Said(), logging.getLogger("alphaplus.live")
    log.addHandler(said)
    try:
        end_s = time.monotonic() + seconds
        return await asyncio.gather(
            *(Campaign(venue, compress, seed + n, said).run(end_s, rounds) for n, venue in enumerate(venues))
        )
    finally:
        log.removeHandler(said)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.live.campaign", description=__doc__)
    parser.add_argument("--venue", action="append", choices=list(FEEDS), help="default: all, side by side")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--compress", type=float, default=60.0, help="how many hours pass in one")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    logging.getLogger("alphaplus.live").propagate = False
    seconds = given.hours * 3600 / given.compress
    told = asyncio.run(campaign(given.venue or list(FEEDS), seconds, given.compress, given.seed))
    for found in told:
        print(found.line, flush=True)
    return 0 if all(found.good for found in told) else 1


if __name__ == "__main__":
    sys.exit(main())
